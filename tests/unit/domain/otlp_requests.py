"""OTLP metrics requests to test with: built, drawn, and in both encodings."""

from collections.abc import Iterable
from typing import Any

from google.protobuf import json_format  # type: ignore[import-untyped]
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
    Summary,
    SummaryDataPoint,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from tests.strategies import NOW_MS
from weir.identity import EVERY_DEVICE, Scope
from weir.protocols.interface import Parsed, Request
from weir.protocols.otlp import OtlpMetrics
from weir.readings import Window

NOW_NS = NOW_MS * 1_000_000
WINDOW = Window.around(NOW_MS, past_ms=7 * 86_400_000, future_ms=600_000)
PROTOBUF, JSON = "application/x-protobuf", "application/json"


def any_value(value: object) -> AnyValue:
    match value:
        case AnyValue():
            return value
        case bool():
            return AnyValue(bool_value=value)
        case str():
            return AnyValue(string_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case bytes():
            return AnyValue(bytes_value=value)
        case list():
            return AnyValue(array_value=ArrayValue(values=map(any_value, value)))
        case dict():
            return AnyValue(kvlist_value=KeyValueList(values=attributes(value)))
        case _:
            return AnyValue()


def attributes(named: dict[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=any_value(value)) for key, value in named.items()]


def point(
    value: float | None = 1.5, ns: int = NOW_NS, attrs: dict[str, Any] | None = None
) -> NumberDataPoint:
    made = NumberDataPoint(time_unix_nano=ns, attributes=attributes(attrs or {}))
    if isinstance(value, int):
        made.as_int = value
    elif value is not None:
        made.as_double = value
    return made


def gauge(name: str, *points: NumberDataPoint) -> Metric:
    return Metric(name=name, gauge=Gauge(data_points=points))


def of_resource(metrics: Iterable[Metric], **attrs: Any) -> ResourceMetrics:
    """Metrics of a resource; `__` in an attribute's name stands for a dot."""
    named = {name.replace("__", "."): value for name, value in attrs.items()}
    return ResourceMetrics(
        resource=Resource(attributes=attributes(named)),
        scope_metrics=[ScopeMetrics(metrics=metrics)],
    )


def request(*of_resources: ResourceMetrics) -> ExportMetricsServiceRequest:
    return ExportMetricsServiceRequest(resource_metrics=of_resources)


def of_pump(*metrics: Metric) -> ExportMetricsServiceRequest:
    return request(of_resource(metrics, device__id="pump-7"))


def in_json(message: ExportMetricsServiceRequest) -> bytes:
    text: str = json_format.MessageToJson(message, use_integers_for_enums=True)
    return text.encode()


def parse(body: bytes, media_type: str, scope: Scope = EVERY_DEVICE) -> Parsed:
    return OtlpMetrics().parse(Request(body, media_type, {}, NOW_MS, WINDOW, scope))


def parse_both(message: ExportMetricsServiceRequest, scope: Scope = EVERY_DEVICE) -> Parsed:
    """What the request comes to, in each encoding the same."""
    parsed = parse(message.SerializeToString(), PROTOBUF, scope)
    assert parse(in_json(message), JSON, scope) == parsed
    return parsed


def codes(parsed: Parsed) -> list[tuple[int, str]]:
    return [(rejection.index, rejection.code) for rejection in parsed.rejected]


def field(content: bytes, *path: int) -> bytes:
    """`content` as it stands in protobuf, within the fields of these numbers, outermost first."""
    for number in reversed(path):
        size, length = len(content), bytearray()
        while size > 127:
            length.append(size & 127 | 128)
            size >>= 7
        content = bytes([number << 3 | 2]) + bytes(length) + bytes([size]) + content
    return content


# ------------------------------------------------------------------ drawn

int64s = st.integers(-(1 << 63), (1 << 63) - 1)
texts = st.text(max_size=6) | st.sampled_from(["idle", "a,b=c", "{}", "\\", "x" * 300])
plain_values = texts | st.booleans() | int64s | st.floats()
any_values = (plain_values | st.none() | st.binary(max_size=3)).map(any_value) | st.recursive(
    plain_values, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner)
).map(any_value)
device_names = st.sampled_from(["device.id", "device_id", "host.name", "service.instance.id"])
device_values = st.sampled_from(["pump-7", "pump-8", "gate-1", "not an id", ""]).map(any_value)
times = st.sampled_from([0, 1, NOW_NS, NOW_NS + 999_999, NOW_NS + 1_000_000, (1 << 64) - 1])


def key_values(keys: st.SearchStrategy[str], values: Any, size: int) -> Any:
    return st.lists(st.builds(KeyValue, key=keys, value=values), max_size=size)


points = st.builds(
    NumberDataPoint,
    attributes=key_values(st.sampled_from("abc"), any_values, 2),
    time_unix_nano=times,
    flags=st.sampled_from([0, 0, 0, 1, 2]),
) | st.builds(
    point,
    st.floats() | int64s | st.none(),
    times,
    st.fixed_dictionaries({"state": st.sampled_from("ab")}),
)
some_points = st.lists(points, max_size=4)
names = st.sampled_from(["flow", "temperature", "*", ""]) | texts


def other_points(kind: Any) -> Any:
    return st.lists(st.builds(kind, time_unix_nano=times), max_size=2)


metrics = st.one_of(
    st.builds(Metric, name=names, gauge=st.builds(Gauge, data_points=some_points)),
    st.builds(Metric, name=names, sum=st.builds(Sum, data_points=some_points)),
    st.builds(
        Metric,
        name=names,
        histogram=st.builds(Histogram, data_points=other_points(HistogramDataPoint)),
    ),
    st.builds(
        Metric,
        name=names,
        exponential_histogram=st.builds(
            ExponentialHistogram, data_points=other_points(ExponentialHistogramDataPoint)
        ),
    ),
    st.builds(
        Metric, name=names, summary=st.builds(Summary, data_points=other_points(SummaryDataPoint))
    ),
    st.builds(Metric, name=names, unit=texts),
)
resources = st.builds(
    Resource,
    attributes=st.tuples(
        key_values(device_names, device_values | any_values, 2), key_values(texts, any_values, 3)
    ).map(lambda pair: pair[0] + pair[1]),
)
requests = st.builds(
    ExportMetricsServiceRequest,
    resource_metrics=st.lists(
        st.builds(
            ResourceMetrics,
            resource=resources,
            scope_metrics=st.lists(
                st.builds(ScopeMetrics, metrics=st.lists(metrics, max_size=3)), max_size=2
            ),
        ),
        max_size=3,
    ),
)
scopes = st.sampled_from([EVERY_DEVICE, Scope(device_id="pump-7"), Scope(prefix="pump-")])
