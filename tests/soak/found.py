"""What there is in the end, read as it lies there: items, objects, rows, messages, log lines."""

import gzip
import json
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from weir.detection import IN_USE
from weir.storage.alert_store import alert_of
from weir.storage.checkpoint_store import CheckpointStore
from weir_local.aws import client
from weir_local.paths import STACK_NAME
from weir_local.status import StackStatus

type ValueKey = tuple[str, int]
"""Metric and time."""

type Arrivals = Mapping[ValueKey, int]
"""For each value of a device, its place in the order in which values came for the first time."""

FUNCTIONS: Final = ("ingest", "respill", "score", "transform")


@dataclass(slots=True)
class Copies:
    """A device's values in one place: what each is, how many copies lie there, which disagree."""

    values: dict[ValueKey, float] = field(default_factory=dict)
    copies: int = 0
    conflicts: set[ValueKey] = field(default_factory=set)

    def add(self, metric: str, ts: int, value: float) -> None:
        """Count one copy of a value."""
        self.copies += 1
        if self.values.setdefault((metric, ts), value) != value:
            self.conflicts.add((metric, ts))


@dataclass(slots=True)
class Lake:
    """The lake: each device's values, the ids of its readings, and how many rows there are."""

    devices: dict[str, Copies] = field(default_factory=lambda: defaultdict(Copies))
    ids: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    rows: int = 0


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """An alert as it lies in the table."""

    device_id: str
    metric: str
    onset: int
    cleared: bool
    ended_at: int | None
    withdrawn: bool = False


class Finder:
    """Reads what a stack holds of the devices whose ids begin with `prefix`."""

    def __init__(self, status: StackStatus, prefix: str, since_ms: int) -> None:
        self._status = status
        self._prefix = prefix
        self._since_ms = since_ms
        self._dynamodb = client(status, "dynamodb")
        self._s3 = client(status, "s3")

    def table(self) -> Mapping[str, Copies]:
        """The Readings table."""
        devices: dict[str, Copies] = defaultdict(Copies)
        for item in self._items(self._status.readings_table):
            document = json.loads(zlib.decompress(item["body"]["B"]))
            copies = devices[item["pk"]["S"]]
            times = [document["t0"] + offset for offset in document["dt"]]
            for metric, column in document["v"].items():
                for ts, value in zip(times, column, strict=True):
                    if value is not None:
                        copies.add(metric, ts, value)
        return devices

    def lake(self) -> Lake:
        """Every object of the lake."""
        lake = Lake()
        for body in self._objects(self._status.lake_bucket, "readings/"):
            for line in gzip.decompress(body).splitlines():
                row = json.loads(line)
                device_id = row["device_id"]
                if not device_id.startswith(self._prefix):
                    continue
                lake.rows += 1
                lake.ids[device_id].add(row["reading_id"])
                ts = _epoch_ms(row["ts"])
                for metric, value in row["metrics"].items():
                    lake.devices[device_id].add(metric, ts, value)
        return lake

    def scored(self, device_id: str) -> Mapping[str, tuple[int, int]]:
        """For each metric, how many values its checkpoint counts, and until when."""
        store = CheckpointStore(self._dynamodb, self._status.states_table, IN_USE)
        checkpoint = store.get(device_id)
        if checkpoint is None:
            return {}
        metrics = checkpoint.current.metrics
        return {name: (metric.scored, metric.watermark) for name, metric in metrics.items()}

    def alerts(self) -> list[StoredAlert]:
        """The Alerts table, but for devices that fell silent: that is the watchdog's."""
        alerts = map(alert_of, self._items(self._status.alerts_table))
        return [
            StoredAlert(
                alert.device_id,
                alert.metric,
                alert.onset,
                not alert.is_open,
                alert.ended_at,
                alert.withdrawn,
            )
            for alert in alerts
            if alert.kind == "anomaly"
        ]

    def arrivals(self) -> Mapping[str, Arrivals]:
        """For each device and value, the place of the first item that has it.

        Places are those in the table's stream: the order in which items were written.
        """
        arrived: dict[str, dict[ValueKey, int]] = defaultdict(dict)
        for place, record in enumerate(self._changes()):
            device_id = record["Keys"]["pk"]["S"]
            if device_id.startswith(self._prefix) and "NewImage" in record:
                document = json.loads(zlib.decompress(record["NewImage"]["body"]["B"]))
                for metric, column in document["v"].items():
                    for offset, value in zip(document["dt"], column, strict=True):
                        if value is not None:
                            key = (metric, document["t0"] + offset)
                            arrived[device_id].setdefault(key, place)
        return arrived

    def stranded(self) -> Mapping[str, int]:
        """What lies in the failure places, where `weir replay` looks."""
        sqs = client(self._status, "sqs")
        attribute = "ApproximateNumberOfMessages"
        answer = sqs.get_queue_attributes(
            QueueUrl=self._status.spill_dead_letters_url, AttributeNames=[attribute]
        )
        return {
            "lake": sum(1 for _ in self._keys(self._status.lake_bucket, "errors/")),
            "stream": sum(1 for _ in self._keys(self._status.failure_bucket, "aws/lambda/")),
            "spill": int(answer["Attributes"][attribute]),
        }

    def metrics(self) -> Counter[str]:
        """The sums of the functions' metrics, as far as the functions lived to write them."""
        logs = client(self._status, "logs")
        sums: Counter[str] = Counter()
        for function in FUNCTIONS:
            pages = logs.get_paginator("filter_log_events").paginate(
                logGroupName=f"/aws/lambda/{STACK_NAME}-{function}", startTime=self._since_ms
            )
            for page in pages:
                for event in page["events"]:
                    _add_metrics(sums, function, event["message"])
        return sums

    def _items(self, table: str) -> Iterator[dict[str, Any]]:
        pages = self._dynamodb.get_paginator("scan").paginate(
            TableName=table,
            FilterExpression="begins_with(pk, :prefix)",
            ExpressionAttributeValues={":prefix": {"S": self._prefix}},
            ConsistentRead=True,
        )
        return (item for page in pages for item in page["Items"])

    def _changes(self) -> Iterator[dict[str, Any]]:
        streams = client(self._status, "dynamodbstreams")
        (stream,) = streams.list_streams(TableName=self._status.readings_table)["Streams"]
        described = streams.describe_stream(StreamArn=stream["StreamArn"])["StreamDescription"]
        for shard in described["Shards"]:
            iterator = streams.get_shard_iterator(
                StreamArn=stream["StreamArn"],
                ShardId=shard["ShardId"],
                ShardIteratorType="TRIM_HORIZON",
            )["ShardIterator"]
            while iterator:
                answer = streams.get_records(ShardIterator=iterator)
                yield from (record["dynamodb"] for record in answer["Records"])
                iterator = answer.get("NextShardIterator") if answer["Records"] else None

    def _objects(self, bucket: str, prefix: str) -> Iterator[bytes]:
        for key in self._keys(bucket, prefix):
            yield self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()

    def _keys(self, bucket: str, prefix: str) -> Iterator[str]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return (entry["Key"] for page in pages for entry in page.get("Contents", ()))


def _epoch_ms(text: str) -> int:
    moment = datetime.fromisoformat(text)
    return int(moment.timestamp()) * 1000 + moment.microsecond // 1000


def _add_metrics(sums: Counter[str], function: str, line: str) -> None:
    if not line.startswith('{"_aws":'):
        return
    document = json.loads(line)
    for directive in document["_aws"]["CloudWatchMetrics"]:
        for metric in directive["Metrics"]:
            sums[f"{function}.{metric['Name']}"] += int(document[metric["Name"]][0])
