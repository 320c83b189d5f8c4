"""Who may say what at the front door, and how each protocol hears no: `ingest` on moto."""

import base64
import gzip
import json
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tests.fakes.aws import FlakyFirehose, client_error
from tests.fakes.spill import FakeSpill
from tests.handlers import Context, http_event, load_handler
from tests.tables import create_tables
from weir.chunks import unpack_body
from weir.storage.lake_stream import LakeStream
from weir.storage.reading_store import ReadingStore
from weir.storage.retry import SinkUnavailable
from weir.storage.sinks import Sinks

NOW = int(time.time() * 1000) - 60_000

OF_GATEWAY = {"lambda": {"key_id": "0123456789abcdef", "prefix": "gw-"}}
OF_PUMP = {"lambda": {"key_id": "0123456789abcdef", "device_id": "pump-7"}}


class Door:
    """`ingest` with its sinks, and what came through."""

    def __init__(self, dynamodb: Any, app: Any) -> None:
        self.dynamodb = dynamodb
        self.app = app
        self.firehose = FlakyFirehose()
        self.spill = FakeSpill()
        self.into(self.firehose)

    def into(self, firehose: FlakyFirehose) -> None:
        self.app.sinks = Sinks(
            LakeStream(firehose, "lake"),
            ReadingStore(self.dynamodb, "readings"),
            lambda: self.spill,  # type: ignore[arg-type,return-value]
            self.app.executor,
        )

    def post(self, protocol: str, devices: list[str], **more: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.app.lambda_handler(
            event(protocol, devices, **more), Context()
        )
        return answer

    def devices(self) -> set[str]:
        items = self.dynamodb.scan(TableName="readings")["Items"]
        return {unpack_body(item["body"]["B"]).device_id for item in items}


@pytest.fixture(scope="module")
def aws() -> Iterator[tuple[Any, Any]]:
    """The table's client and the handler, made once for all tests."""
    with mock_aws():
        dynamodb = boto3.client("dynamodb", region_name="eu-west-1")
        create_tables(dynamodb)
        yield dynamodb, load_handler("ingest")


@pytest.fixture
def door(aws: tuple[Any, Any]) -> Door:
    dynamodb, app = aws
    for item in dynamodb.scan(TableName="readings")["Items"]:
        key = {name: item[name] for name in ("pk", "sk")}
        dynamodb.delete_item(TableName="readings", Key=key)
    return Door(dynamodb, app)


def event(protocol: str, devices: list[str], **more: Any) -> dict[str, Any]:
    """A request with one reading of each of the devices, in a protocol."""
    match protocol:
        case "json":
            rows = [{"device_id": d, "ts": NOW, "metrics": {"flow": 1.5}} for d in devices]
            return http_event(json.dumps(rows), **more)
        case "ndjson":
            rows = [{"device_id": d, "ts": NOW, "metrics": {"flow": 1.5}} for d in devices]
            lines = "\n".join(map(json.dumps, rows))
            return http_event(lines, {"content-type": "application/x-ndjson"}, **more)
        case "senml":
            pack = [{"bn": f"{d}:", "n": "flow", "v": 1.5, "t": NOW / 1000} for d in devices]
            return http_event(json.dumps(pack), {"content-type": "application/senml+json"}, **more)
        case "influx":
            lines = "\n".join(f"pump,device_id={d} flow=1.5 {NOW}" for d in devices)
            query = {"queryStringParameters": {"precision": "ms"}}
            headers = {"content-type": "text/plain; charset=utf-8"}
            return http_event(lines, headers, path="/api/v2/write", **query, **more)
        case _:
            resources = [
                {
                    "resource": {
                        "attributes": [{"key": "device.id", "value": {"stringValue": d}}]
                    },
                    "scopeMetrics": [{"metrics": [{"name": "flow", "gauge": {"dataPoints": [
                        {"timeUnixNano": str(NOW * 1_000_000), "asDouble": 1.5}
                    ]}}]}],
                }
                for d in devices
            ]  # fmt: skip
            return http_event(
                json.dumps({"resourceMetrics": resources}), path="/v1/metrics", **more
            )


PROTOCOLS = ["json", "ndjson", "senml", "influx", "otlp"]


def body_of(answer: dict[str, Any]) -> str:
    body: str = answer.get("body", "")
    return base64.b64decode(body).decode() if answer.get("isBase64Encoded") else body


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_key_brings_in_the_devices_that_it_covers(door: Door, protocol: str) -> None:
    answer = door.post(protocol, ["gw-1", "gw-2"], authorizer=OF_GATEWAY)
    assert answer["statusCode"] == {"influx": 204, "otlp": 200}.get(protocol, 202)
    assert answer["headers"]["x-request-id"] == "api-request-1"
    assert door.devices() == {"gw-1", "gw-2"}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_readings_of_foreign_devices_are_refused_one_by_one(door: Door, protocol: str) -> None:
    answer = door.post(protocol, ["gw-1", "pump-8", "gw-2"], authorizer=OF_GATEWAY)
    assert answer["statusCode"] == {"influx": 400, "otlp": 200}.get(protocol, 202)
    said = body_of(answer)
    assert "pump-8, for which the device key does not speak" in said
    if protocol in {"json", "ndjson", "senml"}:
        document = json.loads(said)
        assert document["accepted"] == 2
        assert [(r["index"], r["code"]) for r in document["rejected"]] == [
            (1, "device_not_covered")
        ]
    assert door.devices() == {"gw-1", "gw-2"}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("authorizer", [OF_GATEWAY, OF_PUMP], ids=["prefix", "device"])
def test_a_key_that_covers_nothing_of_a_request_is_forbidden_in_each_protocol(
    door: Door, protocol: str, authorizer: dict[str, Any]
) -> None:
    answer = door.post(protocol, ["pump-8", "pump-70"], authorizer=authorizer)
    assert answer["statusCode"] == 403
    assert "for which the device key does not speak" in body_of(answer)
    assert door.devices() == set()


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("authorizer", [{}, {"lambda": {}}, {"jwt": {"claims": {"sub": "me"}}}])
def test_a_request_that_no_authorizer_has_passed_is_not_let_in(
    door: Door, protocol: str, authorizer: dict[str, Any]
) -> None:
    answer = door.post(protocol, ["pump-7"], authorizer=authorizer)
    assert answer["statusCode"] == 401
    assert door.devices() == set()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_while_keys_cannot_be_checked_the_sender_is_told_to_come_back(
    door: Door, protocol: str
) -> None:
    answer = door.post(protocol, ["pump-7"], authorizer={"lambda": {"undecided": "true"}})
    assert answer["statusCode"] == 503
    assert int(answer["headers"]["retry-after"]) > 0
    assert door.devices() == set()


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(("throttled", "status"), [(True, 429), (False, 503)])
def test_back_pressure_is_told_in_each_protocol_and_says_when_to_come_back(
    door: Door, protocol: str, throttled: bool, status: int
) -> None:
    door.spill = FakeSpill(SinkUnavailable("SQS", 1, "away", throttled=throttled))
    door.into(FlakyFirehose(client_error("AccessDeniedException")))
    answer = door.post(protocol, ["pump-7"])
    assert answer["statusCode"] == status
    assert int(answer["headers"]["retry-after"]) > 0
    assert "Send them again" in body_of(answer)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"content-type": "image/png"}, 415),
        ({"content-encoding": "br"}, 415),
        ({"content-encoding": "gzip"}, 400),
    ],
    ids=["media type", "encoding", "broken gzip"],
)
def test_what_cannot_be_read_is_told_in_each_protocol(
    door: Door, protocol: str, change: dict[str, str], status: int
) -> None:
    request = event(protocol, ["pump-7"])
    request["headers"] |= change
    answer = door.app.lambda_handler(request, Context())
    assert answer["statusCode"] == status
    assert body_of(answer)
    assert door.devices() == set()


def test_a_compressed_body_that_came_as_text_is_told_why_it_is_broken(door: Door) -> None:
    request = event("influx", ["pump-7"])
    request["headers"]["content-encoding"] = "gzip"
    request["body"] = gzip.compress(request["body"].encode()).decode(errors="replace")
    answer = door.app.lambda_handler(request, Context())
    assert answer["statusCode"] == 400
    assert "API Gateway takes text/* and application/json for text" in body_of(answer)


def test_a_key_of_one_device_names_the_device_where_the_protocol_does_not(door: Door) -> None:
    request = event("influx", [], authorizer=OF_PUMP)
    request["body"] = f"pump flow=1.5 {NOW}"
    assert door.app.lambda_handler(request, Context())["statusCode"] == 204
    assert door.devices() == {"pump-7"}
