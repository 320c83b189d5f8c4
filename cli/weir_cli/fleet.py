"""A fleet of pumps that does not exist: plausible telemetry, and faults whose truth is known.

Pure: the same options give the same readings, on every machine. Each pump has a daily rhythm of
load that all its metrics follow, an offset of its own, a slow drift, and noise that grows with the
load, is correlated in time, and partly common to the pump's metrics.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import pi, sin, sqrt
from random import Random
from typing import Final

from weir.readings import Reading
from weir_cli.faults import Fault, plan_faults

DAY_MS: Final = 86_400_000
_LIVE_WINDOW: Final = 40


@dataclass(frozen=True, slots=True)
class _Metric:
    """How a metric behaves: `gain` is what full load adds, `drift` what a day adds."""

    base: float
    spread: float
    gain: float
    noise: float
    shared: float
    drift: float


_METRICS: Final = {
    "temperature": _Metric(52.0, 4.0, 9.0, 0.35, 0.6, 0.10),
    "pressure": _Metric(4.2, 0.3, 0.8, 0.03, 0.5, -0.005),
    "flow": _Metric(31.0, 2.5, 12.0, 0.45, 0.7, -0.05),
    "vibration": _Metric(1.9, 0.3, 0.9, 0.06, 0.3, 0.02),
    "current": _Metric(11.5, 0.8, 5.0, 0.15, 0.7, 0.01),
}
METRICS: Final = tuple(_METRICS)
_MEMORY: Final = 0.7
"""How much of one reading's noise is left in the next."""
_FRESH: Final = sqrt(1.0 - _MEMORY**2)


@dataclass(frozen=True, slots=True)
class FleetOptions:
    """A fleet, its times, and how many faults it has.

    Attributes
    ----------
    start_ms
        The time of the first reading.
    steps
        Readings of each pump that are history.
    faults
        Faults in the history.
    live_every
        After the history, a fault in every so many steps; None for no more.
    prefix
        What the pumps' names begin with.
    quiet
        Steps before the first fault, in place of a quarter of the history.
    healthy
        So many pumps, the last ones, have no faults.
    """

    start_ms: int
    pumps: int = 20
    seed: int = 7
    interval_ms: int = 60_000
    steps: int = 1440
    faults: int = 4
    live_every: int | None = None
    prefix: str = "pump"
    quiet: int | None = None
    healthy: int = 0

    def device_id(self, pump: int) -> str:
        """The name of a pump, counted from 0."""
        return f"{self.prefix}-{pump + 1:0{max(2, len(str(self.pumps)))}d}"

    def ts(self, step: int, pump: int) -> int:
        """When the pump takes its reading; the pumps share the interval evenly."""
        return self.start_ms + step * self.interval_ms + pump * self.interval_ms // self.pumps


class Fleet:
    """The readings of a fleet, in the order of their times.

    `on_fault` is told of each fault before its readings come.
    """

    def __init__(
        self, options: FleetOptions, on_fault: Callable[[Fault], None] | None = None
    ) -> None:
        self.options = options
        self.faults: list[Fault] = []
        self._on_fault = on_fault
        self._silent: dict[int, tuple[tuple[int, int], ...]] = {}
        self._pumps = [_Pump(options.seed, pump) for pump in range(options.pumps)]
        first = options.steps // 4 if options.quiet is None else options.quiet
        self._plan(first, options.steps, options.faults)

    def history(self) -> Iterator[Reading]:
        """The readings of the history."""
        for step in range(self.options.steps):
            yield from self._step(step)

    def live(self) -> Iterator[Reading]:
        """The readings after the history, without end; call it once `history` has been read."""
        step = self.options.steps
        every = self.options.live_every
        while True:
            if every is not None and (step - self.options.steps) % every == 0:
                # One may last longer than it is to the next: a sensor that is stuck for some
                # seconds is no fault.
                self._plan(step, step + max(every, _LIVE_WINDOW), 1)
            yield from self._step(step)
            step += 1

    def silence(self, pump: int, *spans: tuple[int, int]) -> None:
        """Let a pump send nothing in these spans (epoch ms); it is for readings yet to come."""
        self._silent[pump] = spans

    def _is_silent(self, pump: int, ts: int) -> bool:
        return any(first <= ts <= last for first, last in self._silent.get(pump, ()))

    def _plan(self, first: int, last: int, count: int) -> None:
        options = self.options
        pumps = options.pumps - options.healthy
        for fault in plan_faults(options.seed, pumps, METRICS, first, last, count):
            self.faults.append(fault)
            if self._on_fault is not None:
                self._on_fault(fault)

    def _step(self, step: int) -> Iterator[Reading]:
        active = [fault for fault in self.faults if fault.first <= step <= fault.last]
        for number, pump in enumerate(self._pumps):
            ts = self.options.ts(step, number)
            mine = [fault for fault in active if fault.pump == number]
            measured = pump.measure(step, ts, mine)
            if not self._is_silent(number, ts):
                yield Reading(self.options.device_id(number), ts, measured)


class _Pump:
    """One pump: its character, and its noise, which remembers."""

    def __init__(self, seed: int, number: int) -> None:
        self._rng = rng = Random(f"{seed}/pump/{number}")
        self._phase = rng.uniform(-0.05, 0.05)
        self._offsets = {name: rng.gauss(0.0, metric.spread) for name, metric in _METRICS.items()}
        self._drifts = {
            name: metric.drift * rng.uniform(0.0, 2.0) for name, metric in _METRICS.items()
        }
        self._shared = 0.0
        self._own = dict.fromkeys(_METRICS, 0.0)
        self._last: dict[str, float] = {}
        self._begin: int | None = None

    def measure(self, step: int, ts: int, faults: Sequence[Fault]) -> dict[str, float]:
        gauss = self._rng.gauss
        self._begin = ts if self._begin is None else self._begin
        days = (ts - self._begin) / DAY_MS
        load = self._load(ts)
        self._shared = _MEMORY * self._shared + _FRESH * gauss(0.0, 1.0)
        values: dict[str, float] = {}
        for name, metric in _METRICS.items():
            own = self._own[name] = _MEMORY * self._own[name] + _FRESH * gauss(0.0, 1.0)
            deviation = metric.noise * (0.5 + load)
            noise = deviation * (metric.shared * self._shared + sqrt(1.0 - metric.shared**2) * own)
            level = metric.base + self._offsets[name] + metric.gain * load
            value = level + self._drifts[name] * days + noise
            for fault in faults:
                if fault.metric == name:
                    last = self._last.get(name, value)
                    value = fault.distort(step, value, noise, metric.noise, last)
            values[name] = self._last[name] = round(value, 4)
        return values

    def _load(self, ts: int) -> float:
        """The load at a time of day, from 0 to 1: low at night, with a dent at noon."""
        day = ts / DAY_MS + self._phase
        return 0.5 + 0.38 * sin(2 * pi * (day - 0.3)) + 0.12 * sin(4 * pi * (day - 0.2))
