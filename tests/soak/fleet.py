"""The fleet: what each device measures, when, and what is wrong with some of them.

Everything follows from a seed and a time. Values are full doubles, so that what arrives is either
exact or wrong. Most devices are quiet: a slow rhythm and some noise, nothing to alert on. Every
fifth one departs from it, once for good and once for a while.
"""

import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

type ProtocolName = Literal["json", "ndjson", "senml", "influx", "otlp"]

PROTOCOLS: Final[tuple[ProtocolName, ...]] = ("json", "ndjson", "senml", "influx", "otlp")

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
CLOSING_MS: Final = 2 * HOUR_MS
"""So long after its last reading a device sends one more: scoring then writes down where it is."""

_INTERVALS_S: Final = (5, 15, 30, 60)
_MEASURED: Final = ("flow", "heat", "load")
_ODD: Final = 5
"""Every fifth device has something to alert on."""
_YOUNG: Final = 120
"""Readings that a device has before anything is wrong with it."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a device measured at `ts` (epoch ms), by the names under which it is to be stored."""

    ts: int
    metrics: Mapping[str, float]


@dataclass(slots=True)
class Device:
    """A device, the readings that it has taken so far, and how many of them are acknowledged.

    Readings from `sent` on have never left it. Those from `acknowledged` to before `sent` were
    sent, and nobody said yet that they are durable.
    """

    device_id: str
    protocol: ProtocolName
    measured: Iterator[Reading]
    readings: list[Reading] = field(default_factory=list)
    acknowledged: int = 0
    sent: int = 0

    def upto(self, count: int) -> list[Reading]:
        """The first `count` readings, taken by now or not."""
        while len(self.readings) < count:
            self.readings.append(next(self.measured))
        return self.readings[:count]

    def close(self) -> None:
        """Take one more reading, long after the last one that was sent."""
        last = self.readings[self.sent - 1]
        del self.readings[self.sent :]
        closing = Reading(last.ts + CLOSING_MS, last.metrics)
        self.measured = iter(())
        self.readings.append(closing)


def stored_name(protocol: ProtocolName, name: str) -> str:
    """The metric as it is stored: line protocol puts the measurement before it."""
    return f"soak.{name}" if protocol == "influx" else name


def make_fleet(devices: int, each: int, now_ms: int, seed: int, run: str) -> list[Device]:
    """So many devices, that have `each` readings or a few more to send by `now_ms`."""
    return [_device(number, each, now_ms, seed, run) for number in range(devices)]


def _device(number: int, each: int, now_ms: int, seed: int, run: str) -> Device:
    protocol = PROTOCOLS[number % len(PROTOCOLS)]
    dice = random.Random(f"{seed}/{number}")
    interval = dice.choice(_INTERVALS_S) * 1000
    # Twice the time that is needed, so that no reading is of the future.
    start = now_ms - 2 * each * interval - 2 * DAY_MS - dice.randrange(DAY_MS)
    names = [stored_name(protocol, name) for name in _MEASURED[: 2 + number % 2]]
    # By device, not by protocol: five protocols would always leave the same one odd.
    odd = _onsets(each) if number // len(PROTOCOLS) % _ODD == number % _ODD else ()
    return Device(
        f"soak-{run}-{protocol}-{number:03d}", protocol, _measure(names, start, interval, odd, dice)
    )


def _onsets(each: int) -> tuple[range, ...]:
    """Where a device departs: for a while, and near its end for good."""
    first = max(_YOUNG, each * 2 // 5)
    second = max(first + 60, each * 9 // 10)
    return range(first, first + 8), range(second, 1 << 62)


def _measure(
    names: list[str], start: int, interval: int, odd: tuple[range, ...], dice: random.Random
) -> Iterator[Reading]:
    levels = {name: dice.uniform(10.0, 90.0) for name in names}
    phase = dice.uniform(0.0, math.tau)
    jitter = interval // 5 if dice.random() < 0.5 else 0
    number = 0
    while True:
        ts = start + number * interval + (dice.randrange(jitter) if jitter else 0)
        rhythm = math.sin(phase + ts * math.tau / DAY_MS)
        departs = any(number in stretch for stretch in odd)
        yield Reading(
            ts,
            {
                name: level
                + rhythm
                + max(-2.5, min(2.5, dice.gauss(0.0, 1.0))) * 0.4
                + (60.0 if departs and name == names[0] else 0.0)
                for name, level in levels.items()
            },
        )
        number += 1


BULK_READINGS: Final = 320
BULK_METRICS: Final = 64


def bulk_device(number: int, now_ms: int, seed: int, run: str) -> Device:
    """A logger that is read out once: a single upload, too large for a message of a queue."""
    dice = random.Random(f"{seed}/bulk/{number}")
    names = [f"channel{at:02d}" for at in range(BULK_METRICS)]
    start = (now_ms - 30 * DAY_MS) // HOUR_MS * HOUR_MS + 60_000
    readings = [
        Reading(start + at * 10_000, {name: dice.uniform(0.0, 1.0) for name in names})
        for at in range(BULK_READINGS)
    ]
    return Device(f"soak-{run}-bulk-{number:03d}", "json", iter(()), readings)
