"""What a point costs each detector: CPU time of one core, all over the same points."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import median
from typing import Final

from benchmarks.detector.labelled import Series
from benchmarks.detector.runs import WAYS

_ROWS: Final = 4000
"""Of each file that is measured: enough to be past any warming up."""
_ROUNDS: Final = 5


@dataclass(frozen=True, slots=True)
class Costs:
    """Microseconds a point of each detector, round by round; all ways in each round."""

    rounds: Mapping[str, Sequence[float]]
    points: int

    def us(self, way: str) -> float:
        """The best round: what the others add is the machine's."""
        return min(self.rounds[way])

    def ratio(self, way: str, other: str) -> float:
        """The median over the rounds of how much longer `way` took than `other` in the same one."""
        return median(
            mine / theirs for mine, theirs in zip(self.rounds[way], self.rounds[other], strict=True)
        )


def costs(series: Sequence[Series]) -> Costs:
    """Measure every way on the first file of each category, in turn, with garbage collection."""
    samples = [
        (one.times[:_ROWS], one.values[:_ROWS])
        for _, group in groupby(series, key=lambda one: one.category)
        for one in (next(group),)
    ]
    points = sum(len(times) for times, _ in samples)
    rounds: dict[str, list[float]] = {name: [] for name in WAYS}
    for turn in range(_ROUNDS):
        # There and back again: none is always the one that follows the heaviest.
        for name in list(WAYS) if turn % 2 else reversed(list(WAYS)):
            way = WAYS[name]
            begun = time.process_time()
            for times, values in samples:
                way(times, values)
            rounds[name].append((time.process_time() - begun) / points * 1e6)
    return Costs(rounds, points)
