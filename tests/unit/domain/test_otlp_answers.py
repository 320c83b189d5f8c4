"""The answers of OTLP/HTTP, read back with the packages that clients read them with."""

import json
from typing import Any

import pytest
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)

from tests.unit.domain.otlp_requests import JSON, PROTOBUF
from weir.protocols.interface import Parsed, Reply
from weir.protocols.otlp import OtlpMetrics
from weir.protocols.otlp_answers import MAX_REASONS
from weir.readings import Rejection

ADAPTER = OtlpMetrics()
SOME = [
    Rejection(1, "not_finite", "flow: as_double is NaN"),
    Rejection(2, "not_finite", "heat: as_double is NaN"),
    Rejection(7, "unsupported_type", "latency: the metric is of the type histogram"),
]
REASONS = (
    "3 data points refused: not_finite, first data point 1: flow: as_double is NaN; "
    "unsupported_type, first data point 7: latency: the metric is of the type histogram"
)


def accept(rejected: list[Rejection], media_type: str) -> Reply:
    return ADAPTER.accept(Parsed([], rejected, 1), media_type)


def test_a_full_success_leaves_partial_success_unset() -> None:
    assert accept([], PROTOBUF) == Reply(200, b"", PROTOBUF)
    assert accept([], JSON) == Reply(200, b"{}", JSON)


def test_a_partial_success_counts_what_was_refused_and_says_why() -> None:
    reply = accept(SOME, PROTOBUF)
    response = ExportMetricsServiceResponse.FromString(reply.body)
    assert (reply.status, reply.media_type) == (200, PROTOBUF)
    assert response.partial_success.rejected_data_points == 3
    assert response.partial_success.error_message == REASONS

    reply = accept(SOME, JSON)
    assert (reply.status, reply.media_type) == (200, JSON)
    assert json.loads(reply.body) == {
        "partialSuccess": {"rejectedDataPoints": "3", "errorMessage": REASONS}
    }


def test_the_reasons_are_few_however_many_were_refused() -> None:
    many = [Rejection(n, f"code_{n}", "x" * 300) for n in range(10_000)]
    reply = accept(many, PROTOBUF)
    response = ExportMetricsServiceResponse.FromString(reply.body)
    assert response.partial_success.rejected_data_points == 10_000
    assert response.partial_success.error_message.count("first data point") == MAX_REASONS
    assert len(reply.body) < 2_000


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, 3), (401, 16), (403, 7), (404, 5), (413, 3), (415, 3), (429, 8), (500, 13), (503, 14)],
)
def test_a_refusal_is_a_status_message(status: int, code: int) -> None:
    reply = ADAPTER.refuse(status, "a_code", "a detail", PROTOBUF, "request-1")
    message = Status.FromString(reply.body)
    assert (reply.status, reply.media_type) == (status, PROTOBUF)
    assert (message.code, message.message) == (code, "a_code: a detail (request request-1)")

    reply = ADAPTER.refuse(status, "a_code", "a detail", JSON, "request-1")
    assert (reply.status, reply.media_type) == (status, JSON)
    assert json.loads(reply.body) == {"code": code, "message": message.message}


@pytest.mark.parametrize("media_type", ["", "text/plain"])
def test_a_request_of_another_media_type_is_answered_in_json(media_type: str) -> None:
    reply = ADAPTER.refuse(415, "unsupported_media_type", "a detail", media_type, "request-1")
    assert reply.media_type == JSON
    assert json.loads(reply.body)["code"] == 3


@given(st.text(max_size=300), st.integers(1, 400))
def test_any_text_arrives_whole(detail: str, count: int) -> None:
    status = Status.FromString(ADAPTER.refuse(400, "code", detail, PROTOBUF, "r").body)
    assert status.message == f"code: {detail} (request r)"

    rejected: list[Any] = [Rejection(0, "code", detail)] * count
    response = ExportMetricsServiceResponse.FromString(accept(rejected, PROTOBUF).body)
    assert response.partial_success.rejected_data_points == count
    assert response.partial_success.error_message.endswith(f"data point 0: {detail}")
