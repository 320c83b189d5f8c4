"""A small fleet with a past: what the stand-in of the API tells of.

Values are functions of device, metric and time, so that any range of them can be asked for and the
pictures are the same each time.
"""

import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from weir.alerts.alarm import Cleared, Followed, Opened, Reopened
from weir.alerts.alert import Alert
from weir.alerts.lifecycle import (
    acknowledge,
    judge,
    silence_opened,
    snooze,
    tell,
)
from weir.controls import Control

MINUTE = 60_000
HOUR = 60 * MINUTE
PAST = 8 * 24 * HOUR
"""Before that, there is no reading."""


@dataclass(frozen=True)
class Metric:
    """Goes up and down around `base` by `swing` in `period` ms, with noise of `noise`."""

    base: float
    swing: float
    period: int
    noise: float

    def expected(self, ts: int) -> float:
        return self.base + self.swing * math.sin(2 * math.pi * ts / self.period)

    def value(self, name: str, ts: int) -> float:
        unit = zlib.crc32(f"{name}{ts}".encode()) / 0xFFFFFFFF * 2 - 1
        return self.expected(ts) + self.noise * unit * abs(unit)

    @property
    def reach(self) -> float:
        return 1.3 * self.noise


METRICS = {
    "flow": Metric(42.0, 3.0, HOUR, 1.2),
    "pressure": Metric(3.1, 0.25, 3 * HOUR, 0.06),
    "temperature": Metric(61.0, 2.0, 24 * HOUR, 0.7),
}


@dataclass
class Departure:
    """From `onset` on, the metric is off by `by`, until `end` if it has one."""

    metric: str
    onset: int
    by: float
    end: int | None = None

    def at(self, metric: str, ts: int) -> float:
        during = self.onset <= ts and (self.end is None or ts < self.end)
        return self.by if metric == self.metric and during else 0.0


@dataclass
class Device:
    """A device that reports every `cadence` ms, but not in its `outage`, until `stopped` if it did.

    `is_learned`: whether its cadence is known.
    """

    device_id: str
    cadence: int = 5000
    stopped: int | None = None
    outage: tuple[int, int] = (0, 0)
    is_learned: bool = True
    metrics: dict[str, Metric] = field(default_factory=lambda: dict(METRICS))
    departures: list[Departure] = field(default_factory=list)
    control: Control = field(default_factory=Control)
    controls: dict[str, Control] = field(default_factory=dict)

    def last(self, now: int) -> int:
        end = now if self.stopped is None else min(self.stopped, now)
        return end - end % self.cadence

    def times(self, start: int, end: int, now: int) -> Iterator[int]:
        first = max(start, now - PAST)
        first += -first % self.cadence
        out, back = self.outage
        for ts in range(first, min(end, self.last(now)) + 1, self.cadence):
            if not out <= ts < back:
                yield ts

    def value(self, metric: str, ts: int) -> float:
        off = sum(departure.at(metric, ts) for departure in self.departures)
        return round(self.metrics[metric].value(f"{self.device_id}{metric}", ts) + off, 4)


class World:
    """Devices and alerts, as they are at a time."""

    def __init__(self, devices: list[Device] | None = None) -> None:
        self.devices = {device.device_id: device for device in devices or []}
        self.alerts: dict[str, Alert] = {}
        self.fleet = Control()

    def keep(self, alert: Alert) -> Alert:
        self.alerts[str(alert.key)] = alert
        return alert

    def depart(
        self, device_id: str, metric: str, onset: int, score: float, by: float, end: int | None
    ) -> Alert:
        """Let a metric leave what is expected, and open the alert; it clears at `end`."""
        device = self.devices[device_id]
        onset -= onset % device.cadence
        device.departures.append(Departure(metric, onset, by, end))
        middle, reach = device.metrics[metric].expected(onset), device.metrics[metric].reach
        value = device.value(metric, onset)
        side = "above" if by > 0 else "below"
        because = (
            f"{metric} was {value:.2f}, {side} the {middle:.2f} that was expected "
            f"({middle - reach:.2f} to {middle + reach:.2f})"
        )
        facts: list[Opened | Followed | Cleared] = [
            Opened(metric, onset, 0.71, because, value, middle, middle - reach, middle + reach),
            Followed(metric, onset, onset + device.cadence, score, onset + device.cadence, 2),
        ]
        if end is not None:
            count = (end - onset) // device.cadence
            last = end - device.cadence
            facts.append(Cleared(metric, onset, end, score, onset + device.cadence, last, count))
        alert = tell(None, device_id, facts, 1)
        assert alert is not None
        return self.keep(alert)

    def reopen(self, alert: Alert, at: int, because: str) -> Alert:
        """Let an alert that cleared go on from `at`."""
        again = Reopened(alert.metric, alert.onset, at, 0.88, at, alert.count + 1, because)
        told = tell(alert, alert.device_id, [again], 2)
        assert told is not None
        return self.keep(told)

    def silence(self, device_id: str) -> Alert:
        device = self.devices[device_id]
        assert device.stopped is not None
        onset = device.last(device.stopped)
        because = f"no reading for 15 s, where one comes every {device.cadence // 1000} s"
        alert = tell(None, device_id, [silence_opened(onset, because)], 1, "silence")
        assert alert is not None
        return self.keep(alert)


def busy(now: int) -> World:
    """Some pumps: most are well, some are not, one has stopped."""
    ids = [f"pump-{number}" for number in range(1, 15)] + ["boiler-1", "boiler-2"]
    world = World([Device(device_id) for device_id in ids])
    world.devices["pump-9"].stopped = now - 25 * MINUTE
    world.devices["boiler-2"].cadence = 60_000
    for hours, device_id, metric in PAST_ALERTS:
        onset = now - hours * HOUR - 7 * MINUTE
        alert = world.depart(device_id, metric, onset, 0.84, 6.0, onset + 6 * MINUTE)
        world.keep(acknowledge(alert, "kim", onset + 9 * MINUTE))
    world.depart("pump-3", "flow", now - 4 * MINUTE, 0.97, -9.0, None)
    world.depart("pump-7", "temperature", now - 11 * MINUTE, 0.86, 5.0, None)
    world.depart("boiler-1", "pressure", now - 33 * MINUTE, 0.74, 0.5, None)
    world.silence("pump-9")
    seen = world.depart("pump-11", "pressure", now - 52 * MINUTE, 0.83, 0.6, None)
    world.keep(acknowledge(seen, "ada", now - 40 * MINUTE, "valve 4 is being changed"))
    quiet = world.depart("pump-12", "flow", now - 2 * HOUR, 0.92, 8.0, None)
    world.keep(snooze(quiet, now + 3 * HOUR, "ada", now - HOUR))
    false = world.depart("pump-3", "flow", now - 3 * HOUR, 0.78, 5.0, now - 3 * HOUR + 4 * MINUTE)
    world.keep(judge(false, "false", "flushing, every Tuesday", "kim", now - 2 * HOUR))
    return world


PAST_ALERTS = [
    (2, "pump-1", "flow"), (2, "pump-2", "flow"), (5, "pump-4", "pressure"), (6, "pump-3", "flow"),
    (6, "pump-5", "temperature"), (6, "pump-6", "flow"), (9, "boiler-1", "pressure"),
    (13, "pump-8", "flow"), (14, "pump-8", "flow"), (19, "pump-2", "temperature"),
    (22, "pump-10", "flow"),
]  # fmt: skip
