"""Every sample event goes through its handler on moto, and comes to what is declared here."""

import base64
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tests.contract import check_answer
from tests.handlers import ENVIRONMENT, Context, load_handler
from tests.integration.test_api import API
from tests.integration.test_api_events import READ
from tests.integration.test_door_events import AUTHORIZE, RESPILL
from tests.integration.test_notify_events import NOTIFY
from tests.integration.test_watchdog import WATCHDOG
from tests.tables import create_tables
from weir.chunks import inflate, unpack, unpack_body
from weir.detection import IN_USE
from weir.storage.alert_store import AlertStore
from weir.storage.checkpoint_store import CheckpointStore
from weir_local.sample_events import fill, load_event

EVENTS = Path(__file__).parents[2] / "events"


@dataclass(frozen=True)
class Ingested:
    """A 202: so many readings accepted, and the refusals' codes by index."""

    accepted: int
    rejected: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Refused:
    """A problem document."""

    status: int
    code: str


@dataclass(frozen=True)
class Heard:
    """An answer in another protocol's shape: its status, and so many readings stored."""

    status: int
    stored: int = 0


@dataclass(frozen=True)
class Transformed:
    """For each record, the devices of its rows in order, or None where it is unreadable."""

    devices: list[list[str] | None]
    received_at: str = "2026-01-01T00:00:00.000Z"


@dataclass(frozen=True)
class Scored:
    """The devices' readings scored, their alerts, and the place of the first failed record."""

    readings: dict[str, int]
    alerts: dict[str, list[str]] = field(default_factory=dict)
    failed: int | None = None


INGEST: dict[str, Ingested | Refused | Heard] = {
    "single": Ingested(1),
    "array": Ingested(3),
    "epoch_ms": Ingested(2),
    "envelope": Ingested(2),
    "ndjson": Ingested(3),
    "gzip": Ingested(3),
    "base64": Ingested(3),
    "tags": Ingested(2),
    "several_devices": Ingested(3),
    "good_and_bad": Ingested(
        2, {1: "invalid_ts", 2: "invalid_device_id", 3: "wrong_type", 4: "missing_field"}
    ),
    "all_bad": Ingested(0, {0: "no_metrics", 1: "wrong_type"}),
    "ndjson_broken_line": Ingested(2, {1: "malformed_json"}),
    "far_future": Ingested(1, {1: "ts_out_of_window"}),
    "too_old": Ingested(1, {0: "ts_out_of_window"}),
    "not_finite": Ingested(1, {0: "not_finite", 1: "not_finite"}),
    "duplicate_name": Ingested(1, {0: "duplicate_name"}),
    "empty_batch": Refused(400, "unreadable_body"),
    "empty_body": Refused(400, "unreadable_body"),
    "not_json": Refused(400, "unreadable_body"),
    "not_base64": Refused(400, "broken_encoding"),
    "broken_gzip": Refused(400, "broken_encoding"),
    "gzip_bomb": Refused(413, "too_large"),
    "too_many_readings": Refused(413, "too_large"),
    "unsupported_media_type": Refused(415, "unsupported_media_type"),
    "unsupported_encoding": Refused(415, "unsupported_media_type"),
    "senml": Heard(202, 3),  # two of the four records become one reading
    "senml_refusals": Ingested(
        1,
        {
            2: "unsupported_value",
            3: "unsupported_sum",
            4: "unknown_unit",
            5: "unknown_label",
            6: "wrong_type",
            7: "ts_out_of_window",
            8: "invalid_device_id",
        },
    ),
    "senml_newer_version": Refused(400, "unreadable_body"),
    "senml_not_a_pack": Refused(400, "unreadable_body"),
    "influx": Heard(204, 3),
    "influx_gzip": Heard(204, 4),
    "influx_curl": Heard(204, 1),
    "influx_bound_key": Heard(204, 1),
    "influx_partial_write": Heard(400, 3),
    "influx_nothing_written": Heard(400),
    "influx_foreign_device": Heard(403),
    "influx_not_line_protocol": Heard(400),
    "influx_empty": Heard(400),
    "influx_unknown_precision": Heard(400),
    "influx_unsupported_media_type": Heard(415),
    "otlp_json": Heard(200, 2),
    "otlp_partial": Heard(200, 2),
    "otlp_no_device": Heard(200),
    "otlp_empty": Heard(200),
    "otlp_empty_protobuf": Heard(200),
    "otlp_not_json": Heard(400),
    "otlp_unreadable_protobuf": Heard(400),
}

