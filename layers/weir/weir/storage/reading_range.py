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

AT_ONCE: Final = 8
"""Parts that are read at once."""

PAGE_SHARE: Final = 0.9
"""A part is so much of the time that a page took, so that most parts are a page."""

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
        low = start // HOUR_MS * HOUR_MS
        items, after = self._query(device_id, *_between(low, end))
        chunks = list(self._readable(device_id, items))
        if after is None:
            yield _hours(chunks, end)
            return
        # There is more than a page, so it is known by now how much time a page takes.
        at = _hour_of(after)
        if at > low:
            yield _hours([chunk for chunk in chunks if chunk.t0 < at], at)
        step = max(HOUR_MS, int((at - low) * PAGE_SHARE) // HOUR_MS * HOUR_MS)
        if deadline.left > 0:
            yield from self._parts(device_id, at, end, step, deadline)

    def _parts(
        self, device_id: str, start: int, end: int, step: int, deadline: Deadline
    ) -> Iterator[Hours]:
        """The same in parts of `step` ms, `AT_ONCE` of them at a time."""
        executor = self._executor()
        under_way: deque[tuple[int, Future[Hours]]] = deque()
        begun = start
        try:
            while True:
                while begun < end and len(under_way) < AT_ONCE:
                    high = min(begun + step, end)
                    part = executor.submit(self._part, device_id, begun, high, deadline)
                    under_way.append((high, part))
                    begun = high
                if not under_way:
                    return
                high, part = under_way.popleft()
                hours = part.result()
                yield hours
                if hours.until < high or deadline.left <= 0:
                    return
        finally:
            # Whatever happens, none is left running past the answer.
            wait([part for _, part in under_way if not part.cancel()])

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
                cut = _hour_of(after)
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


def _hour_of(key: _Item) -> int:
    """The hour of the chunk with this key: after a page, the one that may be half read."""
    return int(key["sk"]["S"][:13]) // HOUR_MS * HOUR_MS
