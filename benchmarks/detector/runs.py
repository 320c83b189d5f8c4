"""Every detector over every file, in as many processes as there are cores."""

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from benchmarks.detector import ours, peers, river_peers
from benchmarks.detector.labelled import Series
from benchmarks.detector.nab import Floats
from benchmarks.detector.processes import each

type Way = Callable[[Sequence[int], Sequence[float]], array[float]]
"""Scores a series in one pass, each value from those before it alone."""

WEIR: Final = "Weir"
HALF_SPACE_TREES: Final = "river HalfSpaceTrees"
WINDOWED_GAUSSIAN: Final = "windowed Gaussian"


def weir(times: Sequence[int], values: Sequence[float]) -> array[float]:
    """The detector in use."""
    return ours.score(ours.make(), times, values)


WAYS: Final[Mapping[str, Way]] = {
    WEIR: weir,
    HALF_SPACE_TREES: river_peers.half_space_trees,
    "river StandardAbsoluteDeviation": river_peers.standard_absolute_deviation,
    "median and MAD, sliding": peers.robust_z,
    WINDOWED_GAUSSIAN: peers.windowed_gaussian,
}


@dataclass(frozen=True, slots=True)
class Runs:
    """The scores by detector and file, and the largest state that Weir's came to, in bytes."""

    scores: Mapping[str, Mapping[str, Floats]]
    state_bytes: int


def run_all(series: Sequence[Series]) -> Runs:
    """Score each of `series` each way."""
    # The slowest way and the longest files first: so all cores are busy to the end.
    order = sorted(series, key=lambda one: -len(one.times))
    ways = (HALF_SPACE_TREES, *(name for name in WAYS if name != HALF_SPACE_TREES))
    tasks = [(name, one) for name in ways for one in order]
    scored = each(_score, tasks)
    sizes = each(_state_bytes, [(one,) for one in order])
    scores: dict[str, dict[str, Floats]] = {name: {} for name in WAYS}
    for (name, one), found in zip(tasks, scored, strict=True):
        scores[name][one.name] = found
    return Runs(scores, max(sizes))


def _score(name: str, series: Series) -> Floats:
    return np.array(WAYS[name](series.times, series.values), dtype=np.float64)


def _state_bytes(series: Series) -> int:
    return ours.measure(ours.make(), series.times, series.values).state_bytes
