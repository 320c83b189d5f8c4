r"""OTLP/HTTP metrics (`POST /v1/metrics`): OpenTelemetry SDKs and the Collector, unchanged.

Gauges and sums are read, each data point as one value. A sum's values are taken as they are sent,
cumulative or delta. Histograms, exponential histograms and summaries are no single value: their
data points are refused. A data point that says "no recorded value" (a series that has ended) says
nothing to store, and is neither accepted nor refused.

Device
    The resource attribute `device.id`, else `device_id`; else the one device that the key is
    bound to; else the resource attribute `host.name`, else `service.instance.id`. The last two
    come after the key because SDKs fill them in unasked, with a new random id for each process
    even; they must not turn a device away from its own key.
Metric
    The metric's name, and the data point's attributes, which tell its series from others of that
    name: `cpu.usage{cpu=0,state=idle}`, sorted by key, strings, booleans and numbers as plain
    text. A backslash goes before each of `\ , = { }` within a name, a key or a string, so that
    different series never share a name. The whole has at most 128 characters.
Time
    The data point's time, cut to milliseconds.
Tags
    The resource's other attributes that are strings, sorted, at most 16. They describe and do not
    identify, so one that breaks a tag's rules is left out, and the reading is taken.

Units, descriptions, start times, exemplars and instrumentation scopes are not kept. So two scopes
of one resource that use one metric name write to one series; they need an attribute to differ by.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import Final, cast

import msgspec

from weir.identity import Scope
from weir.protocols import otlp_answers
from weir.protocols.interface import (
    MAX_READINGS,
    Parsed,
    Reply,
    Request,
    TooManyReadings,
    UnreadableBody,
)
from weir.protocols.otlp_answers import JSON, PROTOBUF
from weir.protocols.otlp_json import (
    ExportRequest,
    KeyValue,
    Metric,
    NumberDataPoint,
    Resource,
    decode_json,
    double,
    whole,
)
from weir.readings import (
    MAX_METRICS,
    MAX_NAME_LENGTH,
    MAX_TAGS,
    InvalidReading,
    Reading,
    Rejection,
    Window,
    check_device_id,
    check_metric_name,
    check_tags,
    check_ts,
    show,
)

NAMED_DEVICE: Final = ("device.id", "device_id")
HOST_OR_INSTANCE: Final = ("host.name", "service.instance.id")
MAX_RESOURCE_ATTRIBUTES: Final = 128
"""OpenTelemetry's own default for what else has attributes."""

_INT64: Final = (-(1 << 63), (1 << 63) - 1)
_FIXED64: Final = (0, (1 << 64) - 1)
_UINT32: Final = (0, (1 << 32) - 1)
_NUMBERS: Final = frozenset({"gauge", "sum"})
_NO_RECORDED_VALUE: Final = 1
_MAX_ATTRIBUTES: Final = MAX_NAME_LENGTH // 2  # each takes two characters at least
_TO_ESCAPE: Final = re.compile(r"[\\,={}]")
_KINDS: Final = {
    "array_value": "an array",
    "kvlist_value": "an object",
    "bytes_value": "bytes",
    None: "without a value",
}


class OtlpMetrics:
    """ExportMetricsServiceRequest, in protobuf's encoding or in JSON."""

    media_types = frozenset({PROTOBUF, JSON})
    max_inflated = 4 * 1024 * 1024
    """Of a body that is all empty messages, protobuf makes 67 bytes for each one: 267 MB of this,
    where JSON takes 95 MB (measured; a test holds it below 300). Ten thousand data points with
    three attributes each are 0.8 MB in protobuf, 2.8 MB in JSON."""

    def parse(self, request: Request) -> Parsed:
        """Read the body. Its entries are its data points; a body without any is a good one too.

        Raises `UnreadableBody` or `TooManyReadings`, which also bounds resources, scopes and
        metrics, full or empty.
        """
        decode = _decode_protobuf if request.media_type == PROTOBUF else decode_json
        intake = _Intake(request.window, request.scope)
        intake.walk(decode(request.body))
        return Parsed(intake.readings, intake.rejected, intake.accepted)

    def accept(self, parsed: Parsed, media_type: str) -> Reply:
        """200 with an ExportMetricsServiceResponse: a partial success if any point was refused."""
        return otlp_answers.success(parsed, media_type)

    def refuse(
        self, status: int, code: str, detail: str, media_type: str, request_id: str
    ) -> Reply:
        """A google.rpc.Status in the request's encoding."""
        return otlp_answers.failure(status, code, detail, media_type, request_id)


