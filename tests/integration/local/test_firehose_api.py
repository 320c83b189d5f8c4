"""The Firehose stand-in as boto3 sees it, over a real connection."""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from weir_local.emulator import free_ports
from weir_local.faults import Faults
from weir_local.firehose.api import FirehoseApi
from weir_local.firehose.config import read_config
from weir_local.firehose.delivery import DeliveryStream
from weir_local.http_server import HttpServer
from weir_local.paths import HOST
from weir_local.wire import Wire

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


@pytest.fixture
def running() -> Iterator[Running]:
    [port] = free_ports(1)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def begin() -> tuple[DeliveryStream, HttpServer]:
        counts: Counter[str] = Counter()
        stream = DeliveryStream(read_config(DESCRIPTION), cast("Wire", None), "r", 1.0, counts)
        server = HttpServer(FirehoseApi(stream, DESCRIPTION, counts).handle)
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
    yield Running(client, stream)
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
