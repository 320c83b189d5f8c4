"""Readings packed into chunks: what the Readings table and the Firehose record are made of.

A chunk holds the readings of one device out of one request and one UTC hour, as a canonical
columnar JSON document, one JSON text on one line:

    {"device_id": "pump-7", "t0": 1767225600000, "dt": [0, 1000], "v": {"flow": [1.5, null]}}

Row `i` was measured at `t0 + dt[i]` (milliseconds); rows are in time order, and rows of one time
in the order in which they were sent. `v` has a column for each metric, names sorted, null where a
reading lacks it. `tags`, if there are any, has for each name one string that all rows share, or a
column of strings and nulls.

Nothing in a chunk depends on when or how often it was sent, so a request that is sent twice makes
the same chunks, and each keeps the same sort key: `<t0, 13 digits>#<digest>`, where the digest is
the first 16 hexadecimal digits of the document's SHA-256.
"""

import hashlib
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from operator import attrgetter
from typing import Final

import msgspec

from weir import inflation
from weir.readings import Reading

HOUR_MS: Final = 3_600_000

MAX_DOCUMENT_BYTES: Final = 256 * 1024
"""An item holds 400 KB; deflate never grows a document of this size by more than a few bytes."""

MAX_ROWS_BYTES: Final = 1024 * 1024
"""What a chunk may become as lake rows: they repeat every name, and a transform answers in 6 MB."""

MAX_CELLS: Final = 128 * 1024
"""Rows times columns of a chunk: readings that share no names would make columns of nulls."""

MAX_RECORD_ROWS_BYTES: Final = 2 * MAX_ROWS_BYTES
"""What a Firehose record's chunks may become together."""

ROW_OVERHEAD: Final = 260
"""Bytes of a lake row beside the device id, the metrics and the tags; a test holds it true."""

LATEST_MS: Final = 253_402_300_799_999
"""The last millisecond that RFC 3339 has a year for."""

_SMALL_DOCUMENT: Final = 8 * 1024

_ENCODE = msgspec.json.Encoder().encode
_BY_TS = attrgetter("ts")
_BY_DEVICE = attrgetter("device_id")
_ZLIB_HEADER = b"\x78\x9c"
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


class UnreadableChunk(ValueError):
    """The bytes are not a chunk; the message says what is wrong with them."""


class Document(msgspec.Struct, gc=False):
    """A chunk's document, as columns; see the module's text for their meaning."""

    device_id: str
    t0: int
    dt: list[int]
    v: dict[str, list[float | None]]
    tags: dict[str, str | list[str | None]] | None = None

    def rows(self) -> Iterator[Reading]:
        """The readings that the document holds, in its order."""
        names = tuple(self.v)
        columns = zip(*self.v.values(), strict=True)
        for row, (offset, values) in enumerate(zip(self.dt, columns, strict=True)):
            yield Reading(
                self.device_id,
                self.t0 + offset,
                {
                    name: value
                    for name, value in zip(names, values, strict=True)
                    if value is not None
                },
                self._tags_of(row),
            )

    def _tags_of(self, row: int) -> Mapping[str, str] | None:
        if self.tags is None:
            return None
        tags: dict[str, str] = {}
        for name, column in self.tags.items():
            text = column if isinstance(column, str) else column[row]
            if text is not None:
                tags[name] = text
        return tags or None


_DECODE = msgspec.json.Decoder(Document).decode


class Chunk(msgspec.Struct, dict=True):
    """A packed chunk: its place (`device_id`, `t0` to `t1`), its `n` readings, its document."""

    device_id: str
    t0: int
    t1: int
    n: int
    document: bytes
    rows_bytes: int
    """At most so many bytes as lake rows."""

    @cached_property
    def digest(self) -> str:
        """The first 16 hexadecimal digits of the document's SHA-256."""
        return digest(self.document)

    @property
    def sk(self) -> str:
        """The chunk's sort key: by time, then by content."""
        return sort_key(self.t0, self.digest)

    @cached_property
    def _deflated(self) -> bytes:
        # Against the default level, half the time for 2 % more bytes. A small window and small
        # tables are quicker to set up, and all that most documents need.
        small = len(self.document) <= _SMALL_DOCUMENT
        deflate = zlib.compressobj(
            4, zlib.DEFLATED, -13 if small else -zlib.MAX_WBITS, 7 if small else 9
        )
        return deflate.compress(self.document) + deflate.flush()

    @property
    def body(self) -> bytes:
        """The document in zlib's format (RFC 1950), as the item keeps it."""
        return _ZLIB_HEADER + self._deflated + struct.pack(">I", zlib.adler32(self.document))

    @property
    def gzip(self) -> bytes:
        """The document as a gzip member (RFC 1952): the same deflated bytes, framed otherwise."""
        return (
            _GZIP_HEADER
            + self._deflated
            + struct.pack("<II", zlib.crc32(self.document), len(self.document))
        )


