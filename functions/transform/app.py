"""Firehose's transform: packed records in, lake rows out, every record answered on its own."""

import base64
from typing import Any

from weir.chunks import UnreadableChunk
from weir.lake import Record, close_record, open_record, rows
from weir.observability import MetricLine, make_logger
from weir.storage.clients import client
from weir.storage.lake_stream import LakeStream
from weir.storage.retry import Deadline, SinkUnavailable

MAX_ANSWER = 6_000_000
"""Bytes that a synchronous answer may have: 6 MB, less than the 6 MiB that some documents say."""
ENVELOPE = 200
"""Bytes of an answered record beside its data, and of the answer beside its records: fewer."""
ROOM_ALONE = MAX_ANSWER - 2 * ENVELOPE
RESERVE_S = 5.0

logger = make_logger()
metrics = MetricLine()


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer each recordId: Ok with rows, Dropped if sent again, ProcessingFailed if neither."""
    room = MAX_ANSWER - ENVELOPE * (1 + len(event["records"]))
    answers: list[dict[str, str]] = []
    again: list[tuple[int, bytes]] = []
    failed = 0
    for record in event["records"]:
        record_id = record["recordId"]
        try:
            opened = open_record(_data(record), int(record["approximateArrivalTimestamp"]))
            data = _rows(opened)
        except UnreadableChunk as error:
            # Firehose keeps the record whole under the stream's error prefix.
            logger.warning("unreadable record", extra={"record_id": record_id, "why": str(error)})
            answers.append(_answer(record_id, "ProcessingFailed"))
            failed += 1
            continue
        if len(data) <= room:
            room -= len(data)
            answers.append(_answer(record_id, "Ok", data))
        else:
            again += [(len(answers), part) for part in _parts(opened, alone=len(data) > ROOM_ALONE)]
            answers.append(_answer(record_id, "Dropped"))
    returned = _send_again(event, again, answers, context)
    metrics.write(
        context.aws_request_id,
        RecordsTransformed=len(answers),
        RecordsUnreadable=failed,
        RecordsReturned=returned,
    )
    return {"records": answers}


def _data(record: dict[str, Any]) -> bytes:
    try:
        return base64.b64decode(record["data"], validate=True)
    except ValueError as error:
        raise UnreadableChunk("the data is not base64") from error


def _rows(record: Record) -> str:
    data = base64.b64encode(rows(record)).decode()
    if len(data) > ROOM_ALONE and len(record.documents) == 1:
        raise UnreadableChunk("the record's one chunk outgrows an answer")
    return data


def _answer(record_id: str, result: str, data: str = "") -> dict[str, str]:
    return {"recordId": record_id, "result": result, "data": data}


def _parts(record: Record, *, alone: bool) -> list[bytes]:
    """The record to send once more, in halves if it outgrows an answer even `alone`."""
    if not alone:
        return [close_record(record)]
    middle = len(record.documents) // 2
    return [
        close_record(Record(half, record.received_at))
        for half in (record.documents[:middle], record.documents[middle:])
    ]


def _send_again(
    event: dict[str, Any],
    again: list[tuple[int, bytes]],
    answers: list[dict[str, str]],
    context: Any,
) -> int:
    """Put what did not fit back into the stream; what cannot be put back is failed, not lost."""
    if not again:
        return 0
    name = event["deliveryStreamArn"].rpartition("/")[2]
    seconds = context.get_remaining_time_in_millis() / 1000 - RESERVE_S
    try:
        LakeStream(client("firehose"), name).put([part for _, part in again], Deadline(seconds))
    except SinkUnavailable:
        logger.exception("the stream took nothing back")
        for at, _ in again:
            answers[at] = _answer(answers[at]["recordId"], "ProcessingFailed")
        return 0
    return len(again)
