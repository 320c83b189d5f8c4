"""The Readings table: every device's recent chunks, in the order of their times."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, wait
from typing import Any, Final

from weir.chunks import Chunk, StoredChunk, UnreadableChunk, unpack_body
from weir.scoring.ports import LogPage
from weir.storage.retry import Deadline, Rest, send_all

MAX_BATCH: Final = 25
"""BatchWriteItem takes so many items a call; its 16 MB they never reach."""

PAGE: Final = 256
"""So many chunks are read at once; a query's page of 1 MB may hold fewer."""


class ReadingStore:
    """Writes chunks as items and reads them back in order."""

    def __init__(
        self,
        dynamodb: Any,
        table: str,
        *,
        retention_s: int = 0,
        executor: Executor | None = None,
        on_unreadable: Callable[[str, str, UnreadableChunk], None] | None = None,
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._retention_s = retention_s
        self._executor = executor
        self._on_unreadable = on_unreadable

    def put(self, chunks: Sequence[Chunk], deadline: Deadline) -> int:
        """Write `chunks`; return how many calls had to be repeated.

        Writing a chunk that is there already changes nothing and rings no doorbell. Raises
        `SinkUnavailable` when the time runs out.
        """
        # One call may not name a key twice; chunks of one key are the same chunk.
        items = [self._item(chunk) for chunk in {(c.device_id, c.sk): c for c in chunks}.values()]
        batches = [items[at : at + MAX_BATCH] for at in range(0, len(items), MAX_BATCH)]
        if self._executor is None or len(batches) == 1:
            return sum(self._send(batch, deadline) for batch in batches)
        sending = [self._executor.submit(self._send, batch, deadline) for batch in batches]
        wait(sending)  # whichever fails, none is left running past the answer
        return sum(sent.result() for sent in sending)

    def _item(self, chunk: Chunk) -> dict[str, Any]:
        return {
            "pk": {"S": chunk.device_id},
            "sk": {"S": chunk.sk},
            "n": {"N": str(chunk.n)},
            "t1": {"N": str(chunk.t1)},
            "body": {"B": chunk.body},
            # From the readings' own time, so that sending them again changes nothing.
            "expires_at": {"N": str(chunk.t1 // 1000 + self._retention_s)},
        }

    def _send(self, items: Sequence[dict[str, Any]], deadline: Deadline) -> int:
        return send_all("DynamoDB", items, self._write, deadline)

    def _write(self, items: Sequence[dict[str, Any]]) -> Rest[dict[str, Any]]:
        answer = self._dynamodb.batch_write_item(
            RequestItems={self._table: [{"PutRequest": {"Item": item}} for item in items]}
        )
        left = answer.get("UnprocessedItems", {}).get(self._table, ())
        return Rest([request["PutRequest"]["Item"] for request in left], "ThrottlingException")

    def read(self, device_id: str, *, from_t0: int, after_sk: str | None = None) -> LogPage:
        """One page of the device's chunks that begin at `from_t0` or later, strongly consistent.

        A chunk that cannot be read is reported and left out: it must not stop its device.
        """
        answer = self._dynamodb.query(
            TableName=self._table,
            KeyConditionExpression="pk = :device AND sk > :after",
            ExpressionAttributeValues={
                ":device": {"S": device_id},
                ":after": {"S": after_sk or f"{max(from_t0, 0):013d}"},
            },
            ProjectionExpression="sk, body",
            ConsistentRead=True,
            Limit=PAGE,
        )
        last = answer.get("LastEvaluatedKey")
        return LogPage(
            list(self._readable(device_id, answer["Items"])), last["sk"]["S"] if last else None
        )

    def newest(self, device_id: str) -> StoredChunk | None:
        """The device's newest chunk, with its latest values; None if it has none."""
        answer = self._dynamodb.query(
            TableName=self._table,
            KeyConditionExpression="pk = :device",
            ExpressionAttributeValues={":device": {"S": device_id}},
            ProjectionExpression="sk, body",
            ScanIndexForward=False,
            Limit=1,
        )
        return next(self._readable(device_id, answer["Items"]), None)

    def _readable(self, device_id: str, items: list[dict[str, Any]]) -> Iterator[StoredChunk]:
        for item in items:
            sk = item["sk"]["S"]
            try:
                yield StoredChunk(sk, unpack_body(item["body"]["B"]))
            except UnreadableChunk as error:
                if self._on_unreadable is not None:
                    self._on_unreadable(device_id, sk, error)
