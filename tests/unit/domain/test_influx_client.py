"""The real `influxdb-client` against the InfluxDB write protocol, over HTTP on loopback."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write import point as points
from influxdb_client.client.write_api import SYNCHRONOUS, WriteOptions
from influxdb_client.domain.write_precision import WritePrecision
from influxdb_client.rest import ApiException

from tests.strategies import NOW_MS
from weir.http.bodies import decode, media_type
from weir.identity import EVERY_DEVICE
from weir.protocols.influx import DEVICE_TAGS, InfluxWrite, _Series
from weir.protocols.interface import Parsed, Reply, Request
from weir.readings import Reading, Window

Point: Any = points.Point  # its methods have no types
WINDOW = Window.around(NOW_MS, past_ms=7 * 86_400_000, future_ms=600_000)
PRECISIONS = {
    WritePrecision.NS: 10**6,
    WritePrecision.US: 10**3,
    WritePrecision.MS: 1,
    WritePrecision.S: 1,
}


def parse(body: bytes, precision: str = "ns", content_type: str = "text/plain") -> Parsed:
    query = {"org": "o", "bucket": "b", "precision": precision}
    return InfluxWrite().parse(Request(body, content_type, query, NOW_MS, WINDOW, EVERY_DEVICE))


class Server(ThreadingHTTPServer):
    """Answers writes with the adapter, after the answers in `first`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.readings: list[Reading] = []
        self.seen: list[tuple[str, str, str]] = []
        self.first: list[Reply] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers["content-length"]))
        path, query = urlsplit(self.path)[2:4]
        kind = media_type(self.headers.get("content-type", ""))
        encoding = self.headers.get("content-encoding", "")
        self.server.seen.append((path, kind, encoding))
        assert kind in InfluxWrite.media_types
        if self.server.first:
            reply = self.server.first.pop(0)
        else:
            parsed = parse(
                decode(sent, encoding, InfluxWrite.max_inflated),
                dict(parse_qsl(query))["precision"],
                kind,
            )
            self.server.readings += parsed.readings
            reply = InfluxWrite().accept(parsed, kind)
        self.send_response(reply.status)
        if reply.media_type:
            self.send_header("content-type", reply.media_type)
        if reply.status != 204:
            self.send_header("content-length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def client(server: Server, *, gzip: bool = False) -> InfluxDBClient:
    return InfluxDBClient(server.url, token="weir_key", org="o", enable_gzip=gzip)


@pytest.mark.parametrize("gzip", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_client_writes_points_that_are_read_exactly(
    server: Server, precision: str, gzip: bool
) -> None:
    moment = datetime.fromtimestamp(NOW_MS // 1000, UTC) - timedelta(seconds=7)
    written = [
        Point("air quality").tag("host", "lab-1").tag("room", "a,b=c").time(moment, precision)
        .field("temp", 21.125).field("co 2", 417).field("open", True),
        Point("air quality").tag("host", "lab-2").time(moment, precision).field("temp", -0.1),
    ]  # fmt: skip
    with client(server, gzip=gzip) as influx, influx.write_api(SYNCHRONOUS) as write:
        write.write("bucket", record=written, write_precision=precision)
    tags = {"room": "a,b=c"}
    ts = NOW_MS // 1000 * 1000 - 7000
    metrics = {
        r"air quality.co 2{room=a\,b\=c}": 417.0,
        r"air quality.open{room=a\,b\=c}": 1.0,
        r"air quality.temp{room=a\,b\=c}": 21.125,
    }
    assert server.readings == [
        Reading("lab-1", ts, metrics, tags),
        Reading("lab-2", ts, {"air quality.temp": -0.1}),
    ]
    assert server.seen == [("/api/v2/write", "text/plain", "gzip" if gzip else "")]


def test_the_client_is_told_what_was_refused_in_influxdbs_words(server: Server) -> None:
    lines = ["m,host=a f=1", 'm,host=a text="hello",g=2', "m,host= f=1"]
    with (
        client(server) as influx,
        influx.write_api(SYNCHRONOUS) as write,
        pytest.raises(ApiException) as caught,
    ):
        write.write("bucket", record=lines)
    assert caught.value.status == 400
    assert caught.value.message.startswith("partial write: lines written: 2, refused")
    assert json.loads(caught.value.body)["code"] == "invalid"
    assert [reading.metrics for reading in server.readings] == [{"m.f": 1.0, "m.g": 2.0}]


@pytest.mark.parametrize(
    ("status", "requests"), [(400, 1), (403, 1), (413, 1), (415, 1), (429, 2), (503, 2)]
)
def test_the_client_sends_a_batch_again_when_it_may_and_never_when_it_may_not(
    server: Server, status: int, requests: int
) -> None:
    server.first = [InfluxWrite().refuse(status, "code", "Because.", "text/plain", "id")]
    options = WriteOptions(batch_size=1, retry_interval=1, max_retry_delay=1, jitter_interval=0)
    with client(server) as influx, influx.write_api(write_options=options) as write:
        write.write("bucket", record="m,host=a f=1")
    assert len(server.seen) == requests
    assert len(server.readings) == requests - 1


# ------------------------------------------------------------------ any point

plain = st.characters(codec="utf-8", exclude_categories=("C", "Z"), exclude_characters="\\")
names = st.text(plain | st.just(" "), min_size=1, max_size=6)
fields = st.dictionaries(
    names,
    st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(2**63), 2**63 - 1)
    | st.booleans(),
    min_size=1,
    max_size=4,
)


@given(
    measurement=names.filter(lambda name: not name.startswith("#")),
    tags=st.dictionaries(names.filter(lambda n: n not in DEVICE_TAGS), names, max_size=3),
    fields=fields,
    device=st.from_regex(r"[A-Za-z0-9._:-]{1,20}", fullmatch=True),
    ago_ms=st.integers(0, 6 * 86_400_000),
    precision=st.sampled_from(list(PRECISIONS)),
)
def test_any_point_of_the_client_comes_back_as_it_was(
    measurement: str,
    tags: dict[str, str],
    fields: dict[str, float],
    device: str,
    ago_ms: int,
    precision: str,
) -> None:
    ts = NOW_MS - ago_ms if precision != WritePrecision.S else (NOW_MS - ago_ms) // 1000
    point = Point(measurement).tag("device_id", device).time(ts * PRECISIONS[precision], precision)
    for name, tag in tags.items():
        point.tag(name, tag)
    for name, value in fields.items():
        point.field(name, value)
    parsed = parse(point.to_line_protocol().encode(), precision)
    assert not parsed.rejected
    (reading,) = parsed.readings
    assert (reading.device_id, reading.tags or {}) == (device, tags)
    assert reading.ts == (ts * 1000 if precision == WritePrecision.S else ts)
    series = {decoded(name): value for name, value in reading.metrics.items()}
    assert series == {
        (f"{measurement}.{name}", frozenset(tags.items())): float(value)
        for name, value in fields.items()
    }


tricky = st.text("a\\{}=,. ", min_size=1, max_size=4)


@given(tricky, tricky, st.dictionaries(tricky, tricky, max_size=3))
def test_no_two_series_share_a_name(measurement: str, field: str, tags: dict[str, str]) -> None:
    name = _Series(measurement, "pump-7", tags).name(field)
    assert decoded(name) == (f"{measurement}.{field}", frozenset(tags.items()))


def decoded(name: str) -> tuple[str, frozenset[tuple[str, str]]]:
    """A metric's name back into measurement and field, and tags."""
    parts, depth, escaped = [""], "{", False
    for character in name:
        if not escaped and character == "\\":
            escaped = True
            continue
        if not escaped and character in depth:
            parts.append("")
            depth = ",="
        else:
            parts[-1] += character
        escaped = False
    base, *rest = parts
    if not rest:
        return base, frozenset()
    assert rest[-1].endswith("}")
    rest[-1] = rest[-1][:-1]
    assert rest[::2] == sorted(rest[::2])
    return base, frozenset(zip(rest[::2], rest[1::2], strict=True))
