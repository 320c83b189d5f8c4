"""A stack in which things have failed, on moto, with the real `score` and `transform`."""

import base64
import gzip
import io
import json
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from threading import Event
from types import ModuleType
from typing import Any, Final

import boto3
from moto.sqs.models import sqs_backends

from tests.fakes.aws import FlakyFirehose
from tests.handlers import Context, load_handler
from tests.integration.pipeline import firehose_event, stream_record
from tests.tables import create_tables
from weir.chunks import pack, pack_records
from weir.detection import IN_USE
from weir.readings import Reading
from weir.scoring.fold import fold
from weir.spill import Spilled, encode, spill
from weir.storage.checkpoint_store import CheckpointStore
from weir.storage.reading_store import ReadingStore
from weir.storage.retry import Deadline
from weir_cli.replay_io import replay
from weir_cli.replay_places import Options, Places
from weir_cli.replay_report import Place, PlaceReport, Report
from weir_local.firehose.transform import Arrived, error_record
from weir_local.stream_mapping import discard
from weir_local.stream_mapping.batches import Batch, StreamRecord
from weir_local.stream_mapping.config import MappingConfig

REGION: Final = "eu-west-1"
NOW = int(time.time() * 1000)
START = NOW // 3_600_000 * 3_600_000 - 5 * 3_600_000
ARRIVED = START + 1_000_000
FAILED_AT = NOW - 600_000

type Snapshot = dict[str, bytes]


class Killed(BaseException):
    """What the process that replays dies of in a test."""


class Client:
    """A client that counts its calls, and fails where it is told.

    `before` is called with the name of each operation before it is done, and may raise.
    """

    def __init__(self, client: Any, before: Callable[[str], None]) -> None:
        self._client = client
        self._before = before

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)

        def counted(*arguments: Any, **request: Any) -> Any:
            self._before(name)
            return call(*arguments, **request)

        return counted


