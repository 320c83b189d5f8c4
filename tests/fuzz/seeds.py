"""Where a fuzzer begins: the sample events' bodies, the RFC's examples, and what `pack` makes."""

import base64
import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path

from tests.fuzz.door import (
    AUTHORIZED,
    BASE64,
    CLAIMED,
    OTHERWISE,
    PACKED,
    QUERIED,
    ROUTES,
    TYPED,
    UNBASED,
)
from tests.fuzz.parsers import NOW_MS
from weir.chunks import pack, pack_records
from weir.http.bodies import media_type
from weir.http.gateway import sent_body
from weir.inflation import GZIP, BrokenData, InflatesTooFar, inflate
from weir.lake import close_record, open_record
from weir.readings import Reading
from weir.spill import encode, spill
from weir_local.sample_events import load_event

ROOT = Path(__file__).parents[2]
MAX_SEED = 16 * 1024
_MAX_INFLATED = 256 * 1024

READINGS = [
    Reading("pump-7", NOW_MS, {"flow": 1.5, "pressure": 3.0}, {"site": "north"}),
    Reading("pump-7", NOW_MS + 1000, {"flow": -0.0}),
    Reading("pump-7", NOW_MS + 1000, {"flow": 1e-9}, {"site": "south", "unit": "\u00b5"}),
    Reading("pump-8", NOW_MS - 7_200_000, {"flow": 1e308}),
    *[Reading("pump-8", NOW_MS - n * 1000, {f"m{n % 3}": n / 3}) for n in range(20)],
]


def bodies(path: str, content_type: str) -> Iterator[bytes]:
    """The bodies of the sample events of a route and media type, inflated."""
    for file in sorted((ROOT / "events" / "ingest").glob("*.json")):
        event = load_event(file, NOW_MS)
        sent = event["routeKey"].partition(" ")[2], media_type(event["headers"]["content-type"])
        if sent != (path, media_type(content_type)):
            continue
        try:
            body = sent_body(event)
            if body[:2] == b"\x1f\x8b":
                body = inflate(body, _MAX_INFLATED, GZIP)
        except (ValueError, BrokenData, InflatesTooFar):
            continue
        if len(body) <= MAX_SEED:
            yield body


def _native() -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for reading in READINGS[:6]:
        row: dict[str, object] = {
            "device_id": reading.device_id,
            "ts": reading.ts,
            "metrics": reading.metrics,
        }
        rows.append(row | ({"tags": reading.tags} if reading.tags else {}))
    return rows


def native_json() -> Iterator[bytes]:
    """A reading, an array, an envelope."""
    yield from bodies("/v1/readings", "application/json")
    rows = _native()
    yield json.dumps(rows[0]).encode()
    yield json.dumps(rows).encode()
    yield json.dumps({"device_id": "pump-7", "readings": rows[:3]}).encode()


def ndjson() -> Iterator[bytes]:
    """One reading a line."""
    yield from bodies("/v1/readings", "application/x-ndjson")
    yield "\n".join(map(json.dumps, _native())).encode()


def senml() -> Iterator[bytes]:
    """The examples of RFC 8428 and ours."""
    yield from bodies("/v1/readings", "application/senml+json")
    for file in sorted((ROOT / "tests" / "unit" / "domain" / "rfc8428").glob("*.json")):
        yield file.read_bytes()
    records = [
        {"bn": "pump-7:", "bt": NOW_MS / 1000, "bu": "Cel", "bv": 1, "bs": 2, "bver": 10},
        {"n": "temperature", "v": 21.5, "s": 3},
        {"n": "open", "vb": True, "t": -5, "ut": 1, "u": "/"},
        {"n": "name", "vs": "x"},
    ]
    yield json.dumps(records).encode()


def influx() -> Iterator[bytes]:
    """Each sort of value, escape and line end."""
    yield from bodies("/api/v2/write", "text/plain")
    stamp = b" %d\n" % (NOW_MS * 1_000_000)
    yield b"pump,device_id=pump-7,room=a flow=1.5,on=t,n=3i,u=4u" + stamp
    yield b'# c\n\npump,host=pump-7 s="a\\"b\nc",flow=1' + stamp + b"pump,host=pump-8 x=1\r\n"
    yield b"pu\\ mp\\,,host=pump-7,a\\=b=c\\,d f\\ g=1e3,h=-.5" + stamp


