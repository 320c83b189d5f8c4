"""Alerts as they are read, compared and shown."""

from typing import Any

import pytest

from tests.targets import a_target
from weir.alerts.alert import Alert
from weir_cli import alert_view
from weir_cli.alert_watch import AlertReader, Changes

ONSET = 1_767_225_600_000
WHY = "12.5, expected 3 to 4: a jump"
ALERT = Alert("pump-7", "flow", ONSET, "OPEN", 0.75, 0.75, ONSET, WHY, 12.5, 3.5, 3.0, 4.0)
CLEARED = Alert(
    *("pump-7", "flow", ONSET, "CLEARED", 0.75, 0.9, ONSET, WHY, 12.5, 3.5, 3.0, 4.0, ONSET + 5000)
)


def test_an_alert_is_shown_when_it_is_new_and_when_it_changes() -> None:
    changes = Changes()
    assert list(changes.of([ALERT])) == [ALERT]
    assert list(changes.of([ALERT])) == []
    assert list(changes.of([CLEARED])) == [CLEARED]
    assert changes.known == 1


def test_an_alert_is_one_line() -> None:
    assert alert_view.line(ALERT) == (
        "OPEN     pump-7  flow  2026-01-01T00:00:00Z  minor     12.5, expected 3 to 4: a jump"
    )
    assert alert_view.line(CLEARED).endswith("ended 2026-01-01T00:00:05Z")


class AlertsOf:
    """An alert that clears between two queries: it is in both."""

    def of_state(self, state: str, *, since: int) -> list[Alert]:
        return [a for a in (ALERT, CLEARED) if a.state == state and a.onset >= since]

    def of_device(self, device_id: str) -> list[Alert]:
        return [CLEARED] if device_id == "pump-7" else []


@pytest.mark.parametrize(
    ("shown", "device", "since", "expected"),
    [
        ("all", None, 0, [CLEARED]),
        ("open", None, 0, [ALERT]),
        ("cleared", "pump-7", 0, [CLEARED]),
        ("open", "pump-7", 0, []),
        ("all", None, ALERT.onset + 1, []),
        ("all", "pump-7", ALERT.onset + 1, []),
    ],
)
def test_alerts_are_read_once_each(
    shown: Any, device: str | None, since: int, expected: list[Alert]
) -> None:
    reader = AlertReader(
        a_target(alerts_table="alerts"),
        since=since, device=device, shown=shown,
    )  # fmt: skip
    reader._store = AlertsOf()  # type: ignore[assignment]
    assert reader.read() == expected
