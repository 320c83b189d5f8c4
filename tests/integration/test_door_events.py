"""The sample events of `authorize` and `respill` go through their handlers on moto."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tests.handlers import ENVIRONMENT, Context, load_handler
from tests.integration import spill_stack
from tests.tables import create_tables
from weir.chunks import unpack_body
from weir.identity import EVERY_DEVICE, DeviceKey, digest_of, id_of
from weir.lake import open_record, rows
from weir.storage.device_key_store import DeviceKeyStore
from weir_local.sample_events import load_event

EVENTS = Path(__file__).parents[2] / "events"

AUTHORIZE = {
    "bearer": True,
    "token": True,
    "basic": True,
    "unknown": False,
    "malformed": False,
    "no_key": False,
}

SAMPLE_KEY = "weir_c2FtcGxlIGtleSBvZiB0aGUgc2FtcGxlIGV2ZW50cyE"
"""The key of the sample events: base64url of "sample key of the sample events!"."""


@dataclass(frozen=True)
class Respilled:
    """The readings in the table by device, the rows for the lake, the places of what failed."""

    table: dict[str, int]
    lake: int
    failed: list[int] = field(default_factory=list)


RESPILL = {
    "one_message": Respilled({"pump-7": 5}, 5),
    "lake_only": Respilled({}, 5),
    "table_only": Respilled({"pump-7": 5}, 0),
    "several_hours": Respilled({"pump-7": 6}, 6),
    "several_devices": Respilled({"pump-7": 6, "pump-8": 6}, 12),
    "delivered_again": Respilled({"pump-7": 8}, 8),
    "large": Respilled({"pump-7": 5}, 5),
    "unreadable_among_good": Respilled({"pump-7": 4, "pump-9": 1}, 5, [1, 3]),
    "foreign_document": Respilled({}, 0, [0]),
}


@pytest.fixture
def aws() -> Iterator[None]:
    with mock_aws():
        yield


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("case", AUTHORIZE)
def test_authorize(case: str) -> None:
    dynamodb = boto3.client("dynamodb", region_name="eu-west-1")
    create_tables(dynamodb)
    digest = digest_of(SAMPLE_KEY)
    key = DeviceKey(id_of(digest), digest, EVERY_DEVICE, int(time.time()))
    DeviceKeyStore(dynamodb, ENVIRONMENT["DEVICES_TABLE"]).put(key)
    event = load_event(EVENTS / "authorize" / f"{case}.json", 0)

    answer = load_handler("authorize").lambda_handler(event, Context(10))

    admitted = {"isAuthorized": True, "context": {"key_id": key.key_id, "prefix": ""}}
    assert answer == (admitted if AUTHORIZE[case] else {"isAuthorized": False})


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("case", RESPILL)
def test_respill(case: str) -> None:
    stack = spill_stack.Stack()
    event = load_event(EVENTS / "respill" / f"{case}.json", 0)
    if case == "large":  # what it refers to is in the bucket
        body = load_event(EVENTS / "respill" / "one_message.json", 0)["Records"][0]["body"]
        key = _reference(event)
        stack.s3.put_object(Bucket=spill_stack.BUCKET, Key=key, Body=body.encode())

    answer = stack.app.lambda_handler(event, Context(60))

    expected = RESPILL[case]
    messages = [record["messageId"] for record in event["Records"]]
    failed = [messages.index(failure["itemIdentifier"]) for failure in answer["batchItemFailures"]]
    assert sorted(failed) == expected.failed
    assert _in_table(stack.dynamodb) == expected.table
    in_lake = [rows(open_record(record, 0)).splitlines() for record in stack.firehose.records]
    assert sum(map(len, in_lake)) == expected.lake


def _reference(event: dict[str, Any]) -> str:
    key: str = json.loads(event["Records"][0]["body"])["object"]
    return key


def _in_table(dynamodb: Any) -> dict[str, int]:
    found: dict[str, int] = {}
    for item in dynamodb.scan(TableName="readings")["Items"]:
        document = unpack_body(item["body"]["B"])
        found[document.device_id] = found.get(document.device_id, 0) + len(document.dt)
    return found
