"""OTLP metrics from anyone: bounded in number, depth and memory, and no bytes break the parser."""

import json
import subprocess
import sys
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
)

from tests.unit.domain import otlp_requests
from tests.unit.domain.otlp_requests import (
    JSON,
    NOW_NS,
    PROTOBUF,
    WINDOW,
    codes,
    field,
    gauge,
    in_json,
    of_pump,
    of_resource,
    parse,
    parse_both,
    point,
    request,
)
from weir.identity import Scope
from weir.protocols.interface import MAX_READINGS, Parsed, TooManyReadings, UnreadableBody
from weir.readings import check_device_id, check_metrics, check_tags
from weir_local.paths import REPOSITORY


@pytest.mark.parametrize("text", [b"nope", b"\x0a\x05abc", b"\x0a\xff\xff\xff\xff\xff"])
def test_protobuf_of_which_nothing_can_be_read_is_unreadable(text: bytes) -> None:
    with pytest.raises(UnreadableBody):
        parse(text, PROTOBUF)


def test_a_request_without_a_data_point_is_a_success() -> None:
    for message in (request(), request(of_resource([])), of_pump(Metric(name="nothing"))):
        assert parse_both(message) == Parsed([], [], 0)
    assert parse(b"", PROTOBUF) == Parsed([], [], 0)


@pytest.mark.parametrize("levels", [10, 100, 100_000])
def test_values_nested_without_end_are_refused_or_unreadable_not_a_crash(levels: int) -> None:
    value = AnyValue(int_value=1).SerializeToString()
    for _ in range(min(levels, 2_000)):
        value = field(value, 5, 1)  # an array of one
    attribute = field(b"k", 1) + field(value, 2)
    ns = b"\x19" + NOW_NS.to_bytes(8, "little") + b"\x31" + bytes(8)
    metric = field(b"flow", 1) + field(ns + field(attribute, 7), 5, 1)
    device = of_pump().resource_metrics[0].resource.SerializeToString()
    in_protobuf = field(field(device, 1) + field(metric, 2, 2), 1)
    nested = '{"arrayValue":{"values":[' * levels + '{"intValue":1}' + "]}}" * levels
    made = NumberDataPoint(time_unix_nano=NOW_NS, as_int=0, attributes=[KeyValue(key="k")])
    shallow = in_json(of_pump(gauge("flow", made))).decode()
    in_text = shallow.replace('"key": "k"', '"key": "k", "value": ' + nested).encode()
    for body, media_type in ((in_protobuf, PROTOBUF), (in_text, JSON)):
        if levels == 10:
            assert codes(parse(body, media_type)) == [(0, "unsupported_attribute")]
        else:
            with suppress(UnreadableBody):
                assert codes(parse(body, media_type)) == [(0, "unsupported_attribute")]


def _repeated(what: str, count: int) -> ExportMetricsServiceRequest:
    some = [point(n, NOW_NS) for n in range(count)]
    return {
        "data points": lambda: of_pump(gauge("a", *some[:1]), gauge("flow", *some[1:])),
        "metrics": lambda: of_pump(*[Metric(name="m")] * count),
        "scopes": lambda: request(ResourceMetrics(scope_metrics=[ScopeMetrics()] * count)),
        "resources": lambda: request(*[ResourceMetrics()] * count),
    }[what]()


@pytest.mark.parametrize("what", ["data points", "metrics", "scopes", "resources"])
def test_more_than_a_request_may_hold_are_too_many(what: str) -> None:
    allowed = parse_both(_repeated(what, MAX_READINGS))
    assert allowed.accepted == (MAX_READINGS if what == "data points" else 0)
    message = _repeated(what, MAX_READINGS + 1)
    for body, media_type in ((message.SerializeToString(), PROTOBUF), (in_json(message), JSON)):
        with pytest.raises(TooManyReadings, match=f"10001 {what}"):
            parse(body, media_type)


MEASURE = """
from tests.unit.domain.otlp_requests import PROTOBUF, field, parse
from weir.protocols.interface import TooManyReadings
from weir.protocols.otlp import OtlpMetrics

def peak():  # MB
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) // 1024 for line in file if line.startswith("VmHWM"))

empty = field(b"", 1)
body = field(empty * (OtlpMetrics.max_inflated // len(empty)), 1, 2, 2, 10)
parse(b"", PROTOBUF)
before = peak()
try:
    parse(body, PROTOBUF)
except TooManyReadings:
    print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of memory from /proc")
def test_the_body_that_grows_most_stays_within_300_mb() -> None:
    # Two bytes make an empty data point of an exponential histogram, the largest message there is.
    command = [sys.executable, "-c", MEASURE]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY)  # noqa: S603
    assert 100 < int(done.stdout) < 300


# ------------------------------------------------------------------ any request


@given(otlp_requests.requests, otlp_requests.scopes)
def test_both_encodings_come_to_the_same_and_no_data_point_is_lost(
    message: ExportMetricsServiceRequest, scope: Scope
) -> None:
    parsed = parse_both(message, scope)

    every = [
        (metric.WhichOneof("data"), one)
        for of_resources in message.resource_metrics
        for of_scope in of_resources.scope_metrics
        for metric in of_scope.metrics
        for one in getattr(metric, metric.WhichOneof("data") or "gauge").data_points
    ]
    silent = {
        n for n, (kind, one) in enumerate(every) if kind in {"gauge", "sum"} and one.flags & 1
    }
    refused = [rejection.index for rejection in parsed.rejected]
    assert refused == sorted(set(refused) - silent)
    assert parsed.accepted == len(every) - len(silent) - len(refused)
    assert parsed.accepted == sum(len(reading.metrics) for reading in parsed.readings)
    for reading in parsed.readings:
        check_device_id(reading.device_id, scope)
        check_metrics(reading.metrics)
        check_tags(reading.tags)
        assert WINDOW.earliest <= reading.ts <= WINDOW.latest


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@given(otlp_requests.requests, st.data())
def test_no_bytes_make_it_fail_otherwise(
    message: ExportMetricsServiceRequest, data: st.DataObject
) -> None:
    for body, media_type in ((message.SerializeToString(), PROTOBUF), (in_json(message), JSON)):
        start = data.draw(st.integers(0, len(body)))
        end = data.draw(st.integers(start, min(len(body), start + 20)))
        patch = data.draw(st.binary(max_size=6) | json_values.map(lambda v: json.dumps(v).encode()))
        with suppress(UnreadableBody, TooManyReadings):
            parse(body[:start] + patch + body[end:], media_type)
