"""A simulated fleet as a stream: its history as quickly as may be, then on in real time."""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from weir.readings import Reading, format_ts
from weir_cli.batches import Batch, batches
from weir_cli.faults import Fault
from weir_cli.fleet import Fleet, FleetOptions
from weir_cli.rows import Row, Unreadable


def label(options: FleetOptions, fault: Fault) -> dict[str, Any]:
    """What is known of a fault: the times of its first and its last reading."""
    return {
        "device_id": options.device_id(fault.pump),
        "metric": fault.metric,
        "kind": fault.kind,
        "start": format_ts(options.ts(fault.first, fault.pump)),
        "end": format_ts(options.ts(fault.last, fault.pump)),
    }


def label_line(options: FleetOptions, fault: Fault) -> str:
    """The label of a fault as a line of JSON."""
    return json.dumps(label(options, fault)) + "\n"


@dataclass(frozen=True, slots=True)
class Timer:
    """Lets readings pass at their times: `speed` times as quickly as they were taken."""

    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.time

    def timed(self, readings: Iterable[Reading], speed: float = 1.0) -> Iterator[Reading]:
        """The readings, the first at once, each other one when it is due after it."""
        began: float | None = None
        first = 0
        for reading in readings:
            if began is None:
                began, first = self.clock(), reading.ts
            self._until(began + (reading.ts - first) / 1000 / speed)
            yield reading

    def live(self, readings: Iterable[Reading]) -> Iterator[Reading]:
        """The readings, each once its own time has come."""
        for reading in readings:
            self._until(reading.ts / 1000)
            yield reading

    def _until(self, moment: float) -> None:
        ahead = moment - self.clock()
        if ahead > 0:
            self.sleep(ahead)


def rows(readings: Iterable[Reading]) -> Iterator[Row]:
    """The readings, numbered."""
    return (Row(number, reading) for number, reading in enumerate(readings, 1))


def stream(
    fleet: Fleet,
    timer: Timer,
    *,
    batch: int,
    speed: float | None = None,
    live: bool = False,
    on_live: Callable[[], None] = lambda: None,
) -> Iterator[Batch | Unreadable]:
    """The fleet's readings as requests.

    The history comes at once, in requests of `batch` readings, or `speed` times as quickly as it
    happened, a request for each reading; `live` goes on after it, in real time.
    """
    if speed is None:
        yield from batches(rows(fleet.history()), batch)
    else:
        yield from batches(rows(timer.timed(fleet.history(), speed)), 1)
    if live:
        on_live()
        yield from batches(rows(timer.live(fleet.live())), 1)
