"""Lake rows: what `transform` makes of the records on their way to S3, one row a reading.

A row is one line of JSON: `device_id`, `ts` and `received_at` (RFC 3339, UTC, milliseconds),
`metrics` and `tags` (names sorted), `reading_id`, and `position`.

`reading_id` names the reading whichever way it came: the same device, time and metric names give
the same id, in whatever request. Of rows with one `reading_id`, the one with the smallest
`position` counts: it is the place in the Readings table, the chunk's sort key and the row in it,
so that the lake, the table and the scores agree on which of two values is the one.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Annotated, Final

import msgspec

from weir.chunks import (
    LATEST_MS,
    ROW_OVERHEAD,
    Document,
    UnreadableChunk,
    compress_lines,
    digest,
    inflate,
    sort_key,
    unpack,
)
from weir.readings import format_ts, show

MAX_INFLATED: Final = 8 * 1024 * 1024
"""A record of ours inflates to less than 2 MiB; what goes past this is not ours."""

MAX_ROWS_BYTES: Final = 8 * 1024 * 1024
"""A record of ours becomes less than 2 MiB of rows. A small one that is not ours could become
gigabytes, since each row repeats what a document says once."""

_ENCODE = msgspec.json.Encoder().encode
_ENCODE_LINES = msgspec.json.Encoder().encode_lines


class _Arrival(msgspec.Struct, forbid_unknown_fields=True):
    received_at: Annotated[int, msgspec.Meta(ge=0, le=LATEST_MS)]


_ARRIVAL = msgspec.json.Decoder(_Arrival).decode


class Record(msgspec.Struct, frozen=True):
    """A Firehose record, opened: chunk documents, and when they were received (epoch ms)."""

    documents: Sequence[bytes]
    received_at: int


def open_record(data: bytes, arrived_at: int) -> Record:
    """Open a record that Firehose received at `arrived_at` (epoch ms).

    A record that went back into the stream says on its first line when it first came. Raises
    `UnreadableChunk` for what is no record.
    """
    lines = [line for line in inflate(data, MAX_INFLATED).split(b"\n") if line]
    if not lines:
        raise UnreadableChunk("the record is empty")
    if lines[0].startswith(b'{"received_at":'):
        try:
            return Record(lines[1:], _ARRIVAL(lines[0]).received_at)
        except msgspec.DecodeError as error:
            # The error may name a field, which is as long as whoever wrote it liked.
            raise UnreadableChunk(
                f"the record's first line cannot be read: {show(str(error))}"
            ) from error
    return Record(lines, arrived_at)


def close_record(record: Record) -> bytes:
    """Pack a record to be sent once more, with the time at which it first came."""
    return compress_lines([_ENCODE(_Arrival(record.received_at)), *record.documents])


def rows(record: Record) -> bytes:
    """The lake rows of a record's readings, one a line. Raises `UnreadableChunk`."""
    received_at = format_ts(record.received_at)
    made: list[dict[str, object]] = []
    room = MAX_ROWS_BYTES
    for document in record.documents:
        unpacked = unpack(document)
        room -= _rough_bytes(unpacked)
        if room < 0:
            raise UnreadableChunk(f"the record outgrows {MAX_ROWS_BYTES} bytes as rows")
        made += _rows(document, unpacked, received_at)
    return _ENCODE_LINES(made)


def _rough_bytes(document: Document) -> int:
    """What a document becomes as rows, roughly; no more than a chunk's `rows_bytes` says."""
    names = sum(map(len, document.v))
    tags = sum(
        len(name) + len(text)
        for name, text in (document.tags or {}).items()
        if isinstance(text, str)
    )
    return len(document.dt) * (ROW_OVERHEAD + len(document.device_id) + names + tags)


def _rows(document: bytes, unpacked: Document, received_at: str) -> Iterator[dict[str, object]]:
    prefix = sort_key(unpacked.t0, digest(document))
    unpacked.v = {
        name: unpacked.v[name] for name in sorted(unpacked.v)
    }  # so are each row's metrics
    for place, reading in enumerate(unpacked.rows()):
        metrics, tags = reading.metrics, reading.tags or {}
        yield {
            "device_id": reading.device_id,
            "ts": _format_ts(reading.ts),
            "metrics": metrics,
            "tags": {name: tags[name] for name in sorted(tags)},
            "received_at": received_at,
            "reading_id": reading_id(reading.device_id, reading.ts, metrics),
            "position": f"{prefix}#{place:05d}",
        }


@lru_cache(256)
def _minute(minute: int) -> str:
    return format_ts(minute * 60_000)[: len("2026-01-31T12:00:")]


def _format_ts(ts: int) -> str:
    """The same as `format_ts`, in a fifth of the time where many times share a minute."""
    minute, rest = divmod(ts, 60_000)
    return f"{_minute(minute)}{rest // 1000:02d}.{rest % 1000:03d}Z"


def reading_id(device_id: str, ts: int, names: Iterable[str]) -> str:
    """32 hexadecimal digits that name the reading of `names` (sorted) by the device at `ts`."""
    identity = "\x1f".join((device_id, str(ts), *names))
    return hashlib.sha256(identity.encode()).hexdigest()[:32]
