"""`weir run`: the whole application on this machine, readings coming in, alerts going out."""

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from weir_cli.commands.console import NoBrowser
from weir_cli.options import read_option

if TYPE_CHECKING:
    from weir_cli.demo import DemoOptions


def run(
    data: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Send this file, rebased to end now, not a fleet."),
    ] = None,
    pumps: Annotated[int, typer.Option(min=1, max=10_000, help="Pumps of the fleet.")] = 20,
    seed: Annotated[int, typer.Option(help="What the fleet's faults and noise depend on.")] = 7,
    interval: Annotated[
        str, typer.Option(metavar="SPAN", help="From one reading of a pump to its next.")
    ] = "5s",
    history: Annotated[
        str, typer.Option(metavar="SPAN", help="How much history is replayed first.")
    ] = "1h",
    seconds: Annotated[
        float | None, typer.Option("--for", metavar="SECONDS", min=0, help="End after so long.")
    ] = None,
    no_browser: NoBrowser = False,
) -> None:
    """Start the stack, send it telemetry, open the console, show the alerts, until Ctrl-C.

    A simulated fleet first replays some history, so that there is something to see within
    seconds, and then goes on live, with a new fault about every minute. A stack that ran before
    is left running.
    """
    from weir_cli.demo import DemoOptions
    from weir_cli.timeline import span_ms

    options = DemoOptions(
        data=data,
        pumps=pumps,
        seed=seed,
        interval_ms=max(read_option("--interval", interval, span_ms), 1),
        history_ms=read_option("--history", history, span_ms),
        seconds=seconds,
    )
    if options.steps < 4:
        raise typer.BadParameter("it must be four intervals at the least", param_hint="'--history'")
    _run(options, opens_browser=not no_browser)


def _run(options: "DemoOptions", *, opens_browser: bool) -> None:
    import time
    from dataclasses import replace
    from threading import Event

    from weir_cli.browser import console_url, show_console
    from weir_cli.console import say
    from weir_cli.demo import PARAMETERS, prepare, show
    from weir_cli.interrupts import stopping
    from weir_local.stack import StackOptions, down, up
    from weir_local.status import load_status

    prepare(options)
    stop = Event()
    ours = load_status() is None
    if not ours:
        # The pumps of an earlier run measured the same hour; these are others.
        options = replace(options, prefix=time.strftime("pump-%H%M%S", time.gmtime()))
    try:
        status = up(StackOptions(parameters=PARAMETERS), say)
    except (KeyboardInterrupt, SystemExit):
        say("stopped while starting")
        return
    with stopping(stop):
        try:
            url = console_url(status.api_url, status.operator_token)
            show_console(url, wanted=opens_browser)
            show(options, status, stop)
        except BrokenPipeError:  # nobody reads any more: the same as Ctrl-C
            stop.set()
        finally:
            if ours:
                down(None, _say_if_heard)
            else:
                say("the stack ran before: it is left running; `weir down` stops it")


def _say_if_heard(message: str) -> None:
    """Say it, if there is still somebody to read it: the stack must stop in any case."""
    from weir_cli.console import say

    with suppress(OSError):
        say(message)
