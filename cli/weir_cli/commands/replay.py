"""`weir replay`: what failed for good, put through again."""

from typing import Annotated

import typer

from weir_cli.options import StackName, read_option
from weir_cli.replay_report import Place


def replay(
    place: Annotated[
        list[Place] | None,
        typer.Argument(metavar="[PLACE]...", help="Only these: lake, stream, spill."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list what lies there, and why.")
    ] = False,
    since: Annotated[
        str, typer.Option(metavar="SPAN|TIME|all", help="Only what failed since.")
    ] = "all",
    as_json: Annotated[bool, typer.Option("--json", help="What was found and done, as JSON.")] = (
        False
    ),
    stack_name: StackName = None,
) -> None:
    """Put through again what failed; exit code 1 if anything stays.

    lake: what Firehose could not deliver goes back onto its stream. stream: batches that were
    given up are scored. spill: dead letters go back to the spill queue.

    What cannot be read, or fails again, stays and is listed. Replaying twice changes nothing.
    """
    from weir_cli.timeline import now_ms

    start = read_option("--since", since, lambda text: _start(text, now_ms()))

    from threading import Event

    from weir_cli.console import put, put_json, say, table_console, terminal
    from weir_cli.interrupts import stopping
    from weir_cli.replay_io import replay as run_replay
    from weir_cli.replay_places import Options, places_of
    from weir_cli.replay_view import Bar, lines, table
    from weir_cli.target import resolve

    places = places_of(resolve(stack_name))
    stop = Event()
    with stopping(stop), Bar(terminal()) as bar:
        chosen = list(dict.fromkeys(place or Place))
        report = run_replay(places, chosen, Options(start, dry_run), bar, stop)
    if as_json:
        put_json(report.document(), indent=2)
    else:
        if any(found.found for found in report.places):
            table_console().print(table(report))
        for line in lines(report):
            put(line)
    for found in report.places:
        if found.problem:
            say(f"weir: {found.problem}")
    if not report.is_through:
        raise typer.Exit(1)


def _start(text: str, now: int) -> int:
    """The time that `text` names: a span before `now`, a moment, or `all`."""
    from weir_cli.timeline import moment_ms, since_ms

    try:
        return since_ms(text, now)
    except ValueError:
        pass
    try:
        return moment_ms(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is neither a span such as 24h nor a time such as 2026-01-31T12:00:00Z"
        ) from None
