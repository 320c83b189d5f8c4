"""A week of one metric at a reading a second, in a chart of 600 buckets."""

import math
import random
import statistics
import time
from collections.abc import Iterator, Sequence

from benchmarks.alerts.door import Door
from benchmarks.alerts.pumps import METRIC, Reading, reading
from weir.readings import format_ts
from weir_local.control import Control
from weir_local.status import StackStatus

READINGS = 7 * 86_400
BUCKETS = 600
_A_POST = 10_000
_ROUNDS = 5
_SECOND_MS = 1000


def measure(
    status: StackStatus, control: Control, readings: int = READINGS, rounds: int = _ROUNDS
) -> dict[str, float]:
    """Load the readings, then ask for the chart until it is whole; the median of some rounds."""
    device_id = f"week-{time.time_ns() // 1_000_000:x}"
    end = time.time_ns() // 1_000_000 // _SECOND_MS * _SECOND_MS
    start = end - readings * _SECOND_MS
    begun = time.monotonic()
    with Door(status) as door:
        for post in _posts(device_id, start, readings):
            door.post(post)
        posted = time.monotonic() - begun
        control.flush()
        control.wait_idle(600)
        loaded = time.monotonic() - begun
        charts = [_chart(door, device_id, start, end) for _ in range(rounds)]
    return {
        "chart_readings": charts[0][1],
        "chart_s": statistics.median(seconds for seconds, _, _ in charts),
        "chart_first_s": charts[0][0],
        "chart_requests": charts[0][2],
        "chart_posted_s": posted,
        "chart_scored_s": loaded,
    }


def _posts(device_id: str, start: int, count: int) -> Iterator[Sequence[Reading]]:
    dice = random.Random(7)
    for first in range(0, count, _A_POST):
        yield [
            reading(
                device_id,
                start + at * _SECOND_MS,
                float(f"{50 + 10 * math.sin(at / 13_751) + dice.gauss(0, 1):.6g}"),
            )
            for at in range(first, min(first + _A_POST, count))
        ]


def _chart(door: Door, device_id: str, start: int, end: int) -> tuple[float, int, int]:
    """The seconds until the chart was whole, how many readings it shows, in how many answers."""
    query: dict[str, str | int] = {
        "from": format_ts(start),
        "to": format_ts(end),
        "metric": METRIC,
        "buckets": BUCKETS,
    }
    begun = time.monotonic()
    shown = requests = 0
    while True:
        page = door.get(f"/v1/devices/{device_id}/readings", query)
        requests += 1
        shown += sum(page["series"][METRIC]["count"])
        if page["next_cursor"] is None:
            return time.monotonic() - begun, shown, requests
        query = {**query, "cursor": page["next_cursor"]}
