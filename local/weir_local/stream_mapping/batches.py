"""Stream records and batches of them: lanes, sizes, bisection and what a response means; pure.

Sources: Lambda developer guide, "Process DynamoDB records with Lambda", "Configuring partial batch
response with DynamoDB and Lambda" and "Retain discarded records for a DynamoDB event source".
"""

import json
import random
import zlib
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_PAYLOAD_BYTES = 6 * 1024 * 1024
_ENVELOPE_BYTES = len('{"Records":[]}')


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """A record as the function gets it, encoded, and what the mapping has to know of it."""

    sequence: str
    content: Mapping[str, Any]
    encoded: str
    created: float

    @classmethod
    def of(cls, found: Mapping[str, Any], stream_arn: str) -> "StreamRecord":
        """Make the function's record from one of GetRecords; the stream's ARN is added."""
        content = {**found, "eventSource": "aws:dynamodb", "eventSourceARN": stream_arn}
        change = found["dynamodb"]
        encoded = json.dumps(content, separators=(",", ":"))
        created = float(change["ApproximateCreationDateTime"])
        return cls(change["SequenceNumber"], content, encoded, created)


@dataclass(frozen=True, slots=True)
class Batch:
    """Records in the order of the stream, and how many of the allowed retries are used up."""

    records: tuple[StreamRecord, ...]
    retries: int = 0


def event(records: Sequence[StreamRecord]) -> bytes:
    """Return the function's event for some records."""
    return f'{{"Records":[{",".join(record.encoded for record in records)}]}}'.encode()


def lane(record: StreamRecord, lanes: int) -> int:
    """Return which of `lanes` concurrent batches a record belongs to.

    Records of the same partition key share one, so their order is kept.
    """
    if lanes == 1:
        return 0
    return zlib.crc32(partition(record).encode()) % lanes


def partition(record: StreamRecord) -> str:
    """Return a record's partition key, as text."""
    # The table's partition key comes first: the stream names the keys in the schema's order.
    keys: Mapping[str, Any] = record.content["dynamodb"]["Keys"]
    return json.dumps(next(iter(keys.values())), sort_keys=True)


def reordered(records: Iterable[StreamRecord], dice: random.Random) -> list[StreamRecord]:
    """Return the records in an order that several shards might have given them.

    Those of one partition key stay in their order.
    """
    queues: dict[str, deque[StreamRecord]] = {}
    keys: list[str] = []
    for record in records:
        key = partition(record)
        queues.setdefault(key, deque()).append(record)
        keys.append(key)
    dice.shuffle(keys)
    return [queues[key].popleft() for key in keys]


def take(queue: deque[StreamRecord], batch_size: int) -> Batch:
    """Take the next batch from `queue`: at most `batch_size` records and 6 MB."""
    taken: list[StreamRecord] = []
    size = _ENVELOPE_BYTES
    while queue and len(taken) < batch_size:
        size += len(queue[0].encoded.encode()) + 1
        if taken and size > MAX_PAYLOAD_BYTES:
            break
        taken.append(queue.popleft())
    return Batch(tuple(taken))


def is_full(queue: deque[StreamRecord], batch_size: int) -> bool:
    """Tell whether a batch need not wait for its window to end."""
    if len(queue) >= batch_size:
        return True
    return sum(len(record.encoded) for record in queue) >= MAX_PAYLOAD_BYTES


def first_failure(payload: bytes, batch: Batch, *, report_failures: bool) -> int | None:
    """Return the index from which a successful invocation's batch has to be retried, or None.

    An empty or null response, or one with an empty or null list, is a complete success; an item
    identifier that is empty, null, missing or of no record in the batch makes the whole batch a
    failure; otherwise the lowest sequence number counts.
    """
    if not report_failures:
        return None
    try:
        response = json.loads(payload or b"null")
    except ValueError:
        return 0
    if not response:
        return None
    if not isinstance(response, dict):
        return 0
    failures = response.get("batchItemFailures")
    if not failures:
        return None
    indexes = {record.sequence: index for index, record in enumerate(batch.records)}
    lowest = len(batch.records)
    for failure in failures if isinstance(failures, list) else [None]:
        identifier = failure.get("itemIdentifier") if isinstance(failure, dict) else None
        if identifier not in indexes:
            return 0
        lowest = min(lowest, indexes[identifier])
    return lowest


def after_failure(batch: Batch, *, bisect: bool, max_retries: int) -> list[Batch] | None:
    """Return what to try next when all of `batch` has failed, or None when it is to be discarded.

    Splitting does not consume the retry quota.
    """
    if bisect and len(batch.records) > 1:
        middle = len(batch.records) // 2
        halves = batch.records[:middle], batch.records[middle:]
        return [Batch(half, batch.retries) for half in halves]
    return _again(batch.records, batch.retries, max_retries)


def after_partial(
    batch: Batch, first: int, *, bisect: bool, max_retries: int
) -> list[Batch] | None:
    """Return what to try next when the records of `batch` from `first` on were reported as failed.

    The batch is split at the reported record, and only what remains is retried; when that is the
    whole batch, there is nothing to split, and a retry is used up.
    """
    remaining = batch.records[first:]
    if bisect and first > 0:
        return [Batch(remaining, batch.retries)]
    return _again(remaining, batch.retries, max_retries)


def expired(batch: Batch, now: float, max_age: float) -> tuple[Batch | None, Batch | None]:
    """Split off the records that are older than `max_age` seconds; -1 is no limit.

    Returns the expired ones and the others.
    """
    if max_age < 0:
        return None, batch
    old = tuple(one for one in batch.records if now - one.created > max_age)
    young = tuple(one for one in batch.records if now - one.created <= max_age)
    return Batch(old, batch.retries) if old else None, Batch(
        young, batch.retries
    ) if young else None


def _again(records: tuple[StreamRecord, ...], retries: int, max_retries: int) -> list[Batch] | None:
    if 0 <= max_retries <= retries:
        return None
    return [Batch(records, retries + 1)]
