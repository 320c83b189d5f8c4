"""A file, sent: source, rebase, batches and delivery put together."""

import csv
from threading import Event

from weir_cli.batches import batches
from weir_cli.console import terminal
from weir_cli.csv_source import CsvOptions
from weir_cli.delivery import Delivery, Pace, Totals, interruptible
from weir_cli.errors import Problem
from weir_cli.front_door import FrontDoor
from weir_cli.reporting import Reporter
from weir_cli.sender import Sender
from weir_cli.sources import Source, Survey, open_source, shifted, survey


def open_and_survey(file: str, device: str | None, options: CsvOptions) -> tuple[Source, Survey]:
    """The rows of `file` and what they span; raise `Problem` if there is none to send."""
    try:
        source = open_source(file, device, options)
        surveyed = survey(source)
    except (ValueError, csv.Error) as error:
        raise Problem(f"{file}: {error}.") from error
    if not surveyed.rows:
        raise Problem(f"{file}: there is no row in it.")
    return source, surveyed


def send_file(
    file: str,
    door: FrontDoor,
    device: str | None,
    options: CsvOptions,
    *,
    batch: int,
    stop: Event,
    end: int | None = None,
    rate: float | None = None,
    connections: int = 4,
    patience_s: float = 120.0,
) -> Totals:
    """Send the rows of `file`, moved so that the newest lies at `end` (epoch ms) if that is given.

    The progress is shown on stderr; `stop` ends it early.
    """
    source, surveyed = open_and_survey(file, device, options)
    shift = 0 if end is None or surveyed.newest is None else end - surveyed.newest
    sleep = interruptible(stop)
    pace = None if rate is None else Pace(rate, sleep=sleep)
    with (
        Reporter(terminal(), surveyed.rows) as reporter,
        Sender(
            door.url,
            connections=connections,
            headers=door.headers,
            patience_s=patience_s,
            sleep=sleep,
            on_retry=reporter.on_retry,
        ) as sender,
    ):
        delivery = Delivery(
            sender, connections=connections, observer=reporter, pace=pace, stop=stop
        )
        return delivery.run(batches(shifted(source, shift), batch))