TRANSFORM = {
    "one_record": Transformed([["pump-7"] * 3]),
    "many_records": Transformed([[f"pump-{n}"] * 4 for n in range(6)]),
    "several_documents": Transformed([["pump-7"] * 2 + ["pump-8"] * 3 + ["pump-7"] * 2]),
    "tags": Transformed([["pump-7"] * 2]),
    "sent_again": Transformed([["pump-7"] * 3], received_at="2026-01-01T00:00:05.000Z"),
    "unreadable_among_good": Transformed([["pump-7"] * 2, None, None, None, ["pump-10"]]),
    "not_base64": Transformed([None]),
}

SCORE = {
    "insert": Scored({"pump-7": 5}),
    "several_devices": Scored({"pump-7": 10, "pump-8": 5, "pump-9": 5}),
    "duplicate": Scored({"pump-7": 5}),
    "anomaly": Scored({"pump-7": 400}, {"pump-7": ["*", "temperature"]}),
    "late": Scored({"pump-7": 10}),
    "poison_among_good": Scored({"pump-7": 5, "pump-9": 5}, failed=1),
    "expired": Scored({"pump-8": 5}),
}

METRICS = 2  # of the sample events' devices that are scored


@pytest.fixture(scope="module")
def session() -> boto3.Session:
    """One for all tests: it reads the services' models once."""
    return boto3.Session(region_name="eu-west-1")


@pytest.fixture
def dynamodb(session: boto3.Session) -> Iterator[Any]:
    with mock_aws():
        client = session.client("dynamodb")
        create_tables(client)
        yield client


