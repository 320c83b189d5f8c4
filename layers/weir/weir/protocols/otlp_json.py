"""The messages of an OTLP metrics request in JSON, with the names that they have in protobuf.

Of ExportMetricsServiceRequest only the fields that Weir reads are declared; all others are skipped
without being kept, as the OTLP specification demands of unknown ones. So one walk serves both
encodings: what it asks of a message (attributes, `WhichOneof`) each of them answers.

The mapping is proto3's with OTLP's changes (opentelemetry-proto, docs/specification.md, "JSON
Protobuf Encoding"): names in lowerCamelCase, null for a field that is not set, 64-bit integers as
strings or numbers, "NaN" and "Infinity" as strings. Since a number may be a string that is none,
`whole` and `double` read them, one data point at a time.
"""

import re
from typing import Final

import msgspec

from weir.protocols.interface import UnreadableBody
from weir.readings import InvalidReading, kind

type Whole = int | float | str | None
type Double = float | str | None

_SPECIAL: Final = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_WHOLE: Final = re.compile(r"-?[0-9]{1,20}")
_DOUBLE: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")


class _Message(msgspec.Struct, rename="camel", gc=False):
    """A message; a field that is not set is None."""


class _OneOf(_Message):
    """A message whose fields exclude one another, those of `fields` at least."""

    def WhichOneof(self, oneof: str) -> str | None:  # noqa: N802 - protobuf's name
        """The name of the one field that is set. Raises `UnreadableBody` if there are more."""
        found = [name for name in _ONE_OF[type(self)] if getattr(self, name) is not None]
        if len(found) > 1:
            raise UnreadableBody(
                f"a message has {found[0]} and {found[1]}; it may have one of them"
            )
        return found[0] if found else None


class Skipped(_Message):
    """A message of which it matters only that it is there."""


class AnyValue(_OneOf):
    """An attribute's value."""

    string_value: str | None = None
    bool_value: bool | None = None
    int_value: Whole = None
    double_value: Double = None
    array_value: Skipped | None = None
    kvlist_value: Skipped | None = None
    bytes_value: str | None = None


class KeyValue(_Message):
    """An attribute."""

    key: str | None = None
    value: AnyValue | None = None


class NumberDataPoint(_OneOf):
    """A value of a gauge or a sum; times are nanoseconds since the epoch."""

    attributes: list[KeyValue] | None = None
    time_unix_nano: Whole = None
    as_double: Double = None
    as_int: Whole = None
    flags: Whole = None


class Numbers(_Message):
    """A gauge, or a sum."""

    data_points: list[NumberDataPoint] | None = None


class Others(_Message):
    """A histogram, an exponential histogram, or a summary."""

    data_points: list[Skipped] | None = None


class Metric(_OneOf):
    """A metric: its name, and data points of one kind."""

    name: str | None = None
    gauge: Numbers | None = None
    sum: Numbers | None = None
    histogram: Others | None = None
    exponential_histogram: Others | None = None
    summary: Others | None = None


class ScopeMetrics(_Message):
    """The metrics of one instrumentation scope."""

    metrics: list[Metric] | None = None


class Resource(_Message):
    """What is measured."""

    attributes: list[KeyValue] | None = None


class ResourceMetrics(_Message):
    """The metrics of one resource."""

    resource: Resource | None = None
    scope_metrics: list[ScopeMetrics] | None = None


class ExportRequest(_Message):
    """ExportMetricsServiceRequest."""

    resource_metrics: list[ResourceMetrics] | None = None


_ONE_OF: Final[dict[type, tuple[str, ...]]] = {
    AnyValue: AnyValue.__struct_fields__,
    NumberDataPoint: ("as_double", "as_int"),
    Metric: Metric.__struct_fields__[1:],
}
_DECODE: Final = msgspec.json.Decoder(ExportRequest).decode


def decode_json(body: bytes) -> ExportRequest:
    """Read a body of type application/json. Raises `UnreadableBody`."""
    try:
        return _DECODE(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableBody(
            f"the body is no ExportMetricsServiceRequest in JSON: {error}"
        ) from error
    except RecursionError as error:
        raise UnreadableBody("the body is nested too deeply") from error


def whole(field: str, value: Whole, low: int, high: int) -> int:
    """The integer of `field`, 0 if it is not set. Raises `InvalidReading` unless low <= it <= high.

    A number with a fraction of zeros is an integer too (proto3's JSON mapping).
    """
    number: int | float | str = 0 if value is None else value
    if isinstance(number, str):
        number = int(number) if _WHOLE.fullmatch(number) else number
    elif isinstance(number, float):
        number = int(number) if number.is_integer() else number
    if not isinstance(number, int) or not low <= number <= high:
        raise InvalidReading(
            "wrong_type",
            f"{field} is {kind(value)} that is no integer from {low} to {high}",
        )
    return number


def double(field: str, value: Double) -> float:
    """The number of `field`, 0.0 if it is not set. Raises `InvalidReading` for other strings."""
    if not isinstance(value, str):
        return 0.0 if value is None else value
    if value in _SPECIAL:
        return _SPECIAL[value]
    if _DOUBLE.fullmatch(value) is None:
        raise InvalidReading("wrong_type", f"{field} is a string that is no number")
    return float(value)
