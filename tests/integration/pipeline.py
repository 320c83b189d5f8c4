"""The whole pipeline in one process: the real handlers on moto, with faults at every boundary.

What stands in is only what AWS does between the functions: Firehose hands records to `transform`
and its answers to the lake, DynamoDB's stream hands new items to `score`.
"""

import base64
import json
from collections import Counter
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from tests.fakes.aws import FlakyDynamo, FlakyFirehose
from tests.fakes.ewma import Ewma
from tests.fakes.spill import FakeSpill
from tests.handlers import Context, http_event
from weir.scoring.fold import fold
from weir.scoring.memory import MemoryCache
from weir.scoring.scorer import Scorer
from weir.storage.alert_store import AlertStore
from weir.storage.checkpoint_store import CheckpointStore
from weir.storage.control_store import ControlStore
from weir.storage.lake_stream import LakeStream
from weir.storage.reading_store import ReadingStore
from weir.storage.retry import Deadline
from weir.storage.sinks import Sinks


class Pipeline:
    """Handlers with the clients that a test gives them, and the AWS between them."""

    def __init__(
        self, dynamodb: Any, ingest: ModuleType, transform: ModuleType, score: ModuleType
    ) -> None:
        self.dynamodb = dynamodb
        self.ingest, self.transform, self.score = ingest, transform, score
        self.firehose = FlakyFirehose()
        self.lake: list[dict[str, Any]] = []
        self.errors: list[bytes] = []
        self._rung: set[tuple[str, str]] = set()
        self._into: Any = dynamodb
        self.spill = FakeSpill()
        self.use_firehose(self.firehose)
        self.new_score_worker()

    def use_firehose(self, firehose: FlakyFirehose) -> None:
        """Let `ingest` write to `firehose`."""
        self.firehose = firehose
        self.new_ingest_worker()

    def use_dynamodb(self, dynamodb: FlakyDynamo) -> None:
        """Let `ingest` write through `dynamodb`."""
        self._into = dynamodb
        self.new_ingest_worker()

    def new_ingest_worker(self) -> None:
        """A fresh execution environment of `ingest`: no breaker is open."""
        executor = self.ingest.executor
        self.ingest.sinks = Sinks(  # type: ignore[attr-defined]
            LakeStream(self.firehose, "lake"),
            ReadingStore(self._into, "readings", retention_s=86_400, executor=executor),
            lambda: self.spill,  # type: ignore[arg-type,return-value]
            executor,
        )

    def respill(self) -> None:
        """Put through again what was spilled, to sinks that are well."""
        store = ReadingStore(self.dynamodb, "readings", retention_s=86_400)
        bodies, self.spill.bodies = self.spill.bodies, []
        for _, body in bodies:
            spilled = self.spill.get(body)
            assert spilled is not None
            if "table" in spilled.sinks:
                store.put(spilled.chunks(), Deadline(10))
            if "lake" in spilled.sinks:
                LakeStream(self.firehose, "lake").put([spilled.record()], Deadline(10))

    def new_score_worker(self, dynamodb: Any = None) -> None:
        """A fresh execution environment of `score`: nothing remembered."""
        client = dynamodb or self.dynamodb
        self.score.checkpoints = CheckpointStore(client, "states", Ewma())  # type: ignore[attr-defined]
        self.score.controls = ControlStore(client, "controls")  # type: ignore[attr-defined]
        self.score.scorer = Scorer(  # type: ignore[attr-defined]
            ReadingStore(client, "readings"),
            self.score.checkpoints,
            AlertStore(client, "alerts"),
            Ewma(),
            MemoryCache(),
        )

    def post(self, readings: list[dict[str, Any]], seconds: float = 10) -> dict[str, Any]:
        """Post readings as an array; return the answer."""
        event = http_event(json.dumps(readings))
        answer: dict[str, Any] = self.ingest.lambda_handler(event, Context(seconds))
        return answer

    def deliver(self) -> None:
        """Let Firehose hand what it has to `transform`, until nothing comes back."""
        while self.firehose.records:
            records, self.firehose.records = self.firehose.records, []
            answer = self.transform.lambda_handler(firehose_event(records), Context(60))
            for record, reply in zip(records, answer["records"], strict=True):
                if reply["result"] == "Ok":
                    lines = base64.b64decode(reply["data"]).splitlines()
                    self.lake += map(json.loads, lines)
                elif reply["result"] == "ProcessingFailed":
                    self.errors.append(record)

    def new_records(self) -> list[dict[str, Any]]:
        """The stream records of the items that have not rung yet."""
        items = self.dynamodb.scan(TableName="readings", ConsistentRead=True)["Items"]
        fresh = [item for item in items if (item["pk"]["S"], item["sk"]["S"]) not in self._rung]
        self._rung |= {(item["pk"]["S"], item["sk"]["S"]) for item in fresh}
        return [stream_record(item, n) for n, item in enumerate(fresh)]

    def ring(self, records: Iterable[dict[str, Any]]) -> list[dict[str, str]]:
        """Hand stream records to `score`; return the failures that it reports."""
        answer = self.score.lambda_handler({"Records": list(records)}, Context(60))
        failures: list[dict[str, str]] = answer["batchItemFailures"]
        return failures

    # ------------------------------------------------------------ what came of it

    def in_table(self) -> Counter[tuple[str, int, str, float]]:
        """How often each value stands in the Readings table."""
        store = ReadingStore(self.dynamodb, "readings")
        devices = {d for d, _ in self._keys()}
        return Counter(
            (reading.device_id, reading.ts, name, value)
            for device in devices
            for chunk in store.read(device, from_t0=0).chunks
            for reading in chunk.document.rows()
            for name, value in reading.metrics.items()
        )

    def in_lake(self) -> set[tuple[str, str, str, float]]:
        """The distinct values in the lake."""
        return {
            (row["device_id"], row["ts"], name, value)
            for row in self.lake
            for name, value in row["metrics"].items()
        }

    def scored(self, device_id: str) -> int:
        """How many values are scored once the device's log is folded to its end."""
        checkpoint = CheckpointStore(self.dynamodb, "states", Ewma()).get(device_id)
        assert checkpoint is not None
        chunks = ReadingStore(self.dynamodb, "readings").read(device_id, from_t0=0).chunks
        state = checkpoint.current
        return fold(state, chunks, set(state.metrics), 1 << 60, Ewma()).state.scored

    def alerts(self, device_id: str) -> list[tuple[str, int]]:
        """The device's alerts: metric and onset."""
        store = AlertStore(self.dynamodb, "alerts")
        return [(alert.metric, alert.onset) for alert in store.of_device(device_id)]

    def _keys(self) -> list[tuple[str, str]]:
        items = self.dynamodb.scan(TableName="readings", ConsistentRead=True)["Items"]
        return [(item["pk"]["S"], item["sk"]["S"]) for item in items]


