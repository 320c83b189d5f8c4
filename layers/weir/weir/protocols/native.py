"""The native protocol: one reading, an array, an envelope, or newline-delimited JSON.

There are two ways through. The straight one lets msgspec decode the whole body into typed
structs; it takes the body only if every reading in it keeps every rule. Anything else goes the
careful way: the standard library's parser, which can say where and why, one reading at a time,
so that a bad reading never costs its neighbours. A property test holds the two to one result.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

import msgspec

from weir.identity import EVERY_DEVICE, Scope
from weir.protocols.interface import MAX_READINGS, Parsed, TooManyReadings, UnreadableBody
from weir.protocols.json_text import JsonObject, JsonReader, loads
from weir.readings import (
    MAX_METRICS,
    AwareDatetime,
    InvalidReading,
    Reading,
    Rejection,
    Window,
    check_device_id,
    check_metric_name,
    check_metrics,
    check_tags,
    check_ts,
    kind,
    show,
    to_epoch_ms,
)


def parse_json(body: bytes, window: Window, scope: Scope = EVERY_DEVICE) -> Parsed:
    """Read a body of type application/json: a reading, an array of them, or an envelope.

    Raises `UnreadableBody` or `TooManyReadings`; a bad reading among good ones is a `Rejection`.
    """
    try:
        return _parse_json_straight(body, window, scope)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, InvalidReading, _Detour):
        return _parse_json_carefully(body, window, scope)


def parse_ndjson(body: bytes, window: Window, scope: Scope = EVERY_DEVICE) -> Parsed:
    """Read a body of newline-delimited JSON, one reading a line; blank lines do not count.

    Raises `UnreadableBody` if no line is JSON, `TooManyReadings`.
    """
    try:
        rows = _LINES.decode_lines(body)
        _bound(len(rows))
        _check_lines(len(rows), body)
        return _take(rows, None, body, window, scope, extra_strings=0)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, InvalidReading, _Detour):
        return _parse_ndjson_carefully(body, window, scope)


# ------------------------------------------------------------------ the straight way


class _Row(msgspec.Struct, gc=False):
    ts: int | AwareDatetime
    metrics: dict[str, float]
    device_id: str | None = None
    tags: dict[str, str] | msgspec.UnsetType = msgspec.UNSET


class _Envelope(msgspec.Struct):
    device_id: str
    readings: list[_Row]


_ARRAY: Final = msgspec.json.Decoder(list[_Row])
_LINES: Final = msgspec.json.Decoder(_Row)
_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)


class _Detour(Exception):
    """The body is not of the plain sort that the straight way takes."""


def _parse_json_straight(body: bytes, window: Window, scope: Scope) -> Parsed:
    if body.lstrip()[:1] == b"[":
        rows = _ARRAY.decode(body)
        _bound(len(rows))
        return _take(rows, None, body, window, scope, extra_strings=0)
    try:
        envelope = _ENVELOPE.decode(body)
    except msgspec.ValidationError:
        return _take([_LINES.decode(body)], None, body, window, scope, extra_strings=0)
    _bound(len(envelope.readings))
    device_id = check_device_id(envelope.device_id, scope)
    return _take(envelope.readings, device_id, body, window, scope, extra_strings=3)


def _take(
    rows: list[_Row],
    device_id: str | None,
    body: bytes,
    window: Window,
    scope: Scope,
    *,
    extra_strings: int,
) -> Parsed:
    """Check decoded rows; raise `_Detour` or `InvalidReading` if any is not plain and good."""
    if not rows:
        raise _Detour
    # A column at a time, since that is what Python is quick at.
    stamps = [row.ts for row in rows]
    times = _times(stamps)
    if not window.earliest <= min(times) <= max(times) <= window.latest:
        raise _Detour
    metrics = [row.metrics for row in rows]
    counts = list(map(len, metrics))
    if not 1 <= min(counts) <= max(counts) <= MAX_METRICS:
        raise _Detour
    for name in set().union(*metrics):
        check_metric_name(name)
    devices = [row.device_id for row in rows]
    named = len(devices) - devices.count(None)
    if device_id is None:
        for device in set(devices):
            check_device_id(device, scope)
    elif named:
        raise _Detour
    else:
        devices = [device_id] * len(rows)
    tags = [check_tags(row.tags) if row.tags is not msgspec.UNSET else None for row in rows]
    # A name that stands twice in an object leaves no trace after decoding, but its quotes do:
    # every string that was decoded has two, so any more mean a duplicate, a field that is not
    # ours, or an escape, and the careful way finds out which.
    strings = (
        extra_strings
        + 2 * len(rows)  # the keys "ts" and "metrics"
        + 2 * named
        + sum(counts)
        + len(rows)
        - list(map(type, stamps)).count(int)  # a time in RFC 3339 is a string
        + sum(1 + 2 * len(row.tags) for row in rows if row.tags is not msgspec.UNSET)
    )
    if body.count(b'"') != 2 * strings:
        raise _Detour
    readings = list(map(Reading, devices, times, metrics, tags))  # type: ignore[arg-type]
    return Parsed(readings, (), len(readings))


def _times(values: list[int | datetime]) -> list[int]:
    return [value if type(value) is int else to_epoch_ms(value) for value in values]  # type: ignore[arg-type]


def _check_lines(count: int, body: bytes) -> None:
    """Raise `_Detour` unless there is one reading a line, neither several nor a part of one."""
    if count != sum(map(bool, map(bytes.strip, body.split(b"\n")))):
        raise _Detour


def _bound(count: int) -> None:
    if count > MAX_READINGS:
        raise TooManyReadings(f"the body holds {count} readings; a request may hold {MAX_READINGS}")


# ------------------------------------------------------------------ the careful way


def _parse_json_carefully(body: bytes, window: Window, scope: Scope) -> Parsed:
    try:
        value = loads(body)
    except UnreadableBody:
        if _looks_like_lines(body):
            return _parse_ndjson_carefully(body, window, scope)
        raise
    device_id: object = None
    if isinstance(value, JsonObject) and "readings" in value:
        if "readings" in value.duplicates or "device_id" in value.duplicates:
            raise UnreadableBody("the envelope names a field twice; each may stand once")
        device_id, value = value.get("device_id"), value["readings"]
        if not isinstance(value, list):
            raise UnreadableBody(f"readings is {kind(value)}; it must be an array")
    elif isinstance(value, JsonObject):
        value = [value]
    elif not isinstance(value, list):
        raise UnreadableBody(
            f"the body is {kind(value)}; it must be a reading, an array of readings, or "
            '{"device_id", "readings"}'
        )
    if not value:
        raise UnreadableBody("the body holds no reading; it must hold at least one")
    _bound(len(value))
    return _sort_out((item for item in value), device_id, window, scope)


def _looks_like_lines(body: bytes) -> bool:
    first, newline, rest = body.lstrip().partition(b"\n")
    if not newline or not rest.strip() or not first.startswith(b"{"):
        return False
    try:
        loads(first)
    except UnreadableBody:
        return False
    return True


def _parse_ndjson_carefully(body: bytes, window: Window, scope: Scope) -> Parsed:
    lines = [line for line in body.split(b"\n") if line.strip()]
    if not lines:
        raise UnreadableBody("the body holds no reading; it must hold at least one")
    _bound(len(lines))
    unreadable: list[UnreadableBody] = []
    reader = JsonReader()

    def items() -> Iterator[object]:
        for line in lines:
            try:
                yield reader.loads(line)
            except UnreadableBody as error:
                unreadable.append(error)
                yield error

    parsed = _sort_out(items(), None, window, scope)
    if len(unreadable) == len(lines):
        raise UnreadableBody(f"no line is JSON; the first: {unreadable[0]}")
    return parsed


def _sort_out(items: Iterator[object], device_id: object, window: Window, scope: Scope) -> Parsed:
    readings: list[Reading] = []
    rejected: list[Rejection] = []
    for index, item in enumerate(items):
        try:
            readings.append(_read(item, device_id, window, scope))
        except InvalidReading as error:
            rejected.append(Rejection(index, error.code, error.detail))
    return Parsed(readings, rejected, len(readings))


def _read(item: object, envelope_device_id: object, window: Window, scope: Scope) -> Reading:
    if isinstance(item, UnreadableBody):
        raise InvalidReading("malformed_json", str(item).replace("the body", "the line", 1))
    if not isinstance(item, JsonObject):
        raise InvalidReading("wrong_type", f"the reading is {kind(item)}; it must be an object")
    for where, names in (
        ("the reading", item.duplicates),
        ("metrics", getattr(item.get("metrics"), "duplicates", ())),
        ("tags", getattr(item.get("tags"), "duplicates", ())),
    ):
        if names:
            raise InvalidReading(
                "duplicate_name",
                f"{where} has the name {show(names[0])} more than once; a name may stand once",
            )
    for field in ("ts", "metrics"):
        if field not in item:
            raise InvalidReading("missing_field", f"{field} is missing; a reading must have it")
    device_id = item.get("device_id")
    if device_id is None:
        device_id = envelope_device_id
    elif envelope_device_id is not None and device_id != envelope_device_id:
        raise InvalidReading(
            "foreign_device_id",
            "device_id differs from the envelope's; it may be left out, or must be the same",
        )
    if device_id is None:
        raise InvalidReading("missing_field", "device_id is missing; a reading must have it")
    return Reading(
        check_device_id(device_id, scope),
        check_ts(item["ts"], window),
        check_metrics(item["metrics"]),
        check_tags(item.get("tags")),
    )
