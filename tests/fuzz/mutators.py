"""Mutations that know a format: they change what is in it, and it stays of the format.

libFuzzer's own mutations work on bytes, and nearly all of them end in a parser's first error. So
half of an input's mutations are made in its structure; the other half are libFuzzer's.
"""

import base64
import gzip
import json
import random
import zlib
from collections.abc import Callable
from typing import Any, Protocol

from google.protobuf.descriptor import FieldDescriptor  # type: ignore[import-untyped]
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from weir.chunks import UnreadableChunk, inflate

MAX_INFLATED = 1024 * 1024


class Plain(Protocol):
    """libFuzzer's own mutation of bytes."""

    def __call__(self, data: bytes, max_size: int) -> bytes:
        """Mutate."""
        ...


type Mutator = Callable[[bytes, random.Random], bytes]
"""A mutation in the structure; raises `Unfit` for data that has none."""


class Unfit(Exception):
    """The data is not of the format."""


STRINGS = (
    "", "a", "pump-7", "pump-8", "*", "#", "../..", "//", "%2f", "\u2028", "\u00e9", "\ufeff",
    "\x00", "\n", "\x1b[31m", "\ud800", "\U00010330", "__proto__", "$ref", "constructor", "{", "=",
    ",", "\\", '"', "x" * 128, "x" * 129, "x" * 257, "\U00010330" * 129, "NaN", "Infinity",
    "1e400", "9" * 30, "2026-01-01T00:00:00Z", "2025-12-31T23:59:60Z", "2026-01-01T00:00:00",
    "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "device.id", "device_id",
)  # fmt: skip


class Raw(str):
    """JSON as it stands, which need not be any."""

    __slots__ = ()


class Pairs(list[tuple[str, Any]]):
    """A JSON object, in which a name may stand twice."""


def _others() -> list[Any]:
    numbers = [
        "0", "-0.0", "-1", "1", "0.1", "5e-324", "1e308", "1e400", "-1e400", "NaN", "Infinity",
        "-Infinity", "9007199254740993", "9223372036854775808", "18446744073709551616", "1" * 400,
        "1" * 5000, "1767225600000", "1767225600000000000", "1767225600", "1.5e0", "268435456",
    ]  # fmt: skip
    words = ["null", "true", "false", "[]", "{}", "[[]]", "[" * 50 + "]" * 50, '{"a":{}}', "tru"]
    return [Raw(text) for text in numbers + words] + list(STRINGS)


_OTHERS = _others()


def in_json(data: bytes, rng: random.Random) -> bytes:
    """Change one node of a JSON text."""
    try:
        value = json.loads(data, object_pairs_hook=Pairs, parse_int=Raw, parse_float=Raw)
        changed = _change(value, rng)
        return _dump(changed).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError) as error:
        raise Unfit from error


def in_lines(data: bytes, rng: random.Random) -> bytes:
    """Change one line of several JSON texts; or repeat, swap or drop one."""
    lines = data.split(b"\n")
    at = rng.randrange(len(lines))
    match rng.randrange(6):
        case 0:
            lines.insert(at, rng.choice(lines))
        case 1:
            del lines[at]
        case _:
            lines[at] = in_json(lines[at], rng)
    return b"\n".join(lines)


def _change(root: Any, rng: random.Random) -> Any:
    holder: list[Any] = [root]
    nodes = list(_nodes(holder))
    container, place = rng.choice(nodes)
    found = _get(container, place)
    match rng.randrange(8):
        case 0 | 1 | 2:
            _set(container, place, rng.choice(_OTHERS))
        case 3:
            other, elsewhere = rng.choice(nodes)
            _set(container, place, _get(other, elsewhere))
        case 4 if container is not holder:
            del container[place]
        case 5 if container is not holder:
            container.insert(place, container[place])
        case 6 if isinstance(container, Pairs):
            name = rng.choice([*STRINGS, *(pair[0] for pair in container)])
            container[place] = (name, found)
        case _:
            new = rng.choice(_OTHERS)
            if isinstance(found, Pairs):
                found.append((rng.choice(STRINGS), new))
            elif isinstance(found, list):
                found.append(new)
            else:
                _set(container, place, [found, new])
    return holder[0]


def _nodes(container: list[Any]) -> Any:
    for place in range(len(container)):
        yield container, place
        found = _get(container, place)
        if isinstance(found, list):
            yield from _nodes(found)


