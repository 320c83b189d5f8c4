"""What was to be expected of a metric: the band that a detector has before each bucket.

It is what a detector that started at `warm_from` would have expected, not what the one that scores
did: that one has learned for longer. The two agree the better, the longer this one had.
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from weir.detection import IN_USE, Detector

LEAST_LEARNED: Final = 100
"""From so many values on, a band is shown."""


class Band(msgspec.Struct):
    """For each bucket with values: where it begins (epoch ms), and what was expected of its first.

    `low` to `high` is nothing unusual for the time of day; the three are None while too little was
    learned. `score` is the highest that alerts go by, of the values of the bucket.
    """

    ts: list[int] = msgspec.field(default_factory=list)
    expected: list[float | None] = msgspec.field(default_factory=list)
    low: list[float | None] = msgspec.field(default_factory=list)
    high: list[float | None] = msgspec.field(default_factory=list)
    score: list[float] = msgspec.field(default_factory=list)


def band(
    times: Sequence[int],
    values: Sequence[float],
    start: int,
    width: int,
    detector: Detector[Any] = IN_USE,
) -> Band:
    """Learn the values before `start` (epoch ms), then show those after in buckets of `width` ms.

    Buckets are those of `weir.charts.buckets`. `times` rise.
    """
    shown = Band()
    at = bisect_left(times, start)
    state = detector.fold(detector.initial(), times[:at], values[:at]).state
    while at < len(times):
        bucket = times[at] // width
        after = bisect_left(times, (bucket + 1) * width, at + 1)
        shown.ts.append(bucket * width)
        if at < LEAST_LEARNED:
            expected = low = high = None
        else:
            expected, low, high, _ = detector.explain(state, times[at], values[at])
        shown.expected.append(expected)
        shown.low.append(low)
        shown.high.append(high)
        folded = detector.fold(state, times[at:after], values[at:after])
        state = folded.state
        shown.score.append(max(folded.weekly))
        at = after
    return shown
