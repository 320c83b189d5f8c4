"""What adversarial input has broken once, and must not break again."""

import json

import pytest
from awslambdaric.lambda_runtime_marshaller import LambdaMarshaller

from tests.strategies import NOW_MS
from weir.http.bodies import BrokenEncoding
from weir.http.gateway import answer_of, sent_body
from weir.identity import credential
from weir.protocols.interface import MAX_READINGS
from weir.protocols.native import parse_json
from weir.protocols.own import LEFT_OUT, NativeJson
from weir.readings import Window

WINDOW = Window(NOW_MS - 86_400_000, NOW_MS + 600_000)


@pytest.fixture(autouse=True)
def _runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lambda's runtime for Python 3.13, which writes answers in UTF-8."""
    monkeypatch.setenv("AWS_EXECUTION_ENV", "AWS_Lambda_python3.13")


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
def test_however_long_its_refusals_an_answer_fits_what_a_function_may_answer(name: str) -> None:
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
