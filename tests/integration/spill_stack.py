"""`respill` on moto, with queues, bucket and table around it, and a stream that may fail.

What stands in is only Lambda's event source mapping (`tests.fakes.spill`).
"""

import json
from collections.abc import Sequence
from functools import cache
from typing import Any

import boto3

from tests.fakes.aws import FlakyDynamo, FlakyFirehose
from tests.fakes.spill import SpillMapping
from tests.handlers import ENVIRONMENT, load_handler
from tests.tables import create_tables
from weir.chunks import pack
from weir.lake import open_record, rows
from weir.readings import Reading, format_ts
from weir.spill import Sink, spill
from weir.storage.lake_stream import LakeStream
from weir.storage.reading_store import ReadingStore
from weir.storage.retry import Deadline
from weir.storage.spill_queue import SpillQueue

START = 1_767_225_600_000
RECEIVED = START + 90_000
LATER = START + 7_200_000
RETENTION_S = int(ENVIRONMENT["RETENTION_DAYS"]) * 86_400
QUEUE, BUCKET = ENVIRONMENT["SPILL_QUEUE_URL"], ENVIRONMENT["SPILL_BUCKET"]
MAX_RECEIVES = 4


@cache
def _once() -> tuple[Any, Any, Any, Any]:
    """The handler and the clients, which take a second to make and hold nothing of a test."""
    session: Any = boto3.Session(region_name="eu-west-1")
    return load_handler("respill"), *map(session.client, ("dynamodb", "sqs", "s3"))


class Stack:
    """The spill's queues and bucket, the table, a stream, and `respill` between them."""

    def __init__(self, max_receives: int = MAX_RECEIVES) -> None:
        self.app, self.dynamodb, self.sqs, self.s3 = _once()
        create_tables(self.dynamodb)
        self.s3.create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        fifo = {"FifoQueue": "true"}
        self.dead = self.sqs.create_queue(QueueName="dead.fifo", Attributes=fifo)["QueueUrl"]
        redrive = {
            "deadLetterTargetArn": "arn:aws:sqs:eu-west-1:123456789012:dead.fifo",
            "maxReceiveCount": max_receives,
        }
        created = self.sqs.create_queue(
            QueueName="spill.fifo", Attributes={**fifo, "RedrivePolicy": json.dumps(redrive)}
        )
        assert created["QueueUrl"] == QUEUE
        self.queue = SpillQueue(self.sqs, self.s3, QUEUE, BUCKET)
        self.app.sqs, self.app.spill = self.sqs, self.queue
        self.app.PATIENCE_S = 0.05
        self.mapping = SpillMapping(self.sqs, QUEUE, self.app.lambda_handler)
        self.firehose = FlakyFirehose()
        self.use(self.firehose, FlakyDynamo(self.dynamodb, "batch_write_item"))

    def use(self, firehose: FlakyFirehose | None = None, dynamodb: Any = None) -> None:
        """Let `respill` write to these from now on; what was written before is kept."""
        if firehose is not None:
            firehose.records = self.firehose.records
            self.firehose = firehose
            self.app.lake = LakeStream(firehose, "lake")
        if dynamodb is not None:
            self.app.readings = ReadingStore(dynamodb, "readings", retention_s=RETENTION_S)

    def spill(self, readings: Sequence[Reading], *sinks: Sink, at: int = RECEIVED) -> None:
        self.queue.put(spill(pack(readings), sinks or ("lake", "table"), at), Deadline(5))

    def send(self, device_id: str, body: str, name: str) -> None:
        self.sqs.send_message(
            QueueUrl=QUEUE, MessageBody=body, MessageGroupId=device_id, MessageDeduplicationId=name
        )

    def items(self) -> dict[tuple[str, str], Any]:
        found = self.dynamodb.scan(TableName="readings", ConsistentRead=True)["Items"]
        return {(item["pk"]["S"], item["sk"]["S"]): item for item in found}

    def lake(self) -> list[tuple[str, str, str]]:
        """Device, time and arrival of each row, in the order in which the records came."""
        return [
            (row["device_id"], row["ts"], row["received_at"])
            for record in self.firehose.records
            for row in map(json.loads, rows(open_record(record, LATER)).splitlines())
        ]

    def dead_letters(self) -> list[str]:
        answer = self.sqs.receive_message(QueueUrl=self.dead, MaxNumberOfMessages=10)
        return [message["Body"] for message in answer.get("Messages", ())]


def reading(device_id: str = "a", minute: int = 0, value: float = 1.5) -> Reading:
    return Reading(device_id, START + minute * 60_000, {"flow": value}, {"site": "north"})


def many(device_id: str = "a") -> list[Reading]:
    """More than a message of a queue may hold."""
    return [
        Reading(device_id, START + at, {f"m{n}": (n * at + 1) ** 0.5 for n in range(64)})
        for at in range(600)
    ]


def arrived(device_id: str, *minutes: int) -> list[tuple[str, str, str]]:
    return [(device_id, format_ts(START + m * 60_000), format_ts(RECEIVED)) for m in minutes]
