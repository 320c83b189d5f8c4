"""CSV of readings: a time and a value, or a time and a column for each metric.

The header names the columns. The time is in the column `timestamp`, `ts`, `time` or `datetime`,
else in the first; times without an offset are UTC. A column `device_id` names the device. Every
other column that holds numbers is a metric; an empty cell is a metric that is absent.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import isfinite
from typing import Final, TextIO

from weir.readings import (
    InvalidReading,
    Reading,
    check_device_id,
    check_metric_names,
)
from weir_cli.rows import Item, Row, Unreadable
from weir_cli.timeline import moment_ms

TIME_COLUMNS: Final = ("timestamp", "ts", "time", "datetime")
DEVICE_COLUMN: Final = "device_id"
_ABSENT: Final = frozenset({"", "nan", "na", "n/a", "null", "none"})
_SAMPLE: Final = 200
"""Rows by which a column is judged to hold numbers or text."""


@dataclass(frozen=True, slots=True)
class CsvOptions:
    """What the file does not say: a name for its one metric, columns to leave out."""

    metric: str | None = None
    omit: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class _Columns:
    time: int
    device: int | None
    metrics: Mapping[str, int]
    width: int


def read_csv(text: TextIO, device_id: str, options: CsvOptions) -> Iterator[Item]:
    """Read the rows below the header; raise `ValueError` if the header makes no sense."""
    delimiter = delimiter_of(text)
    # The rows are read twice as far as the sample goes: once to judge the columns by.
    rows = csv.reader(text, delimiter=delimiter)
    header = [name.strip() for name in next(rows, [])]
    sample = list(islice(rows, _SAMPLE))
    columns = _columns(header, sample, options)
    text.seek(0)
    rows = csv.reader(text, delimiter=delimiter)
    next(rows, None)
    for cells in rows:
        if any(cell.strip() for cell in cells):
            yield _row(rows.line_num, cells, columns, device_id)


def delimiter_of(text: TextIO) -> str:
    """What separates the cells of the header; leaves `text` at its beginning."""
    header = text.readline()
    text.seek(0)
    return max(",;\t", key=header.count)


def refuse_moment(name: str) -> None:
    """Raise `ValueError` if the header's name of the time is a time: the header is missing."""
    try:
        moment_ms(name)
    except ValueError:
        return
    raise ValueError(
        "the first line holds a time where the header's name of it should be: put a line such "
        "as timestamp,value first"
    )


def _columns(header: list[str], sample: list[list[str]], options: CsvOptions) -> _Columns:
    if len(header) < 2:
        raise ValueError("the file has no header with a time and at least one metric")
    lower = [name.lower() for name in header]
    time = next((lower.index(name) for name in TIME_COLUMNS if name in lower), 0)
    refuse_moment(header[time])
    device = lower.index(DEVICE_COLUMN) if DEVICE_COLUMN in lower else None
    unknown = set(options.omit) - set(header)
    if unknown:
        raise ValueError(f"the file has no column {sorted(unknown)[0]!r} to leave out")
    metrics: dict[str, int] = {}
    for at, name in enumerate(header):
        if at in {time, device} or name in options.omit or not _holds_numbers(sample, at):
            continue
        if name in metrics:
            raise ValueError(f"the header names the column {name!r} twice")
        metrics[name] = at
    if not metrics:
        raise ValueError("the file has no column of numbers beside the time")
    if options.metric is not None:
        if len(metrics) > 1:
            raise ValueError(
                f"the file has {len(metrics)} columns of numbers; --metric can name only one"
            )
        metrics = dict.fromkeys([options.metric], *metrics.values())
    try:
        check_metric_names(metrics)
    except InvalidReading as error:
        raise ValueError(f"the header cannot be used: {error.detail}") from error
    return _Columns(time, device, metrics, len(header))


def _holds_numbers(sample: list[list[str]], at: int) -> bool:
    cells = [cells[at].strip() for cells in sample if at < len(cells)]
    present = [cell for cell in cells if cell.lower() not in _ABSENT]
    return not present or any(number_of(cell) is not None for cell in present)


def number_of(cell: str) -> float | None:
    """The finite number that a cell holds, or None."""
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if isfinite(number) else None


def _row(line: int, cells: list[str], columns: _Columns, device_id: str) -> Item:
    if len(cells) > columns.width:
        return Unreadable(line, f"{len(cells)} cells, but the header has {columns.width}")
    cells += [""] * (columns.width - len(cells))
    try:
        ts = moment_ms(cells[columns.time])
        named = cells[columns.device].strip() if columns.device is not None else ""
        device = check_device_id(named or device_id)
    except InvalidReading as error:
        return Unreadable(line, error.detail)
    except ValueError as error:
        return Unreadable(line, str(error))
    metrics: dict[str, float] = {}
    for name, at in columns.metrics.items():
        cell = cells[at].strip()
        if cell.lower() in _ABSENT:
            continue
        number = number_of(cell)
        if number is None:
            return Unreadable(line, f"{name} is {cell[:40]!r}, not a finite number")
        metrics[name] = number
    if not metrics:
        return Unreadable(line, "the row has no value")
    return Row(line, Reading(device, ts, metrics))
