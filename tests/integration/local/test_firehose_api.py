"""The Firehose stand-in as boto3 sees it, over a real connection."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from tests.unit.local.local_fakes import FakeWorkers
from weir_local.emulator import free_ports
from weir_local.faults import Faults
from weir_local.firehose.api import FirehoseApi
from weir_local.firehose.config import read_config
from weir_local.firehose.delivery import DeliveryStream
from weir_local.http_server import HttpServer
from weir_local.paths import HOST
from weir_local.wire import Wire
from weir_local.workers import Workers

DESCRIPTION = {
    "DeliveryStreamName": "lake",
    "DeliveryStreamARN": "arn:aws:firehose:us-east-1:000000000000:deliverystream/lake",
    "DeliveryStreamStatus": "ACTIVE",
    "DeliveryStreamType": "DirectPut",
    "VersionId": "1",
    "CreateTimestamp": 1_700_000_000.0,
    "HasMoreDestinations": False,
    "Destinations": [
        {
            "DestinationId": "1",
            "ExtendedS3DestinationDescription": {
                "BucketARN": "arn:aws:s3:::b",
                "RoleARN": "arn:aws:iam::000000000000:role/r",
                "BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": 900},
                "CompressionFormat": "GZIP",
                "EncryptionConfiguration": {"NoEncryptionConfig": "NoEncryption"},
            },
        }
    ],
}


@dataclass
class Running:
    client: Any
    stream: DeliveryStream
    workers: FakeWorkers


@pytest.fixture
def running() -> Iterator[Running]:
    [port] = free_ports(1)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    workers = FakeWorkers()

    async def begin() -> tuple[DeliveryStream, HttpServer]:
        counts: Counter[str] = Counter()
        killing = cast("Workers", workers)
        config = read_config(DESCRIPTION)
        stream = DeliveryStream(config, cast("Wire", None), "r", 1.0, counts, killing)
        server = HttpServer(FirehoseApi(stream, DESCRIPTION, counts, killing).handle)
        await server.start(HOST, port)
        return stream, server

    stream, server = asyncio.run_coroutine_threadsafe(begin(), loop).result()
    client = boto3.client(
        "firehose",
        endpoint_url=f"http://{HOST}:{port}",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
    )
    yield Running(client, stream, workers)
    client.close()
    asyncio.run_coroutine_threadsafe(server.close(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def put(running: Running, *data: bytes) -> Any:
    records = [{"Data": one} for one in data]
    return running.client.put_record_batch(DeliveryStreamName="lake", Records=records)


def test_records_are_answered_in_order_with_ids_of_their_own(running: Running) -> None:
    answer = put(running, b"a", b"b", b"")
    assert answer["FailedPutCount"] == 0
    assert len({one["RecordId"] for one in answer["RequestResponses"]}) == 3
    assert running.stream.pending() == 3


def test_a_single_record_is_taken_too(running: Running) -> None:
    answer = running.client.put_record(DeliveryStreamName="lake", Record={"Data": b"a"})
    assert answer["RecordId"]


def test_some_records_can_fail_while_the_call_succeeds(running: Running) -> None:
    running.stream.faults = Faults.parse({"fail_records": [1]})
    answer = put(running, b"a", b"b", b"c")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert answer["FailedPutCount"] == 1
    assert answer["RequestResponses"][1] == {
        "ErrorCode": "ServiceUnavailableException",
        "ErrorMessage": "Slow down.",
    }
    assert running.stream.pending() == 2


@pytest.mark.parametrize(
    ("fault", "code", "status"),
    [
        ("refuse_calls", "ServiceUnavailableException", 503),
        ("throttle", "ThrottlingException", 400),
    ],
)
def test_a_whole_call_can_be_refused(running: Running, fault: str, code: str, status: int) -> None:
    running.stream.faults = Faults.parse({fault: 1})
    with pytest.raises(ClientError) as refused:
        put(running, b"a")
    assert refused.value.response["Error"]["Code"] == code
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert put(running, b"a")["FailedPutCount"] == 0


def test_records_whose_answer_is_lost_were_taken(running: Running) -> None:
    running.stream.faults = Faults.parse({"firehose_lose_answers": 1})
    with pytest.raises(ConnectionClosedError):
        put(running, b"a", b"b")
    assert running.stream.pending() == 2
    assert put(running, b"a")["FailedPutCount"] == 0


def test_a_late_answer_comes_all_the_same(running: Running) -> None:
    running.stream.faults = Faults.parse({"firehose_slow": 1, "slow_seconds": 0.2})
    begun = time.monotonic()
    assert put(running, b"a")["FailedPutCount"] == 0
    assert time.monotonic() - begun >= 0.2


def test_a_function_is_killed_at_its_put_which_was_done_or_not(running: Running) -> None:
    def say_who_calls(params: Any, **_: Any) -> None:
        params["headers"]["X-Weir-Worker"] = "weir-local-ingest.4711"

    running.client.meta.events.register("before-call", say_who_calls)
    running.stream.faults = Faults.parse({"kill_ingest@PutRecordBatch": 1.0, "seed": 1})
    for _ in range(20):
        with pytest.raises(ConnectionClosedError):
            put(running, b"a")
    assert running.workers.killed == [4711] * 20
    assert 0 < running.stream.pending() < 20


def test_another_stream_is_not_found(running: Running) -> None:
    with pytest.raises(running.client.exceptions.ResourceNotFoundException, match="not found"):
        running.client.put_record_batch(DeliveryStreamName="other", Records=[{"Data": b"a"}])


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ([b"a"] * 501, "ValidationException"),
        ([b"a" * 1_024_001], "ValidationException"),
        ([b"a" * 1_000_000] * 5, "InvalidArgumentException"),
        ([], "ValidationException"),
    ],
)
def test_a_batch_beyond_the_limits_is_refused_whole(
    running: Running, data: list[bytes], code: str
) -> None:
    with pytest.raises(ClientError) as refused:
        put(running, *data)
    assert refused.value.response["Error"]["Code"] == code
    assert running.stream.pending() == 0


def test_an_unknown_operation_is_refused(running: Running) -> None:
    with pytest.raises(ClientError, match="UnknownOperation"):
        running.client.delete_delivery_stream(DeliveryStreamName="lake")


def test_the_stream_describes_itself(running: Running) -> None:
    found = running.client.describe_delivery_stream(DeliveryStreamName="lake")
    description = found["DeliveryStreamDescription"]
    assert description["DeliveryStreamStatus"] == "ACTIVE"
    assert description["CreateTimestamp"] == datetime.fromtimestamp(1_700_000_000, UTC)
    assert running.client.list_delivery_streams()["DeliveryStreamNames"] == ["lake"]
