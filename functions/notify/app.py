"""Tells people and programs what became of alerts, and comes back to itself for what waits."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from weir.notices.courier import Courier
from weir.notices.notice import Notice, is_quiet, notices_of
from weir.notices.ports import Claimed, NotTaken, Refused
from weir.notices.teller import Teller
from weir.observability import MetricLine, make_logger
from weir.settings import NotifySettings
from weir.storage.alert_store import alert_of
from weir.storage.clients import client
from weir.storage.control_store import ControlStore
from weir.storage.message_topic import MessageTopic
from weir.storage.message_webhook import Webhook, WebhookSecret
from weir.storage.notice_events import EventBus
from weir.storage.notice_ledger import LEASE_S, NoticeLedger, clock_ms
from weir.storage.notice_minutes import NoticeMinutes
from weir.storage.notice_queue import DigestCall, NoticeQueue, Post, UnreadableRequest, request_of
from weir.storage.retry import Deadline

RESERVE_S = 10.0
"""Seconds kept back from the function's time: a call that hangs takes so long to give up."""
PARALLEL = 10
FIRST_WAIT_S = 4
LONGEST_WAIT_S = 900
COUNTS = (
    "NoticesSent",
    "NoticesHeld",
    "NoticesSuppressed",
    "DigestsSent",
    "EventsSent",
    "MessagesPosted",
    "WebhookFailures",
    "NoticesFailed",
)

type Record = dict[str, Any]

logger = make_logger()
metrics = MetricLine()
settings = NotifySettings.read()
executor = ThreadPoolExecutor(PARALLEL)


def _untold(message_id: str, error: Exception) -> None:
    logger.warning("not told", extra={"notice_id": message_id, "why": str(error)})


def _unreadable_control(key: str, why: str) -> None:
    logger.error("unreadable control", extra={"key": key, "why": why})


dynamodb = client("dynamodb", attempts=4, read_timeout=3)
sqs = client("sqs", attempts=3, read_timeout=3)
controls = ControlStore(client("dynamodb"), settings.controls_table, _unreadable_control)
teller = Teller(
    NoticeLedger(dynamodb, settings.notices_table),
    NoticeMinutes(dynamodb, settings.notices_table),
    EventBus(client("events"), settings.alert_bus),
    MessageTopic(client("sns", attempts=3, read_timeout=3), settings.alert_topic),
    NoticeQueue(sqs, settings.notice_queue_url),
    executor,
    limit=settings.messages_per_minute,
    webhook=bool(settings.webhook_url),
    clock=clock_ms,
    on_trouble=_untold,
)
courier = (
    Courier(
        NoticeLedger(dynamodb, settings.notices_table, "posted"),
        Webhook(
            settings.webhook_url,
            WebhookSecret(lambda: client("secretsmanager", attempts=3), settings.webhook_secret),
        ),
    )
    if settings.webhook_url
    else None
)


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Tell what a batch of the stream or the queue has; answer with what is to come again."""
    deadline = Deadline(context.get_remaining_time_in_millis() / 1000 - RESERVE_S)
    counts: Counter[str] = Counter()
    records = event["Records"]
    if records[0]["eventSource"] == "aws:sqs":
        failures = _from_queue(records, deadline, counts)
    else:
        failures = _from_stream(records, deadline, counts)
    metrics.write(context.aws_request_id, **{name: counts[name] for name in COUNTS})
    return {"batchItemFailures": [{"itemIdentifier": failure} for failure in failures]}


# ------------------------------------------------------------------ the stream


def _from_stream(
    records: Sequence[Record], deadline: Deadline, counts: Counter[str]
) -> Sequence[str]:
    """Tell what the records' alerts went through; the first that failed, since then all come."""
    notices: list[tuple[str, list[Notice]]] = []
    quiet: set[str] = set()
    failed: set[str] = set()
    devices = {record["dynamodb"]["Keys"]["pk"]["S"] for record in records}
    set_for = controls.get_all(sorted(devices), deadline)
    now = clock_ms()
    for record in records:
        number = record["dynamodb"]["SequenceNumber"]
        try:
            images = record["dynamodb"]
            old = alert_of(images["OldImage"]) if "OldImage" in images else None
            new = alert_of(images["NewImage"])
            some = notices_of(old, new)
        except Exception:
            # It must not stop the others: it comes again, and in the end lies in the bucket.
            logger.exception("unreadable record", extra={"sequence_number": number})
            failed.add(number)
            continue
        if is_quiet(new, set_for[new.device_id].is_snoozed(new.metric, now), now):
            quiet.update(notice.notice_id for notice in some)
        notices.append((number, some))
    told = teller.tell([each for _, some in notices for each in some], quiet, deadline)
    counts.update(
        NoticesSent=told.sent,
        NoticesHeld=told.held,
        NoticesSuppressed=told.suppressed,
        EventsSent=told.events,
        NoticesFailed=len(failed) + len(told.failed),
    )
    for number, some in notices:
        if told.failed.intersection(notice.notice_id for notice in some):
            failed.add(number)
    in_order = (record["dynamodb"]["SequenceNumber"] for record in records)
    return [number for number in in_order if number in failed][:1]


