"""`weir alerts`: what is wrong, and what was."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from weir_cli.options import StackName, read_option

if TYPE_CHECKING:
    from weir_cli.alert_watch import AlertReader


class Shown(StrEnum):
    """Which alerts are shown."""

    OPEN = "open"
    CLEARED = "cleared"
    ALL = "all"


def alerts(
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on: show alerts as they come and change.")
    ] = False,
    device: Annotated[str | None, typer.Option(metavar="ID", help="Only this device.")] = None,
    state: Annotated[Shown, typer.Option(help="Which alerts.")] = Shown.ALL,
    since: Annotated[
        str, typer.Option(metavar="SPAN|all", help="Onset at most so long ago.")
    ] = "24h",
    as_json: Annotated[bool, typer.Option("--json", help="JSON, one alert a line.")] = False,
    stack_name: StackName = None,
) -> None:
    """Show alerts in the order of their onsets."""
    from weir_cli.timeline import now_ms, since_ms

    start = read_option("--since", since, lambda text: since_ms(text, now_ms()))

    from weir_cli import alert_view
    from weir_cli.alert_watch import AlertReader
    from weir_cli.console import put_json, say, table_console
    from weir_cli.target import resolve

    reader = AlertReader(resolve(stack_name), since=start, device=device, shown=state.value)
    if follow:
        _follow(reader, as_json=as_json)
        return
    found = reader.read()
    if as_json:
        for alert in found:
            put_json(alert_view.document(alert))
    elif found:
        table_console().print(alert_view.table(found))
    else:
        say(f"no alerts since {since}" if since != "all" else "no alerts")


def _follow(reader: "AlertReader", *, as_json: bool) -> None:
    from threading import Event

    from weir_cli import alert_view
    from weir_cli.alert_watch import POLL_S, Changes
    from weir_cli.console import put, put_json
    from weir_cli.interrupts import stopping

    changes, stop = Changes(), Event()
    with stopping(stop):
        while not stop.is_set():
            for alert in changes.of(reader.read()):
                if as_json:
                    put_json(alert_view.document(alert))
                else:
                    put(alert_view.line(alert))
            stop.wait(POLL_S)