class ScoreClient:
    """Lambda with the real handler of `score` behind it."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    @cached_property
    def score(self) -> ModuleType:
        return load_handler("score")

    def invoke(self, **request: Any) -> dict[str, Any]:
        assert request["FunctionName"] == "score"
        assert request["InvocationType"] == "RequestResponse"
        event = json.loads(request["Payload"])
        self.calls.append(len(event["Records"]))
        try:
            answer = self.score.lambda_handler(event, Context(60))
        except Exception as error:  # noqa: BLE001 - what Lambda answers for any of them
            said = {"errorType": type(error).__name__, "errorMessage": str(error)}
            return {"Payload": io.BytesIO(json.dumps(said).encode()), "FunctionError": "Unhandled"}
        return {"Payload": io.BytesIO(json.dumps(answer).encode())}


class Watched:
    """Remembers how far the replay said it was."""

    def __init__(self) -> None:
        self.total: dict[Place, int] = {}
        self.done: dict[Place, int] = {}

    def begin(self, place: Place, total: int) -> None:
        self.total[place], self.done[place] = total, 0
        self._place = place

    def advance(self, n: int = 1) -> None:
        self.done[self._place] += n


class World:
    """The failure places of a stack, and what stands behind them."""

    def __init__(self) -> None:
        self.s3: Any = boto3.client("s3", region_name=REGION)
        self.sqs: Any = boto3.client("sqs", region_name=REGION)
        for bucket in ("lake", "failures"):
            self.s3.create_bucket(
                Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
            )
        self.dead_letters = self._queue("spill-dead-letters.fifo")
        self.spill = self._queue("spill.fifo")
        self.firehose = FlakyFirehose()
        self.function = ScoreClient()
        self.before: Callable[[str], None] = lambda _: None
        self.clients: dict[str, Any] = {
            "s3": self.s3,
            "sqs": self.sqs,
            "firehose": self.firehose,
            "lambda": self.function,
        }
        self.places = Places(
            "lake", "weir-lake", "failures", "score", self.spill, self.dead_letters, self.client
        )
        self._given_up: Counter[str] = Counter()
        self.watched = Watched()
        self.stop = Event()

    @cached_property
    def dynamodb(self) -> Any:
        """A client of DynamoDB, with the tables of the template."""
        dynamodb = boto3.client("dynamodb", region_name=REGION)
        create_tables(dynamodb)
        return dynamodb

    def client(self, service: str, **_: Any) -> Client:
        return Client(self.clients[service], lambda name: self.before(name))

    def _queue(self, name: str) -> str:
        attributes = {"FifoQueue": "true"}
        url: str = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        return url

    # ------------------------------------------------------------ the replay

    def replay(self, place: Place, **options: Any) -> PlaceReport:
        """Replay one place; the report of it."""
        (report,) = self.replay_all(place, **options).places
        return report

    def replay_all(self, *places: Place, **options: Any) -> Report:
        settings = replace(Options(patience_s=2.0, wait_s=0), **options)
        return replay(self.places, places, settings, self.watched, self.stop)

    def kill_at(self, call: int, place: Place) -> bool:
        """Replay, and kill it before its call number `call`; whether it was still at work then."""
        calls = 0

        def before(_: str) -> None:
            nonlocal calls
            calls += 1
            if calls > call:
                raise Killed

        self.before = before
        try:
            self.replay(place)
        except Killed:
            return True
        finally:
            self.before = lambda _: None
            self.a_minute_passes()
        return False

    def a_minute_passes(self) -> None:
        """Let what a killed reader held in the queues be seen again."""
        for queue in sqs_backends["123456789012"][REGION].queues.values():
            for message in queue._messages:
                message.visible_at = 0.0
            queue._pending_messages.clear()

    def objects(self, bucket: str) -> Snapshot:
        """All that lies in a bucket."""
        listed = self.s3.list_objects_v2(Bucket=bucket).get("Contents", [])
        return {
            entry["Key"]: self.s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
            for entry in listed
        }

    # ------------------------------------------------------------ what failed

    def fail_delivery(
        self, records: Sequence[bytes], key: str = "a", failed_at: int = FAILED_AT
    ) -> str:
        """Let Firehose write records under its error prefix; return the object's key."""
        key = f"errors/processing-failed/date=2026-01-01/hour=00/{key}.gz"
        body = b"".join(_line(record, failed_at) for record in records)
        self.s3.put_object(
            Bucket="lake",
            Key=key,
            Body=gzip.compress(body),
            ContentEncoding="gzip",
            ContentType="application/octet-stream",
        )
        return key

    def store(self, readings: Sequence[Reading]) -> list[dict[str, Any]]:
        """Put readings into the table; return the stream's records of them."""
        chunks = pack(readings)
        store = ReadingStore(self.dynamodb, "readings", retention_s=86_400)
        store.put(chunks, Deadline(5))
        return [stream_record(store._item(chunk), n) for n, chunk in enumerate(chunks)]

    def discard(self, records: Sequence[dict[str, Any]], failed_at: int = FAILED_AT) -> str:
        """Let Lambda give up a batch; return the object's key."""
        batch = Batch(
            tuple(
                StreamRecord(f"{n:021d}", record, json.dumps(record), ARRIVED / 1000)
                for n, record in enumerate(records)
            )
        )
        document = discard.invocation_record(
            CONFIG, "shard-1", batch, discard.RETRIES_EXHAUSTED, None, 9, failed_at / 1000
        )
        key = discard.object_key("esm-1", "shard-1", failed_at / 1000)
        self.s3.put_object(Bucket="failures", Key=key, Body=discard.encode(document))
        return key

    def give_up(self, *devices: str) -> list[Spilled]:
        """Let a message of each device lie with the dead letters, in this order.

        The nth of a device holds its nth reading.
        """
        given_up = []
        for device_id in devices:
            self._given_up[device_id] += 1
            chunks = pack(readings(device_id, self._given_up[device_id])[-1:])
            (message,) = spill(chunks, ["lake"], ARRIVED)
            self.send_dead_letter(device_id, encode(message))
            given_up.append(message)
        return given_up

    def send_dead_letter(self, group: str, body: str, **more: Any) -> None:
        """Let a message lie with the dead letters, with the id it had as SQS moves it there."""
        self.sqs.send_message(
            QueueUrl=self.dead_letters,
            MessageBody=body,
            MessageGroupId=group,
            MessageDeduplicationId=str(uuid.uuid4()),
            **more,
        )

    # ------------------------------------------------------------ what came of it

    def lying(self, queue: str) -> list[tuple[str, str]]:
        """The group and body of each message in a queue, in its order, whether held or not."""
        return [(message.group_id, message.body) for message in self.messages(queue)]

    def messages(self, queue: str) -> list[Any]:
        """moto's own messages of a queue."""
        name = queue.rpartition("/")[2]
        messages: list[Any] = sqs_backends["123456789012"][REGION].queues[name]._messages
        return messages

    def visible(self, queue: str) -> int:
        """How many messages of a queue are in nobody's hands."""
        names = ["ApproximateNumberOfMessages"]
        answer = self.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)
        return int(answer["Attributes"][names[0]])

    def rows(self) -> list[dict[str, Any]]:
        """The rows that `transform` makes of what is on the Firehose stream."""
        event = firehose_event(self.firehose.records)
        answer = load_handler("transform").lambda_handler(event, Context(60))
        assert {record["result"] for record in answer["records"]} <= {"Ok"}
        return [
            json.loads(line)
            for record in answer["records"]
            for line in base64.b64decode(record["data"]).splitlines()
        ]

    def scored(self, device_id: str) -> int:
        """How many values are scored once the device's log is folded to its end."""
        checkpoint = CheckpointStore(self.dynamodb, "states", IN_USE).get(device_id)
        if checkpoint is None:
            return 0
        chunks = ReadingStore(self.dynamodb, "readings").read(device_id, from_t0=0).chunks
        state = checkpoint.current
        return fold(state, chunks, set(state.metrics), 1 << 60, IN_USE).state.scored


CONFIG = MappingConfig(
    "esm-1", "arn:score", "arn:stream", "TRIM_HORIZON", 100, 0, 1, True, 8, 43_200, True,
    "failures", (),
)  # fmt: skip


def readings(device_id: str, n: int = 10) -> list[Reading]:
    """Readings a minute apart."""
    return [Reading(device_id, START + at * 60_000, {"flow": 20.0 + at % 3}) for at in range(n)]


def lake_records(*devices: str) -> list[bytes]:
    """A Firehose record of each device's readings."""
    return [record for device in devices for record in pack_records(pack(readings(device)))]


def _line(record: bytes, failed_at: int) -> bytes:
    data = base64.b64encode(record).decode()
    arrived = Arrived("1", data, len(record), ARRIVED / 1000)
    return error_record(
        arrived, 4, "Lambda.FunctionError", "timed out", failed_at / 1000, "arn:transform"
    )
