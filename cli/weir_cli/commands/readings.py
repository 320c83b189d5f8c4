"""`weir readings`: what the Readings table holds of a device."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Annotated

import typer

from weir_cli.options import StackName, read_option


def readings(
    device: Annotated[str, typer.Argument(metavar="DEVICE")],
    since: Annotated[
        str, typer.Option(metavar="SPAN|all", help="How far back, such as 30m, 24h or 7d.")
    ] = "1h",
    metric: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this metric; may be repeated.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="The newest so many.")] = None,
    latest: Annotated[
        bool, typer.Option("--latest", help="The values of the newest chunk alone.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON lines, as they are sent.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV, a column for each metric.")] = False,
    stack_name: StackName = None,
) -> None:
    """Show a device's readings in the order of their times, each value that counts once."""
    if as_json and as_csv:
        raise typer.BadParameter("--json and --csv exclude each other")
    from weir_cli.timeline import now_ms, since_ms

    start = read_option("--since", since, lambda text: since_ms(text, now_ms()))

    from weir.readings import Reading
    from weir.storage.reading_store import ReadingStore
    from weir_cli import reading_view
    from weir_cli.console import say
    from weir_cli.merge import chunks_of, merged
    from weir_cli.target import resolve

    target = resolve(stack_name)
    store = ReadingStore(
        target.client("dynamodb"),
        target.readings_table,
        on_unreadable=lambda _, sk, error: say(f"the chunk {sk} cannot be read: {error}"),
    )

    def found() -> Iterator[Reading]:
        for reading in merged(chunks_of(store, device, start), start):
            metrics = reading.metrics
            if metric:
                metrics = {name: metrics[name] for name in metric if name in metrics}
            if metrics:
                yield Reading(reading.device_id, reading.ts, metrics, reading.tags)

    if latest:
        newest = store.newest(device)
        if newest is None:
            say(f"the table holds no reading of {device}")
            raise typer.Exit(1)
        reading_view.show_latest(newest, metric, as_json=as_json, as_csv=as_csv)
        return
    rows: Iterable[Reading] = found() if limit is None else deque(found(), maxlen=limit)
    if as_json:
        shown = reading_view.show_json(rows)
    elif as_csv:
        shown = reading_view.show_csv(rows)
    else:
        shown = reading_view.show_table(rows)
    if not shown:
        say(f"the table holds no reading of {device} since {since}")
