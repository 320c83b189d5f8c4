"""`weir tail`: one device, live in the terminal."""

from typing import TYPE_CHECKING, Annotated

import typer

from weir_cli.options import StackName, Token, api_for, read_option

if TYPE_CHECKING:
    from threading import Event

    from weir_cli.tail import Tail

_MOST_MS = 86_400_000


def tail(
    device: Annotated[str, typer.Argument(metavar="DEVICE", help="A device's id.")],
    metric: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this metric; may be repeated.")
    ] = None,
    since: Annotated[
        str, typer.Option(metavar="SPAN", help="How much of the past is shown.")
    ] = "10m",
    plain: Annotated[
        bool,
        typer.Option("--plain", help="A line for each reading, no chart; as without a terminal."),
    ] = False,
    token: Token = None,
    stack_name: StackName = None,
) -> None:
    """Follow a device: its readings within a second, what was expected, and its alerts.

    Red is where an alert was open, and a triangle its onset. Ctrl-C ends it.
    """
    from weir_cli.timeline import span_ms

    window = max(read_option("--since", since, span_ms), 1000)
    if window > _MOST_MS:
        raise typer.BadParameter("a day at the most; the console shows more",
                                 param_hint="'--since'")  # fmt: skip

    from threading import Event

    from weir_cli.interrupts import stopping
    from weir_cli.tail import Tail

    stop = Event()
    with api_for(stack_name, token) as api, stopping(stop):
        follow(Tail(api, device, metric or (), window), stop, plain=plain)


def follow(tail: "Tail", stop: "Event", *, plain: bool = False) -> None:
    """Show what is new until `stop` is set."""
    from rich.console import Console
    from rich.live import Live

    from weir_cli import alert_view, tail_view
    from weir_cli.patience import Patience
    from weir_cli.tail import POLL_S

    console = Console(highlight=False)
    if plain or not console.is_terminal:
        _follow_plainly(tail, stop)
        return
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:

        def tell(line: str) -> None:
            live.console.print(line, markup=False, soft_wrap=True)

        patience = Patience(tell)
        while not stop.is_set():
            news = patience.look(tail.look)
            for before, alert in news.alerts if news else ():
                tell(alert_view.line(alert, alert_view.news(before, alert)))
            if news:
                patience.look(lambda: tail.refresh_band(console.width))
            live.update(tail_view.shown(tail, console), refresh=True)
            stop.wait(POLL_S)


def _follow_plainly(tail: "Tail", stop: "Event") -> None:
    from weir_cli import tail_view
    from weir_cli.console import say
    from weir_cli.patience import Patience
    from weir_cli.tail import POLL_S

    patience, told = Patience(say), False
    while not stop.is_set():
        news = patience.look(tail.look)
        if news is not None:
            tail_view.put_news(news)
        if not (told or any(tail.values.values())):
            told = True
            say(tail_view.waiting(tail))
        stop.wait(POLL_S)
