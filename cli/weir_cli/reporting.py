"""What the operator sees while readings are sent: a bar on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from weir_cli.batches import Batch
from weir_cli.delivery import Totals
from weir_cli.rows import Unreadable
from weir_cli.sender import Receipt

SHOWN: Final = 5
"""So many rejected and so many unreadable rows are shown; all are counted."""
_PLAIN_EVERY_S: Final = 5.0


class Reporter:
    """Shows the progress of a delivery and the first rows that were not taken."""

    def __init__(
        self, console: Console, rows: int | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console
        self._rows = rows
        self._clock = clock
        self._done = self._rejected = self._unreadable = 0
        self._said_at = clock()
        self._retry_said_at = clock() - _PLAIN_EVERY_S
        self._progress = Progress(
            TextColumn("sending"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("", total=rows)

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

    def on_receipt(self, batch: Batch, receipt: Receipt) -> None:
        """Count what was taken; show the first refusals, with their lines."""
        for refusal in receipt.rejected:
            self._rejected += 1
            if self._rejected <= SHOWN:
                line = batch.lines[refusal.index] if batch.lines else None
                where = f"reading {refusal.index}" if line is None else f"line {line}"
                self._print(f"{where} rejected: {refusal.code}: {refusal.detail}")
        self._advance(len(batch.readings))

    def on_unreadable(self, row: Unreadable) -> None:
        """Show the first rows that cannot be read."""
        self._unreadable += 1
        if self._unreadable <= SHOWN:
            self._print(f"line {row.line} unreadable: {row.reason}")
        self._advance(1)

    def on_retry(self, reason: str, wait: float) -> None:
        """Say now and then why nothing moves."""
        if self._clock() - self._retry_said_at >= _PLAIN_EVERY_S:
            self._retry_said_at = self._clock()
            self._print(f"sending again in {wait:.1f} s: {reason}")

    def _advance(self, rows: int) -> None:
        self._done += rows
        self._progress.advance(self._task, rows)
        if not self._console.is_terminal and self._clock() - self._said_at >= _PLAIN_EVERY_S:
            self._said_at = self._clock()
            of = f" of {self._rows}" if self._rows is not None else ""
            self._print(f"{self._done}{of} rows")

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, soft_wrap=True)


def summary(totals: Totals) -> list[str]:
    """The totals, one a line."""
    shown = {
        "rows read": f"{totals.rows:,}",
        "readings sent": f"{totals.sent:,}",
        "accepted": f"{totals.accepted:,}",
        "rejected": f"{totals.rejected:,}",
        "unreadable": f"{totals.unreadable:,}",
        "requests": f"{totals.requests:,}",
        "retries": f"{totals.retries:,}",
        "seconds": f"{totals.seconds:.2f}",
        "readings/s": f"{totals.per_second:,.0f}",
    }
    return [f"{name:<14}{value:>12}" for name, value in shown.items()]
