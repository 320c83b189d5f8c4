"""What adversarial input has broken once, and must not break again."""

import pytest

from tests.strategies import NOW_MS
from weir.http.bodies import BrokenEncoding
from weir.http.gateway import sent_body
from weir.identity import credential
from weir.protocols.native import parse_json
from weir.readings import Window

WINDOW = Window(NOW_MS - 86_400_000, NOW_MS + 600_000)


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
