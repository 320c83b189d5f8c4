"""The proxy as a function's boto3 sees it, over real connections, before a small cloud."""

import asyncio
import base64
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from tests.unit.local.local_fakes import FakeWorkers
from weir_local.emulator import free_ports
from weir_local.faults import Faults
from weir_local.http_server import HttpServer, Request, Response
from weir_local.paths import HOST
from weir_local.proxy.server import AwsProxy
from weir_local.wire import Wire
from weir_local.workers import Workers

PID = 4711
_PUBLISHED = (
    b'<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult>'
    b"<MessageId>m</MessageId></PublishResult></PublishResponse>"
)


@dataclass
class Cloud:
    """DynamoDB, SQS, S3, SNS and EventBridge, each as small as can be."""

    items: list[Any] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    objects: dict[str, bytes] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    async def handle(self, request: Request) -> Response:
        self.requests.append(request)
        target = request.headers.get("x-amz-target", "").rpartition(".")[2]
        if b"Action=Publish" in request.body:
            self.told.append(request.body.decode())
            return Response(200, _PUBLISHED, {"content-type": "text/xml"})
        if not target:
            return self._object(request)
        answer = getattr(self, target)(json.loads(request.body))
        return Response(200, json.dumps(answer).encode(), {"content-type": "application/json"})

    def BatchWriteItem(self, asked: Any) -> Any:  # noqa: N802 - as DynamoDB names it
        writes = [one for table in asked["RequestItems"].values() for one in table]
        self.items += [one["PutRequest"]["Item"]["pk"]["S"] for one in writes]
        return {"UnprocessedItems": {}}

    def BatchGetItem(self, asked: Any) -> Any:  # noqa: N802
        tables = asked["RequestItems"].items()
        return {"Responses": {name: table["Keys"] for name, table in tables}}

    def SendMessageBatch(self, asked: Any) -> Any:  # noqa: N802
        self.messages += [one["MessageBody"] for one in asked["Entries"]]
        sent = [
            {"Id": one["Id"], "MessageId": "m", "MD5OfMessageBody": ""} for one in asked["Entries"]
        ]
        return {"Successful": sent}

    def PutEvents(self, asked: Any) -> Any:  # noqa: N802
        self.told += [one["Detail"] for one in asked["Entries"]]
        ids = [{"EventId": one["Detail"]} for one in asked["Entries"]]
        return {"FailedEntryCount": 0, "Entries": ids}

    def _object(self, request: Request) -> Response:
        match request.method:
            case "PUT":
                self.objects[request.path] = request.body
                return Response(200, b"", {"etag": '"e"'})
            case "HEAD":
                length = str(len(self.objects[request.path]))
                return Response(200, b"", {"content-length": length})
            case _:
                return Response(200, self.objects[request.path])


@dataclass
class Running:
    """A proxy in front of a cloud."""

    proxy: AwsProxy
    cloud: Cloud
    workers: FakeWorkers
    counts: Counter[str]
    url: str

    def client(self, service: str) -> Any:
        """A client such as the function ingest has."""
        made = boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}, read_timeout=5),
        )

        def say_who_calls(params: Any, **_: Any) -> None:
            params["headers"]["X-Weir-Worker"] = f"weir-local-ingest.{PID}"

        made.meta.events.register("before-call", say_who_calls)
        return made


@pytest.fixture
def running() -> Iterator[Running]:
    cloud_port, proxy_port = free_ports(2)
    cloud, workers, counts = Cloud(), FakeWorkers(), Counter[str]()
    endpoint = f"http://{HOST}:{cloud_port}"
    wire = Wire(endpoint, "us-east-1")
    proxy = AwsProxy(endpoint, wire, cast("Workers", workers), counts)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    servers = [HttpServer(cloud.handle), HttpServer(proxy.handle)]

    async def begin() -> None:
        for server, port in zip(servers, (cloud_port, proxy_port), strict=True):
            await server.start(HOST, port)

    async def end() -> None:
        proxy.close()
        for server in servers:
            await server.close()

    asyncio.run_coroutine_threadsafe(begin(), loop).result()
    yield Running(proxy, cloud, workers, counts, f"http://{HOST}:{proxy_port}")
    asyncio.run_coroutine_threadsafe(end(), loop).result()
    wire.close()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def write(running: Running, *keys: str) -> Any:
    writes = [{"PutRequest": {"Item": {"pk": {"S": key}}}} for key in keys]
    return running.client("dynamodb").batch_write_item(RequestItems={"t": writes})


