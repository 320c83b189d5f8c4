"""The Readings table, as charts and listings read it: ranges of time, eventually consistent.

That costs half of what scoring's reads do; what was written in the last second may not be there.
A chunk spans at most one UTC hour, so the chunks of a range begin in the hour of its start.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, wait
from typing import Any, Final, NamedTuple

from weir.chunks import HOUR_MS, Document, StoredChunk, UnreadableChunk, unpack_body
from weir.storage.retry import Deadline

PART_HOURS: Final = 12
"""Hours that are read by one query: a day at one reading a second takes some 500 KB."""

AT_ONCE: Final = 8
"""Parts that are read at once."""

_FIRST_PAGE: Final = 16
_LAST_PAGE: Final = 256
"""Chunks of a page where few may do: the first has so many, each further one twice as many."""

type _Item = dict[str, Any]


class Hours(NamedTuple):
    """The chunks of whole hours, in the order of their sort keys, up to the time `until`."""

    documents: Sequence[Document]
    until: int


class ReadingRange:
    """Reads the chunks of a device and a range of time. `on_unreadable` is told of broken ones."""

    def __init__(
        self,
        dynamodb: Any,
        table: str,
        executor: Callable[[], Executor],
        on_unreadable: Callable[[str, str, UnreadableChunk], None],
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._executor = executor
        self._on_unreadable = on_unreadable

    def all(self, device_id: str, start: int, end: int, deadline: Deadline) -> Iterator[Hours]:
        """All chunks with readings from `start` up to `end`, many at once, in order.

        It ends early when the time runs out: the last `until` says how far it came.
        """
        parts = _parts(start, end)
        under_way: deque[Future[Hours]] = deque()
        executor = self._executor()

        def begin() -> None:
            for low, high in parts:
                under_way.append(executor.submit(self._part, device_id, low, high, deadline))
                return

        try:
            for _ in range(AT_ONCE):
                begin()
            at = start // HOUR_MS * HOUR_MS
            while under_way:
                high = min(end, at + PART_HOURS * HOUR_MS)
                hours = under_way.popleft().result()
                yield hours
                if hours.until < high or deadline.left <= 0:
                    return
                at = hours.until
                begin()
        finally:
            # Whatever happens, none is left running past the answer.
            wait([future for future in under_way if not future.cancel()])

    def few(self, device_id: str, start: int, end: int, deadline: Deadline) -> Iterator[Hours]:
        """The same hour by hour, for a caller who stops as soon as it has enough."""
        low, high = _between(start, end)
        limit = _FIRST_PAGE
        hour: list[StoredChunk] = []
        after: _Item | None = None
        while True:
            items, after = self._query(device_id, low, high, start_key=after, limit=limit)
            limit = min(2 * limit, _LAST_PAGE)
            for chunk in self._readable(device_id, items):
                if hour and chunk.t0 // HOUR_MS != hour[0].t0 // HOUR_MS:
                    yield _hours(hour, hour[0].t0 // HOUR_MS * HOUR_MS + HOUR_MS)
                    hour = []
                hour.append(chunk)
            if after is None:
                yield _hours(hour, end)
                return
            if deadline.left <= 0:
                return

    def backwards(
        self, device_id: str, end: int, deadline: Deadline, most: int
    ) -> Iterator[Document]:
        """The chunks with readings before `end`, the newest first; at most `most`."""
        limit, read = _FIRST_PAGE, 0
        after: _Item | None = None
        while read < most:
            items, after = self._query(
                device_id, "0", f"{end:013d}", start_key=after, limit=limit, forward=False
            )
            limit = min(2 * limit, _LAST_PAGE)
            read += len(items)
            for chunk in self._readable(device_id, items):
                yield chunk.document
            if after is None or deadline.left <= 0:
                return

    def newest(self, device_id: str, count: int) -> Sequence[StoredChunk]:
        """The `count` chunks that begin last, in the order of their sort keys."""
        items, _ = self._query(device_id, "0", ":", limit=count, forward=False)
        return list(reversed(list(self._readable(device_id, items))))

    def _part(self, device_id: str, low: int, high: int, deadline: Deadline) -> Hours:
        chunks: list[StoredChunk] = []
        after: _Item | None = None
        while True:
            items, after = self._query(device_id, *_between(low, high), start_key=after)
            chunks.extend(self._readable(device_id, items))
            if after is None:
                return _hours(chunks, high)
            if deadline.left <= 0:
                # The hour in which the page ended may be half read.
                cut = int(after["sk"]["S"][:13]) // HOUR_MS * HOUR_MS
                return _hours([chunk for chunk in chunks if chunk.t0 < cut], max(cut, low))

    def _query(
        self,
        device_id: str,
        low: str,
        high: str,
        *,
        start_key: _Item | None = None,
        limit: int | None = None,
        forward: bool = True,
    ) -> tuple[list[_Item], _Item | None]:
        optional: _Item = {}
        if start_key is not None:
            optional["ExclusiveStartKey"] = start_key
        if limit is not None:
            optional["Limit"] = limit
        answer = self._dynamodb.query(
            TableName=self._table,
            KeyConditionExpression="pk = :device AND sk BETWEEN :low AND :high",
            ExpressionAttributeValues={
                ":device": {"S": device_id},
                ":low": {"S": low},
                ":high": {"S": high},
            },
            ProjectionExpression="sk, body",
            ScanIndexForward=forward,
            **optional,
        )
        return answer["Items"], answer.get("LastEvaluatedKey")

    def _readable(self, device_id: str, items: list[_Item]) -> Iterator[StoredChunk]:
        for item in items:
            sk = item["sk"]["S"]
            try:
                yield StoredChunk(sk, unpack_body(item["body"]["B"]))
            except UnreadableChunk as error:
                self._on_unreadable(device_id, sk, error)


def _hours(chunks: Sequence[StoredChunk], until: int) -> Hours:
    return Hours([chunk.document for chunk in chunks], until)


def _between(start: int, end: int) -> tuple[str, str]:
    """Sort keys between which the chunks with readings from `start` up to `end` lie."""
    return f"{start // HOUR_MS * HOUR_MS:013d}", f"{end:013d}"


def _parts(start: int, end: int) -> Iterator[tuple[int, int]]:
    low = start // HOUR_MS * HOUR_MS
    while low < end:
        high = min(low + PART_HOURS * HOUR_MS, end)
        yield low, high
        low = high
