"""What a sink did not take: kept whole in the spill until the sink takes it.

A message of the spill holds documents of one device, and says which sinks have yet to take them.
It is one JSON text, in ASCII:

    {"version": 1, "device_id": "pump-7", "sinks": ["lake", "table"],
     "received_at": 1767225600250, "documents": "H4sIAAAA…"}

`documents` is base64 of gzip of the chunks' documents, one a line; `received_at` is when the
request came (epoch milliseconds), which the lake's rows keep. A document is what a chunk's key and
item are made of, so what comes of a message is what the request itself would have written.
"""

import hashlib
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Annotated, Final, Literal

import msgspec

from weir.chunks import (
    LATEST_MS,
    MAX_RECORD_ROWS_BYTES,
    Chunk,
    UnreadableChunk,
    compress_lines,
    inflate,
    reopen,
)
from weir.lake import Record, close_record

type Version = Literal[1]

VERSION: Final = 1

MAX_INFLATED: Final = 2 * MAX_RECORD_ROWS_BYTES
"""What a message of ours inflates to is half of it at the most."""

type Sink = Literal["lake", "table"]

SINKS: Final[frozenset[str]] = frozenset({"lake", "table"})

type EpochMs = Annotated[int, msgspec.Meta(ge=0, le=LATEST_MS)]


class UnreadableSpill(ValueError):
    """The text is no message of the spill; the message says what is wrong with it."""


class Spilled(msgspec.Struct, frozen=True, dict=True):
    """Chunk `documents` of one device that `sinks` did not take; `received_at` is in epoch ms."""

    device_id: str
    sinks: frozenset[Sink]
    received_at: int
    documents: tuple[bytes, ...]

    @cached_property
    def deduplication_id(self) -> str:
        """64 hexadecimal digits that name the device, the sinks and the documents.

        They do not depend on when the documents came: what a client sends again is the same.
        """
        named = hashlib.sha256(f"{self.device_id}\n{','.join(sorted(self.sinks))}".encode())
        for document in self.documents:
            named.update(b"\n")
            named.update(document)
        return named.hexdigest()

    def chunks(self) -> list[Chunk]:
        """The chunks, as `pack` made them. Raises `UnreadableSpill`."""
        try:
            chunks = list(map(reopen, self.documents))
        except UnreadableChunk as error:
            raise UnreadableSpill(f"documents holds what is no chunk: {error}") from error
        if any(chunk.device_id != self.device_id for chunk in chunks):
            raise UnreadableSpill(
                "documents holds a chunk of another device; all must be of device_id"
            )
        return chunks

    def record(self) -> bytes:
        """The Firehose record, which says when the documents first came."""
        return close_record(Record(self.documents, self.received_at))


class _Message(msgspec.Struct):
    version: Version
    device_id: str
    sinks: list[str]
    received_at: EpochMs
    documents: bytes
    """In JSON it is base64."""


_ENCODE = msgspec.json.Encoder().encode
_DECODE = msgspec.json.Decoder(_Message).decode


def spill(chunks: Iterable[Chunk], sinks: Iterable[Sink], received_at: int) -> list[Spilled]:
    """What to keep of a request's `chunks`, which came at `received_at` and `sinks` did not take.

    The messages of a device are in the order of its chunks' keys, whatever the order of `chunks`.
    Each becomes one lake record, and is bounded as those are: by what `transform` makes of it.
    """
    missing = frozenset(sinks)
    devices: dict[str, list[Chunk]] = {}
    for chunk in chunks:
        devices.setdefault(chunk.device_id, []).append(chunk)
    return [
        Spilled(device_id, missing, received_at, documents)
        for device_id, of_device in devices.items()
        for documents in _split(sorted(of_device, key=lambda chunk: chunk.sk))
    ]


def _split(chunks: Sequence[Chunk]) -> Iterable[tuple[bytes, ...]]:
    documents: list[bytes] = []
    room = MAX_RECORD_ROWS_BYTES
    for chunk in chunks:
        if documents and chunk.rows_bytes > room:
            yield tuple(documents)
            documents, room = [], MAX_RECORD_ROWS_BYTES
        documents.append(chunk.document)
        room -= chunk.rows_bytes
    yield tuple(documents)


def encode(spilled: Spilled) -> str:
    """The message of `spilled`; the same value gives the same text."""
    message = _Message(
        VERSION,
        spilled.device_id,
        sorted(spilled.sinks),
        spilled.received_at,
        compress_lines(spilled.documents),
    )
    return _ENCODE(message).decode()


def decode(text: str) -> Spilled:
    """Read a message; raise `UnreadableSpill` if it is none. Inflates to a bound and no further."""
    try:
        message = _DECODE(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise UnreadableSpill(f"the message cannot be read: {error}") from error
    sinks = frozenset(message.sinks)
    if not sinks or not sinks <= SINKS:
        raise UnreadableSpill(f"sinks is not of {' and '.join(sorted(SINKS))}, one or both")
    try:
        inflated = inflate(message.documents, MAX_INFLATED)
    except UnreadableChunk as error:
        raise UnreadableSpill(f"documents cannot be read: {error}") from error
    documents = tuple(line for line in inflated.split(b"\n") if line)
    if not documents:
        raise UnreadableSpill("documents is empty; it must hold at least one")
    return Spilled(message.device_id, sinks, message.received_at, documents)  # type: ignore[arg-type]