def send(running: Running, count: int) -> Any:
    entries = [{"Id": str(at), "MessageBody": f"m{at}"} for at in range(count)]
    return running.client("sqs").send_message_batch(QueueUrl="http://q/q", Entries=entries)


def tell(running: Running, count: int) -> Any:
    one = {"Source": "weir", "DetailType": "t"}
    entries = [{**one, "Detail": f'"{at}"'} for at in range(count)]
    return running.client("events").put_events(Entries=entries)


def test_a_call_goes_on_byte_for_byte_with_its_signature(running: Running) -> None:
    write(running, "a")
    [request] = running.cloud.requests
    assert request.headers["host"] == running.url.removeprefix("http://")
    assert "x-weir-worker" in request.headers["authorization"]
    assert running.cloud.items == ["a"]
    assert running.counts == {"dynamodb_calls": 1}


def test_objects_go_both_ways_whole_and_so_does_what_head_says_of_them(running: Running) -> None:
    s3 = running.client("s3")
    body = bytes(range(256)) * 4096
    s3.put_object(Bucket="b", Key="spill/a b", Body=body)
    assert s3.get_object(Bucket="b", Key="spill/a b")["Body"].read() == body
    assert s3.head_object(Bucket="b", Key="spill/a b")["ContentLength"] == len(body)
    assert running.counts["s3_calls"] == 3


def test_connections_are_kept_open_between_calls(running: Running) -> None:
    client = running.client("s3")
    client.put_object(Bucket="b", Key="a", Body=b"1")
    for _ in range(20):
        client.get_object(Bucket="b", Key="a")["Body"].read()
    assert len(running.cloud.requests) == 21


@pytest.mark.parametrize(
    ("fault", "codes", "status"),
    [
        ("dynamo_refuse", {"InternalServerError"}, 500),
        (
            "dynamo_throttle",
            {"ProvisionedThroughputExceededException", "ThrottlingException"},
            400,
        ),
        ("sqs_refuse", {"ServiceUnavailable"}, 503),
        ("sqs_throttle", {"ThrottlingException"}, 400),
        ("s3_refuse", {"InternalError"}, 500),
        ("s3_throttle", {"SlowDown"}, 503),
        ("sns_refuse", {"InternalError"}, 500),
        ("sns_throttle", {"Throttling"}, 400),
        ("events_refuse", {"InternalException"}, 500),
        ("events_throttle", {"ThrottlingException"}, 400),
    ],
)
def test_a_refused_call_is_answered_as_the_service_would_and_not_passed_on(
    running: Running, fault: str, codes: set[str], status: int
) -> None:
    running.proxy.faults = Faults.parse({fault: 8})
    seen = set()
    for _ in range(8):
        with pytest.raises(ClientError) as refused:
            call_of(running, fault)
        seen.add(refused.value.response["Error"]["Code"])
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert seen <= codes
    assert not running.cloud.requests
    call_of(running, fault)
    assert len(running.cloud.requests) == 1


@pytest.mark.parametrize("service", ["dynamo", "sqs", "s3", "sns", "events"])
def test_a_call_whose_answer_is_lost_was_carried_out(running: Running, service: str) -> None:
    fault = f"{service}_lose_answers"
    running.proxy.faults = Faults.parse({fault: 1})
    with pytest.raises(ConnectionClosedError):
        call_of(running, fault)
    cloud = running.cloud
    done = [cloud.items, cloud.messages, cloud.objects, cloud.told]
    assert [bool(one) for one in done].count(True) == 1


