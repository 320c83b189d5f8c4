"""The contract with the transform function: the event, and what its answer must be; pure.

Sources: Amazon Data Firehose developer guide, "Transform source data", "Required parameters for
data transformation", "Handle failure in data transformation" and "Data transformation error codes".
"""

import base64
import binascii
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MAX_ANSWER_BYTES = 6 * 1024 * 1024
"""What a synchronous invocation may answer (Lambda quotas)."""

_RESULTS = frozenset({"Ok", "Dropped", "ProcessingFailed"})


@dataclass(frozen=True, slots=True)
class Arrived:
    """A record in the stream: its data in base64, its size without, its arrival (epoch seconds)."""

    record_id: str
    data: str
    size: int
    arrival: float


@dataclass(frozen=True, slots=True)
class Transformed:
    """What became of a record: ``Ok`` with its new data, ``Dropped``, or ``ProcessingFailed``."""

    result: str
    data: bytes


class AnswerError(Exception):
    """The function's answer is not what Firehose takes; the whole batch has failed."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def event(records: Sequence[Arrived], stream_arn: str, region: str) -> bytes:
    """Return the event for a batch of records."""
    content = {
        "invocationId": str(uuid.uuid4()),
        "deliveryStreamArn": stream_arn,
        "region": region,
        "records": [
            {
                "recordId": record.record_id,
                "approximateArrivalTimestamp": round(record.arrival * 1000),
                "data": record.data,
            }
            for record in records
        ],
    }
    return json.dumps(content).encode()


def decode(record: Arrived) -> bytes:
    """Return a record's data."""
    return base64.b64decode(record.data)


def read_answer(payload: bytes, records: Sequence[Arrived]) -> list[Transformed]:
    """Return what became of each record, in the order of `records`.

    Raises
    ------
    AnswerError
        When the answer is too large or malformed, or does not name each record exactly once.
    """
    if len(payload) > MAX_ANSWER_BYTES:
        raise AnswerError(
            "Lambda.FunctionError",
            f"Response payload size exceeded maximum allowed payload size ({MAX_ANSWER_BYTES}"
            " bytes).",
        )
    try:
        found = json.loads(payload)["records"]
        by_id: dict[str, Transformed] = {}
        for entry in found:
            record_id = entry["recordId"]
            if record_id in by_id:
                raise AnswerError(
                    "Lambda.DuplicatedRecordId",
                    f"Multiple records were returned with the same record ID: {record_id}.",
                )
            by_id[record_id] = _read_entry(entry)
    except (ValueError, KeyError, TypeError) as error:
        raise _malformed(f"{type(error).__name__}: {error}") from error
    if by_id.keys() != {record.record_id for record in records}:
        raise AnswerError(
            "Lambda.MissingRecordId",
            "One or more record Ids were not returned, or were not asked for.",
        )
    return [by_id[record.record_id] for record in records]


def error_record(
    record: Arrived, attempts: int, code: str, message: str, ended: float, function_arn: str
) -> bytes:
    """Return the line that Firehose writes for a record that could not be transformed."""
    content = {
        "attemptsMade": attempts,
        "arrivalTimestamp": round(record.arrival * 1000),
        "errorCode": code,
        "errorMessage": message,
        "attemptEndingTimestamp": round(ended * 1000),
        "rawData": record.data,
        "lambdaArn": function_arn,
    }
    return json.dumps(content).encode() + b"\n"


def _read_entry(entry: Any) -> Transformed:
    result = entry["result"]
    if result not in _RESULTS:
        raise _malformed(f"the result {result!r} is none of {', '.join(sorted(_RESULTS))}")
    if result != "Ok":
        return Transformed(result, b"")
    try:
        return Transformed(result, base64.b64decode(entry["data"], validate=True))
    except binascii.Error as error:
        raise _malformed(f"the data is not base64: {error}") from error


def _malformed(detail: str) -> AnswerError:
    return AnswerError(
        "Lambda.JsonProcessingException",
        f"There was an error parsing returned records from the Lambda function: {detail}.",
    )
