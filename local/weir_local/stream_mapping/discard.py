"""What Lambda writes to a bucket for a batch that it discards; pure.

Source: Lambda developer guide, "Retain discarded records for a DynamoDB event source in Lambda":
the key ``aws/lambda/<ESM-UUID>/<shardID>/YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS-<Random UUID>``, and the
invocation record with the whole event as its payload.
"""

import json
import uuid
from datetime import UTC, datetime
from typing import Any

from weir_local.stream_mapping.batches import Batch, event
from weir_local.stream_mapping.config import MappingConfig
from weir_local.wire import Invocation

RETRIES_EXHAUSTED = "RetryAttemptsExhausted"
AGE_EXCEEDED = "RecordAgeExceeded"


def object_key(mapping: str, shard: str, now: float) -> str:
    """Return the key of the object for a batch discarded at `now`."""
    moment = datetime.fromtimestamp(now, UTC)
    return (
        f"aws/lambda/{mapping}/{shard}/{moment:%Y/%m/%d}/{moment:%Y-%m-%dT%H.%M.%S}-{uuid.uuid4()}"
    )


def invocation_record(
    config: MappingConfig,
    shard: str,
    batch: Batch,
    condition: str,
    last: Invocation | None,
    invocations: int,
    now: float,
) -> dict[str, Any]:
    """Return the document for a discarded batch; `last` is its last invocation, if it had one."""
    first, final = batch.records[0], batch.records[-1]
    record: dict[str, Any] = {
        "requestContext": {
            "requestId": last.request_id if last else str(uuid.uuid4()),
            "functionArn": config.function_arn,
            "condition": condition,
            "approximateInvokeCount": invocations,
        },
        "version": "1.0",
        "timestamp": _time(now, "milliseconds"),
        "DDBStreamBatchInfo": {
            "shardId": shard,
            "startSequenceNumber": first.sequence,
            "endSequenceNumber": final.sequence,
            "approximateArrivalOfFirstRecord": _time(first.created, "seconds"),
            "approximateArrivalOfLastRecord": _time(final.created, "seconds"),
            "batchSize": len(batch.records),
            "streamArn": config.stream_arn,
        },
        "payload": event(batch.records).decode(),
    }
    if last is not None:
        record["responseContext"] = {
            "statusCode": last.status,
            "executedVersion": "$LATEST",
            "functionError": last.error,
        }
    return record


def encode(record: dict[str, Any]) -> bytes:
    """Return a discarded batch's document as the object's content."""
    return json.dumps(record).encode()


def _time(seconds: float, precision: str) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec=precision).replace("+00:00", "Z")
