"""`weir send`: a file of readings, over HTTP."""

from typing import Annotated

import typer

from weir_cli.options import (
    DEFAULT_BATCH,
    DEFAULT_CONNECTIONS,
    ApiUrl,
    BatchSize,
    Connections,
    Key,
    StackName,
    front_door_of,
    read_option,
)


def send(
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help="CSV, or JSON lines; - is JSON lines from stdin."),
    ],
    device: Annotated[
        str | None,
        typer.Option(metavar="ID", help="The device of rows that name none; else the file's name."),
    ] = None,
    batch: BatchSize = DEFAULT_BATCH,
    rebase_end: Annotated[
        str | None,
        typer.Option(
            metavar="now|TIME", help="Move all times by one constant: the newest reading to here."
        ),
    ] = None,
    rate: Annotated[
        float | None, typer.Option(min=0.001, help="Readings per second at the most.")
    ] = None,
    metric: Annotated[
        str | None, typer.Option(metavar="NAME", help="The metric of a CSV file with one value.")
    ] = None,
    omit: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN", help="Leave out a column of a CSV file.")
    ] = None,
    connections: Connections = DEFAULT_CONNECTIONS,
    patience: Annotated[
        float, typer.Option(min=0.0, metavar="SECONDS", help="How long one request is tried.")
    ] = 120.0,
    api_url: ApiUrl = None,
    key: Key = None,
    stack_name: StackName = None,
) -> None:
    """Send a file of readings, each device's in the order of the file.

    What the server is too busy for is sent again after the time it asks for. Rows that cannot be
    read, and readings that the server rejects, are shown and counted; the exit code is 1 if any
    row was not accepted.
    """
    from weir_cli.timeline import end_ms

    end = None if rebase_end is None else read_option("--rebase-end", rebase_end, end_ms)
    door = front_door_of(api_url, stack_name, key)

    from threading import Event

    from weir_cli.console import put, say
    from weir_cli.csv_source import CsvOptions
    from weir_cli.interrupts import stopping
    from weir_cli.reporting import summary
    from weir_cli.sending import send_file

    options = CsvOptions(metric, tuple(omit or ()))
    stop = Event()
    with stopping(stop):
        totals = send_file(
            file, door, device, options,
            batch=batch, end=end, rate=rate, connections=connections,
            patience_s=patience, stop=stop,
        )  # fmt: skip
    for line in summary(totals):
        put(line)
    if totals.failure is not None:
        say(f"weir: {totals.failure}")
    elif stop.is_set():
        say("weir: stopped before the end of the file")
    if end is None and totals.refused["ts_out_of_window"] * 2 > totals.sent:
        say("weir: most of the times are too far from now; `--rebase-end now` moves the newest "
            "reading to now, and all others with it")  # fmt: skip
    if not totals.complete:
        raise typer.Exit(1)
