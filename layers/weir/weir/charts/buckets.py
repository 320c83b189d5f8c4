"""Readings in buckets of equal length: the least, the greatest and the mean value of each.

A chart of a week at one reading a second has 604,800 of them and a screen some hundred columns. So
the work on a reading is left to builtins on slices: bisect finds a bucket's end among a chunk's
times, and min, max and fsum take the slice of its values.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping
from math import fsum

import msgspec

from weir.charts.merging import Column, columns
from weir.chunks import Document


class Series(msgspec.Struct):
    """A metric's buckets, those with values: where each begins (epoch ms), and its values."""

    ts: list[int] = msgspec.field(default_factory=list)
    min: list[float] = msgspec.field(default_factory=list)
    max: list[float] = msgspec.field(default_factory=list)
    mean: list[float] = msgspec.field(default_factory=list)
    count: list[int] = msgspec.field(default_factory=list)


def width_of(start: int, end: int, buckets: int) -> int:
    """How long (ms) buckets are of which `buckets` span the time from `start` to `end`."""
    return max(1, -(-(end - start) // buckets))


class Chart:
    """The readings from `start` up to `end` (epoch ms) in buckets of `width` ms.

    Buckets begin at multiples of their width, so that a chart that moves along with the time keeps
    those that it has. `add` takes the chunks hour by hour.
    """

    def __init__(
        self, start: int, end: int, width: int, metrics: Collection[str] | None = None
    ) -> None:
        self._start = start
        self._end = end
        self._width = width
        self._metrics = metrics
        self._tallies: dict[str, _Tally] = {}

    def add(self, documents: Iterable[Document]) -> None:
        """Add chunks, all of some whole hours, after those added before, by their sort keys."""
        for name, column in columns(documents, self._metrics):
            tally = self._tallies.get(name)
            if tally is None:
                tally = self._tallies[name] = _Tally(self._width)
            self._fill(tally, column)

    def series(self) -> Mapping[str, Series]:
        """The buckets of each metric that has values; names sorted. Nothing is added after."""
        found = {name: self._tallies[name].finish() for name in sorted(self._tallies)}
        return {name: series for name, series in found.items() if series.ts}

    @property
    def metrics(self) -> int:
        """How many metrics there are by now."""
        return len(self._tallies)

    @property
    def points(self) -> int:
        """How many buckets have values by now, of all metrics."""
        return sum(len(tally.series.ts) + 1 for tally in self._tallies.values())

    def _fill(self, tally: "_Tally", column: Column) -> None:
        base, offsets, values = column
        width = self._width
        at = bisect_left(offsets, self._start - base)
        end = bisect_left(offsets, self._end - base)
        while at < end:
            bucket = (base + offsets[at]) // width
            after = bisect_left(offsets, (bucket + 1) * width - base, at + 1, end)
            tally.add(bucket, values[at:after])
            at = after


class _Tally:
    """One metric's buckets, of which the last may still get values."""

    def __init__(self, width: int) -> None:
        self.series = Series()
        self._width = width
        self._bucket = 0
        self._values: list[float] = []

    def add(self, bucket: int, values: Iterable[float]) -> None:
        if bucket != self._bucket:
            self.finish()
            self._bucket = bucket
        self._values += values

    def finish(self) -> Series:
        values = self._values
        if values:
            series = self.series
            least, greatest = min(values), max(values)
            series.ts.append(self._bucket * self._width)
            series.min.append(least)
            series.max.append(greatest)
            series.mean.append(mean_of(values, least, greatest))
            series.count.append(len(values))
            self._values = []
        return self.series


def mean_of(values: Collection[float], least: float, greatest: float) -> float:
    """The mean, the same in whatever order the values come; never outside of what they span."""
    n = len(values)
    try:
        mean = fsum(values) / n
    except OverflowError:
        mean = fsum(value / n for value in values)
    return min(max(mean, least), greatest)