def otlp_json() -> Iterator[bytes]:
    """Gauges and sums with attributes of each kind, and a histogram."""
    yield from bodies("/v1/metrics", "application/json")
    yield json.dumps(_otlp()).encode()


def _otlp() -> dict[str, object]:
    time = str(NOW_MS * 1_000_000)
    attributes = [
        {"key": "s", "value": {"stringValue": "a"}},
        {"key": "b", "value": {"boolValue": True}},
        {"key": "i", "value": {"intValue": "1"}},
        {"key": "d", "value": {"doubleValue": 0.5}},
    ]
    points = [
        {"timeUnixNano": time, "asDouble": 1.5, "attributes": attributes},
        {"timeUnixNano": time, "asInt": "7", "flags": 0},
        {"timeUnixNano": time, "flags": 1},
    ]
    metrics = [
        {"name": "flow", "unit": "l", "gauge": {"dataPoints": points}},
        {"name": "total", "sum": {"dataPoints": points, "aggregationTemporality": 2}},
        {"name": "times", "histogram": {"dataPoints": [{"timeUnixNano": time, "count": "1"}]}},
    ]
    named = {"key": "device.id", "value": {"stringValue": "pump-7"}}
    hosted = {"key": "host.name", "value": {"stringValue": "pump-8"}}
    return {
        "resourceMetrics": [
            {
                "resource": {"attributes": [name, *attributes]},
                "scopeMetrics": [{"metrics": metrics}],
            }
            for name in (named, hosted)
        ]
    }


def otlp_protobuf() -> Iterator[bytes]:
    """The same in protobuf."""
    from google.protobuf import json_format  # type: ignore[import-untyped]
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
        ExportMetricsServiceRequest,
    )

    yield from bodies("/v1/metrics", "application/x-protobuf")
    for text in otlp_json():
        try:
            message = json_format.Parse(text, ExportMetricsServiceRequest())
        except json_format.ParseError:
            continue
        yield message.SerializeToString()


def chunks() -> Iterator[bytes]:
    """Items' bodies, and their documents."""
    for chunk in pack(READINGS):
        yield chunk.body
        yield chunk.document


def records() -> Iterator[bytes]:
    """Firehose records, one that went back among them."""
    for record in pack_records(pack(READINGS)):
        yield record
        yield close_record(open_record(record, NOW_MS))
    yield pack_records(pack(READINGS[:1]))[0]


def spilled() -> Iterator[bytes]:
    """Messages for both sinks, and for one."""
    packed = pack(READINGS)
    for message in [*spill(packed, ["lake", "table"], NOW_MS), *spill(packed, ["lake"], NOW_MS)]:
        yield encode(message).encode()


def gzipped() -> Iterator[bytes]:
    """A byte that chooses the encoding, and a body in it."""
    yield b"\x00" + gzip.compress(b"text", mtime=0)
    yield b"\x01" + gzip.compress(b"a", mtime=0) + gzip.compress(b"b", mtime=0) + bytes(3)
    yield b"\x00" + gzip.compress(gzip.compress(bytes(10_000), mtime=0), mtime=0)
    yield b"\x00" + gzip.compress(bytes(2 * 1024 * 1024), mtime=0)
    yield b"\x00" + zlib.compress(b"text")
    yield b"\x02text"


def headers() -> Iterator[bytes]:
    """Each scheme of Authorization."""
    key = b"weir_c2FtcGxlIGtleSBvZiB0aGUgc2FtcGxlIGV2ZW50cyE"
    yield b"Bearer " + key
    yield b"Token " + key
    yield b"Basic " + base64.b64encode(b"user:" + key)
    yield b"Basic " + base64.b64encode(b"\xff")


def events() -> Iterator[bytes]:
    """An event of each protocol, in each form."""
    sources = (native_json, ndjson, senml, influx, otlp_json, otlp_protobuf)
    for route, source in enumerate(sources):
        for body in source():
            yield bytes([route, 0]) + body
        yield bytes([route, PACKED | BASE64]) + body
        yield bytes([route, CLAIMED]) + body
        yield bytes([route, TYPED]) + ROUTES[route][1].encode() + b"\n" + body
        yield bytes([route, QUERIED]) + b"ms\n" + body
        yield bytes([route, AUTHORIZED]) + body
        yield bytes([route, AUTHORIZED | OTHERWISE]) + body
        yield bytes([route, OTHERWISE]) + body
        yield bytes([route, UNBASED]) + base64.b64encode(body)