def digest(document: bytes) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of `document`."""
    return hashlib.sha256(document).hexdigest()[:16]


def sort_key(t0: int, digest: str) -> str:
    """The sort key of a chunk that begins at `t0`."""
    return f"{t0:013d}#{digest}"


def pack(readings: Iterable[Reading]) -> list[Chunk]:
    """Pack `readings` into chunks: one a device and UTC hour, more where one would grow too large.

    The result depends on the readings and, among those of one device and time, on their order.
    """
    chunks: list[Chunk] = []
    for group in _groups(list(readings)):
        group.sort(key=_BY_TS)  # stable: of one time, the order in which they were sent
        chunks.extend(_pack_group(group))
    return chunks


def _groups(readings: list[Reading]) -> Iterable[list[Reading]]:
    """The readings of one device and UTC hour each; `readings` itself if they all are."""
    times = [reading.ts for reading in readings]
    if len(set(map(_BY_DEVICE, readings))) == 1 and min(times) // HOUR_MS == max(times) // HOUR_MS:
        return (readings,)
    groups: dict[tuple[str, int], list[Reading]] = {}
    for reading in readings:
        groups.setdefault((reading.device_id, reading.ts // HOUR_MS), []).append(reading)
    return groups.values()


def _pack_group(group: list[Reading]) -> Iterator[Chunk]:
    if len(group) > 1:
        chunk = None if _is_sparse(group) else _chunk(group)
        if chunk is None or (
            len(chunk.document) > MAX_DOCUMENT_BYTES or chunk.rows_bytes > MAX_ROWS_BYTES
        ):
            middle = len(group) // 2
            yield from _pack_group(group[:middle])
            yield from _pack_group(group[middle:])
            return
    else:
        chunk = _chunk(group)
    yield chunk


def _is_sparse(group: Sequence[Reading]) -> bool:
    """Whether the columns of `group` would have too many cells, most of them null."""
    rows = [*(r.metrics for r in group), *(r.tags for r in group if r.tags)]
    if len(group) * sum(map(len, rows)) <= MAX_CELLS:
        return False
    columns = set().union(*(r.metrics for r in group)), set().union(*(r.tags or () for r in group))
    return len(group) * sum(map(len, columns)) > MAX_CELLS


def _chunk(group: Sequence[Reading]) -> Chunk:
    first, last, n = group[0], group[-1], len(group)
    t0 = first.ts
    columns = _columns([reading.metrics for reading in group])
    document: dict[str, object] = {
        "device_id": first.device_id,
        "t0": t0,
        "dt": [reading.ts - t0 for reading in group],
        "v": columns,
    }
    tags: Mapping[str, Sequence[str | None]] = {}
    if any(reading.tags for reading in group):
        tags = _columns([reading.tags or {} for reading in group])
        document["tags"] = {
            name: column[0] if column.count(column[0]) == n else column
            for name, column in tags.items()
        }
    encoded = _ENCODE(document)
    row_bytes = _row_bytes(first.device_id, columns, tags)
    return Chunk(first.device_id, t0, last.ts, n, encoded, n * row_bytes + len(encoded))


def reopen(document: bytes) -> Chunk:
    """The chunk that `pack` made of `document`: its key, its item and its bounds are the same.

    Raises `UnreadableChunk`.
    """
    opened = unpack(document)
    tags = {
        name: (column,) if isinstance(column, str) else column
        for name, column in (opened.tags or {}).items()
    }
    n = len(opened.dt)
    row_bytes = _row_bytes(opened.device_id, opened.v, tags)
    return Chunk(
        opened.device_id,
        opened.t0,
        opened.t0 + opened.dt[-1],
        n,
        document,
        n * row_bytes + len(document),
    )


def _row_bytes(
    device_id: str, names: Iterable[str], tags: Mapping[str, Sequence[str | None]]
) -> int:
    """At most so many bytes has a lake row beside its values."""
    return (
        ROW_OVERHEAD
        + len(device_id)
        + sum(map(_json_bytes, names))
        + sum(
            _json_bytes(name) + max(_json_bytes(text or "") for text in set(column))
            for name, column in tags.items()
        )
    )


def _json_bytes(text: str) -> int:
    """The bytes of a name or a tag in JSON, with its quotes, a colon and a comma."""
    return len(_ENCODE(text)) + 2


def _columns[V](rows: Sequence[Mapping[str, V]]) -> Mapping[str, Sequence[V | None]]:
    """Rows of named values as columns, names sorted, None where a row has no such name."""
    if len(set(map(len, rows))) == 1:
        # As many names in each row: they are the same names, if each has those of the first.
        with suppress(KeyError):
            return {name: [row[name] for row in rows] for name in sorted(rows[0])}
    # Filled by the values that there are: most cells may be empty, and to ask for each took 2 s.
    columns: dict[str, list[V | None]] = {
        name: [None] * len(rows) for name in sorted(set().union(*rows))
    }
    for place, row in enumerate(rows):
        for name, value in row.items():
            columns[name][place] = value
    return columns


def pack_records(chunks: Sequence[Chunk]) -> list[bytes]:
    """Gzip the documents of `chunks`, one a line, into as few Firehose records as may be.

    A record is bounded by what `transform` makes of it, not by its own size: that is what has to
    fit into an answer of 6 MB.
    """
    if len(chunks) == 1:
        return [chunks[0].gzip]
    records: list[bytes] = []
    batch: list[bytes] = []
    room = MAX_RECORD_ROWS_BYTES
    for chunk in chunks:
        if batch and chunk.rows_bytes > room:
            records.append(compress_lines(batch))
            batch, room = [], MAX_RECORD_ROWS_BYTES
        batch.append(chunk.document)
        room -= chunk.rows_bytes
    if batch:
        records.append(compress_lines(batch))
    return records


def compress_lines(documents: Iterable[bytes]) -> bytes:
    """Gzip `documents`, one a line; the same documents give the same bytes."""
    deflate = zlib.compressobj(6, zlib.DEFLATED, zlib.MAX_WBITS | 16, 9)
    return deflate.compress(b"\n".join(documents)) + deflate.flush()


def unpack(document: bytes) -> Document:
    """Read a chunk's document; raise `UnreadableChunk` if it is none."""
    try:
        decoded = _DECODE(document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableChunk(f"the document cannot be read: {error}") from error
    rows = len(decoded.dt)
    if not rows or not decoded.v:
        raise UnreadableChunk("the document has no rows")
    t0, offsets = decoded.t0, decoded.dt
    if not 0 <= t0 + min(offsets) <= t0 + max(offsets) <= LATEST_MS:
        raise UnreadableChunk("the document has times outside the years 1970 to 9999")
    tag_columns = [c for c in (decoded.tags or {}).values() if isinstance(c, list)]
    lengths = {*map(len, decoded.v.values()), *map(len, tag_columns)}
    if lengths != {rows}:
        raise UnreadableChunk("the document's columns differ in length")
    return decoded


def inflate(data: bytes, limit: int) -> bytes:
    """Inflate zlib or gzip `data` to at most `limit` bytes; raise `UnreadableChunk` otherwise."""
    try:
        return inflation.inflate(data, limit, inflation.ZLIB_OR_GZIP)
    except (inflation.BrokenData, inflation.InflatesTooFar) as error:
        raise UnreadableChunk(f"the data {error}") from error


def unpack_body(body: bytes) -> Document:
    """Read the `body` of an item; raise `UnreadableChunk` if it is none."""
    return unpack(inflate(body, 2 * MAX_DOCUMENT_BYTES))


class StoredChunk(msgspec.Struct, dict=True):
    """A chunk as the Readings table gives it back."""

    sk: str
    document: Document

    @property
    def t0(self) -> int:
        """When its first reading was measured."""
        return self.document.t0

    @property
    def t1(self) -> int:
        """When its last reading was measured."""
        return self.document.t0 + self.document.dt[-1]

    @property
    def digest(self) -> int:
        """The digest in its sort key, as a number."""
        return int(self.sk.partition("#")[2], 16)

    @cached_property
    def spans(self) -> Mapping[str, tuple[int, int]]:
        """For each metric the times of its first and last value."""
        document = self.document
        t0, offsets = document.t0, document.dt
        spans: dict[str, tuple[int, int]] = {}
        for name, column in document.v.items():
            if None in column:
                present = [
                    offset
                    for offset, value in zip(offsets, column, strict=True)
                    if value is not None
                ]
                if present:
                    spans[name] = (t0 + present[0], t0 + present[-1])
            else:
                spans[name] = (t0 + offsets[0], t0 + offsets[-1])
        return spans