def _decode_protobuf(body: bytes) -> ExportRequest:
    # Imported here, since it takes 100 ms and a request in JSON has no need of it.
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
        ExportMetricsServiceRequest,
    )

    try:
        message = ExportMetricsServiceRequest.FromString(body)
    except DecodeError as error:
        raise UnreadableBody(
            "the body is no ExportMetricsServiceRequest in protobuf's encoding"
        ) from error
    return cast("ExportRequest", message)  # alike in what the walk asks for


class _Source(msgspec.Struct, frozen=True):
    """Where a resource's values belong."""

    device_id: str
    tags: Mapping[str, str] | None


class _Intake:
    """The readings and refusals of one request, as they come to light on a walk through it."""

    def __init__(self, window: Window, scope: Scope) -> None:
        self.readings: list[Reading] = []
        self.rejected: list[Rejection] = []
        self.accepted = 0
        self._window = window
        self._scope = scope
        self._index = 0
        self._open: dict[tuple[object, ...], dict[str, float]] = {}

    def walk(self, request: ExportRequest) -> None:
        """Take every data point. Raises `UnreadableBody` or `TooManyReadings`."""
        resources = request.resource_metrics or ()
        _bound(len(resources), "resources")
        scopes = metrics = points = 0
        for of_resource in resources:
            source = self._source(of_resource.resource)
            of_scopes = of_resource.scope_metrics or ()
            scopes = _bound(scopes + len(of_scopes), "scopes")
            for of_scope in of_scopes:
                of_metrics = of_scope.metrics or ()
                metrics = _bound(metrics + len(of_metrics), "metrics")
                for metric in of_metrics:
                    kind = metric.WhichOneof("data")
                    of_metric = getattr(metric, kind).data_points or () if kind else ()
                    points = _bound(points + len(of_metric), "data points")
                    self._take_metric(metric, kind, of_metric, source)

    def _take_metric(
        self,
        metric: Metric,
        kind: str | None,
        points: Sequence[NumberDataPoint],
        source: _Source | InvalidReading,
    ) -> None:
        name = metric.name or ""
        for point in points:
            try:
                if kind not in _NUMBERS:
                    raise _unsupported(kind)
                if whole("flags", point.flags, *_UINT32) & _NO_RECORDED_VALUE == 0:
                    self._take_point(name, point, source)
            except InvalidReading as error:
                detail = f"{show(name)}: {error.detail}"
                self.rejected.append(Rejection(self._index, error.code, detail))
            self._index += 1

    def _take_point(
        self, name: str, point: NumberDataPoint, source: _Source | InvalidReading
    ) -> None:
        if isinstance(source, InvalidReading):
            raise InvalidReading(source.code, source.detail)
        nanoseconds = whole("time_unix_nano", point.time_unix_nano, *_FIXED64)
        if not nanoseconds:
            raise InvalidReading(
                "missing_field", "time_unix_nano is missing or 0; a data point must have it"
            )
        ts = check_ts(nanoseconds // 1_000_000, self._window)
        value = _value(point)
        self._put(source, ts, series_name(name, point.attributes or ()), value)
        self.accepted += 1

    def _put(self, source: _Source, ts: int, name: str, value: float) -> None:
        """Put a value into the reading of its device, time and tags, or into a further one."""
        key = (source.device_id, ts, *(source.tags or {}).items())
        metrics = self._open.get(key)
        if metrics is None or name in metrics or len(metrics) == MAX_METRICS:
            metrics = self._open[key] = {}
            self.readings.append(Reading(source.device_id, ts, metrics, source.tags))
        metrics[name] = value

    def _source(self, resource: Resource | None) -> _Source | InvalidReading:
        attributes = (resource and resource.attributes) or ()
        try:
            return _source(attributes, self._scope)
        except InvalidReading as error:
            return error


def _bound(count: int, what: str) -> int:
    if count > MAX_READINGS:
        raise TooManyReadings(f"the body holds {count} {what}; a request may hold {MAX_READINGS}")
    return count


def _source(attributes: Sequence[KeyValue], scope: Scope) -> _Source:
    if len(attributes) > MAX_RESOURCE_ATTRIBUTES:
        raise InvalidReading(
            "too_many_attributes",
            f"the resource has {len(attributes)} attributes; it may have {MAX_RESOURCE_ATTRIBUTES}",
        )
    texts: dict[str, str | None] = {}
    for attribute in attributes:
        texts.setdefault(attribute.key or "", _text(attribute))
    names = NAMED_DEVICE if scope.device_id is not None else NAMED_DEVICE + HOST_OR_INSTANCE
    named = next((name for name in names if name in texts), None)
    if named is None:
        device_id = scope.device_id
    else:
        device_id = texts.pop(named)
        if device_id is None:
            raise InvalidReading(
                "wrong_type",
                f"the resource attribute {named} names the device; it must be a string",
            )
    if device_id is None:
        raise InvalidReading(
            "missing_device",
            "the resource names no device; it must have one of the attributes " + ", ".join(names),
        )
    return _Source(check_device_id(device_id, scope), dict(_tags(texts)) or None)


def _text(attribute: KeyValue) -> str | None:
    value = attribute.value
    return value.string_value if value and value.WhichOneof("value") == "string_value" else None


def _tags(texts: Mapping[str, str | None]) -> Iterator[tuple[str, str]]:
    room = MAX_TAGS
    for name in sorted(texts):
        text = texts[name]
        if text is None or not room:
            continue
        try:
            check_tags({name: text})
        except InvalidReading:
            continue
        room -= 1
        yield name, text


def _value(point: NumberDataPoint) -> float:
    match point.WhichOneof("value"):
        case "as_double":
            value = double("as_double", point.as_double)
        case "as_int":
            value = float(whole("as_int", point.as_int, *_INT64))
        case _:
            raise InvalidReading(
                "missing_field", "as_double and as_int are missing; a data point must have one"
            )
    if not isfinite(value):
        raise InvalidReading(
            "not_finite", "as_double is NaN or infinite; it must be a finite number"
        )
    return value


def _unsupported(kind: str | None) -> InvalidReading:
    named = (kind or "unknown").replace("_", " ")
    return InvalidReading(
        "unsupported_type", f"the metric is of the type {named}; it must be a gauge or a sum"
    )


def series_name(name: str, attributes: Sequence[KeyValue]) -> str:
    """The name of the series that a metric's data points with these attributes make.

    Raises `InvalidReading` if it would break a metric name's rules, or an attribute cannot be
    written plainly or stands twice.
    """
    check_metric_name(name)
    if len(attributes) > _MAX_ATTRIBUTES:
        raise InvalidReading(
            "invalid_metric_name",
            f"the data point has {len(attributes)} attributes; with the metric's name they must "
            f"be at most {MAX_NAME_LENGTH} characters",
        )
    series = _escape(name)
    if attributes:
        written: dict[str, str] = {}
        for attribute in attributes:
            key = attribute.key or ""
            if key in written:
                raise InvalidReading(
                    "duplicate_name",
                    f"the attribute {show(key)} stands more than once; it may stand once",
                )
            written[key] = _plain(key, attribute)
        series += "{" + ",".join(f"{_escape(k)}={written[k]}" for k in sorted(written)) + "}"
    check_metric_name(series)
    return series


def _plain(key: str, attribute: KeyValue) -> str:
    value = attribute.value
    field = value.WhichOneof("value") if value else None
    if value:
        match field:
            case "string_value":
                return _escape(value.string_value or "")
            case "bool_value":
                return "true" if value.bool_value else "false"
            case "int_value":
                return str(whole(show(key), value.int_value, *_INT64))
            case "double_value":
                return repr(double(show(key), value.double_value))
    raise InvalidReading(
        "unsupported_attribute",
        f"the attribute {show(key)} is {_KINDS.get(field, 'of an unknown kind')}; it must be a "
        "string, a boolean or a number",
    )


def _escape(text: str) -> str:
    # What is too long for a name is refused with or without its backslashes, which take 50 bytes
    # of memory each while they are put in.
    return text if len(text) > MAX_NAME_LENGTH else _TO_ESCAPE.sub(r"\\\g<0>", text)
