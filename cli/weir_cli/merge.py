"""A device's log as distinct readings: one a time, each value the one that counts.

Of two values of one metric and time, the one whose chunk sorts first counts; within a chunk, the
earlier. The same holds for tags.
"""

from collections.abc import Iterable, Iterator, Mapping

from weir.chunks import HOUR_MS, StoredChunk
from weir.readings import Reading
from weir.scoring.ports import ReadingLog


def chunks_of(log: ReadingLog, device_id: str, since: int) -> Iterator[StoredChunk]:
    """All chunks of the device that may hold readings at `since` (epoch ms) or later, in order."""
    from_t0 = since // HOUR_MS * HOUR_MS  # a chunk never crosses an hour
    page = log.read(device_id, from_t0=from_t0)
    while True:
        yield from page.chunks
        if page.next_sk is None:
            return
        page = log.read(device_id, from_t0=from_t0, after_sk=page.next_sk)


def merged(chunks: Iterable[StoredChunk], since: int = 0) -> Iterator[Reading]:
    """The distinct readings of one device's `chunks` at `since` or later, in the order of time.

    `chunks` come in the order of their sort keys. Only an hour of them is held in memory.
    """
    hour: int | None = None
    gathered: dict[int, Reading] = {}
    for chunk in chunks:
        if hour != chunk.t0 // HOUR_MS:
            yield from _in_order(gathered, since)
            hour, gathered = chunk.t0 // HOUR_MS, {}
        for reading in chunk.document.rows():
            first = gathered.get(reading.ts)
            gathered[reading.ts] = reading if first is None else _both(first, reading)
    yield from _in_order(gathered, since)


def _in_order(gathered: Mapping[int, Reading], since: int) -> Iterator[Reading]:
    for ts in sorted(gathered):
        # A row may name no value at all where its metrics stand in other rows.
        if ts >= since and gathered[ts].metrics:
            yield gathered[ts]


def _both(first: Reading, second: Reading) -> Reading:
    metrics = {**second.metrics, **first.metrics}
    tags = {**(second.tags or {}), **(first.tags or {})}
    return Reading(first.device_id, first.ts, metrics, tags or None)


def latest(chunk: StoredChunk) -> dict[str, tuple[int, float]]:
    """For each metric of a chunk the newest time and the value that counts there."""
    found: dict[str, tuple[int, float]] = {}
    for reading in chunk.document.rows():
        for name, value in reading.metrics.items():
            if name not in found or reading.ts > found[name][0]:
                found[name] = (reading.ts, value)
    return found