# ------------------------------------------------------------------ the queue


class Served(msgspec.Struct):
    """What came of a message: what to count, and in how many seconds it is to come again, if so."""

    counts: Mapping[str, int]
    again: int | None = None


def _from_queue(
    records: Sequence[Record], deadline: Deadline, counts: Counter[str]
) -> Sequence[str]:
    """Send the digests that are due, and post; all that failed, which come again later."""
    visits = [executor.submit(_serve, record, deadline) for record in records]
    again: list[tuple[Record, int]] = []
    for record, visit in zip(records, visits, strict=True):
        served = visit.result()
        counts.update(served.counts)
        if served.again is not None:
            again.append((record, served.again))
    _say_when(again)
    return [record["messageId"] for record, _ in again]


def _serve(record: Record, deadline: Deadline) -> Served:
    where = {"message_id": record["messageId"]}
    try:
        request = request_of(record["body"])
    except UnreadableRequest as error:
        # The sooner it is with the dead letters, the better.
        logger.warning("unreadable message", extra={**where, "why": str(error)})
        return Served({"NoticesFailed": 1}, 0)
    failure = "NoticesFailed" if isinstance(request, DigestCall) else "WebhookFailures"
    try:
        return Served(_do(request, deadline))
    except Claimed:
        return Served({}, LEASE_S)
    except Refused as error:
        logger.warning("given up", extra={**where, "why": str(error)})
        return Served({failure: 1})
    except NotTaken as error:
        logger.warning("failed", extra={**where, "why": str(error)})
    except Exception:
        # Whatever is wrong with one message must not stop the others.
        logger.exception("failed", extra=where)
    return Served({failure: 1}, _wait(int(record["attributes"]["ApproximateReceiveCount"])))


def _do(request: DigestCall | Post, deadline: Deadline) -> Mapping[str, int]:
    if deadline.left <= 0:
        raise NotTaken("no time was left")
    if isinstance(request, DigestCall):
        return {"DigestsSent": teller.tell_digest(request.digest).digests}
    if courier is None:
        raise Refused("there is no webhook any more")
    return {"MessagesPosted": int(courier.deliver(request.post, request.document))}


def _wait(receives: int) -> int:
    """Whole seconds, drawn from the longer half of a bound that doubles with each receive."""
    bound = min(FIRST_WAIT_S * 2 ** min(receives - 1, 10), LONGEST_WAIT_S)
    return round(random.uniform(bound / 2, bound))


def _say_when(again: Sequence[tuple[Record, int]]) -> None:
    if not again:
        return
    entries = [
        {"Id": str(at), "ReceiptHandle": record["receiptHandle"], "VisibilityTimeout": seconds}
        for at, (record, seconds) in enumerate(again)
    ]
    try:
        sqs.change_message_visibility_batch(QueueUrl=settings.notice_queue_url, Entries=entries)
    except (BotoCoreError, ClientError):
        # They come again when the queue's own timeout is over.
        logger.warning("visibility stays", exc_info=True)