def _get(container: list[Any], place: int) -> Any:
    return container[place][1] if isinstance(container, Pairs) else container[place]


def _set(container: list[Any], place: int, value: Any) -> None:
    container[place] = (container[place][0], value) if isinstance(container, Pairs) else value


def _dump(value: Any) -> str:
    if isinstance(value, Raw):
        return value
    if isinstance(value, Pairs):
        return "{" + ",".join(f"{json.dumps(k)}:{_dump(v)}" for k, v in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_dump, value)) + "]"
    return json.dumps(value)


# ------------------------------------------------------------------ protobuf

_NUMBERS: dict[int, tuple[float, ...]] = {
    FieldDescriptor.CPPTYPE_DOUBLE: (0.0, -0.0, 1.5, 5e-324, 1e308, float("nan"), float("inf")),
    FieldDescriptor.CPPTYPE_INT64: (0, 1, -1, 2**63 - 1, -(2**63)),
    FieldDescriptor.CPPTYPE_UINT64: (0, 1, 1_767_225_600_000_000_000, 2**64 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 1, 2, 3, 2**32 - 1),
    FieldDescriptor.CPPTYPE_INT32: (0, 1, -1),
    FieldDescriptor.CPPTYPE_ENUM: (0, 1, 2),
    FieldDescriptor.CPPTYPE_BOOL: (False, True),
}


def in_protobuf(data: bytes, rng: random.Random) -> bytes:
    """Change one field of one message in an ExportMetricsServiceRequest."""
    try:
        message = ExportMetricsServiceRequest.FromString(data)
    except DecodeError as error:
        raise Unfit from error
    target = rng.choice(list(_messages(message)))
    field = rng.choice(target.DESCRIPTOR.fields)
    if rng.randrange(5) == 0:
        target.ClearField(field.name)
    elif field.is_repeated:
        _grow(getattr(target, field.name), field, rng)
    elif field.message_type is not None:
        getattr(target, field.name).SetInParent()
    else:
        setattr(target, field.name, _scalar(field, rng))
    return bytes(message.SerializeToString())


def _messages(message: Any) -> Any:
    yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for inner in value if field.is_repeated else (value,):
                yield from _messages(inner)


def _grow(repeated: Any, field: Any, rng: random.Random) -> None:
    if field.message_type is None:
        repeated.append(_scalar(field, rng))
    elif repeated and rng.randrange(2):
        repeated.add().CopyFrom(rng.choice(repeated))
    else:
        repeated.add()


def _scalar(field: Any, rng: random.Random) -> Any:
    if field.type == FieldDescriptor.TYPE_BYTES:
        return b"\xff"
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return rng.choice(STRINGS).encode("utf-8", "replace").decode()
    return rng.choice(_NUMBERS[field.cpp_type])


# ------------------------------------------------------------------ formats in formats


def packed(inner: Mutator) -> Mutator:
    """Change what zlib or gzip data holds."""

    def mutate(data: bytes, rng: random.Random) -> bytes:
        try:
            content = inner(inflate(data, MAX_INFLATED), rng)
        except UnreadableChunk as error:
            raise Unfit from error
        return gzip.compress(content, 1, mtime=0) if rng.randrange(2) else zlib.compress(content)

    return mutate


def either(*mutators: Mutator) -> Mutator:
    """The first of these that fits, in an order that chance decides."""

    def mutate(data: bytes, rng: random.Random) -> bytes:
        for mutator in rng.sample(mutators, len(mutators)):
            try:
                return mutator(data, rng)
            except Unfit:
                continue
        raise Unfit

    return mutate


def behind(head: int, inner: Mutator) -> Mutator:
    """Change what stands behind the first `head` bytes."""

    def mutate(data: bytes, rng: random.Random) -> bytes:
        return data[:head] + inner(data[head:], rng)

    return mutate


def in_spill(data: bytes, rng: random.Random) -> bytes:
    """Change a message of the spill, or the documents in it."""
    if rng.randrange(2):
        return in_json(data, rng)
    try:
        message = json.loads(data)
        documents = base64.b64decode(message["documents"], validate=True)
    except (ValueError, TypeError, KeyError) as error:
        raise Unfit from error
    changed = packed(in_lines)(documents, rng)
    return json.dumps({**message, "documents": base64.b64encode(changed).decode()}).encode()
