"""`POST /v1/readings`: parse, pack, write to Firehose and DynamoDB side by side, answer."""

import base64
import binascii
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import ClientError

from weir.chunks import Chunk, pack, pack_records
from weir.http.answers import Answer, json_answer, problem
from weir.http.bodies import (
    BodyTooLarge,
    BrokenEncoding,
    UnsupportedEncoding,
    decode,
    media_type,
)
from weir.observability import MetricLine, make_logger
from weir.protocols.interface import Parsed, TooManyReadings, UnreadableBody
from weir.protocols.native import parse_json, parse_ndjson
from weir.readings import Window
from weir.settings import IngestSettings
from weir.storage.clients import client
from weir.storage.lake_stream import LakeStream
from weir.storage.reading_store import ReadingStore
from weir.storage.retry import Deadline, SinkUnavailable

RESERVE_S = 2.0
"""Seconds kept back from the function's time to answer in."""
RETRY_AFTER_S = 5

PARSERS = {
    "application/json": parse_json,
    "application/x-ndjson": parse_ndjson,
    "application/ndjson": parse_ndjson,
    "application/jsonl": parse_ndjson,
}

logger = make_logger()
metrics = MetricLine()
settings = IngestSettings.read()
executor = ThreadPoolExecutor(8)
lake = LakeStream(client("firehose"), settings.lake_stream)
readings = ReadingStore(
    client("dynamodb"),
    settings.readings_table,
    retention_s=settings.retention_s,
    executor=executor,
)


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: Any) -> Answer:
    """Answer one request: 202 with what was refused, or a problem document."""
    request_id = event["requestContext"].get("requestId", context.aws_request_id)
    logger.append_keys(request_id=request_id)
    try:
        parsed = _parse(event)
        retries, chunks = 0, pack(parsed.readings)
        if chunks:
            retries = _write(chunks, context.get_remaining_time_in_millis() / 1000 - RESERVE_S)
    except UnreadableBody as error:
        return _refuse(400, "unreadable_body", error, request_id)
    except BrokenEncoding as error:
        return _refuse(400, "broken_encoding", error, request_id)
    except (BodyTooLarge, TooManyReadings) as error:
        return _refuse(413, "too_large", error, request_id)
    except UnsupportedEncoding as error:
        return _refuse(415, "unsupported_media_type", error, request_id)
    except SinkUnavailable as error:
        return _give_up(error, request_id)
    except ClientError:  # what trying again would not mend: a missing table, a missing right
        metrics.write(request_id, Failed=1)
        logger.exception("a sink refused the request")
        return problem(500, "internal", "The readings could not be stored.", request_id)
    _report(parsed, chunks, retries, request_id)
    return json_answer(
        202, {"accepted": len(parsed.readings), "rejected": parsed.rejected}, request_id
    )


def _parse(event: dict[str, Any]) -> Parsed:
    headers = event.get("headers") or {}
    content_type = media_type(headers.get("content-type", ""))
    parse = PARSERS.get(content_type)
    if parse is None:
        raise UnsupportedEncoding(
            "Content-Type must be application/json, or application/x-ndjson for one reading a line"
        )
    body = event.get("body") or ""
    if event.get("isBase64Encoded"):
        try:
            sent = base64.b64decode(body, validate=True)
        except binascii.Error as error:
            raise BrokenEncoding("the body is not base64") from error
    else:
        sent = body.encode("utf-8", "surrogatepass")
    now_ms = time.time_ns() // 1_000_000
    window = Window.around(
        now_ms, past_ms=settings.accept_past_ms, future_ms=settings.accept_future_ms
    )
    return parse(decode(sent, headers.get("content-encoding", "")), window)


def _write(chunks: list[Chunk], seconds: float) -> int:
    """Write to both sinks; return the number of repeated calls. Raises `SinkUnavailable`."""
    deadline = Deadline(seconds)
    to_lake = executor.submit(lake.put, pack_records(chunks), deadline)
    try:
        return readings.put(chunks, deadline) + to_lake.result()
    finally:
        to_lake.exception()  # whichever fails first, the other is waited for


def _report(parsed: Parsed, chunks: list[Chunk], retries: int, request_id: str) -> None:
    metrics.write(
        request_id,
        Accepted=len(parsed.readings),
        Rejected=len(parsed.rejected),
        Chunks=len(chunks),
        BytesPacked=sum(len(chunk.body) for chunk in chunks),
        Retries=retries,
    )
    if parsed.rejected:
        codes = sorted({rejection.code for rejection in parsed.rejected})
        logger.warning("rejected", extra={"codes": codes, "rejected": len(parsed.rejected)})


def _refuse(status: int, code: str, error: Exception, request_id: str) -> Answer:
    metrics.write(request_id, Refused=1)
    logger.warning("refused", extra={"status": status, "code": code, "detail": str(error)})
    return problem(status, code, str(error), request_id)


def _give_up(error: SinkUnavailable, request_id: str) -> Answer:
    metrics.write(request_id, Unavailable=1)
    logger.error(
        "sink unavailable",
        extra={"sink": error.sink, "left": error.left, "reason": error.reason},
    )
    return problem(
        503,
        "sink_unavailable",
        "The readings could not be stored in time; nothing was accepted. Send them again: what was "
        "stored already is recognised.",
        request_id,
        retry_after_s=RETRY_AFTER_S,
    )
