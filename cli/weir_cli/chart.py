"""Small charts of characters: a line of Braille dots, or a row of blocks.

Pure: from points (epoch ms, value) and a frame to text. A cell of Braille holds 2 by 4 dots
(U+2800 and on; the bits are those of the Unicode standard), so that 40 columns show 80 moments.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from statistics import median
from typing import Final

from rich.text import Text

type Point = tuple[int, float]

_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_BLANK: Final = 0x2800
_BITS: Final = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
_GAP: Final = 5.0
"""Readings so many usual distances apart are not joined: nothing came between them."""

LINE: Final = "cyan"
ALARMED: Final = "bold red"
BAND: Final = "dim"


@dataclass(frozen=True, slots=True)
class Frame:
    """What a chart covers: times in epoch ms, values, and its size in characters."""

    start: int
    end: int
    low: float
    high: float
    width: int
    height: int = 1

    def holds(self, ts: int, value: float) -> bool:
        """Whether a point lies inside."""
        return self.start <= ts <= self.end and self.low <= value <= self.high

    def column(self, ts: int, per_cell: int = 1) -> int:
        """Where a time lies from the left, in columns of which a cell has `per_cell`."""
        columns = self.width * per_cell
        place = (ts - self.start) * columns // max(self.end - self.start, 1)
        return min(max(place, 0), columns - 1)

    def row(self, value: float, rows: int) -> float:
        """Where a value lies from the bottom, of `rows` rows; outside of the frame, at its edge."""
        span = self.high - self.low
        share = (value - self.low) / span if span > 0 else 0.5
        return min(max(share, 0.0), 1.0) * (rows - 1)


@dataclass(frozen=True, slots=True)
class Band:
    """What was expected: from `low` to `high`, at each of the times `ts` (epoch ms)."""

    ts: Sequence[int]
    low: Sequence[float | None]
    high: Sequence[float | None]


def frame_of(
    points: Sequence[Point], start: int, end: int, size: tuple[int, int], band: Band | None = None
) -> Frame:
    """The frame that holds all points, and of the band what lies near them; `size`: columns, rows.

    A band may be so wide that the line in it would be flat: it makes the frame twice as high at
    the most.
    """
    values = [value for _, value in points] or [0.0]
    low, high = min(values), max(values)
    room = (high - low) / 2
    if band is not None:
        lows = [value for value in band.low if value is not None]
        highs = [value for value in band.high if value is not None]
        low = max(min([low, *lows]), low - room)
        high = min(max([high, *highs]), high + room)
    return Frame(start, end, low, high, *size)


def spark(frame: Frame, points: Iterable[Point]) -> str:
    """One row of blocks: in each column the value farthest from the middle, blank where none."""
    middle = (frame.low + frame.high) / 2
    farthest: dict[int, float] = {}
    for ts, value in points:
        column = frame.column(ts)
        known = farthest.get(column)
        if known is None or abs(value - middle) > abs(known - middle):
            farthest[column] = value
    rows = len(_BLOCKS)
    return "".join(
        _BLOCKS[round(frame.row(farthest[column], rows))] if column in farthest else " "
        for column in range(frame.width)
    )


def lines(
    frame: Frame, points: Sequence[Point], band: Band | None, alarmed: Iterable[tuple[int, int]]
) -> list[Text]:
    """The chart's rows, the top one first: the line, the band's edges dim, in red what alarmed."""
    drawn, edges = _Dots(frame), _Dots(frame)
    drawn.join(points)
    if band is not None:
        for side in (band.low, band.high):
            for ts, value in zip(band.ts, side, strict=True):
                if value is not None and frame.holds(ts, value):
                    edges.mark(ts, value)
    red = {
        column
        for first, last in alarmed
        for column in range(frame.column(first), frame.column(last) + 1)
    }
    rows = []
    for row in range(frame.height):
        cells = []
        for column in range(frame.width):
            bits, edge = drawn.cells[row][column], edges.cells[row][column]
            style = (ALARMED if column in red else LINE) if bits else BAND
            cells.append((style, chr(_BLANK | (bits or edge))))
        text = Text()
        for style, run in groupby(cells, key=lambda cell: cell[0]):
            text.append("".join(cell for _, cell in run), style)
        rows.append(text)
    return rows


def marks(frame: Frame, alarmed: Iterable[tuple[int, int]]) -> Text | None:
    """A row that says where alerts were open: from its onset on each; None if nowhere."""
    row = [" "] * frame.width
    for first, last in alarmed:
        begin, end = frame.column(first), frame.column(last)
        row[begin : end + 1] = "━" * (end + 1 - begin)
        row[begin] = "▲" if first >= frame.start else "━"
    return Text("".join(row), ALARMED) if any(cell != " " for cell in row) else None


class _Dots:
    """The dots of a chart, in cells of Braille; the top row of cells first."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._rows = frame.height * 4
        self.cells = [[0] * frame.width for _ in range(frame.height)]

    def mark(self, ts: int, value: float) -> None:
        """A dot."""
        self._fill(self._frame.column(ts, 2), self._height(value), self._height(value))

    def join(self, points: Sequence[Point]) -> None:
        """A line through the points, in the order of their times, with gaps where none came."""
        if not points:
            return
        usual = median(b[0] - a[0] for a, b in pairwise(points)) if len(points) > 1 else 0
        self.mark(*points[0])
        for (ts, value), (next_ts, next_value) in pairwise(points):
            if next_ts - ts > _GAP * usual:
                self.mark(next_ts, next_value)
                continue
            x, next_x = self._frame.column(ts, 2), self._frame.column(next_ts, 2)
            y, next_y = self._height(value), self._height(next_value)
            before = y
            for column in range(x, next_x + 1):
                share = (column - x) / (next_x - x) if next_x > x else 1.0
                here = round(y + (next_y - y) * share)
                self._fill(column, before, here)
                before = here

    def _height(self, value: float) -> int:
        return round(self._frame.row(value, self._rows))

    def _fill(self, column: int, one: int, other: int) -> None:
        for dot in range(min(one, other), max(one, other) + 1):
            from_top = self._rows - 1 - dot
            self.cells[from_top // 4][column // 2] |= _BITS[column % 2][from_top % 4]
