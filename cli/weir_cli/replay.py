"""What lies in the failure places, read, and written again without what went through. Pure.

Sources: Amazon Data Firehose developer guide, "Handle failure in data transformation"; Lambda
developer guide, "Retain discarded records for a DynamoDB event source in Lambda".
"""

import base64
import binascii
import gzip
import io
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from weir.chunks import UnreadableChunk
from weir.lake import Record, close_record, open_record, rows
from weir.readings import show
from weir_cli.replay_report import Entry
from weir_cli.timeline import moment_ms

MAX_OBJECT: Final = 512 * 1024 * 1024
"""Firehose gathers 128 MiB at the most; what inflates past this is not its object."""

MAX_RECORD: Final = 1000 * 1024
"""A Firehose record holds so many bytes (Amazon Data Firehose quotas)."""

MAX_ROWS: Final = 4_499_000
"""Rows of one chunk past this outgrow a transform's answer: 6 MB, in base64."""

UNREADABLE: Final = "cannot be read"
NOT_TRIED: Final = "not tried"

_GZIP_MAGIC = b"\x1f\x8b"
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Failure[T]:
    """An entry and what it holds; `unreadable` says why it would only fail again, if it would."""

    entry: Entry
    content: T
    unreadable: str = ""


@dataclass(frozen=True, slots=True)
class FailedLine:
    """A line of Firehose's error object, and the records to put in its place."""

    line: bytes
    records: Sequence[bytes] = ()


@dataclass(frozen=True, slots=True)
class FailedChange:
    """A record of a table's stream, as the function gets it: its sequence number and device."""

    encoded: bytes
    sequence: str = ""
    device: str = ""
    table: str = ""


class UnreadableFailure(ValueError):
    """What lies there is no failure that can be put through again; the message says why."""


# -------------------------------------------------------------- Firehose's error objects


def read_lines(key: str, body: bytes) -> list[Failure[FailedLine]]:
    """Read an object of Firehose's error prefix, gzipped or not: a JSON document a line."""
    try:
        lines = _inflated(body).split(b"\n")
    except UnreadableFailure as error:
        return [_whole(key, FailedLine(body), str(error))]
    return [_failed_line(key, number, line) for number, line in enumerate(lines, 1) if line.strip()]


def rest_of_lines(body: bytes, kept: Sequence[Failure[FailedLine]]) -> bytes:
    """The object once more with the lines `kept`, gzipped if it was."""
    rest = b"".join(failure.content.line + b"\n" for failure in kept)
    return gzip.compress(rest, 6, mtime=0) if body.startswith(_GZIP_MAGIC) else rest


