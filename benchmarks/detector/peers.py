"""Peers that need no library: two plain statistics over a window of the past.

A peer scores a series in one pass, each value from those before it alone. Its scores need not lie
in [0, 1]: NAB's score depends on their order only.
"""

from array import array
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence
from math import erfc, sqrt
from typing import Final

import numpy as np

_GAUSSIAN_WINDOW: Final = 6400
_GAUSSIAN_STEP: Final = 100
_NO_DEVIATION: Final = 1e-6

ROBUST_WINDOW: Final = 1001
"""Of 251, 501, 1,001, 2,001 and 4,001 the best by NAB's score on the development files."""
_WARM_UP: Final = 30
# The standard deviation of a normal distribution, in its median and mean absolute deviations.
_OF_MEDIAN: Final = 1.4826
_OF_MEAN: Final = 1.2533
_FURTHEST: Final = 1e6
"""The score of what differs from values that are all the same."""


def windowed_gaussian(times: Sequence[int], values: Sequence[float]) -> array[float]:  # noqa: ARG001
    """How far out a value lies in the normal distribution of a window of the past.

    NAB's detector of this name, from its description: the score is 1 less the tail's probability
    on the value's side of the mean, the window grows to 6,400 values and then moves on by 100 at a
    time, and its mean and deviation are taken anew over all of it each time it changes.
    """
    scores = array("d")
    # Old values, and those that wait until the window moves on.
    seen = np.zeros(_GAUSSIAN_WINDOW + _GAUSSIAN_STEP)
    held = 0
    mean, deviation = 0.0, 1.0
    for value in values:
        distance = abs(value - mean) / deviation
        scores.append(1.0 - 0.5 * erfc(distance / sqrt(2.0)) if held else 0.0)
        seen[held] = value
        held += 1
        if held > _GAUSSIAN_WINDOW:
            if held < len(seen):
                continue
            seen[:_GAUSSIAN_WINDOW] = seen[_GAUSSIAN_STEP:].copy()
            held = _GAUSSIAN_WINDOW
        window = seen[:held]
        mean = float(window.mean())
        deviation = float(window.std()) or _NO_DEVIATION
    return scores


def robust_z(times: Sequence[int], values: Sequence[float]) -> array[float]:  # noqa: ARG001
    """Distance from the median of the last 1,001 values, in their median absolute deviations.

    Iglewicz & Hoaglin, "How to Detect and Handle Outliers", ASQC 1993. Where more than half of
    the values are the same, their mean absolute deviation takes the place of the median one.
    """
    scores = array("d")
    window: deque[float] = deque()
    ordered: list[float] = []
    for value in values:
        held = len(ordered)
        scores.append(_distance(ordered, value) if held >= _WARM_UP else 0.0)
        window.append(value)
        insort(ordered, value)
        if held == ROBUST_WINDOW:
            del ordered[bisect_left(ordered, window.popleft())]
    return scores


def _distance(ordered: Sequence[float], value: float) -> float:
    middle = ordered[len(ordered) // 2]
    distance = abs(value - middle)
    spread = _OF_MEDIAN * median_deviation(ordered)
    if spread == 0.0:
        spread = _OF_MEAN * sum(abs(old - middle) for old in ordered) / len(ordered)
    if distance < _FURTHEST * spread:
        return distance / spread
    return _FURTHEST if distance else 0.0


def median_deviation(ordered: Sequence[float]) -> float:
    """The median distance of sorted values from their upper median, in logarithmic time.

    The nearer half of the values stands in one piece: of all pieces of that length, it is the one
    whose farther end is nearest.
    """
    held = len(ordered)
    middle = ordered[held // 2]
    length = held // 2 + 1
    low, high = 0, held - length
    while low < high:
        at = (low + high) // 2
        if middle - ordered[at] > ordered[at + length - 1] - middle:
            low = at + 1
        else:
            high = at
    best = max(middle - ordered[low], ordered[low + length - 1] - middle)
    if low:
        best = min(best, max(middle - ordered[low - 1], ordered[low + length - 2] - middle))
    return best
