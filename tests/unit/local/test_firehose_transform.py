"""The contract between Firehose and a transform function."""

import base64
import json
from typing import Any

import pytest

from weir_local.firehose.transform import (
    MAX_ANSWER_BYTES,
    AnswerError,
    Arrived,
    error_record,
    event,
    read_answer,
)

RECORDS = [Arrived("r1", "b25l", 3, 1.5), Arrived("r2", "dHdv", 3, 2.0)]


def answer(*entries: dict[str, Any]) -> bytes:
    return json.dumps({"records": list(entries)}).encode()


def entry(record_id: str, result: str = "Ok", data: bytes = b"row\n") -> dict[str, str]:
    return {"recordId": record_id, "result": result, "data": base64.b64encode(data).decode()}


def test_the_event_carries_each_record_with_its_arrival_in_milliseconds() -> None:
    found = json.loads(event(RECORDS, "arn:stream", "us-east-1"))
    assert found["deliveryStreamArn"] == "arn:stream"
    assert found["region"] == "us-east-1"
    assert found["invocationId"]
    assert found["records"][0] == {
        "recordId": "r1",
        "approximateArrivalTimestamp": 1500,
        "data": "b25l",
    }


def test_an_answer_in_any_order_is_read_in_the_order_of_the_records() -> None:
    found = read_answer(answer(entry("r2", "Dropped"), entry("r1")), RECORDS)
    assert [(one.result, one.data) for one in found] == [("Ok", b"row\n"), ("Dropped", b"")]


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (answer(entry("r1")), "Lambda.MissingRecordId"),
        (answer(entry("r1"), entry("r2"), entry("r3")), "Lambda.MissingRecordId"),
        (answer(entry("r1"), entry("r1")), "Lambda.DuplicatedRecordId"),
        (answer(entry("r1"), entry("r2", "Fine")), "Lambda.JsonProcessingException"),
        (answer(entry("r1"), {"recordId": "r2"}), "Lambda.JsonProcessingException"),
        (
            answer(entry("r1"), {"recordId": "r2", "result": "Ok", "data": "?"}),
            "Lambda.JsonProcessingException",
        ),
        (b"null", "Lambda.JsonProcessingException"),
        (b"{", "Lambda.JsonProcessingException"),
        (b" " * (MAX_ANSWER_BYTES + 1), "Lambda.FunctionError"),
    ],
)
def test_an_answer_that_breaks_the_contract_fails_the_whole_batch(
    payload: bytes, code: str
) -> None:
    with pytest.raises(AnswerError) as failed:
        read_answer(payload, RECORDS)
    assert failed.value.code == code


def test_an_error_record_is_a_line_with_the_data_and_the_reason() -> None:
    line = error_record(RECORDS[0], 4, "Lambda.FunctionError", "no", 3.25, "arn:function")
    assert line.endswith(b"\n")
    assert json.loads(line) == {
        "attemptsMade": 4,
        "arrivalTimestamp": 1500,
        "errorCode": "Lambda.FunctionError",
        "errorMessage": "no",
        "attemptEndingTimestamp": 3250,
        "rawData": "b25l",
        "lambdaArn": "arn:function",
    }