def call_of(running: Running, fault: str) -> None:
    """Make a call that `fault` can befall."""
    match fault.partition("_")[0]:
        case "dynamo":
            write(running, "a")
        case "sqs":
            send(running, 1)
        case "s3":
            running.client("s3").put_object(Bucket="b", Key="a", Body=b"1")
        case "sns":
            running.client("sns").publish(TopicArn="arn:topic", Message="a")
        case "events":
            tell(running, 1)


def test_a_late_answer_comes_all_the_same(running: Running) -> None:
    running.proxy.faults = Faults.parse({"dynamo_slow": 1, "slow_seconds": 0.3})
    begun = time.monotonic()
    write(running, "a")
    assert time.monotonic() - begun >= 0.3


def test_what_is_left_of_a_batch_was_not_written_and_the_rest_was(running: Running) -> None:
    running.proxy.faults = Faults.parse({"dynamo_unprocessed": 1, "seed": 3})
    keys = [f"k{at}" for at in range(10)]
    left = write(running, *keys)["UnprocessedItems"]["t"]
    unwritten = [one["PutRequest"]["Item"]["pk"]["S"] for one in left]
    assert unwritten
    assert running.cloud.items
    assert sorted(unwritten + running.cloud.items) == keys


def test_a_batch_of_reads_can_be_left_in_part(running: Running) -> None:
    running.proxy.faults = Faults.parse({"dynamo_unprocessed": 1, "seed": 3})
    keys = [{"pk": {"S": str(at)}} for at in range(5)]
    answer = running.client("dynamodb").batch_get_item(RequestItems={"t": {"Keys": keys}})
    read, left = answer["Responses"]["t"], answer["UnprocessedKeys"]["t"]["Keys"]
    assert sorted(one["pk"]["S"] for one in read + left) == list("01234")


def test_entries_of_a_batch_of_messages_can_fail_and_the_others_are_sent(running: Running) -> None:
    running.proxy.faults = Faults.parse({"sqs_fail_entries": 20})
    outcomes = Counter[int]()
    for _ in range(20):
        running.cloud.messages.clear()
        answer = send(running, 4)
        outcomes[len(answer["Failed"])] += 1
        assert len(running.cloud.messages) == 4 - len(answer["Failed"])
        assert len(answer.get("Successful", [])) == len(running.cloud.messages)
    assert set(outcomes) <= {1, 2, 3, 4}


def test_entries_of_a_put_of_events_can_fail_each_in_its_place(running: Running) -> None:
    running.proxy.faults = Faults.parse({"events_fail_entries": 20})
    for _ in range(20):
        running.cloud.told.clear()
        answer = tell(running, 4)
        failed = [at for at, one in enumerate(answer["Entries"]) if "ErrorCode" in one]
        assert len(failed) == answer["FailedEntryCount"] > 0
        assert running.cloud.told == [f'"{at}"' for at in range(4) if at not in failed]
        assert all(
            one.get("EventId", f'"{at}"') == f'"{at}"' for at, one in enumerate(answer["Entries"])
        )


def test_a_function_is_killed_at_its_call_which_was_carried_out_or_not(running: Running) -> None:
    running.proxy.faults = Faults.parse({"kill_ingest": 1.0, "seed": 1})
    for at in range(20):
        with pytest.raises(ConnectionClosedError):
            write(running, str(at))
    assert running.workers.killed == [PID] * 20
    assert 0 < len(running.cloud.items) < 20


def test_a_service_that_is_gone_gives_no_answer(running: Running) -> None:
    [port] = free_ports(1)
    gone = f"http://{HOST}:{port}"
    running.proxy._client = type(running.proxy._client)(gone)
    with pytest.raises(ConnectionClosedError):
        write(running, "a")


def test_binary_attributes_survive_the_way(running: Running) -> None:
    item = {"pk": {"S": "a"}, "body": {"B": b"\x00\xff"}}
    request = {"t": [{"PutRequest": {"Item": item}}]}
    running.client("dynamodb").batch_write_item(RequestItems=request)
    [sent] = running.cloud.requests
    written = json.loads(sent.body)["RequestItems"]["t"][0]["PutRequest"]["Item"]
    assert base64.b64decode(written["body"]["B"]) == b"\x00\xff"
