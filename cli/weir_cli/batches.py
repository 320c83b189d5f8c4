"""Readings into requests: deterministic, each of one device, in the device's order.

What goes into a request depends on the rows alone, not on time or on answers: a file that is sent
twice makes the same requests, and the server recognises them.
"""

import gzip
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from weir.readings import Reading
from weir_cli.rows import Item, Row, Unreadable

GZIP_FROM: Final = 1024
"""Bytes from which a body is compressed; a smaller one fits into one packet anyway."""

MAX_CHARACTERS: Final = 2 * 1024 * 1024
"""Characters of a request: as many bytes as a body may inflate to, were each one of four."""


@dataclass(frozen=True)
class Batch:
    """The readings of one request; `lines` are their places in the source."""

    device_id: str
    readings: Sequence[Reading]
    lines: Sequence[int] = field(default=())

    @cached_property
    def document(self) -> bytes:
        """The readings as JSON, one a line."""
        return b"".join(map(line, self.readings))

    def body(self) -> tuple[bytes, dict[str, str]]:
        """The request's body and its headers; the same bytes for the same readings."""
        # Not application/json: API Gateway hands that to a function as text, which gzip is not.
        headers = {"content-type": "application/x-ndjson"}
        if len(self.document) < GZIP_FROM:
            return self.document, headers
        return gzip.compress(self.document, 5, mtime=0), headers | {"content-encoding": "gzip"}


def line(reading: Reading) -> bytes:
    """A reading as a line of JSON."""
    document: dict[str, Any] = {
        "device_id": reading.device_id,
        "ts": reading.ts,
        "metrics": reading.metrics,
    }
    if reading.tags:
        document["tags"] = reading.tags
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def batches(items: Iterable[Item], size: int) -> Iterator[Batch | Unreadable]:
    """Gather the rows of each device into requests of `size` readings at the most.

    A request is complete when it is full; the devices' last ones come at the end, in the order in
    which the devices were first seen.
    """
    gathered: dict[str, list[Row]] = {}
    lengths: dict[str, int] = {}
    for item in items:
        if isinstance(item, Unreadable):
            yield item
            continue
        device_id, length = item.reading.device_id, _length(item.reading)
        rows = gathered.setdefault(device_id, [])
        if rows and lengths[device_id] + length > MAX_CHARACTERS:
            yield _batch(rows)
            rows = gathered[device_id] = []
        lengths[device_id] = length + (lengths[device_id] if rows else 0)
        rows.append(item)
        if len(rows) >= size:
            yield _batch(rows)
            gathered[device_id] = []
    for rows in gathered.values():
        if rows:
            yield _batch(rows)


def _batch(rows: Sequence[Row]) -> Batch:
    readings = [row.reading for row in rows]
    return Batch(readings[0].device_id, readings, [row.line for row in rows])


def _length(reading: Reading) -> int:
    """At least as many characters as the reading takes in the document."""
    numbers = sum(len(name) + 30 for name in reading.metrics)
    texts = sum(len(name) + len(text) + 6 for name, text in (reading.tags or {}).items())
    return 60 + len(reading.device_id) + numbers + texts
