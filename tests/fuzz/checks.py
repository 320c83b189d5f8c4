"""What holds for every input, whatever it is: the invariants that a fuzzer tries to break."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from weir.chunks import (
    MAX_DOCUMENT_BYTES,
    MAX_RECORD_ROWS_BYTES,
    MAX_ROWS_BYTES,
    Chunk,
    pack,
    pack_records,
    reopen,
    unpack,
    unpack_body,
)
from weir.identity import Scope
from weir.lake import open_record, rows
from weir.protocols.interface import (
    Adapter,
    Parsed,
    Reply,
    Request,
    TooManyReadings,
    UnreadableBody,
)
from weir.readings import (
    Reading,
    Window,
    check_device_id,
    check_metrics,
    check_tags,
    check_ts,
)
from weir.spill import SINKS, decode, encode, spill

MAX_MESSAGE = 4_000
"""Characters of a message: a few names of 128, and what is said about them."""
MAX_ANSWER = 6_000_000
MAX_RECORD = 1000 * 1024
"""Bytes of a Firehose record (Amazon Data Firehose quotas)."""
MAX_ITEM = 400_000
REQUEST_ID = "request-1"

_CODE = re.compile(r"[a-z0-9_]{3,40}")
_SORT_KEY = re.compile(r"[0-9]{13}#[0-9a-f]{16}")


def check_message(text: str) -> None:
    """A message for people and logs: short, and with nothing in it that breaks a line."""
    assert text, "a message is empty"
    assert text.isprintable(), f"a message is not printable: {ascii(text)[:300]}"
    assert len(text) <= MAX_MESSAGE, f"a message has {len(text)} characters: {text[:300]}"


def check_reply(reply: Reply) -> None:
    """An answer that a function can give: not too large, and JSON if it says so."""
    assert len(reply.body) < MAX_ANSWER
    assert reply.status < 500, f"{reply.status}: {reply.body[:300]!r}"
    if reply.media_type.endswith("json"):
        json.loads(reply.body)


type Refused = UnreadableBody | TooManyReadings


def parse(adapter: Adapter, request: Request) -> Parsed | Refused:
    """What a body comes to, all its promises checked; the reason if it is refused as a whole."""
    try:
        parsed = adapter.parse(request)
    except (UnreadableBody, TooManyReadings) as error:
        check_message(str(error))
        reply = adapter.refuse(400, "unreadable_body", str(error), request.media_type, REQUEST_ID)
        check_reply(reply)
        return error
    check_parsed(parsed, request.window, request.scope)
    check_reply(adapter.accept(parsed, request.media_type))
    check_packing(parsed.readings, request.now_ms)
    return parsed


def check_parsed(parsed: Parsed, window: Window, scope: Scope) -> None:
    """Counts agree, refusals are in order and say why, and readings keep every rule."""
    refused = [rejection.index for rejection in parsed.rejected]
    assert refused == sorted(refused), "refusals are out of order"
    assert parsed.accepted >= 0
    assert bool(parsed.readings) == bool(parsed.accepted)
    for rejection in parsed.rejected:
        assert rejection.index >= 0
        assert _CODE.fullmatch(rejection.code), rejection.code
        check_message(rejection.detail)
    for reading in parsed.readings:
        check_reading(reading, window, scope)


def check_reading(reading: Reading, window: Window, scope: Scope) -> None:
    """The rules of `weir.readings`, asked once more of what has passed them."""
    check_device_id(reading.device_id, scope)
    assert type(reading.ts) is int
    check_ts(reading.ts, window)
    assert check_metrics(reading.metrics) == reading.metrics
    assert {type(value) for value in reading.metrics.values()} == {float}
    assert check_tags(reading.tags) == reading.tags


def check_packing(readings: Sequence[Reading], now_ms: int) -> None:
    """What is packed comes back as it was, by each of the ways that chunks go."""
    chunks = pack(readings)
    assert _told(chunk_readings(chunks)) == _told(readings)
    for chunk in chunks:
        check_chunk(chunk)
    records = pack_records(chunks)
    opened = [open_record(record, now_ms) for record in records]
    assert [d for record in opened for d in record.documents] == [c.document for c in chunks]
    for record, sent in zip(opened, records, strict=True):
        assert len(sent) <= MAX_RECORD
        lines = rows(record).splitlines()
        assert len(lines) == sum(len(unpack(document).dt) for document in record.documents)
        made = sum(map(len, lines)) + len(lines)
        assert made <= MAX_RECORD_ROWS_BYTES, f"a record becomes {made} bytes of rows"
    messages = spill(chunks, SINKS, now_ms)  # type: ignore[arg-type]
    assert [decode(encode(message)) for message in messages] == messages
    spilled = [chunk for message in messages for chunk in message.chunks()]
    assert sorted(c.document for c in spilled) == sorted(c.document for c in chunks)


def chunk_readings(chunks: Iterable[Chunk]) -> list[Reading]:
    """The readings in chunks, in their order."""
    return [reading for chunk in chunks for reading in unpack(chunk.document).rows()]


def check_chunk(chunk: Chunk) -> None:
    """A chunk that fits its item and its rows, and is told from its document alone."""
    assert _SORT_KEY.fullmatch(chunk.sk), chunk.sk
    assert b"\n" not in chunk.document
    assert chunk.n == 1 or len(chunk.document) <= MAX_DOCUMENT_BYTES
    assert chunk.n == 1 or chunk.rows_bytes <= MAX_ROWS_BYTES
    assert len(chunk.body) + 1_000 <= MAX_ITEM
    assert unpack_body(chunk.body) == unpack(chunk.document)
    again = reopen(chunk.document)
    assert (again.sk, again.t1, again.n, again.rows_bytes) == (
        chunk.sk,
        chunk.t1,
        chunk.n,
        chunk.rows_bytes,
    )


def _told(readings: Iterable[Reading]) -> dict[tuple[str, int], list[str]]:
    """Readings by device and time, in their order there; as text, which tells 0.0 from -0.0."""
    told: dict[tuple[str, int], list[str]] = defaultdict(list)
    for reading in readings:
        content = sorted(reading.metrics.items()), sorted((reading.tags or {}).items())
        told[reading.device_id, reading.ts].append(repr(content))
    return told
