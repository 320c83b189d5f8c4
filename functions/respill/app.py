"""The spill comes back: what a sink did not take is written to it again, in order per device."""

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from weir.observability import MetricLine, make_logger
from weir.settings import RespillSettings
from weir.spill import UnreadableSpill
from weir.storage.clients import client
from weir.storage.lake_stream import LakeStream
from weir.storage.reading_store import ReadingStore
from weir.storage.retry import Deadline
from weir.storage.spill_queue import SpillQueue

RESERVE_S = 15.0
"""Seconds kept back from the function's time: a call that hangs takes ten to give up."""
PATIENCE_S = 1.0
"""Seconds in which a sink is tried again: waiting in the queue costs less than waiting here, where
a message for the sink that is down keeps back those for the one that is well."""
PARALLEL = 10
"""Devices at once: a batch of a FIFO queue holds ten messages at the most."""
FIRST_WAIT_S = 4
LONGEST_WAIT_S = 900

type Record = dict[str, Any]

logger = make_logger()
metrics = MetricLine()
settings = RespillSettings.read()
executor = ThreadPoolExecutor(PARALLEL)
sqs = client("sqs", attempts=3)
spill = SpillQueue(sqs, client("s3", attempts=3), settings.spill_queue_url, settings.spill_bucket)
lake = LakeStream(client("firehose"), settings.lake_stream)
readings = ReadingStore(
    client("dynamodb"), settings.readings_table, retention_s=settings.retention_s
)


class Outcome(msgspec.Struct):
    """What came of a device's messages; `failed` and `unreadable` are those that come again."""

    respilled: int = 0
    retries: int = 0
    failed: Sequence[Record] = ()
    unreadable: list[Record] = msgspec.field(default_factory=list)


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Put messages through again; answer with those that are to stay in the queue."""
    deadline = Deadline(context.get_remaining_time_in_millis() / 1000 - RESERVE_S)
    devices: dict[str, list[Record]] = {}
    for record in event["Records"]:
        devices.setdefault(record["attributes"]["MessageGroupId"], []).append(record)
    visits = [
        executor.submit(_put_through, device_id, records, deadline)
        for device_id, records in devices.items()
    ]
    outcomes = [visit.result() for visit in visits]
    failed = [record for outcome in outcomes for record in outcome.failed]
    unreadable = [record for outcome in outcomes for record in outcome.unreadable]
    _say_when(outcomes)
    metrics.write(
        context.aws_request_id,
        Respilled=sum(outcome.respilled for outcome in outcomes),
        RespillFailed=len(failed),
        RespillUnreadable=len(unreadable),
        Retries=sum(outcome.retries for outcome in outcomes),
    )
    return {"batchItemFailures": [{"itemIdentifier": r["messageId"]} for r in failed + unreadable]}


def _put_through(device_id: str, records: Sequence[Record], deadline: Deadline) -> Outcome:
    """Write a device's messages in order, up to the first that fails: the rest must wait for it."""
    outcome = Outcome()
    for place, record in enumerate(records):
        where = {"device_id": device_id, "message_id": record["messageId"]}
        try:
            _write(record["body"], outcome, deadline)
        except UnreadableSpill as error:
            # It would hold up its device until it lies with the dead letters, and in the end be
            # written after all the others anyway. So the others go on.
            logger.warning("unreadable message", extra={**where, "why": str(error)})
            outcome.unreadable.append(record)
        except Exception:
            # Whatever is wrong with one device's messages must not stop the others'.
            logger.exception("message failed", extra=where)
            outcome.failed = records[place:]
            break
    return outcome


def _write(body: str, outcome: Outcome, deadline: Deadline) -> None:
    if deadline.left <= 0:
        raise TimeoutError("no time was left to begin")
    spilled = spill.get(body)
    if spilled is None:
        return
    chunks = spilled.chunks()
    # The table first: writing there once more changes nothing, so that while one of the two is
    # down nothing is written twice to the lake.
    if "table" in spilled.sinks:
        outcome.retries += readings.put(chunks, _patience(deadline))
    if "lake" in spilled.sinks:
        outcome.retries += lake.put([spilled.record()], _patience(deadline))
    outcome.respilled += sum(chunk.n for chunk in chunks)
    try:
        spill.discard(body)
    except (BotoCoreError, ClientError):
        # All is written: the object is in nobody's way, and the bucket forgets it in time.
        logger.warning("object stays", exc_info=True)


def _patience(deadline: Deadline) -> Deadline:
    return Deadline(min(PATIENCE_S, deadline.left))


def _say_when(outcomes: Sequence[Outcome]) -> None:
    """Say when the messages that failed come again: the more often they came, the later.

    A device's messages wait equally long: one that is out of sight keeps those before and after it
    back too. What cannot be read comes at once: the sooner it is with the dead letters, the better.
    """
    again: list[tuple[Record, int]] = []
    for outcome in outcomes:
        again += [(record, 0) for record in outcome.unreadable]
        if outcome.failed:
            seconds = _wait(int(outcome.failed[0]["attributes"]["ApproximateReceiveCount"]))
            again += [(record, seconds) for record in outcome.failed]
    if not again:
        return
    entries = [
        {
            "Id": str(place),
            "ReceiptHandle": record["receiptHandle"],
            "VisibilityTimeout": seconds,
        }
        for place, (record, seconds) in enumerate(again)
    ]
    try:
        sqs.change_message_visibility_batch(QueueUrl=settings.spill_queue_url, Entries=entries)
    except (BotoCoreError, ClientError):
        # They come again when the queue's own timeout is over.
        logger.warning("visibility stays", exc_info=True)


def _wait(receives: int) -> int:
    """Whole seconds, drawn from the longer half of a bound that doubles with each receive."""
    bound = min(FIRST_WAIT_S * 2 ** min(receives - 1, 10), LONGEST_WAIT_S)
    return round(random.uniform(bound / 2, bound))
