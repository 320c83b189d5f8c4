"""Readings come in: parse, pack, write to Firehose and DynamoDB side by side, answer.

Three routes, one way through: the protocols differ in how a body is read and what an answer looks
like, and nothing else.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from weir.chunks import Chunk, pack
from weir.http.bodies import (
    BodyTooLarge,
    BrokenEncoding,
    UnsupportedEncoding,
    decode,
    media_type,
)
from weir.http.gateway import (
    Answer,
    NotAuthenticated,
    Undecided,
    answer_of,
    scope_of,
    sent_body,
)
from weir.observability import MetricLine, make_logger
from weir.protocols.doors import adapter_of
from weir.protocols.interface import (
    Adapter,
    NotCovered,
    Parsed,
    Request,
    TooManyReadings,
    UnreadableBody,
)
from weir.readings import Window
from weir.settings import IngestSettings
from weir.spill import Sink
from weir.storage.clients import client
from weir.storage.lake_stream import LakeStream
from weir.storage.reading_store import ReadingStore
from weir.storage.retry import SinkUnavailable
from weir.storage.sinks import Sinks, Stored, Trouble
from weir.storage.spill_queue import SpillQueue

RESERVE_S = 2.0
"""Seconds kept back from the function's time to answer in."""
RETRY_AFTER_S = 5
SINK_TIMEOUT_S = 4.0

REFUSALS: Final[dict[type[Exception], tuple[int, str]]] = {
    NotAuthenticated: (401, "unauthenticated"),
    NotCovered: (403, "device_not_covered"),
    UnreadableBody: (400, "unreadable_body"),
    BrokenEncoding: (400, "broken_encoding"),
    BodyTooLarge: (413, "too_large"),
    TooManyReadings: (413, "too_large"),
    UnsupportedEncoding: (415, "unsupported_media_type"),
}
"""What of a request nothing is taken for, with the status and the code of the answer."""

logger = make_logger()
metrics = MetricLine()
settings = IngestSettings.read()
executor = ThreadPoolExecutor(8)


def _spill_queue() -> SpillQueue:
    sqs, s3 = client("sqs"), client("s3", attempts=3)
    return SpillQueue(sqs, s3, settings.spill_queue_url, settings.spill_bucket, executor)


def _trouble(sink: Sink, error: Trouble) -> None:
    logger.error("sink failed", extra={"sink": sink, "why": str(error)})


sinks = Sinks(
    LakeStream(client("firehose", read_timeout=SINK_TIMEOUT_S), settings.lake_stream),
    ReadingStore(
        client("dynamodb", read_timeout=SINK_TIMEOUT_S),
        settings.readings_table,
        retention_s=settings.retention_s,
        executor=executor,
    ),
    _spill_queue,
    executor,
    on_trouble=_trouble,
)


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: Any) -> Answer:
    """Answer one request in its protocol's shape: what is durable, what was refused, or why not."""
    request_id = event["requestContext"].get("requestId", context.aws_request_id)
    logger.append_keys(request_id=request_id)
    headers = event.get("headers") or {}
    kind = media_type(headers.get("content-type", ""))
    adapter = adapter_of(event["routeKey"], kind)

    def refuse(status: int, code: str, detail: str, retry_after_s: int | None = None) -> Answer:
        reply = adapter.refuse(status, code, detail, kind, request_id)
        return answer_of(reply, request_id, retry_after_s=retry_after_s)

    try:
        request = _request(event, headers, kind, adapter)
        parsed = adapter.parse(request)
        parsed.check_covered()
        stored, chunks = Stored(0, frozenset()), pack(parsed.readings)
        if chunks:
            seconds = context.get_remaining_time_in_millis() / 1000 - RESERVE_S
            stored = sinks.store(chunks, request.now_ms, seconds)
    except tuple(REFUSALS) as error:
        status, code = REFUSALS[type(error)]
        metrics.write(request_id, Refused=1)
        logger.warning("refused", extra={"status": status, "code": code, "detail": str(error)})
        return refuse(status, code, str(error))
    except Undecided as error:
        metrics.write(request_id, Unavailable=1)
        return refuse(503, "keys_unavailable", str(error), RETRY_AFTER_S)
    except SinkUnavailable as error:
        metrics.write(request_id, Unavailable=1)
        logger.exception("spill unavailable", extra={"sink": error.sink, "left": error.left})
        status, code = (429, "throttled") if error.throttled else (503, "sink_unavailable")
        return refuse(status, code, NOT_STORED, RETRY_AFTER_S)
    _report(parsed, chunks, stored, request_id)
    return answer_of(adapter.accept(parsed, kind), request_id)


NOT_STORED = (
    "The readings could not be stored in time; nothing was accepted. Send them again: what was "
    "stored already is recognised."
)


CAME_AS_TEXT = (
    "it came as text, which destroys what is compressed: API Gateway takes text/* and "
    "application/json for text; send it uncompressed, or under another Content-Type"
)


def _request(
    event: dict[str, Any], headers: dict[str, str], kind: str, adapter: Adapter
) -> Request:
    scope = scope_of(event)
    if kind not in adapter.media_types:
        named = ", ".join(sorted(filter(None, adapter.media_types)))
        raise UnsupportedEncoding(f"the Content-Type is none that is read here: {named}")
    body = _body(event, headers.get("content-encoding", ""), adapter.max_inflated)
    now_ms = time.time_ns() // 1_000_000
    window = Window.around(
        now_ms, past_ms=settings.accept_past_ms, future_ms=settings.accept_future_ms
    )
    query = event.get("queryStringParameters") or {}
    return Request(body, kind, query, now_ms, window, scope)


def _body(event: dict[str, Any], encoding: str, max_inflated: int) -> bytes:
    try:
        return decode(sent_body(event), encoding, max_inflated)
    except BrokenEncoding as error:
        if event.get("isBase64Encoded"):
            raise
        raise BrokenEncoding(f"{error}; {CAME_AS_TEXT}") from error


def _report(parsed: Parsed, chunks: list[Chunk], stored: Stored, request_id: str) -> None:
    metrics.write(
        request_id,
        Accepted=parsed.accepted,
        Rejected=len(parsed.rejected),
        Chunks=len(chunks),
        BytesPacked=sum(len(chunk.body) for chunk in chunks),
        Retries=stored.retries,
        Spilled=len(chunks) if stored.spilled else 0,
    )
    if parsed.rejected:
        codes = sorted({rejection.code for rejection in parsed.rejected})
        logger.warning("rejected", extra={"codes": codes, "rejected": len(parsed.rejected)})
