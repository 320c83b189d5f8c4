"""What the operator sees of a replay: a bar while it runs, and what it found and did."""

import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from weir_cli.replay_report import Entry, Left, Place, PlaceReport, Report
from weir_cli.timeline import show_ts

SHOWN: Final = 20
"""So many entries of a place are shown; all are counted."""
_PLAIN_EVERY_S: Final = 5.0
_UNITS = {Place.LAKE: "objects", Place.STREAM: "objects", Place.SPILL: "messages"}


class Bar:
    """A bar for each place on a terminal, a line now and then elsewhere."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None
        self._of = ""
        self._done = 0
        self._said_at = clock()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def begin(self, place: Place, total: int) -> None:
        """A place is begun: so many objects or messages lie there."""
        self._task = self._progress.add_task(place.value, total=total)
        self._of = f"of {total:,} {_UNITS[place]} in {place.value}"
        self._done = 0

    def advance(self, n: int = 1) -> None:
        """So many of them are done with."""
        self._done += n
        if self._task is not None:
            self._progress.advance(self._task, n)
        if not self._console.is_terminal and self._clock() - self._said_at >= _PLAIN_EVERY_S:
            self._said_at = self._clock()
            self._console.print(f"{self._done:,} {self._of}", markup=False, soft_wrap=True)


def table(report: Report) -> Table:
    """The places, a row each: how many were found and why, and what became of them."""
    shown = Table("place", box=None, header_style="bold")
    for name in ("found", "replayed", "left"):
        shown.add_column(name, justify="right")
    shown.add_column("had failed with")
    shown.add_column("left because")
    for place in report.places:
        counts = (f"{count:,}" for count in (place.found, place.replayed, place.left))
        shown.add_row(
            place.place.value, *counts, Text(_counted(place.why)), Text(_counted(place.because))
        )
    return shown


def lines(report: Report) -> Iterator[str]:
    """What lies where, and why: of a dry run all of it, otherwise what stays; then the sum."""
    for place in report.places:
        yield from _place_lines(place, dry_run=report.dry_run)
    found, replayed, left = (
        sum(getattr(place, name) for place in report.places)
        for name in ("found", "replayed", "left")
    )
    since = f" since {show_ts(report.since)}" if report.since else ""
    if not found:
        yield f"nothing failed{since}" if report.is_through else f"nothing was found{since}"
    elif report.dry_run:
        yield f"{found:,} failed{since}; nothing was touched"
    else:
        yield f"{found:,} failed{since}: {replayed:,} put through again, {left:,} left"


def _place_lines(place: PlaceReport, *, dry_run: bool) -> Iterator[str]:
    reasons = {id(left.entry): left for left in place.stays}
    entries = place.entries if dry_run else [left.entry for left in place.stays]
    for entry in entries[:SHOWN]:
        yield f"{place.place.value}: {_entry(entry, reasons.get(id(entry)))}"
    if len(entries) > SHOWN:
        yield f"{place.place.value}: {len(entries) - SHOWN:,} more; --json has all"


def _entry(entry: Entry, left: Left | None) -> str:
    when = "" if entry.failed_at is None else f", {show_ts(entry.failed_at)}"
    said = f"{entry.where} {entry.name}: {entry.why}{when}"
    if left is None:
        return said
    return f"{said}; {left.because}" + (f": {left.detail}" if left.detail else "")


def _counted(reasons: dict[str, int]) -> str:
    return ", ".join(_with_count(reasons.items()))


def _with_count(reasons: Iterable[tuple[str, int]]) -> Iterator[str]:
    return (f"{reason} ({count:,})" for reason, count in reasons)
