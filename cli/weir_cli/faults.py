"""Faults of a simulated fleet: what goes wrong where and when, and what it does to the values."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

KINDS: Final = ("spike", "shift", "drift", "noise", "stuck")
_SHORTEST: Final = 20
_LONGEST: Final = 60


@dataclass(frozen=True, slots=True)
class Fault:
    """A metric of a pump misbehaves from step `first` to step `last`, both included.

    `size` is measured in standard deviations of the metric's noise, with a sign.
    """

    pump: int
    metric: str
    kind: str
    first: int
    last: int
    size: float

    def distort(
        self, step: int, value: float, noise: float, deviation: float, previous: float
    ) -> float:
        """What is measured at `step` instead of `value`, whose part `noise` is by chance."""
        match self.kind:
            case "spike" | "shift":
                return value + self.size * deviation
            case "drift":
                done = (step - self.first + 1) / (self.last - self.first + 1)
                return value + self.size * deviation * done
            case "noise":
                return value + (abs(self.size) - 1.0) * noise
            case _:  # stuck
                return previous


def plan_faults(
    seed: int, pumps: int, metrics: Sequence[str], first: int, last: int, count: int
) -> Iterator[Fault]:
    """Choose `count` faults between the steps `first` and `last` (excluded), each metric once.

    The kinds take turns. Raises `ValueError` if there are not so many metrics, or no time.
    """
    if count == 0:
        return
    if count > pumps * len(metrics):
        raise ValueError(f"{pumps} pumps cannot have {count} faults, each in a metric of its own")
    if last <= first:
        raise ValueError("the history is too short for faults")
    rng = Random(f"{seed}/faults/{first}")
    places = [(pump, metric) for pump in range(pumps) for metric in metrics]
    kinds = list(KINDS)
    rng.shuffle(kinds)
    for number, (pump, metric) in enumerate(rng.sample(places, count)):
        kind = kinds[number % len(kinds)]
        longest = min(_LONGEST, last - first)
        length = rng.randint(min(_SHORTEST, longest), longest)
        if kind == "spike":
            length = min(length, rng.randint(1, 2))
        start = rng.randint(first, last - length)
        size = rng.uniform(14.0, 22.0) * rng.choice((-1.0, 1.0))
        if kind == "noise":
            size = abs(size) / 2.0
        yield Fault(pump, metric, kind, start, start + length - 1, size)