def firehose_event(records: list[bytes], arrived_at: int = 1_767_225_600_000) -> dict[str, Any]:
    """The event that Firehose invokes a transform with."""
    return {
        "invocationId": "invocation",
        "deliveryStreamArn": "arn:aws:firehose:eu-west-1:123456789012:deliverystream/weir-lake",
        "region": "eu-west-1",
        "records": [
            {
                "recordId": f"record-{n}",
                "approximateArrivalTimestamp": arrived_at + n,
                "data": base64.b64encode(record).decode(),
            }
            for n, record in enumerate(records)
        ],
    }


def stream_record(item: dict[str, Any], n: int = 0) -> dict[str, Any]:
    """The stream record of an item that was put."""
    image = {
        name: {kind: base64.b64encode(bytes(value)).decode() if kind == "B" else value}
        for name, attribute in item.items()
        for kind, value in attribute.items()
    }
    return {
        "eventID": str(n),
        "eventName": "INSERT",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-west-1",
        "dynamodb": {
            "Keys": {"pk": image["pk"], "sk": image["sk"]},
            "NewImage": image,
            "SequenceNumber": f"{n:021d}",
            "StreamViewType": "NEW_IMAGE",
        },
        "eventSourceARN": "arn:aws:dynamodb:eu-west-1:123456789012:table/readings/stream/1",
    }
