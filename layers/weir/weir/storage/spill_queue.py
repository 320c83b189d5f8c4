"""The spill: an SQS FIFO queue whose message groups are the devices, large bodies in S3.

A body past `MAX_BODY_BYTES` is put to S3, under a key made of the message's deduplication id, and
the message says where:

    {"version": 1, "object": "spill/<64 hexadecimal digits>", "received_at": 1767225600250}

An object is emptied once its documents have reached their sinks, not deleted. SQS and Lambda
deliver at least once, and one content may be spilled twice while a sink is down; so a message may
come whose object has done its duty, and an empty object says so, where a missing one might be a
loss. The bucket's lifecycle deletes both, later than any message can come.

Sources: Amazon SQS Developer Guide, "Amazon SQS message quotas" (10 messages a call; 1 MiB a
message and a call, 256 KiB before August 2025) and "Using the Amazon SQS message group ID".
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Executor, wait
from functools import partial
from typing import Any, Final

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from weir.spill import VERSION, EpochMs, Spilled, UnreadableSpill, Version, decode, encode
from weir.storage.retry import Deadline, Rest, SinkUnavailable, send_all

MAX_BODY_BYTES: Final = 192 * 1024
"""A longer body goes to S3."""

MAX_CALL_BYTES: Final = 256 * 1024
MAX_CALL_MESSAGES: Final = 10

MAX_OBJECT_BYTES: Final = 8 * 1024 * 1024
"""An object of ours holds less than half of it."""

_PREFIX: Final = "spill/"

_THROTTLES: Final = frozenset(
    {"KmsThrottled", "RequestThrottled", "Throttling", "ThrottlingException"}
)


class _Reference(msgspec.Struct):
    version: Version
    object: str
    received_at: EpochMs


_ENCODE = msgspec.json.Encoder().encode
_DECODE = msgspec.json.Decoder(_Reference).decode


class _Entry(msgspec.Struct, frozen=True):
    device_id: str
    deduplication_id: str
    body: str


class SpillQueue:
    """Puts messages into the spill, and opens the ones that come out of it.

    With an `executor` it makes several calls at once; `put` must not run in that executor itself.
    """

    def __init__(
        self, sqs: Any, s3: Any, queue_url: str, bucket: str, executor: Executor | None = None
    ) -> None:
        self._sqs = sqs
        self._s3 = s3
        self._queue_url = queue_url
        self._bucket = bucket
        self._executor = executor

    def put(self, spilled: Sequence[Spilled], deadline: Deadline) -> int:
        """Put messages; return how many calls had to be repeated.

        Messages of one device come out in the order in which they are given. What is put again
        within five minutes comes out once. Raises `SinkUnavailable` if not all of them could be
        put, whatever the reason: then none may count as put, though some may come out.
        """
        retries = 0
        for turn in _turns(spilled):
            entries: list[_Entry] = []
            uploads: list[Callable[[], int]] = []
            for message in turn:
                body = encode(message)
                if len(body) > MAX_BODY_BYTES:
                    key = _PREFIX + message.deduplication_id
                    uploads.append(partial(self._upload, key, body.encode(), deadline))
                    body = _ENCODE(_Reference(VERSION, key, message.received_at)).decode()
                entries.append(_Entry(message.device_id, message.deduplication_id, body))
            retries += self._at_once(uploads)
            retries += self._at_once(
                [partial(self._send, batch, deadline) for batch in _batches(entries)]
            )
        return retries

    def get(self, body: str) -> Spilled | None:
        """What the message with this `body` holds; None if it has reached its sinks before.

        Raises `UnreadableSpill` if it is no message, or its object is gone; and what S3 raises.
        """
        reference = _reference(body)
        if reference is None:
            return decode(body)
        content = self._read(reference.object)
        if not content:
            return None
        spilled = decode(content)
        if _PREFIX + spilled.deduplication_id != reference.object:
            raise UnreadableSpill("object names another content than is in it")
        # Whoever spilled the same content since has put it there with a later time.
        return msgspec.structs.replace(spilled, received_at=reference.received_at)

    def discard(self, body: str) -> None:
        """Empty the object that `body` refers to, if any, since it has reached its sinks.

        Raises what S3 raises.
        """
        reference = _reference(body)
        if reference is not None:
            self._s3.put_object(Bucket=self._bucket, Key=reference.object, Body=b"")

    def _read(self, key: str) -> str:
        try:
            stored = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"]
        except ClientError as error:
            # S3 says so only to who may list the bucket; others are told that access is denied.
            if error.response.get("Error", {}).get("Code") == "NoSuchKey":
                raise UnreadableSpill("object is not in the bucket") from error
            raise
        with stored:
            content = stored.read(MAX_OBJECT_BYTES + 1)
        if len(content) > MAX_OBJECT_BYTES:
            raise UnreadableSpill(f"object holds more than {MAX_OBJECT_BYTES} bytes")
        try:
            return str(content, "ascii")
        except UnicodeDecodeError as error:
            raise UnreadableSpill("object holds no ASCII text") from error

    def _upload(self, key: str, content: bytes, deadline: Deadline) -> int:
        def put(contents: Sequence[bytes]) -> Rest[bytes]:
            for each in contents:
                self._s3.put_object(
                    Bucket=self._bucket, Key=key, Body=each, ContentType="application/json"
                )
            return Rest(())

        return _patiently("S3", [content], put, deadline)

    def _send(self, batch: Sequence[_Entry], deadline: Deadline) -> int:
        return _patiently("SQS", batch, self._send_batch, deadline)

    def _send_batch(self, batch: Sequence[_Entry]) -> Rest[_Entry]:
        try:
            answer = self._sqs.send_message_batch(
                QueueUrl=self._queue_url,
                Entries=[
                    {
                        "Id": str(place),
                        "MessageBody": entry.body,
                        "MessageGroupId": entry.device_id,
                        "MessageDeduplicationId": entry.deduplication_id,
                    }
                    for place, entry in enumerate(batch)
                ],
            )
        except ClientError as error:
            if _code(error) in _THROTTLES:
                return Rest(batch, "ThrottlingException")
            raise
        failed = answer.get("Failed") or ()
        for failure in failed:
            code = failure.get("Code", "")
            if failure.get("SenderFault") and code not in _THROTTLES:
                raise SinkUnavailable("SQS", len(failed), code, throttled=False)
        throttled = any(failure.get("Code") in _THROTTLES for failure in failed)
        return Rest(
            [batch[int(failure["Id"])] for failure in failed],
            "ThrottlingException" if throttled else "InternalError",
        )

    def _at_once(self, calls: Sequence[Callable[[], int]]) -> int:
        """Make `calls`, at once if there is an executor; the sum of what they return."""
        if self._executor is None or len(calls) < 2:
            return sum(call() for call in calls)
        running = [self._executor.submit(call) for call in calls]
        wait(running, return_when=FIRST_EXCEPTION)
        # One that failed makes the others vain; none is left running past the answer.
        kept = [each for each in running if not each.cancel()]
        wait(kept)
        return sum(each.result() for each in kept)


def _turns(spilled: Sequence[Spilled]) -> Iterator[list[Spilled]]:
    """The first message of each device, then the second of each, and so on.

    A call may fail in part, so a device's next message must wait until the one before it is in.
    """
    turns: list[list[Spilled]] = []
    sent: dict[str, int] = defaultdict(int)
    for message in spilled:
        turn = sent[message.device_id]
        sent[message.device_id] += 1
        if turn == len(turns):
            turns.append([])
        turns[turn].append(message)
    yield from turns


def _batches(entries: Sequence[_Entry]) -> Iterator[Sequence[_Entry]]:
    batch: list[_Entry] = []
    size = 0
    for entry in entries:
        if batch and (len(batch) == MAX_CALL_MESSAGES or size + len(entry.body) > MAX_CALL_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += len(entry.body)
    if batch:
        yield batch


def _patiently[T](
    sink: str, entries: Sequence[T], send: Callable[[Sequence[T]], Rest[T]], deadline: Deadline
) -> int:
    """As `send_all`, but every failure is a `SinkUnavailable`, and no call begins too late."""
    if deadline.left <= 0:
        raise SinkUnavailable(sink, len(entries), "no time was left", throttled=False)
    try:
        return send_all(sink, entries, send, deadline)
    except (BotoCoreError, ClientError) as error:
        reason = _code(error) if isinstance(error, ClientError) else type(error).__name__
        raise SinkUnavailable(sink, len(entries), reason, throttled=False) from error


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")


def _reference(body: str) -> _Reference | None:
    """The reference that `body` is, or None if it is anything else."""
    try:
        reference = _DECODE(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return reference if reference.object.startswith(_PREFIX) else None
