"""OpenTelemetry's own exporter against the deployed stack, and its values in the lake."""

import json
import time
from collections import Counter

import httpx
import pytest
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)
from opentelemetry.sdk.metrics.export import MetricExportResult

from tests.e2e.stack import Stack
from tests.otlp_exporter import Exporter, Value, exporting
from weir.readings import format_ts

pytestmark = pytest.mark.e2e

PROTOBUF, JSON = "application/x-protobuf", "application/json"


def url(stack: Stack) -> str:
    return f"{stack.status.api_url}/v1/metrics"


def post(stack: Stack, body: bytes, media_type: str) -> httpx.Response:
    headers = {
        "authorization": f"Bearer {stack.status.device_key}",
        "content-type": media_type,
    }
    return httpx.post(url(stack), content=body, headers=headers, timeout=40, trust_env=False)


def in_lake(stack: Stack, device_id: str) -> Counter[tuple[str, str, float]]:
    return Counter(
        (row["ts"], name, value)
        for row in stack.lake_rows(device_id)
        for name, value in row["metrics"].items()
    )


def as_lake(values: Counter[Value]) -> Counter[tuple[str, str, float]]:
    return Counter({(format_ts(ts), name, value): n for (ts, name, value), n in values.items()})


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip])
def test_what_the_exporter_sends_is_found_in_the_lake_exactly(
    stack: Stack, compression: Compression
) -> None:
    device_id = f"otlp-{compression.value}"
    exporter = Exporter(url(stack), stack.status.device_key, compression)
    with exporting(exporter, device__id=device_id, service__name="pumps") as export:
        export()
        export()

    assert exporter.results == [MetricExportResult.SUCCESS] * 2
    assert exporter.replies == [(200, PROTOBUF, b"")] * 2
    assert len(exporter.values) == 14
    stack.settle()
    assert in_lake(stack, device_id) == as_lake(exporter.values)
    assert stack.in_table(device_id) == exporter.values
    for row in stack.lake_rows(device_id):
        assert row["tags"]["service.name"] == "pumps"
        assert "device.id" not in row["tags"]


def test_a_partial_success_is_reported_and_the_rest_is_found_in_the_lake(stack: Stack) -> None:
    exporter = Exporter(url(stack), stack.status.device_key, Compression.Gzip)
    with exporting(exporter, with_histogram=True, device__id="otlp-partial") as export:
        export()

    assert exporter.results == [MetricExportResult.SUCCESS]
    ((status, media_type, body),) = exporter.replies
    assert (status, media_type) == (200, PROTOBUF)
    partial_success = ExportMetricsServiceResponse.FromString(body).partial_success
    assert partial_success.rejected_data_points == 1
    assert "latency: the metric is of the type histogram" in partial_success.error_message
    stack.settle()
    assert in_lake(stack, "otlp-partial") == as_lake(exporter.values)


def test_json_is_read_and_answered_in_json(stack: Stack) -> None:
    ns = time.time_ns()
    points = [
        {"timeUnixNano": str(ns), "asDouble": 0.1},
        {"timeUnixNano": str(ns), "asDouble": "NaN"},
    ]
    resource = {"attributes": [{"key": "device.id", "value": {"stringValue": "otlp-json"}}]}
    metrics = [{"name": "flow", "gauge": {"dataPoints": points}}]
    document = {"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": metrics}]}]}

    answer = post(stack, json.dumps(document).encode(), JSON)

    assert (answer.status_code, answer.headers["content-type"]) == (200, JSON)
    partial_success = answer.json()["partialSuccess"]
    assert partial_success["rejectedDataPoints"] == "1"
    assert "not_finite, first data point 1: flow:" in partial_success["errorMessage"]
    assert stack.in_table("otlp-json") == Counter([(ns // 1_000_000, "flow", 0.1)])


def test_a_request_without_data_points_is_a_success(stack: Stack) -> None:
    answer = post(stack, b"", PROTOBUF)
    assert (answer.status_code, answer.headers["content-type"]) == (200, PROTOBUF)
    assert answer.content == b""
    answer = post(stack, b"{}", JSON)
    assert (answer.status_code, answer.json()) == (200, {})


@pytest.mark.parametrize("media_type", [PROTOBUF, JSON])
def test_what_cannot_be_read_is_answered_with_a_status_in_its_encoding(
    stack: Stack, media_type: str
) -> None:
    answer = post(stack, b"\xff\xff\xff", media_type)
    assert (answer.status_code, answer.headers["content-type"]) == (400, media_type)
    if media_type == PROTOBUF:
        message = Status.FromString(answer.content).message
    else:
        message = answer.json()["message"]
    assert message.startswith("unreadable_body: ")
    assert answer.headers["x-request-id"] in message


def test_an_exporter_with_a_wrong_key_stores_nothing(stack: Stack) -> None:
    exporter = Exporter(url(stack), "weir_" + "x" * 43, Compression.NoCompression)
    with exporting(exporter, device__id="otlp-wrong-key") as export:
        export()

    assert exporter.results == [MetricExportResult.FAILURE]
    assert [reply[0] for reply in exporter.replies] in ([401], [403])
    assert not stack.in_table("otlp-wrong-key")
