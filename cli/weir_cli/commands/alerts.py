"""`weir alerts`, `weir alert`: what is wrong, and what was."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from weir_cli.options import AsJson, StackName, Token, api_for, read_option

if TYPE_CHECKING:
    from weir_cli.alert_watch import Wanted
    from weir_cli.api_client import Api

_SINCE = "24h"


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
    metric: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only this metric; * for devices as a whole.")
    ] = None,
    state: Annotated[
        Shown | None, typer.Option(help="Which alerts: all, unless it says otherwise.")
    ] = None,
    only_open: Annotated[bool, typer.Option("--open", help="As --state open.")] = False,
    only_cleared: Annotated[bool, typer.Option("--cleared", help="As --state cleared.")] = False,
    every: Annotated[bool, typer.Option("--all", help="As --state all.")] = False,
    severity: Annotated[
        str | None,
        typer.Option(metavar="LIST", help="Only these: minor, major, critical, with commas."),
    ] = None,
    acknowledged: Annotated[
        bool | None,
        typer.Option("--acknowledged/--unacknowledged", help="Only those that are, or are not."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="SPAN|all",
            help="Onset at most so long ago. Without it, those that cleared go back a day, and "
            "those that are open all the way.",
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="The newest so many.")] = None,
    as_json: AsJson = False,
    token: Token = None,
    stack_name: StackName = None,
) -> None:
    """Show alerts in the order of their onsets."""
    shown = _shown(state, only_open, only_cleared, every)
    if follow and limit is not None:
        raise typer.BadParameter("--follow has no end, and no newest", param_hint="'--limit'")
    wanted = _wanted(shown, severity, since, device, metric, acknowledged)

    from weir_cli import alert_view
    from weir_cli.alert_watch import read
    from weir_cli.console import put_json, say, table_console

    with api_for(stack_name, token) as api:
        if follow:
            _follow(api, wanted, as_json=as_json)
            return
        found = read(api, wanted, limit)
    if as_json:
        for alert in found:
            put_json(alert)
    elif found:
        table_console().print(alert_view.table(found, ids=True))
    else:
        say(_none(shown, since))


def alert(
    alert_id: Annotated[str, typer.Argument(metavar="ALERT_ID", help="As `weir alerts` shows it.")],
    as_json: AsJson = False,
    token: Token = None,
    stack_name: StackName = None,
) -> None:
    """Show an alert in full, with its history."""
    from weir_cli import alert_view
    from weir_cli.console import put, put_json

    with api_for(stack_name, token) as api:
        found = api.alert(alert_id)
    if as_json:
        put_json(found)
    else:
        for text in alert_view.detail(found):
            put(text)


def _none(shown: Shown, since: str | None) -> str:
    """That there are none, how far back that was asked, and how to ask further."""
    from weir_cli.timeline import show_span, span_ms

    none = f"no {'' if shown is Shown.ALL else f'{shown} '}alerts"
    everything = shown is Shown.OPEN if since is None else since.strip().lower() == "all"
    if everything:
        return none
    back = show_span(span_ms(since or _SINCE) / 1000)
    return f"{none} in the last {back}; `--since all` shows older ones"


def _shown(state: Shown | None, only_open: bool, only_cleared: bool, every: bool) -> Shown:
    asked = {
        *([state] if state else []),
        *([Shown.OPEN] if only_open else []),
        *([Shown.CLEARED] if only_cleared else []),
        *([Shown.ALL] if every else []),
    }
    if len(asked) > 1:
        raise typer.BadParameter(f"{' and '.join(sorted(asked))} exclude each other",
                                 param_hint="'--state'")  # fmt: skip
    return asked.pop() if asked else Shown.ALL


def _wanted(
    shown: Shown,
    severity: str | None,
    since: str | None,
    device: str | None,
    metric: str | None,
    acknowledged: bool | None,
) -> "Wanted":
    from weir_cli.alert_watch import Wanted
    from weir_cli.timeline import now_ms, since_ms

    start = read_option("--since", since or _SINCE, lambda text: since_ms(text, now_ms()))
    return Wanted(
        state=shown.value,
        severity=None if severity is None else read_option("--severity", severity, _severities),
        device_id=device,
        metric=metric,
        acknowledged=acknowledged,
        since=start,
        open_since=0 if since is None else start,
    )


def _severities(text: str) -> str:
    from weir.alerts.alarm import SEVERITIES

    asked = [name.strip() for name in text.split(",")]
    for name in asked:
        if name not in SEVERITIES:
            raise ValueError(f"{name!r} is none of {', '.join(SEVERITIES)}")
    return ",".join(asked)


def _follow(api: "Api", wanted: "Wanted", *, as_json: bool) -> None:
    from threading import Event

    from weir_cli import alert_view
    from weir_cli.alert_watch import POLL_S, Watch
    from weir_cli.console import put, put_json, say
    from weir_cli.interrupts import stopping
    from weir_cli.patience import Patience

    watch, stop, patience = Watch(api, wanted), Event(), Patience(say)
    with stopping(stop):
        while not stop.is_set():
            for before, found in patience.look(watch.look) or ():
                if as_json:
                    put_json(found)
                else:
                    put(alert_view.line(found, alert_view.news(before, found)))
            stop.wait(POLL_S)
