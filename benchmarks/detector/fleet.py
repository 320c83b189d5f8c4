"""What the default setting means to a fleet: false alerts of healthy devices, and faults found.

A hundred healthy devices of ten kinds, two metrics each, a reading every five minutes, for four
weeks; every alert is false, from the first day on. One that comes back within the quiet period is
the same alert; how often that happens is counted apart. Then the same kinds with a fault in one
metric at a random time after two weeks; it counts as found if an alert of that metric, or of the
device as a whole, opens or reopens within the fault or, where the fault is a single reading, at
it. All goes through the code that scores and alarms in production (`weir.scoring.alarms`).
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.detector.processes import each
from weir.alerts.alarm import Fact, Opened, Reopened
from weir.controls import DEVICE
from weir.detection import IN_USE, JOINT
from weir.scoring.alarms import DEFAULT_RULES, Series, score_group, score_metric
from weir.scoring.state import NEVER, GroupState, MetricState

type Values = NDArray[np.float64]

DEVICES: Final = 100
DAYS: Final = 28
A_DAY: Final = 288
_STEP_MS: Final = 300_000
_START: Final = 1_767_571_200_000  # a Monday
_FAULTS_EACH: Final = 50
_FAULT_AFTER: Final = 14 * A_DAY
_SEED: Final = 20_260


class Found(NamedTuple):
    """An alert of a device: of which metric, and at which reading it opened or reopened."""

    metric: str
    at: int
    reopened: bool


# ------------------------------------------------------------------ healthy metrics


def _autoregressive(rng: np.random.Generator, n: int, memory: float) -> Values:
    noise = rng.normal(0.0, np.sqrt(1.0 - memory * memory), n)
    out = np.empty(n)
    level = rng.normal()
    for at in range(n):
        level = memory * level + noise[at]
        out[at] = level
    return out


def _day(n: int) -> Values:
    return 2.0 * np.pi * np.arange(n) / A_DAY


def _daily(rng: np.random.Generator, n: int) -> Values:
    return 20.0 + 5.0 * np.sin(_day(n) + rng.uniform(0, 6)) + _autoregressive(rng, n, 0.7)


def _weekly(rng: np.random.Generator, n: int) -> Values:
    working = (np.arange(n) // A_DAY % 7) < 5
    return 50.0 + 20.0 * working * np.clip(np.sin(_day(n) - 1.5), 0, None) + rng.normal(0, 2, n)


def _heavy_tailed(rng: np.random.Generator, n: int) -> Values:
    return 100.0 + 3.0 * rng.standard_t(3, n)


def _quantised(rng: np.random.Generator, n: int) -> Values:
    return np.round((22.0 + np.sin(_day(n)) + 0.3 * _autoregressive(rng, n, 0.95)) * 2) / 2


def _bursty(rng: np.random.Generator, n: int) -> Values:
    load = 10.0 + rng.gamma(2.0, 1.0, n)
    starts = rng.random(n) < 2.0 / A_DAY
    for at in np.flatnonzero(starts):
        load[at : at + rng.integers(2, 12)] += rng.uniform(20, 60)
    return load


def _slow(rng: np.random.Generator, n: int) -> Values:
    return 60.0 + 4.0 * _autoregressive(rng, n, 0.998) + rng.normal(0, 0.2, n)


def _counts(rng: np.random.Generator, n: int) -> Values:
    return rng.poisson(4.0 * (1.2 + np.sin(_day(n))), n).astype(np.float64)


def _on_and_off(rng: np.random.Generator, n: int) -> Values:
    hour = (np.arange(n) % A_DAY) / 12.0
    early = rng.integers(5, 9)
    on = (hour >= early) & (hour < early + 9)
    return np.where(on, 80.0, 20.0) + rng.normal(0, 1.5, n)


def _counter(rng: np.random.Generator, n: int) -> Values:
    return np.cumsum(rng.poisson(10.0, n)).astype(np.float64)


def _white(rng: np.random.Generator, n: int) -> Values:
    return 3.0 + 0.1 * rng.normal(0, 1, n)


HEALTHY: Final[Mapping[str, Callable[[np.random.Generator, int], Values]]] = {
    "daily rhythm": _daily,
    "working week": _weekly,
    "heavy-tailed noise": _heavy_tailed,
    "quantised": _quantised,
    "bursts of load": _bursty,
    "slow wandering": _slow,
    "counts": _counts,
    "on and off": _on_and_off,
    "counter": _counter,
    "white noise": _white,
}

# ------------------------------------------------------------------ faults


class Fault(NamedTuple):
    """What happens to a metric, for how many readings; sizes are in its own spreads."""

    text: str
    readings: int
    apply: Callable[[Values, float], Values]
    """From the values of the fault's time and the metric's spread to what comes instead."""


FAULTS: Final[Mapping[str, Fault]] = {
    "spike": Fault("one reading 12 spreads up", 1, lambda x, s: x + 12 * s),
    "shift": Fault("6 spreads up for a day", A_DAY, lambda x, s: x + 6 * s),
    "drift": Fault(
        "up to 12 spreads in two days", 2 * A_DAY, lambda x, s: x + np.linspace(0, 12 * s, len(x))
    ),
    "stuck": Fault("the same value for a day", A_DAY, lambda x, _: np.full_like(x, x[0])),
    "noise": Fault(
        "noise of 4 spreads for a day",
        A_DAY,
        lambda x, s: x + 4 * s * np.random.default_rng(7).normal(0, 1, len(x)),
    ),
}
_FAULTY_KINDS: Final = ("daily rhythm", "quantised", "slow wandering", "on and off", "white noise")
"""The kinds that faults are injected into; a stuck counter or burst has no plain size."""


def _spread(values: Values) -> float:
    """The standard deviation of what the rhythm of the day leaves unexplained."""
    days = values[: len(values) // A_DAY * A_DAY].reshape(-1, A_DAY)
    return float((days - days.mean(0)).std())


# ------------------------------------------------------------------ one device


def alerts_of(metrics: Mapping[str, Values]) -> list[Found]:
    """Where alerts open and reopen, of a device whose metrics come together, by default rules."""
    length = len(next(iter(metrics.values())))
    times = [_START + at * _STEP_MS for at in range(length)]
    found: list[Found] = []
    for name, values in metrics.items():
        series = Series(times, values.tolist(), [len(metrics)] * length)
        rule = DEFAULT_RULES.of(name)
        _, facts = score_metric(MetricState(NEVER), name, series, IN_USE, rule)
        found += _found(facts)
    columns = [values.tolist() for values in metrics.values()]
    rows = dict(zip(times, zip(*columns, strict=True), strict=True))
    group = GroupState(NEVER, JOINT.initial(len(metrics)))
    _, facts = score_group(group, tuple(metrics), rows, DEFAULT_RULES.of(DEVICE))
    return found + _found(facts)


def _found(facts: Sequence[Fact]) -> list[Found]:
    return [
        Found(fact.metric, (fact.at - _START) // _STEP_MS, isinstance(fact, Reopened))
        for fact in facts
        if isinstance(fact, Opened | Reopened)
    ]


def _device(kind: str, seed: int) -> dict[str, Values]:
    rng = np.random.default_rng(seed)
    return {name: HEALTHY[kind](rng, DAYS * A_DAY) for name in ("a", "b")}


def healthy(kind: str, seed: int) -> tuple[str, list[Found]]:
    """The false alerts of one device, and where they came back."""
    return kind, alerts_of(_device(kind, seed))


def faulty(fault: str, seed: int) -> tuple[str, int | None]:
    """After how many readings a fault was found; None if it was not."""
    rng = np.random.default_rng(seed)
    metrics = _device(_FAULTY_KINDS[seed % len(_FAULTY_KINDS)], seed)
    _, readings, apply = FAULTS[fault]
    at = int(rng.integers(_FAULT_AFTER, DAYS * A_DAY - readings - 1))
    span = slice(at, at + readings)
    values = metrics["a"]
    values[span] = apply(values[span].copy(), _spread(values))
    delays = [
        found.at - at for found in alerts_of(metrics) if found.metric != "b" and found.at - at >= 0
    ]
    within = [delay for delay in delays if delay < readings]
    return fault, min(within, default=None)


# ------------------------------------------------------------------ the fleet


def run(devices: int = DEVICES, faults_each: int = _FAULTS_EACH) -> Mapping[str, float]:
    """Simulate, print two tables, and return the figures."""
    kinds = list(HEALTHY)
    fleet = [(kinds[at % len(kinds)], _SEED + at) for at in range(devices)]
    alerts = each(healthy, fleet)
    weeks = devices * DAYS / 7
    total = sum(not one.reopened for _, found in alerts for one in found)
    reopened = sum(one.reopened for _, found in alerts for one in found)
    promised = DEFAULT_RULES.false_alerts_per_week
    console = Console(width=110)
    console.print(_healthy_table(alerts, weeks / len(kinds), total / weeks, promised))
    tasks = [(fault, _SEED + 1000 + at) for fault in FAULTS for at in range(faults_each)]
    results = each(faulty, tasks)
    console.print(
        f"and {reopened / weeks:.3f} times a device and week one came back within the hour"
    )
    figures = {
        "fleet_false_alerts_per_device_week": total / weeks,
        "fleet_reopened_per_device_week": reopened / weeks,
        "fleet_promised": promised,
    }
    table = Table("fault", "", "recall", "median delay", title="Faults of one metric of two")
    for name, fault in FAULTS.items():
        delays = [delay for kind, delay in results if kind == name]
        found = sorted(delay for delay in delays if delay is not None)
        recall = len(found) / len(delays)
        figures[f"fleet_recall_{name}"] = recall
        figures[f"fleet_delay_{name}"] = median(found) if found else float("nan")
        table.add_row(
            name, fault.text, f"{recall:.0%}", f"{median(found):g} readings" if found else ""
        )
    console.print(table)
    return figures


def _healthy_table(
    alerts: Sequence[tuple[str, list[Found]]], weeks: float, rate: float, promised: float
) -> Table:
    title = f"False alerts a device and week: {rate:.3f}; promised: at most {promised:g}"
    table = Table("healthy devices", "of a metric", "of the device", title=title)
    counts: dict[str, Counter[bool]] = {kind: Counter() for kind in HEALTHY}
    for kind, found in alerts:
        counts[kind].update(one.metric == DEVICE for one in found if not one.reopened)
    for kind, count in counts.items():
        table.add_row(kind, f"{count[False] / weeks:.3f}", f"{count[True] / weeks:.3f}")
    return table


if __name__ == "__main__":
    run()
