"""What adversarial input has broken once, and must not break again."""

import json
from collections.abc import Callable

import pytest
from awslambdaric.lambda_runtime_marshaller import LambdaMarshaller
from hypothesis import given

from tests.strategies import NOW_MS, requests
from weir.chunks import UnreadableChunk, compress_lines, pack, unpack
from weir.http.bodies import BrokenEncoding
from weir.http.gateway import answer_of, sent_body
from weir.identity import EVERY_DEVICE, credential
from weir.lake import _rough_bytes, open_record, rows
from weir.protocols.interface import MAX_READINGS, Parsed, Request, TooManyReadings
from weir.protocols.json_text import MAX_OBJECTS
from weir.protocols.native import parse_json, parse_ndjson
from weir.protocols.own import LEFT_OUT, NativeJson
from weir.protocols.senml import SenmlJson
from weir.readings import Reading, Window

WINDOW = Window(NOW_MS - 86_400_000, NOW_MS + 600_000)


def _parse_senml(body: bytes, window: Window) -> Parsed:
    return SenmlJson().parse(Request(body, "", {}, NOW_MS, window, EVERY_DEVICE))


def test_a_lone_surrogate_is_no_time() -> None:
    body = b'{"device_id": "a", "ts": "\\ud800", "metrics": {"flow": 1}}'
    (rejection,) = parse_json(body, WINDOW).rejected
    assert rejection.code == "invalid_ts"


@pytest.mark.parametrize("header", ["Basic \u00e9", "Basic \ud800", "Basic /w=="])
def test_basic_that_is_no_base64_of_text_is_nobodys_key(header: str) -> None:
    assert credential(header) == ""


@pytest.mark.parametrize("body", ["\u00e9", "\ud800", "a"])
def test_a_body_that_only_claims_to_be_base64_is_broken(body: str) -> None:
    with pytest.raises(BrokenEncoding):
        sent_body({"body": body, "isBase64Encoded": True})


@pytest.mark.parametrize("name", ["\x7f" * 128, "\U00010330" * 129, '"' * 129, "\\" * 129])
def test_however_long_its_refusals_an_answer_fits_what_a_function_may_answer(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("AWS_EXECUTION_ENV", "AWS_Lambda_python3.13")  # it writes answers in UTF-8
    reading = {"device_id": "a", "ts": NOW_MS, "metrics": {name: 1}}
    body = json.dumps([reading] * MAX_READINGS, ensure_ascii=False).encode()
    assert len(body) <= NativeJson.max_inflated
    adapter = NativeJson()
    reply = adapter.accept(parse_json(body, WINDOW), "application/json")

    answer, _ = LambdaMarshaller().marshal_response(answer_of(reply, "request-1"))
    assert len(answer.encode()) < 6_000_000
    rejected = json.loads(reply.body)["rejected"]
    assert [r["index"] for r in rejected] == list(range(MAX_READINGS))
    assert {r["code"] for r in rejected} == {"invalid_metric_name"}
    assert "printable characters" in rejected[0]["detail"]
    assert rejected[-1]["detail"] == LEFT_OUT


def test_what_is_wrong_with_a_records_first_line_is_told_in_short() -> None:
    line = b'{"received_at":1,"' + b"x\x7f" * 50_000 + b'":1}'
    with pytest.raises(UnreadableChunk) as caught:
        open_record(compress_lines([line]), 0)
    assert len(str(caught.value)) < 1500
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("device_id", "metric", "tag", "rows_each", "documents"),
    [
        ("d", "m", "", 100_000, 1),
        ("d" * 100_000, "m", "", 100, 1),
        ("d", "m" * 100_000, "", 100, 1),
        ("d", "m", "t" * 100_000, 100, 1),
        ("d", "m", "t" * 100_000, 10, 10),
    ],
    ids=["rows", "device", "metric", "tag", "documents"],
)
def test_a_small_foreign_record_does_not_become_gigabytes_of_rows(
    device_id: str, metric: str, tag: str, rows_each: int, documents: int
) -> None:
    columns = {metric: [1] * rows_each}
    document = {"device_id": device_id, "t0": 0, "dt": [0] * rows_each, "v": columns}
    line = json.dumps(document | ({"tags": {"t": tag}} if tag else {})).encode()
    record = open_record(compress_lines([line] * documents), 0)
    with pytest.raises(UnreadableChunk, match="the record outgrows 8388608 bytes"):
        rows(record)


@given(requests.filter(bool))
def test_no_record_of_ours_is_taken_for_one_that_outgrows_its_rows(sent: list[Reading]) -> None:
    for chunk in pack(sent):
        assert _rough_bytes(unpack(chunk.document)) <= chunk.rows_bytes


@pytest.mark.parametrize("parse", [parse_json, parse_ndjson, _parse_senml])
@pytest.mark.parametrize("one", [b"{}", b'{"":{}}', b'{"a":{},"a":{}}'])
def test_a_body_of_empty_objects_is_given_up_before_they_are_all_made(
    parse: Callable[[bytes, Window], Parsed], one: bytes
) -> None:
    body = b'{"metrics":[' + b",".join([one] * MAX_OBJECTS) + b"]}"
    with pytest.raises(TooManyReadings, match="more objects than the 100000"):
        parse(body, WINDOW)
    line = b'{"metrics":[' + b",".join([one] * (MAX_OBJECTS // 2)) + b"]}\n"
    with pytest.raises(TooManyReadings, match="more objects than the 100000"):
        parse_ndjson(line * 3, WINDOW)
