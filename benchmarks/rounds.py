"""Measuring two or more ways of doing a thing in turn, so that a busy machine slows them alike."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

type Call = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Timings:
    """CPU seconds a call of each way, round by round."""

    rounds: Mapping[str, list[float]]

    def seconds(self, way: str) -> float:
        """The median CPU time of one call."""
        return median(self.rounds[way])

    def ratio(self, way: str, other: str) -> float:
        """The median over the rounds of how much longer `way` took than `other` in the same one."""
        return median(
            mine / theirs for mine, theirs in zip(self.rounds[way], self.rounds[other], strict=True)
        )


def cpu_seconds(call: Call, times: int) -> float:
    """CPU time a call, of all threads of this process together."""
    begun = time.process_time()
    for _ in range(times):
        call()
    return (time.process_time() - begun) / times


def in_turn(ways: Mapping[str, Call], *, rounds: int = 9, round_s: float = 0.12) -> Timings:
    """Measure each of `ways` in each of `rounds`, for some `round_s` of CPU time at a time."""
    times: dict[str, int] = {}
    for name, call in ways.items():
        warm = min(cpu_seconds(call, 3) for _ in range(3))
        times[name] = max(3, round(round_s / max(warm, 1e-7)))
    measured: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds):
        # There and back again: none is always the one that follows the heaviest.
        for name in list(ways) if turn % 2 else reversed(list(ways)):
            measured[name].append(cpu_seconds(ways[name], times[name]))
    return Timings(measured)
