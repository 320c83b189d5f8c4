"""`weir logs`: what the functions wrote, metric lines and all, in the order of time."""

from enum import StrEnum
from heapq import merge
from operator import itemgetter
from typing import Annotated, Any

import typer

from weir_cli.options import StackName, read_option

LOCAL_STACK = "weir-local"


class Function(StrEnum):
    """The functions."""

    AUTHORIZE = "authorize"
    INGEST = "ingest"
    TRANSFORM = "transform"
    SCORE = "score"
    RESPILL = "respill"
    NOTIFY = "notify"
    WATCHDOG = "watchdog"
    API = "api"


def logs(
    function: Annotated[
        Function | None, typer.Argument(help="Only this function's.", show_default=False)
    ] = None,
    since: Annotated[str, typer.Option(metavar="SPAN|all", help="At most so long ago.")] = "1h",
    contains: Annotated[
        str, typer.Option(metavar="TEXT", help="Only lines with this text, such as a request id.")
    ] = "",
    stack_name: StackName = None,
) -> None:
    """Show the functions' log lines."""
    from weir_cli.timeline import now_ms, since_ms

    start = read_option("--since", since, lambda text: since_ms(text, now_ms()))

    from weir_cli.console import put, say
    from weir_cli.target import resolve

    client = resolve(stack_name).client("logs")
    wanted = [function] if function else list(Function)
    events = [_events(client, f"{stack_name or LOCAL_STACK}-{name}", start) for name in wanted]
    found = [event for event in merge(*events, key=itemgetter(0)) if contains in event[2]]
    for _, name, line in found:
        put(f"{name}  {line}" if function is None else line)
    if not found:
        say("no lines")


def _events(client: Any, function: str, start: int) -> list[tuple[int, str, str]]:
    """The function's lines in the order of time, and of one time in the order written."""
    pages = client.get_paginator("filter_log_events").paginate(
        logGroupName=f"/aws/lambda/{function}", startTime=start
    )
    short = function.rpartition("-")[2]
    found = [
        (event["timestamp"], short, event["message"].rstrip())
        for page in pages
        for event in page["events"]
        if event["message"].strip()
    ]
    return sorted(found, key=itemgetter(0))