def _failed_line(key: str, number: int, line: bytes) -> Failure[FailedLine]:
    name = f"line {number}"
    try:
        fields = msgspec.json.decode(line, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        entry = Entry(key, name, None, "unknown")
        return Failure(entry, FailedLine(line), bounded(f"the line is no JSON object: {error}"))
    arrived = _epoch_ms(fields.get("arrivalTimestamp"))
    failed_at = _epoch_ms(fields.get("attemptEndingTimestamp"))
    why = text_of(fields, "errorCode", "ErrorCode", "lastErrorCode") or "unknown"
    records: Sequence[bytes] = ()
    unreadable = ""
    try:
        record = _record(fields, arrived)
        name = f"{name}: {_devices(record)}"
        records = closed(record)
    except UnreadableFailure as error:
        unreadable = str(error)
    entry = Entry(key, name, arrived if failed_at is None else failed_at, why)
    return Failure(entry, FailedLine(line, records), unreadable)


def _record(fields: dict[str, Any], arrived: int | None) -> Record:
    """The record that the line holds, if the transform could make rows of it."""
    raw = fields.get("rawData")
    if not isinstance(raw, str) or not raw:
        raise UnreadableFailure("the line has no rawData")
    if arrived is None:
        raise UnreadableFailure("the line has no arrivalTimestamp in epoch milliseconds")
    try:
        record = open_record(base64.b64decode(raw, validate=True), arrived)
        made = rows(record)
    except binascii.Error as error:
        raise UnreadableFailure("rawData is not base64") from error
    except UnreadableChunk as error:
        raise UnreadableFailure(bounded(str(error))) from error
    except OverflowError as error:
        raise UnreadableFailure("arrivalTimestamp is outside the years 1970 to 9999") from error
    if not made:
        raise UnreadableFailure("the record has no chunk")
    if len(made) > MAX_ROWS and len(record.documents) == 1:
        raise UnreadableFailure("its one chunk outgrows what a transform may answer")
    return record


def closed(record: Record) -> list[bytes]:
    """The record as Firehose takes it, with the time at which it first came; halved if too large.

    Raises `UnreadableFailure` for a single chunk that outgrows a record.
    """
    data = close_record(record)
    if len(data) <= MAX_RECORD:
        return [data]
    if len(record.documents) == 1:
        raise UnreadableFailure("its one chunk outgrows a Firehose record")
    middle = len(record.documents) // 2
    halves = record.documents[:middle], record.documents[middle:]
    return [part for half in halves for part in closed(Record(half, record.received_at))]


class _Named(msgspec.Struct):
    device_id: str


def _devices(record: Record) -> str:
    names = dict.fromkeys(
        msgspec.json.decode(document, type=_Named).device_id for document in record.documents
    )
    shown = ", ".join(show(name) for name in list(names)[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


# -------------------------------------------------------------- the stream's invocation records


class _Event(msgspec.Struct, rename="pascal"):
    records: list[msgspec.Raw]


class _Change(msgspec.Struct, rename="pascal"):
    sequence_number: str = ""
    keys: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)


class _StreamRecord(msgspec.Struct):
    dynamodb: _Change
    stream_arn: str = msgspec.field(name="eventSourceARN", default="")


def read_invocation(key: str, body: bytes) -> list[Failure[FailedChange]]:
    """Read an object of the stream's failure bucket: the records of the batch in its payload."""
    try:
        document = _invocation(body)
        records = _records(document["payload"])
    except UnreadableFailure as error:
        return [_whole(key, FailedChange(b""), str(error))]
    context = document.get("requestContext")
    why = (text_of(context, "condition") if isinstance(context, dict) else "") or "unknown"
    failed_at = None
    with suppress(ValueError):
        failed_at = moment_ms(str(document.get("timestamp", "")))
    return [
        _failed_change(key, number, bytes(record), failed_at, why)
        for number, record in enumerate(records, 1)
    ]


def rest_of_invocation(body: bytes, kept: Sequence[Failure[FailedChange]]) -> bytes:
    """The object once more, with the records `kept` as its payload."""
    document = _invocation(body)
    changes = [failure.content for failure in kept]
    document["payload"] = event_of(changes).decode()
    batch = document.get("DDBStreamBatchInfo")
    if isinstance(batch, dict):
        batch["batchSize"] = len(changes)
        batch["startSequenceNumber"] = changes[0].sequence
        batch["endSequenceNumber"] = changes[-1].sequence
    return msgspec.json.encode(document)


def event_of(changes: Sequence[FailedChange]) -> bytes:
    """The function's event for some records."""
    return b'{"Records":[' + b",".join(change.encoded for change in changes) + b"]}"


def _invocation(body: bytes) -> dict[str, Any]:
    try:
        document = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableFailure(bounded(f"the object is no JSON object: {error}")) from error
    if not isinstance(document.get("payload"), str):
        raise UnreadableFailure("the object has no payload, so the batch is not in it")
    return document


def _records(payload: str) -> list[msgspec.Raw]:
    try:
        records = msgspec.json.decode(payload, type=_Event).records
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise UnreadableFailure(bounded(f"the payload is no event: {error}")) from error
    if not records:
        raise UnreadableFailure("the payload has no records")
    return records


def _failed_change(
    key: str, number: int, encoded: bytes, failed_at: int | None, why: str
) -> Failure[FailedChange]:
    name, sequence, device, table = f"record {number}", "", "", ""
    # What is no stream record is handed over all the same: the function has the last word.
    with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        record = msgspec.json.decode(encoded, type=_StreamRecord)
        change, table = record.dynamodb, record.stream_arn.partition(":table/")[2].partition("/")[0]
        sequence = change.sequence_number
        device, sk = (str(change.keys.get(part, {}).get("S", "")) for part in ("pk", "sk"))
        if device:
            name = f"{show(device)} {show(sk)}"
    return Failure(Entry(key, name, failed_at, why), FailedChange(encoded, sequence, device, table))


# -------------------------------------------------------------- what both have


def _inflated(body: bytes) -> bytes:
    if not body.startswith(_GZIP_MAGIC):
        return body
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as file:
            inflated = file.read(MAX_OBJECT + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableFailure(f"the object cannot be inflated: {error}") from error
    if len(inflated) > MAX_OBJECT:
        raise UnreadableFailure(f"the object inflates to more than {MAX_OBJECT} bytes")
    return inflated


def _whole[T](key: str, content: T, why: str) -> Failure[T]:
    return Failure(Entry(key, "the whole object", None, "unknown"), content, why)


def _epoch_ms(value: Any) -> int | None:
    """Epoch milliseconds, which AWS's documentation shows as a number and as a text."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**15:
        return value
    return None


def text_of(fields: dict[str, Any], *names: str) -> str:
    """The first of the fields `names` that holds a text, safe and short enough to show, or ""."""
    for name in names:
        value = fields.get(name)
        if isinstance(value, str) and value:
            return bounded(value)
    return ""


def bounded(text: str) -> str:
    """A text that came from outside on one line, and no longer than a line."""
    line = "".join(sign if sign.isprintable() else " " for sign in text[:_LONGEST])
    return line if len(text) <= _LONGEST else f"{line}…"
