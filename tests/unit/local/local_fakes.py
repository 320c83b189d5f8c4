"""In place of the emulator: functions that are Python, objects in a dict."""

import gzip
import json
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

from weir_local.stream_mapping.batches import StreamRecord
from weir_local.wire import Invocation, WireError

Function = Callable[[Any], Any]


_numbers = count(1)


def record(key: str = "pump-1", *, created: float = 0.0, padding: int = 0) -> StreamRecord:
    found = {
        "eventID": "e",
        "eventName": "INSERT",
        "dynamodb": {
            "Keys": {"pk": {"S": key}, "sk": {"S": "1"}},
            "SequenceNumber": str(next(_numbers)),
            "ApproximateCreationDateTime": created,
            "NewImage": {"body": {"B": "x" * padding}},
        },
    }
    return StreamRecord.of(found, "arn:stream")


class FakeWorkers:
    """Notes which processes are killed."""

    def __init__(self) -> None:
        self.killed: list[int | str] = []

    def kill(self, pid: int) -> bool:
        self.killed.append(pid)
        return True

    def kill_all(self, function: str) -> bool:
        self.killed.append(function)
        return True


class FakeWire:
    """Invokes `function`, which may raise, and keeps the objects that are put."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.events: list[Any] = []
        self.objects: dict[str, bytes] = {}
        self.refuse_puts = 0

    async def invoke(self, _function: str, event: bytes) -> Invocation:
        content = json.loads(event)
        self.events.append(content)
        try:
            answer = self.function(content)
        except RuntimeError as error:
            payload = json.dumps({"errorMessage": str(error)}).encode()
            return Invocation("request", 200, payload, "Unhandled")
        return Invocation("request", 200, json.dumps(answer).encode(), None)

    async def put_object(
        self, bucket: str, key: str, body: bytes, _headers: Mapping[str, str]
    ) -> None:
        if self.refuse_puts:
            self.refuse_puts -= 1
            raise WireError("SlowDown", "later")
        self.objects[f"{bucket}/{key}"] = body

    def lines(self, prefix: str) -> list[Any]:
        """Return the lines of all objects under a prefix, unzipped and parsed."""
        found = [
            gzip.decompress(body) for key, body in self.objects.items() if key.startswith(prefix)
        ]
        return [json.loads(line) for body in found for line in body.splitlines()]
