"""Weir's detector as a benchmark sees it; the one place that names it."""

from array import array
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Final, NamedTuple

from weir.detection import IN_USE, Detector

GRID: Final[Sequence[dict[str, float]]] = (
    {},
    {"block_weight": 0.5},
    {"block_weight": 0.85},
    {"hour_rate": 0.05},
)
"""What cross-validation chooses from, beside the threshold: arguments of `make`."""

_PART: Final = 256
"""So many values are folded at a time, as scoring does with a backlog."""


class Scored(NamedTuple):
    """What a detector made of one series."""

    scores: array[float]
    state_bytes: int
    """The largest packed state on the way."""


def make(**parameters: float) -> Detector[Any]:
    """The detector in use; with `parameters`, one of its kind that is tuned otherwise."""
    return type(IN_USE)(**parameters) if parameters else IN_USE


def score(detector: Detector[Any], times: Sequence[int], values: Sequence[float]) -> array[float]:
    """Score a series in one pass, each value from those before it alone."""
    return measure(detector, times, values).scores


def measure(detector: Detector[Any], times: Sequence[int], values: Sequence[float]) -> Scored:
    """Score a series as `score` does, and pack the state now and then to see how large it gets."""
    scores = array("d")
    state = detector.initial()
    # A series may repeat a time or go back; for a detector, time does not go back.
    rising = list(accumulate(times, max))
    largest = 0
    for at in range(0, len(rising), _PART):
        folded = detector.fold(state, rising[at : at + _PART], values[at : at + _PART])
        state = folded.state
        scores.extend(folded.scores)
        largest = max(largest, len(detector.pack(state)))
    return Scored(scores, largest)
