"""Scoring a stored series as if it arrived now: one pass, each row from those before it alone.

A row's score depends on nothing below it, so a file of any length is scored with the memory of one
row. What is written has a row for each that was read, in the same order.
"""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Final, Protocol, TextIO

from weir.alerts.alarm import Fact, Opened
from weir.controls import Resolved
from weir.detection import Detector
from weir.scoring.alarms import DEFAULT_RULES, MetricWatch, Rules, Series
from weir.scoring.state import NEVER
from weir_cli.csv_source import TIME_COLUMNS, delimiter_of, number_of, refuse_moment
from weir_cli.timeline import moment_ms

HEADER: Final = ("timestamp", "value", "anomaly_score")
VALUE_COLUMN: Final = "value"
_REPORT_ROWS: Final = 2000
"""Rows between two reports of the progress: often enough for the eye, too seldom to cost."""
_FOREIGN_BYTES: Final = "surrogateescape"
"""What is no UTF-8 is written as it was read."""


class Watcher(Protocol):
    """Who wants to see each scored row, such as a plot."""

    def scored(self, state: Any, ts: int, value: float, score: float) -> None:
        """The detector was at `state` when `value` came at `ts` (epoch ms), and scored it so."""
        ...

    def alerted(self, fact: Fact) -> None:
        """An alert began, went on or ended."""
        ...


@dataclass(slots=True)
class Outcome:
    """What became of a file's rows."""

    rows: int = 0
    alerts: int = 0
    unreadable: int = 0
    """Rows without a time or a number."""
    first_unreadable: int = 0
    """The line of the first of them."""


@dataclass(frozen=True, slots=True)
class _Columns:
    time: int
    value: int


@dataclass(frozen=True, slots=True)
class _Report:
    progress: Callable[[], None]
    watcher: Watcher | None


def backtest(
    source: Path,
    target: Path,
    detector: Detector[Any],
    *,
    progress: Callable[[int], None],
    watcher: Watcher | None = None,
    rules: Rules = DEFAULT_RULES,
) -> Outcome:
    """Score the rows of `source` into `target`, which appears once it is complete.

    `progress` is told the bytes read so far, now and then. Raises `ValueError` if `source` is
    no CSV or its header makes no sense, and `OSError`.
    """
    unfinished = target.with_name(f".{target.name}.part")
    try:
        with (
            source.open("rb") as raw,
            TextIOWrapper(raw, encoding="utf-8-sig", errors=_FOREIGN_BYTES, newline="") as text,
            unfinished.open("w", encoding="utf-8", errors=_FOREIGN_BYTES, newline="") as out,
        ):
            report = _Report(lambda: progress(raw.tell()), watcher)
            outcome = _score(text, out, detector, rules.of(VALUE_COLUMN), report)
        unfinished.replace(target)
    except csv.Error as error:
        raise ValueError(f"the file is no CSV: {error}") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return outcome


def _score(
    text: TextIO,
    out: TextIO,
    detector: Detector[Any],
    rule: Resolved,
    to: _Report,
) -> Outcome:
    rows = csv.reader(text, delimiter=delimiter_of(text))
    columns = _columns([name.strip() for name in next(rows, [])])
    write = csv.writer(out, lineterminator="\n").writerow
    write(HEADER)
    outcome = Outcome()
    state, watcher = detector.initial(), to.watcher
    alarm, newest = None, None
    for cells in rows:
        if not cells:  # a blank line
            continue
        outcome.rows += 1
        if outcome.rows % _REPORT_ROWS == 0:
            to.progress()
        time_text = cells[columns.time] if columns.time < len(cells) else ""
        value_text = cells[columns.value] if columns.value < len(cells) else ""
        value, ts = number_of(value_text), _moment(time_text)
        if value is None or ts is None:
            if not outcome.unreadable:
                outcome.first_unreadable = rows.line_num
            outcome.unreadable += 1
            write((time_text, value_text, "0.0"))
            continue
        # A late row is scored in the place where it stands: time does not go back for a detector.
        if newest is not None and ts < newest:
            ts = newest
        newest = ts
        series = Series((ts,), (value,), (1,))
        folded = detector.fold(state, series.times, series.values)
        write((time_text, value_text, repr(folded.scores[0])))
        facts: list[Fact] = []
        watched = MetricWatch(VALUE_COLUMN, series, state, folded, detector, rule)
        alarm = watched.run(alarm, NEVER, facts)
        if watcher is not None:
            watcher.scored(state, ts, value, folded.weekly[0])
        for fact in facts:
            outcome.alerts += isinstance(fact, Opened)
            if watcher is not None:
                watcher.alerted(fact)
        state = folded.state
    return outcome


def _columns(header: Sequence[str]) -> _Columns:
    """Where the time and the value are: by their names, or the only other column's place."""
    lower = [name.lower() for name in header]
    if len(lower) < 2:
        raise ValueError("the file has no header such as timestamp,value")
    time = next((lower.index(name) for name in TIME_COLUMNS if name in lower), 0)
    refuse_moment(header[time])
    if VALUE_COLUMN in lower:
        return _Columns(time, lower.index(VALUE_COLUMN))
    if len(lower) == 2:
        return _Columns(time, 1 - time)
    raise ValueError("the header names no column value; a backtest scores one series a file")


def _moment(text: str) -> int | None:
    try:
        return moment_ms(text)
    except ValueError:
        return None
