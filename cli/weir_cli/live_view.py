"""What `weir run` shows: a view that renews itself on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from weir_cli import alert_view
from weir_cli.api_client import Document
from weir_cli.console import put, say
from weir_cli.delivery import Totals

_PLAIN_EVERY_S: Final = 30.0
_SHOWN: Final = 15

type Changed = Sequence[tuple[Document | None, Document]]
"""Alerts that are new or changed, each with what it was before."""


class View(Protocol):
    """Is told what happens, and shows it."""

    def say(self, line: str) -> None:
        """A step, in a line."""
        ...

    def show(self, totals: Totals, changed: Changed, open_alerts: int, seen: int) -> None:
        """The state of things: what was sent, which alerts changed, how many there are."""
        ...


class PlainView:
    """Alerts on stdout, each a line; everything else on stderr."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said_at = clock()
        self._counts = counts(Totals(), 0, 0)

    def say(self, line: str) -> None:
        """A step, in a line."""
        say(line)

    def show(self, totals: Totals, changed: Changed, open_alerts: int, seen: int) -> None:
        """Each changed alert, and now and then the counts, if they are others than before."""
        for before, alert in changed:
            put(alert_view.line(alert, alert_view.news(before, alert)))
        now = counts(totals, open_alerts, seen)
        if now != self._counts and self._clock() - self._said_at >= _PLAIN_EVERY_S:
            self._said_at, self._counts = self._clock(), now
            say(now)


class LiveView:
    """The counts and the latest alerts, in place."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._latest: dict[str, Document] = {}

    def say(self, line: str) -> None:
        """A step, in a line above the view."""
        self._live.console.print(line, markup=False, soft_wrap=True)

    def show(self, totals: Totals, changed: Changed, open_alerts: int, seen: int) -> None:
        """Renew the view; an alert that changes after it was opened is said above it, too."""
        for before, alert in changed:
            news = alert_view.news(before, alert)
            if news:
                self.say(alert_view.line(alert, news))
            self._latest[alert["alert_id"]] = alert
            if len(self._latest) > _SHOWN:
                del self._latest[next(iter(self._latest))]
        head = Text(counts(totals, open_alerts, seen), "bold")
        table = alert_view.table(self._latest.values())
        self._live.update(Group(head, table) if self._latest else head, refresh=True)


def counts(totals: Totals, open_alerts: int, seen: int) -> str:
    """Readings and alerts in one line."""
    rejected = f", {totals.rejected:,} rejected" if totals.rejected else ""
    retries = f", {totals.retries:,} retries" if totals.retries else ""
    return (
        f"{totals.accepted:,} readings accepted{rejected}{retries}; "
        f"{seen:,} alerts, {open_alerts:,} open"
    )


@contextmanager
def viewing(console: Console) -> Iterator[View]:
    """The view that suits the console."""
    if not console.is_terminal:
        yield PlainView()
        return
    with Live(console=console, auto_refresh=False) as live:
        yield LiveView(live)
