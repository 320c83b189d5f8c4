"""What is fuzzed: each target takes any bytes, and raises what the code must not."""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from tests.fuzz.rules import check_message, check_parsed
from weir.chunks import UnreadableChunk, pack, pack_records, unpack_body
from weir.http.bodies import BodyTooLarge, BrokenEncoding, UnsupportedEncoding, decode
from weir.http.gateway import scope_of, sent_body
from weir.identity import EVERY_DEVICE, MAX_CREDENTIAL, credential
from weir.lake import open_record, rows
from weir.protocols.doors import INFLUX, OTLP, adapter_of
from weir.protocols.doors import READINGS as OWN
from weir.protocols.interface import Request, TooManyReadings, UnreadableBody
from weir.readings import Reading, Window
from weir.spill import UnreadableSpill, encode, spill
from weir.spill import decode as decode_spill
from weir_local.sample_events import load_event

NOW_MS = 1_767_225_600_000
WINDOW = Window.around(NOW_MS, past_ms=7 * 86_400_000, future_ms=600_000)
EVENTS = Path(__file__).parents[2] / "events" / "ingest"
MOST_INFLATED = 1 << 20

type Target = Callable[[bytes], None]

SPOKEN = {
    "native": (OWN, "application/json"),
    "ndjson": (OWN, "application/x-ndjson"),
    "senml": (OWN, "application/senml+json"),
    "influx": (INFLUX, "text/plain"),
    "otlp_protobuf": (OTLP, "application/x-protobuf"),
    "otlp_json": (OTLP, "application/json"),
}
"""The protocols, each with its route and media type."""


def _protocol(route: str, media_type: str) -> Target:
    adapter = adapter_of(route, media_type)
    query = {"precision": "ms"} if route == INFLUX else {}

    def target(data: bytes) -> None:
        request = Request(data, media_type, query, NOW_MS, WINDOW, EVERY_DEVICE)
        try:
            parsed = adapter.parse(request)
        except (UnreadableBody, TooManyReadings) as error:
            check_message(str(error))
            assert adapter.refuse(400, "unreadable_body", str(error), media_type, "r").body
            return
        check_parsed(parsed, WINDOW)
        adapter.accept(parsed, media_type)

    return target


def _chunk(data: bytes) -> None:
    with suppress(UnreadableChunk):
        list(unpack_body(data).rows())


def _record(data: bytes) -> None:
    with suppress(UnreadableChunk):
        rows(open_record(data, NOW_MS))


def _spill(data: bytes) -> None:
    with suppress(UnreadableSpill):
        decode_spill(data.decode("utf-8", "surrogateescape")).chunks()


def _gzip(data: bytes) -> None:
    try:
        assert len(decode(data, "gzip", MOST_INFLATED)) <= MOST_INFLATED
    except (BodyTooLarge, BrokenEncoding) as error:
        check_message(str(error))


def _event(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    assert len(credential(text)) <= MAX_CREDENTIAL
    authorizer = {"lambda": {"prefix": text, "key_id": text}}
    assert scope_of({"requestContext": {"authorizer": authorizer}}).prefix == text
    for encoded in (True, False):
        try:
            sent_body({"body": text, "isBase64Encoded": encoded})
        except BrokenEncoding as error:
            check_message(str(error))


TARGETS: dict[str, Target] = {
    **{name: _protocol(*spoken) for name, spoken in SPOKEN.items()},
    "chunk": _chunk,
    "record": _record,
    "spill": _spill,
    "gzip": _gzip,
    "event": _event,
}


def seeds(name: str) -> Iterator[bytes]:
    """Good and bad inputs to begin with: the sample events, and what packing makes."""
    if name in SPOKEN:
        for file in sorted(EVENTS.glob("*.json")):
            event = load_event(file, NOW_MS)
            spoken = (event["routeKey"], event["headers"].get("content-type", "").partition(";")[0])
            if spoken == SPOKEN[name]:
                with suppress(BrokenEncoding, BodyTooLarge, UnsupportedEncoding):
                    encoding = event["headers"].get("content-encoding", "")
                    yield decode(sent_body(event), encoding, MOST_INFLATED)
        if name == "otlp_protobuf":
            yield from _exported()
        return
    readings = [
        Reading("pump-7", NOW_MS + at, {"flow": 1.5, "heat": float(at)}, {"site": "north"})
        for at in range(3)
    ]
    chunks = pack(readings)
    match name:
        case "chunk":
            yield chunks[0].body
        case "record":
            yield from pack_records(chunks)
        case "spill":
            yield from (encode(each).encode() for each in spill(chunks, ("lake",), NOW_MS))
        case "gzip":
            yield chunks[0].gzip
        case "event":
            yield b"Bearer weir_" + b"a" * 43
            yield b"Basic " + base64.b64encode(b"user:weir_key")
            yield base64.b64encode(json.dumps({"a": 1}).encode())


def _exported() -> Iterator[bytes]:
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
        ExportMetricsServiceRequest,
    )

    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add()
    resource.resource.attributes.add(key="device.id").value.string_value = "pump-7"
    metrics = resource.scope_metrics.add().metrics
    point = metrics.add(name="flow").gauge.data_points.add(time_unix_nano=NOW_MS * 1_000_000)
    point.as_double = 1.5
    point.attributes.add(key="cpu").value.int_value = 1
    total = metrics.add(name="total").sum.data_points.add(time_unix_nano=NOW_MS * 1_000_000)
    total.as_int = 7
    metrics.add(name="spread").histogram.data_points.add(time_unix_nano=NOW_MS * 1_000_000)
    yield request.SerializeToString()
