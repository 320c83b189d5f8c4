"""What is fuzzed: each target's check, seeds, words and mutations."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tests.fuzz import door, mutators, parsers, seeds, stored
from tests.fuzz.mutators import Mutator

_JSON: Final = (
    "{", "}", "[", "]", ":", ",", '"', "null", "true", "false", "NaN", "Infinity", "-Infinity",
    "1e400", "\\u0000", "\\ud800", "\\u2028", "\ufeff",
)  # fmt: skip
_NATIVE: Final = (
    *_JSON, '"device_id"', '"ts"', '"metrics"', '"tags"', '"readings"', '"*"', "1767225600000",
    '"2026-01-01T00:00:00Z"', "pump-7",
)  # fmt: skip
_SENML: Final = (
    *_JSON, '"bn"', '"bt"', '"bu"', '"bv"', '"bs"', '"bver"', '"n"', '"u"', '"v"', '"vb"', '"vs"',
    '"vd"', '"s"', '"t"', '"ut"', '"Cel"', "1767225600", "x_", "268435456",
)  # fmt: skip
_INFLUX: Final = (
    ",", "=", " ", "\n", "\r\n", "\\", '"', "#", "\0", "\t", "device_id", "device", "host",
    "pump-7", "1i", "1u", "t", "false", "nan", "-inf", "1e400", "1767225600000000000", "{",
)  # fmt: skip
_OTLP: Final = (
    *_JSON, '"resourceMetrics"', '"resource"', '"scopeMetrics"', '"metrics"', '"gauge"', '"sum"',
    '"histogram"', '"dataPoints"', '"attributes"', '"key"', '"value"', '"stringValue"', '"asInt"',
    '"asDouble"', '"timeUnixNano"', '"flags"', '"arrayValue"', "device.id", "host.name",
    "1767225600000000000",
)  # fmt: skip
_NAMED: Final = ("device.id", "device_id", "host.name", "service.instance.id", "pump-7", "\\", "=")
_STORED: Final = (
    *_JSON, '"device_id"', '"t0"', '"dt"', '"v"', '"tags"', '"received_at"', '"sinks"', '"lake"',
    '"table"', '"version"', '"documents"',
)  # fmt: skip
_GZIP: Final = ("\x1f\x8b\x08", "\x78\x9c")


@dataclass(frozen=True)
class Target:
    """A check that raises nothing but what is a finding, and how to find something for it."""

    check: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]
    words: Sequence[str]
    mutator: Mutator | None = None


_packed_lines = mutators.packed(mutators.in_lines)

TARGETS: Final[Mapping[str, Target]] = {
    "native": Target(parsers.native_json, seeds.native_json, _NATIVE, mutators.in_json),
    "ndjson": Target(parsers.ndjson, seeds.ndjson, _NATIVE, mutators.in_lines),
    "senml": Target(parsers.senml, seeds.senml, _SENML, mutators.in_json),
    "influx": Target(parsers.influx, seeds.influx, _INFLUX),
    "otlp_json": Target(parsers.otlp_json, seeds.otlp_json, _OTLP, mutators.in_json),
    "otlp_protobuf": Target(
        parsers.otlp_protobuf, seeds.otlp_protobuf, _NAMED, mutators.in_protobuf
    ),
    "chunk": Target(
        stored.chunk,
        seeds.chunks,
        _STORED,
        mutators.either(mutators.in_json, mutators.packed(mutators.in_json)),
    ),
    "record": Target(stored.record, seeds.records, _STORED, _packed_lines),
    "spill": Target(stored.spill, seeds.spilled, _STORED, mutators.in_spill),
    "gzip": Target(stored.body, seeds.gzipped, _GZIP),
    "authorization": Target(stored.authorization, seeds.headers, ("Bearer ", "Token ", "Basic ")),
    "ingest": Target(
        door.ingest,
        seeds.events,
        (*_NATIVE, *_SENML, *_INFLUX, *_OTLP),
        mutators.behind(
            2, mutators.either(mutators.in_json, mutators.in_lines, mutators.in_protobuf)
        ),
    ),
}