@pytest.fixture
def lake(session: boto3.Session, dynamodb: Any) -> Any:
    """A bucket at the end of the delivery stream."""
    s3 = session.client("s3")
    s3.create_bucket(Bucket="lake", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    session.client("firehose").create_delivery_stream(
        DeliveryStreamName=ENVIRONMENT["LAKE_STREAM"],
        ExtendedS3DestinationConfiguration={
            "RoleARN": "arn:aws:iam::123456789012:role/deliver",
            "BucketARN": "arn:aws:s3:::lake",
        },
    )
    return s3


def test_every_event_has_an_outcome_and_every_outcome_an_event() -> None:
    declared = {
        "api": {*API, *READ},
        "authorize": set(AUTHORIZE),
        "ingest": set(INGEST),
        "notify": set(NOTIFY),
        "respill": set(RESPILL),
        "score": set(SCORE),
        "transform": set(TRANSFORM),
        "watchdog": set(WATCHDOG),
    }
    found = {
        folder.name: {file.stem for file in folder.iterdir()}
        for folder in EVENTS.iterdir()
        if folder.is_dir()
    }
    assert found == declared


# ------------------------------------------------------------------ ingest


@pytest.mark.parametrize("case", INGEST)
def test_ingest(case: str, dynamodb: Any, lake: Any) -> None:
    event = load_event(EVENTS / "ingest" / f"{case}.json", time.time_ns() // 1_000_000)

    answer = load_handler("ingest").lambda_handler(event, Context())

    check_answer(event["routeKey"], answer)
    expected = INGEST[case]
    if isinstance(expected, Heard):
        assert answer["statusCode"] == expected.status
        accepted = expected.stored
    elif isinstance(expected, Refused):
        code = json.loads(answer["body"])["code"]
        assert (answer["statusCode"], code) == (expected.status, expected.code)
        accepted = 0
    else:
        body = json.loads(answer["body"])
        assert answer["statusCode"] == 202
        assert {r["index"]: r["code"] for r in body["rejected"]} == expected.rejected
        assert body["accepted"] == expected.accepted
        accepted = expected.accepted
    assert _in_table(dynamodb) == accepted
    assert _in_lake(lake) == accepted


def test_ingest_takes_events_as_they_lie_there(dynamodb: Any, lake: Any) -> None:
    # So does `sam local invoke -e`: the placeholders are no times, and the readings are refused.
    handler = load_handler("ingest").lambda_handler
    for case, expected in INGEST.items():
        event = json.loads((EVENTS / "ingest" / f"{case}.json").read_text(encoding="utf-8"))
        filled = fill(event, 0) != event

        answer = handler(event, Context())

        if isinstance(expected, Refused) or not filled:
            status = 202 if isinstance(expected, Ingested) else expected.status
            assert answer["statusCode"] == status
        elif isinstance(expected, Heard):
            assert answer["statusCode"] < 500
        else:
            assert answer["statusCode"] == 202
            assert json.loads(answer["body"])["accepted"] == 0


def _in_table(dynamodb: Any) -> int:
    items = dynamodb.scan(TableName="readings")["Items"]
    documents = [unpack_body(item["body"]["B"]) for item in items]
    assert [len(document.dt) for document in documents] == [int(i["n"]["N"]) for i in items]
    return sum(len(document.dt) for document in documents)


def _in_lake(s3: Any) -> int:
    listed = s3.list_objects_v2(Bucket="lake").get("Contents", ())
    content = b"".join(
        s3.get_object(Bucket="lake", Key=found["Key"])["Body"].read() for found in listed
    )
    lines = inflate(content, 1024 * 1024).split(b"\n") if content else []
    return sum(len(unpack(line).dt) for line in lines)


# ------------------------------------------------------------------ transform


@pytest.mark.parametrize("case", TRANSFORM)
def test_transform(case: str) -> None:
    event = load_event(EVENTS / "transform" / f"{case}.json", 0)

    answer = load_handler("transform").lambda_handler(event, Context(110))

    expected = TRANSFORM[case]
    records = answer["records"]
    assert [r["recordId"] for r in records] == [r["recordId"] for r in event["records"]]
    rows = [
        [json.loads(line) for line in base64.b64decode(record["data"]).splitlines()]
        if record["result"] == "Ok"
        else None
        for record in records
    ]
    assert [rows_of and [row["device_id"] for row in rows_of] for rows_of in rows] == (
        expected.devices
    )
    failed = {record["result"] for record, of in zip(records, rows, strict=True) if of is None}
    assert failed <= {"ProcessingFailed"}
    first = rows[0]
    assert first is None or first[0]["received_at"] == expected.received_at


# ------------------------------------------------------------------ score


@pytest.mark.parametrize("case", SCORE)
def test_score(case: str, dynamodb: Any) -> None:
    event = load_event(EVENTS / "score" / f"{case}.json", 0)
    for record in event["Records"]:  # what the stream tells of is in the table
        if "NewImage" in record["dynamodb"]:
            dynamodb.put_item(TableName="readings", Item=_item(record["dynamodb"]["NewImage"]))

    answer = load_handler("score").lambda_handler(event, Context(60))

    expected = SCORE[case]
    sequence = [record["dynamodb"]["SequenceNumber"] for record in event["Records"]]
    failed = [sequence.index(f["itemIdentifier"]) for f in answer["batchItemFailures"]]
    assert failed == ([] if expected.failed is None else [expected.failed])
    # A second worker without a memory sees only what was written down, and finishes the log.
    assert load_handler("score").lambda_handler(event, Context(60)) == answer
    assert _scored(dynamodb) == {device: METRICS * n for device, n in expected.readings.items()}
    assert _alerts(dynamodb) == {
        (device, metric): 1 for device, metrics in expected.alerts.items() for metric in metrics
    }


def _item(image: dict[str, dict[str, str]]) -> dict[str, Any]:
    return {
        name: {"B": base64.b64decode(value["B"])} if "B" in value else value
        for name, value in image.items()
    }


def _scored(dynamodb: Any) -> dict[str, int]:
    devices = {item["pk"]["S"] for item in dynamodb.scan(TableName="states")["Items"]}
    store = CheckpointStore(dynamodb, "states", IN_USE)
    return {
        device: checkpoint.current.scored
        for device in devices
        if (checkpoint := store.get(device)) is not None
    }


def _alerts(dynamodb: Any) -> Counter[tuple[str, str]]:
    devices = {item["pk"]["S"] for item in dynamodb.scan(TableName="alerts")["Items"]}
    store = AlertStore(dynamodb, "alerts")
    return Counter((alert.device_id, alert.metric) for d in devices for alert in store.of_device(d))


# ------------------------------------------------------------------ placeholders


@pytest.mark.parametrize(
    ("body", "filled"),
    [
        ("{{now}}", "2026-01-01T00:00:00.000Z"),
        ("{{now-90s}} {{now+1m}}", "2025-12-31T23:58:30.000Z 2026-01-01T00:01:00.000Z"),
        ("{{now-2h}} {{now+1d}}", "2025-12-31T22:00:00.000Z 2026-01-02T00:00:00.000Z"),
        ('"{{now_ms}}" "{{now_ms+1s}}"', "1767225600000 1767225601000"),
        ("{{now_ns}} {{now_ns+1s}}", "1767225600000000000 1767225601000000000"),
        ("{{later}} {now}", "{{later}} {now}"),
    ],
)
def test_placeholders_become_times(body: str, filled: str) -> None:
    encoded = base64.b64encode(body.encode()).decode()

    assert fill({"body": body}, 1_767_225_600_000)["body"] == filled
    in_base64 = fill({"body": encoded, "isBase64Encoded": True}, 1_767_225_600_000)
    assert base64.b64decode(in_base64["body"]).decode() == filled
