"""`weir simulate`: a fleet of pumps with faults whose truth is known."""

from typing import TYPE_CHECKING, Annotated

import typer

from weir_cli.front_door import FrontDoor
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

if TYPE_CHECKING:
    from weir_cli.delivery import Totals
    from weir_cli.fleet import Fleet


def simulate(
    pumps: Annotated[int, typer.Option(min=1, max=100_000)] = 20,
    seed: Annotated[int, typer.Option(help="The same seed and end give the same readings.")] = 7,
    hours: Annotated[float, typer.Option(min=0.01, help="How much history.")] = 24.0,
    interval: Annotated[
        str, typer.Option(metavar="SPAN", help="From one reading of a pump to its next.")
    ] = "60s",
    speed: Annotated[
        str,
        typer.Option(
            metavar="max|60x|realtime",
            help="The history as quickly as may be; or so many times as quickly as it happened; "
            "or as quickly as may be, and then on in real time until Ctrl-C.",
        ),
    ] = "max",
    faults: Annotated[int, typer.Option(min=0, help="Faults in the history.")] = 4,
    end: Annotated[str, typer.Option(metavar="now|TIME", help="Where the history ends.")] = "now",
    prefix: Annotated[str, typer.Option(help="What the pumps' names begin with.")] = "pump",
    labels: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write the faults, one JSON a line.")
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write the readings, JSON lines, instead of sending."),
    ] = None,
    batch: BatchSize = DEFAULT_BATCH,
    connections: Connections = DEFAULT_CONNECTIONS,
    api_url: ApiUrl = None,
    key: Key = None,
    stack_name: StackName = None,
) -> None:
    """Send the telemetry of a simulated fleet, with faults of five kinds put in.

    Spike, shift, drift, noise and stuck: --labels says which, where and when.
    """
    from weir_cli.fleet import Fleet, FleetOptions
    from weir_cli.timeline import end_ms, span_ms

    times = read_option("--speed", speed, _speed)
    if out is not None and speed != "max":
        raise typer.BadParameter("a file is written at --speed max", param_hint="'--out'")
    interval_ms = max(read_option("--interval", interval, span_ms), 1)
    until = read_option("--end", end, end_ms)
    steps = max(round(hours * 3_600_000 / interval_ms), 1)
    options = FleetOptions(
        until - steps * interval_ms, pumps, seed, interval_ms, steps, faults, prefix=prefix
    )
    try:
        fleet = Fleet(options)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="'--faults'") from error
    door = None if out is not None else front_door_of(api_url, stack_name, key)
    if labels is not None:
        _write_labels(labels, fleet)
    if door is None:
        _write(out or "-", fleet)
        return
    totals = _send(door, fleet, times, batch, connections, live=speed == "realtime")
    stopped = speed == "realtime" and totals.failure is None and not totals.rejected
    if not (totals.complete or stopped):
        raise typer.Exit(1)


def _speed(text: str) -> float | None:
    if text in {"max", "realtime"}:
        return None
    number = text.removesuffix("x")
    if number != text:
        try:
            times = float(number)
        except ValueError:
            times = 0.0
        if 0.0 < times < float("inf"):
            return times
    raise ValueError(f"{text!r} is neither max nor realtime nor such as 60x")


def _write_labels(file: str, fleet: "Fleet") -> None:
    from pathlib import Path

    from weir_cli.simulation import label_line

    lines = [label_line(fleet.options, fault) for fault in fleet.faults]
    Path(file).write_text("".join(lines), encoding="utf-8")


def _write(file: str, fleet: "Fleet") -> None:
    from pathlib import Path

    from weir_cli.batches import line
    from weir_cli.console import put, say

    if file == "-":
        for reading in fleet.history():
            put(line(reading).decode().rstrip())
        return
    with Path(file).open("wb") as written:
        written.writelines(map(line, fleet.history()))
    say(f"{fleet.options.steps * fleet.options.pumps:,} readings written to {file}")


def _send(
    door: FrontDoor,
    fleet: "Fleet",
    speed: float | None,
    batch: int,
    connections: int,
    *,
    live: bool,
) -> "Totals":
    from threading import Event

    from weir_cli.console import put, say, terminal
    from weir_cli.delivery import Delivery, interruptible
    from weir_cli.interrupts import stopping
    from weir_cli.reporting import Reporter, summary
    from weir_cli.sender import Sender
    from weir_cli.simulation import Timer, stream

    stop = Event()
    sleep = interruptible(stop)
    rows = None if live else fleet.options.steps * fleet.options.pumps
    items = stream(fleet, Timer(sleep), batch=batch, speed=speed, live=live)
    with (
        stopping(stop),
        Reporter(terminal(), rows) as reporter,
        Sender(
            door.url,
            connections=connections,
            headers=door.headers,
            sleep=sleep,
            on_retry=reporter.on_retry,
        ) as sender,
    ):
        delivery = Delivery(sender, connections=connections, observer=reporter, stop=stop)
        totals = delivery.run(items)
    for text in summary(totals):
        put(text)
    if totals.failure is not None:
        say(f"weir: {totals.failure}")
    return totals
