"""What becomes of a change whose alert was changed by somebody else meanwhile."""

from collections.abc import Iterator

from tests.fakes.alert_table import FakeAlertTable
from tests.unit.alerts.facts import DEVICE, MINUTE, ONSET, followed, opened
from weir.alerts.alert import AlertKey
from weir.alerts.lifecycle import acknowledge, snooze
from weir.storage.alert_store import AlertStore

KEY = AlertKey(DEVICE, ONSET, "flow")
NOW = 1_767_225_600_000


def interrupted_once(table: FakeAlertTable) -> FakeAlertTable:
    """A view of the table whose first put comes just after somebody snoozed the alert."""
    first: Iterator[None] = iter([None])

    def gate(call: str) -> None:
        if call == "put" and next(first, 0) is None:
            store = AlertStore(table, "alerts")
            store.change(KEY, lambda alert: snooze(alert, NOW + 60_000, "ben", NOW))

    return table.view(gate)


def test_a_fact_is_not_taken_for_told_because_a_person_s_deed_came_before_it() -> None:
    table = FakeAlertTable()
    AlertStore(table, "alerts").tell(DEVICE, [opened(0.75)], 1)
    AlertStore(table, "alerts").change(KEY, lambda alert: acknowledge(alert, "ann", NOW))
    racing = AlertStore(interrupted_once(table), "alerts", sleep=lambda _: None)
    racing.tell(DEVICE, [followed(20, count=2)], 2)
    alert = AlertStore(table, "alerts").get(KEY)
    assert alert is not None
    assert (alert.count, alert.last_seen) == (2, 20 * MINUTE)
    assert [entry.kind for entry in alert.history] == ["opened", "acknowledged", "snoozed"]
