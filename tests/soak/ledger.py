"""The ledger: what was acknowledged against what there is, value by value; pure.

lost        acknowledged values that are not in the table, not in the lake, or not scored
doubled     values scored more than once, copies that disagree, readings that the lake takes for
            several, alerts that stand twice
false       alerts that the readings in their order do not open, but for provisional ones
provisional alerts that stand withdrawn, and before whose onset a value of their metric was missing
            when the value of the onset came: what was scored then was another series
            (docs/scoring.md). The table's stream says so: that value came for the first time after
            the onset's did. A duplicate is no such value, and whatever else opens an alert too
            many leaves a false one, withdrawn or not
misstated   alerts that stand open and ended, or the other way round, or withdrawn and are not
strange     values that nobody sent
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.soak.expected import AlertKey
from tests.soak.fleet import Device
from tests.soak.found import Arrivals, Copies, Lake, StoredAlert, ValueKey
from weir.controls import DEVICE

MOST_NAMED: Final = 20
"""So many of what is wrong are spelt out."""

type Scored = Mapping[str, tuple[int, int]]
"""For each metric, the values that are scored, and the time until which they are."""


@dataclass(frozen=True, slots=True)
class Lost:
    """An acknowledged value that is missing somewhere.

    Of those that are not scored it is known how many there are, and not which: `ts` is then the
    time until which the metric is scored.
    """

    device_id: str
    metric: str
    ts: int
    in_table: bool
    in_lake: bool
    unscored: int = 0


@dataclass(slots=True)
class Ledger:
    """What was found of the acknowledged values, and what of it is wrong."""

    values: int = 0
    missing: list[Lost] = field(default_factory=list)
    unscored: list[Lost] = field(default_factory=list)
    doubled: Counter[str] = field(default_factory=Counter)
    strange: int = 0
    table_copies: int = 0
    lake_copies: int = 0

    @property
    def not_scored(self) -> int:
        """How many values are stored and not scored."""
        return sum(one.unscored for one in self.unscored)


def compare(
    devices: Iterable[Device],
    table: Mapping[str, Copies],
    lake: Lake,
    scored: Mapping[str, Scored],
) -> Ledger:
    """Put every value that was acknowledged beside what there is of it."""
    ledger = Ledger()
    for device in devices:
        _compare_device(
            ledger,
            device,
            table.get(device.device_id, Copies()),
            lake.devices.get(device.device_id, Copies()),
            len(lake.ids.get(device.device_id, ())),
            scored.get(device.device_id, {}),
        )
    return ledger


def _compare_device(
    ledger: Ledger, device: Device, table: Copies, lake: Copies, ids: int, scored: Scored
) -> None:
    readings = device.readings[: device.acknowledged]
    true = {(name, reading.ts): v for reading in readings for name, v in reading.metrics.items()}
    ledger.values += len(true)
    for key, value in true.items():
        in_table, in_lake = _holds(table, key, value), _holds(lake, key, value)
        if not (in_table and in_lake):
            ledger.missing.append(Lost(device.device_id, *key, in_table, in_lake))
    ledger.strange += len(table.values.keys() - true.keys()) + len(lake.values.keys() - true.keys())
    ledger.doubled["copies that disagree"] += len(table.conflicts) + len(lake.conflicts)
    ledger.doubled["readings with several ids"] += max(0, ids - len(readings))
    ledger.table_copies += table.copies - len(table.values)
    ledger.lake_copies += lake.copies - len(lake.values)
    for name, count in Counter(name for name, _ in true).items():
        found, until = scored.get(name, (0, 0))
        ledger.doubled["values scored twice"] += max(0, found - count)
        if found < count:
            ledger.unscored.append(
                Lost(
                    device.device_id,
                    name,
                    until,
                    in_table=True,
                    in_lake=True,
                    unscored=count - found,
                )
            )


def _holds(copies: Copies, key: ValueKey, value: float) -> bool:
    return copies.values.get(key) == value


@dataclass(slots=True)
class AlertLedger:
    """The alerts that there are against those that there must be."""

    expected: int
    found: int
    missing: list[AlertKey]
    false: list[StoredAlert]
    provisional: list[StoredAlert]
    doubled: int
    misstated: list[AlertKey]
    ended_late: int
    """Alerts whose end was found while calm readings were still under way: it stays the later."""


def compare_alerts(
    expected: Mapping[AlertKey, int | None],
    found: Sequence[StoredAlert],
    arrivals: Mapping[str, Arrivals],
) -> AlertLedger:
    """Put the alerts of the stack beside those of the readings in their order.

    `arrivals` are those of each device.
    """
    by_key = {_key(alert): alert for alert in found}
    extra = [alert for key, alert in by_key.items() if key not in expected]
    provisional = [
        alert for alert in extra if _is_provisional(alert, arrivals.get(alert.device_id, {}))
    ]
    both = [(by_key[key], ended_at) for key, ended_at in expected.items() if key in by_key]
    return AlertLedger(
        expected=len(expected),
        found=len(found),
        missing=[key for key in expected if key not in by_key],
        false=[alert for alert in extra if alert not in provisional],
        provisional=provisional,
        doubled=len(found) - len(by_key),
        misstated=[
            _key(alert)
            for alert, ended in both
            if alert.withdrawn or alert.cleared != (ended is not None)
        ],
        ended_late=sum(
            ended is not None and alert.ended_at is not None and alert.ended_at > ended
            for alert, ended in both
        ),
    )


def _is_provisional(alert: StoredAlert, arrivals: Arrivals) -> bool:
    """Whether an alert stands withdrawn, and something before its onset came later than that."""
    if not alert.withdrawn:
        return False
    concerned = [
        (ts, place) for (name, ts), place in arrivals.items() if alert.metric in {name, DEVICE}
    ]
    came = max((place for ts, place in concerned if ts == alert.onset), default=None)
    return came is not None and any(ts < alert.onset and place > came for ts, place in concerned)


def _key(alert: StoredAlert) -> AlertKey:
    return alert.device_id, alert.metric, alert.onset
