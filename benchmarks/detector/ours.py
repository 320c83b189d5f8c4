"""Weir's detector as a benchmark sees it; the one place that names it."""

from array import array
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from weir.detection import IN_USE, Detector

GRID: Final[Sequence[dict[str, float]]] = ({},)
"""What cross-validation chooses from, beside the threshold: arguments of `make`."""

_PACKED_EVERY: Final = 500


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
    scores = array("d")
    step, keep, state = detector.step, scores.append, detector.initial()
    newest = times[0] if times else 0
    for ts, value in zip(times, values, strict=True):
        # A series may repeat a time or go back; for a detector, time does not go back.
        if ts > newest:
            newest = ts
        state, found = step(state, newest, value)
        keep(found)
    return scores


def measure(detector: Detector[Any], times: Sequence[int], values: Sequence[float]) -> Scored:
    """Score a series as `score` does, and pack the state now and then to see how large it gets."""
    scores = array("d")
    state = detector.initial()
    newest, largest = times[0] if times else 0, 0
    for row, (ts, value) in enumerate(zip(times, values, strict=True), 1):
        newest = max(newest, ts)
        state, found = detector.step(state, newest, value)
        scores.append(found)
        if row % _PACKED_EVERY == 0 or row == len(times):
            largest = max(largest, len(detector.pack(state)))
    return Scored(scores, largest)
