"""The parsers as targets: a body in each protocol, under each sort of key."""

import zlib
from collections.abc import Callable

from google.protobuf import json_format  # type: ignore[import-untyped]
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from tests.fuzz.checks import Refused, parse
from weir.identity import EVERY_DEVICE, Scope
from weir.protocols import native
from weir.protocols.influx import InfluxWrite, _Reader
from weir.protocols.interface import Adapter, Parsed, Request, TooManyReadings, UnreadableBody
from weir.protocols.otlp import OtlpMetrics
from weir.protocols.otlp_answers import JSON, PROTOBUF
from weir.protocols.own import NativeJson, NativeLines
from weir.protocols.senml import SenmlJson
from weir.readings import Window

NOW_MS = 1_767_225_600_000
WINDOW = Window.around(NOW_MS, past_ms=7 * 86_400_000, future_ms=600_000)
SCOPES = (EVERY_DEVICE, EVERY_DEVICE, Scope(prefix="pump-"), Scope(device_id="pump-7"))


def request(body: bytes, media_type: str, **query: str) -> Request:
    """A request whose key depends on the body alone, so that a finding can be had again."""
    scope = SCOPES[zlib.crc32(body) % len(SCOPES)]
    return Request(body, media_type, query, NOW_MS, WINDOW, scope)


def _one_refusal_each(parsed: Parsed) -> None:
    """Of a protocol whose entries are either taken or refused, and each of them is counted."""
    indexes = [rejection.index for rejection in parsed.rejected]
    assert len(set(indexes)) == len(indexes), "an entry is refused twice"


def _same(first: Parsed | Refused, other: Callable[[], Parsed], what: str) -> None:
    """Another way must come to the same, refusals included; `repr` tells 0.0 from -0.0."""
    second: Parsed | Refused
    try:
        second = other()
    except (UnreadableBody, TooManyReadings) as error:
        second = error
    assert _told(first) == _told(second), f"{what} differ:\n{first!s:.1500}\n{second!s:.1500}"


def _told(outcome: Parsed | Refused) -> str:
    if isinstance(outcome, Parsed):
        return repr((list(outcome.readings), list(outcome.rejected), outcome.accepted))
    return type(outcome).__name__


def native_json(body: bytes) -> None:
    """`application/json`."""
    sent = request(body, "application/json")
    parsed = parse(NativeJson(), sent)
    if isinstance(parsed, Parsed):
        _all_counted(parsed)
    _same(
        parsed,
        lambda: native._parse_json_carefully(body, WINDOW, sent.scope),
        "the straight way and the careful way",
    )


def ndjson(body: bytes) -> None:
    """`application/x-ndjson`."""
    sent = request(body, "application/x-ndjson")
    parsed = parse(NativeLines(), sent)
    if isinstance(parsed, Parsed):
        _all_counted(parsed)
    _same(
        parsed,
        lambda: native._parse_ndjson_carefully(body, WINDOW, sent.scope),
        "the straight way and the careful way",
    )


def _all_counted(parsed: Parsed) -> None:
    _one_refusal_each(parsed)
    assert len(parsed.readings) == parsed.accepted
    entries = parsed.accepted + len(parsed.rejected)
    assert all(rejection.index < entries for rejection in parsed.rejected)


def senml(body: bytes) -> None:
    """`application/senml+json`."""
    parsed = parse(SenmlJson(), request(body, "application/senml+json"))
    if isinstance(parsed, Parsed):
        _one_refusal_each(parsed)
        assert sum(len(r.metrics) for r in parsed.readings) == parsed.accepted


def influx(body: bytes) -> None:
    """InfluxDB's line protocol, in nanoseconds."""
    sent = request(body, "text/plain")
    parsed = parse(InfluxWrite(), sent)
    if isinstance(parsed, Parsed):
        told = [(rejection.index, rejection.code) for rejection in parsed.rejected]
        assert len(set(told)) == len(told), "a line has two refusals of one code"
    _same(
        parsed,
        lambda: _Reader(sent).read(straight=False),
        "the straight way and the careful way",
    )


def otlp_json(body: bytes) -> None:
    """OTLP in JSON."""
    _otlp(body, JSON)


def otlp_protobuf(body: bytes) -> None:
    """OTLP in protobuf, and the same message in JSON."""
    parsed = _otlp(body, PROTOBUF)
    if not isinstance(parsed, Parsed):
        return
    try:
        message = ExportMetricsServiceRequest.FromString(body)
        text = json_format.MessageToJson(message, use_integers_for_enums=True)
    except (DecodeError, json_format.Error, RecursionError):
        return
    scope = request(body, PROTOBUF).scope
    in_json = Request(text.encode(), JSON, {}, NOW_MS, WINDOW, scope)
    _same(
        parsed,
        lambda: OtlpMetrics().parse(in_json),
        "protobuf and JSON",
    )


def _otlp(body: bytes, media_type: str) -> Parsed | Refused:
    adapter: Adapter = OtlpMetrics()
    parsed = parse(adapter, request(body, media_type))
    if isinstance(parsed, Parsed):
        _one_refusal_each(parsed)
        assert sum(len(r.metrics) for r in parsed.readings) == parsed.accepted
    return parsed
