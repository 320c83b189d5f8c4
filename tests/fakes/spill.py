"""The spill in memory, a queue's client that fails as SQS does, and what Lambda does between."""

from collections.abc import Callable, Sequence
from typing import Any

from tests.handlers import Context
from weir.chunks import unpack
from weir.spill import Spilled, decode, encode
from weir.storage.retry import Deadline, SinkUnavailable
from weir.storage.spill_queue import MAX_BODY_BYTES

type Fault = Exception | Callable[[], None] | Sequence[tuple[int, str, bool]]


class FakeSpill:
    """Takes messages as `SpillQueue` does, unless it is told to be down: one fault a `put`.

    `bodies` are the messages in the order in which they were taken, with their devices.
    """

    def __init__(self, *faults: SinkUnavailable | None) -> None:
        self.bodies: list[tuple[str, str]] = []
        self.objects: dict[str, str] = {}
        self._known: set[str] = set()
        self._faults = list(faults)

    def put(self, spilled: Sequence[Spilled], deadline: Deadline) -> int:
        fault = self._faults.pop(0) if self._faults else None
        if fault is not None:
            raise fault
        for message in spilled:
            body = encode(message)
            if len(body) > MAX_BODY_BYTES:
                self.objects[message.deduplication_id] = body
                body = f"object {message.deduplication_id}"
            if message.deduplication_id not in self._known:
                self._known.add(message.deduplication_id)
                self.bodies.append((message.device_id, body))
        return 0

    def get(self, body: str) -> Spilled | None:
        if not body.startswith("object "):
            return decode(body)
        content = self.objects[body.removeprefix("object ")]
        return decode(content) if content else None

    def discard(self, body: str) -> None:
        if body.startswith("object "):
            self.objects[body.removeprefix("object ")] = ""

    def readings(self) -> list[tuple[str, int, str, float]]:
        """The values in it: device, time, metric, value."""
        return [
            (reading.device_id, reading.ts, name, value)
            for _, body in self.bodies
            for spilled in [self.get(body)]
            if spilled is not None
            for document in map(unpack, spilled.documents)
            for reading in document.rows()
            for name, value in reading.metrics.items()
        ]


class FlakySqs:
    """Passes calls on to a real client, but fails calls of `operation` as it is told, one a call.

    An exception is raised instead of the call; a callable is called after it (it may raise: the
    call was carried out, but not answered); places with a code and whose fault it was are refused,
    the other messages are sent.
    """

    def __init__(
        self, client: Any, *faults: Fault | None, operation: str = "send_message_batch"
    ) -> None:
        self._client = client
        self._faults = list(faults)
        self._operation = operation
        self.calls: list[dict[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        return self._guarded if name == self._operation else getattr(self._client, name)

    def _guarded(self, **request: Any) -> Any:
        self.calls.append(request)
        call = getattr(self._client, self._operation)
        fault = self._faults.pop(0) if self._faults else None
        if isinstance(fault, Exception):
            raise fault
        if fault is None or callable(fault):
            answer = call(**request)
            if fault is not None:
                fault()
            return answer
        refused = {place: (code, senders) for place, code, senders in fault}
        failed = [
            {"Id": entry["Id"], "Code": refused[place][0], "SenderFault": refused[place][1]}
            for place, entry in enumerate(request["Entries"])
            if place in refused
        ]
        sent = [entry for n, entry in enumerate(request["Entries"]) if n not in refused]
        answer = call(**{**request, "Entries": sent}) if sent else {}
        return {**answer, "Failed": failed}


class SpillMapping:
    """Lambda's event source mapping of a FIFO queue: up to ten messages a call, those that are
    not reported as failed are deleted."""

    def __init__(
        self, sqs: Any, queue_url: str, handler: Callable[[dict[str, Any], Any], dict[str, Any]]
    ) -> None:
        self._sqs = sqs
        self._queue_url = queue_url
        self._handler = handler
        self._away: dict[str, str] = {}

    def deliver(self, seconds: float = 60) -> list[str] | None:
        """Hand over a batch; return the ids of those that failed, or None if nothing was there."""
        answer = self._sqs.receive_message(
            QueueUrl=self._queue_url, MaxNumberOfMessages=10, AttributeNames=["All"]
        )
        messages = answer.get("Messages", [])
        if not messages:
            return None
        self._away |= {message["MessageId"]: message["ReceiptHandle"] for message in messages}
        event = {"Records": list(map(sqs_record, messages))}
        failures = self._handler(event, Context(seconds))["batchItemFailures"]
        failed = [failure["itemIdentifier"] for failure in failures]
        for message in messages:
            if message["MessageId"] not in failed:
                self._sqs.delete_message(
                    QueueUrl=self._queue_url, ReceiptHandle=message["ReceiptHandle"]
                )
                del self._away[message["MessageId"]]
        return failed

    def let_time_pass(self) -> None:
        """Let every message that is out of sight come into sight again."""
        for receipt in self._away.values():
            self._sqs.change_message_visibility(
                QueueUrl=self._queue_url, ReceiptHandle=receipt, VisibilityTimeout=0
            )

    def drain(self, rounds: int = 50) -> None:
        """Deliver until the queue is empty."""
        for _ in range(rounds):
            if self.deliver() is None:
                if not self._away:
                    return
                self.let_time_pass()
        raise AssertionError(f"the queue still holds messages after {rounds} rounds")


def sqs_record(message: dict[str, Any]) -> dict[str, Any]:
    """A message of a FIFO queue as it stands in the event of a function."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:spill.fifo",
        "awsRegion": "eu-west-1",
    }
