"""What an alert costs in write units; docs/alerts.md has these figures."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import ceil
from pathlib import Path

from benchmarks.billing import item_size

from weir.alerts.alarm import Alarm, Fact, Opened, follow
from weir.alerts.alert import Alert
from weir.alerts.lifecycle import acknowledge, tell
from weir.storage.alert_store import item_of

START = 1_767_225_600_000
SECOND = 1000
BECAUSE = "93.1, expected 70.25 to 75.9: a sudden jump"
DOC = Path(__file__).parents[3] / "docs" / "alerts.md"


def life(readings: int) -> Iterator[Alert]:
    """An alert after each write: an anomaly of `readings`, one a second, and its end.

    It grows to a critical one, and a person acknowledges it after the second telling.
    """
    opened = Opened("flow", START, 0.76, BECAUSE, 93.125, 72.0625, 70.25, 75.875)
    alarm, told = Alarm.begin(START, 0.76), [[opened]]
    for at in range(1, readings + 30):
        score = min(0.76 + at / 500, 0.95) if at < readings else 0.1
        if not alarm.is_open:
            break
        alarm, fact = follow(alarm, "flow", START + at * SECOND, score, 0.75)
        if fact is not None:
            told.append([fact])  # type: ignore[list-item]
    alert: Alert | None = None
    for basis, facts in enumerate(told, 1):
        alert = _told(alert, facts, basis)
        yield alert
        if basis == 2:
            alert = acknowledge(alert, "ann@example.com", START + 60 * SECOND, "on my way")
            yield alert


def _told(alert: Alert | None, facts: Sequence[Fact], basis: int) -> Alert:
    after = tell(alert, "pump-7", facts, basis)
    assert after is not None
    return after


def size(alert: Alert) -> int:
    return item_size(item_of(alert, expires_at=START // 1000 + 90 * 86_400))


def units(writes: Sequence[Alert]) -> int:
    """Write units of an alert's writes, in the table and in the index by state.

    A write costs what the larger of the item before and after does, an entry of an index the same;
    one that moves in the index, since its state changed, is deleted and put.
    """
    first = ceil(size(writes[0]) / 1024)
    total = 2 * first
    for before, after in pairwise(writes):
        old, new = ceil(size(before) / 1024), ceil(size(after) / 1024)
        total += max(old, new)
        total += max(old, new) if before.state == after.state else old + new
    return total


def test_the_documentation_says_what_an_alert_costs() -> None:
    text = DOC.read_text(encoding="utf-8")
    for name, readings in (("a minute", 60), ("an hour", 3600), ("a day", 86_400)):
        writes = list(life(readings))
        row = f"| {name} | {readings:,} | {len(writes)} | {size(writes[-1]):,} | {units(writes)} |"
        assert row in text, row


def test_an_alert_is_one_unit_while_little_happened_to_it() -> None:
    assert size(next(life(60))) <= 1024


def test_an_anomaly_of_n_readings_is_told_of_log_n_times_and_hourly() -> None:
    day = list(life(86_400))
    assert len(day) <= 1 + 17 + 24 + 2 + 2  # doublings, hours, rises; acknowledged and cleared
