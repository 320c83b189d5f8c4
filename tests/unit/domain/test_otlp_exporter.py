"""OTLP as the OpenTelemetry SDK's own exporter speaks it, over HTTP on the loopback."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)
from opentelemetry.sdk.metrics.export import MetricExportResult

from tests.otlp_exporter import Exporter, Value, exporting
from weir.http.bodies import decode
from weir.identity import Scope
from weir.protocols.interface import Parsed, Reply, Request
from weir.protocols.otlp import OtlpMetrics
from weir.readings import Window

PROTOBUF = "application/x-protobuf"


class Loopback(ThreadingHTTPServer):
    """A server that has the adapter read what comes, once it has refused with `refusals`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.scope = Scope(device_id="pump-7")
        self.refusals: list[int] = []
        self.parsed: list[Parsed] = []
        self.authorizations: set[str] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1/metrics"

    def answer(self, body: bytes, media_type: str) -> Reply:
        adapter = OtlpMetrics()
        if self.refusals:
            return adapter.refuse(self.refusals.pop(0), "code", "detail", media_type, "request-1")
        now_ms = time.time_ns() // 1_000_000
        window = Window.around(now_ms, past_ms=60_000, future_ms=1_000)
        parsed = adapter.parse(Request(body, media_type, {}, now_ms, window, self.scope))
        self.parsed.append(parsed)
        return adapter.accept(parsed, media_type)

    @property
    def values(self) -> Counter[Value]:
        return Counter(
            (reading.ts, name, value)
            for parsed in self.parsed
            for reading in parsed.readings
            for name, value in reading.metrics.items()
        )


class _Handler(BaseHTTPRequestHandler):
    server: Loopback

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers["content-length"]))
        encoding = self.headers.get("content-encoding", "")
        body = decode(sent, encoding, max_inflated=OtlpMetrics.max_inflated)
        self.server.authorizations.add(self.headers["authorization"])
        reply = self.server.answer(body, self.headers["content-type"])
        self.send_response(reply.status)
        self.send_header("content-type", reply.media_type)
        self.send_header("content-length", str(len(reply.body)))
        self.send_header("retry-after", "0")
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Loopback]:
    with Loopback() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip])
def test_what_the_exporter_sends_is_read_exactly(
    server: Loopback, compression: Compression
) -> None:
    exporter = Exporter(server.url, "weir_key", compression)
    with exporting(exporter, service__name="pumps") as export:
        export()
        export()

    assert exporter.results == [MetricExportResult.SUCCESS] * 2
    assert exporter.replies == [(200, PROTOBUF, b"")] * 2
    assert server.values == exporter.values
    assert server.authorizations == {"Bearer weir_key"}
    # Seven series, twice; the counters are cumulative.
    assert sorted((name, value) for _, name, value in server.values) == [
        ("energy", 2.0**60),
        ("energy", 2.0**60),
        ("flow", 0.1 + 0.2),
        ("flow", 0.1 + 0.4),
        ("jobs.waiting", -4.0),
        ("jobs.waiting", -2.0),
        ("pump.starts{line=north}", 3.0),
        ("pump.starts{line=north}", 6.0),
        ("pump.starts{line=south,manual=true}", 1.0),
        ("pump.starts{line=south,manual=true}", 3.0),
        (r"temperature{motor=m\,1,phase=1}", 48.7 + 1 / 3),
        (r"temperature{motor=m\,1,phase=1}", 48.7 + 2 / 3),
        (r"temperature{motor=m\,1,phase=2}", 48.7 + 1 / 3),
        (r"temperature{motor=m\,1,phase=2}", 48.7 + 2 / 3),
    ]


def test_an_sdk_as_it_comes_speaks_for_its_key_s_device(server: Loopback) -> None:
    with exporting(Exporter(server.url, "key", Compression.Gzip)) as export:
        export()

    (parsed,) = server.parsed
    assert not parsed.rejected
    for reading in parsed.readings:
        assert reading.device_id == "pump-7"
        # A random one for each process, which the SDK makes up: it must not name the device.
        assert "service.instance.id" in (reading.tags or {})


def test_what_is_refused_is_a_partial_success_to_the_exporter(server: Loopback) -> None:
    exporter = Exporter(server.url, "key", Compression.NoCompression)
    with exporting(exporter, with_histogram=True) as export:
        export()

    assert exporter.results == [MetricExportResult.SUCCESS]
    ((status, media_type, body),) = exporter.replies
    assert (status, media_type) == (200, PROTOBUF)
    partial_success = ExportMetricsServiceResponse.FromString(body).partial_success
    assert partial_success.rejected_data_points == 1
    assert "latency: the metric is of the type histogram" in partial_success.error_message
    assert server.values == exporter.values


@pytest.mark.parametrize("status", [429, 503])
def test_a_refusal_for_load_is_tried_again_by_the_exporter(server: Loopback, status: int) -> None:
    server.refusals = [status]
    exporter = Exporter(server.url, "key", Compression.NoCompression)
    with exporting(exporter) as export:
        export()

    assert exporter.results == [MetricExportResult.SUCCESS]
    assert [reply[0] for reply in exporter.replies] == [status, 200]
    assert server.values == exporter.values


@pytest.mark.parametrize("status", [400, 401, 403, 413])
def test_a_refusal_of_the_request_is_not_tried_again(server: Loopback, status: int) -> None:
    server.refusals = [status]
    exporter = Exporter(server.url, "key", Compression.NoCompression)
    with exporting(exporter) as export:
        export()

    assert exporter.results == [MetricExportResult.FAILURE]
    assert [reply[0] for reply in exporter.replies] == [status]
    assert not server.parsed
