"""Adversarial requests through the whole of `ingest`: headers, the query, and what is many."""

import base64
import gzip
import io
import json
import re
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout

import pytest

from tests.fakes.device_keys import MemoryKeys
from tests.fuzz.checks import MAX_MESSAGE
from tests.fuzz.door import Door, check_log
from tests.fuzz.parsers import NOW_MS
from tests.handlers import Context, http_event, load_handler
from tests.integration.adversarial import PROTOCOLS, one_reading, post, refused, said
from tests.integration.api import answered, event, load_api
from tests.unit.domain.otlp_requests import attributes, gauge, in_json, of_resource, point, request
from weir.protocols.interface import MAX_READINGS


@pytest.fixture(scope="module")
def door() -> Iterator[Door]:
    """One handler for all: a hostile request must leave nothing behind for the next."""
    yield (door := Door())
    answer = post(door, "json", one_reading("json"))
    assert answer["statusCode"] == 202
    assert len(door.readings()) == 1


# ------------------------------------------------------------------ headers and the query

LONG = "x" * 8_000


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "content_type",
    [
        "", ";", ",", LONG, "application/json, application/json", "application/json,text/plain",
        "\u00e9", "\x00", "application/json\r\nx: y", "text/html",
        "multipart/form-data; boundary=a", "application/*", "*/*", "a/b/c",
        "application/x-www-form-urlencoded", "../json", "JSON",
    ],
    ids=ascii,
)  # fmt: skip
def test_a_content_type_is_known_or_named_as_unknown(
    door: Door, content_type: str, protocol: str
) -> None:
    answer = post(door, protocol, one_reading(protocol), content_type=content_type)
    if answer["statusCode"] >= 300:
        text = refused(answer, 415)
        assert "Content-Type" in text
        assert len(text) < 400


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "parameters", ["; charset=utf-8", ";charset=utf-16", "; " + LONG, ";;;", "; a=\u00e9\x00", " "]
)
def test_parameters_of_a_content_type_are_not_looked_at(
    door: Door, parameters: str, protocol: str
) -> None:
    kind = PROTOCOLS[protocol][1].partition(";")[0].upper()
    answer = post(door, protocol, one_reading(protocol), content_type=kind + parameters)
    assert answer["statusCode"] in {200, 202, 204}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("headers", [None, {}])
def test_a_request_without_headers_is_answered(
    door: Door, headers: dict[str, str] | None, protocol: str
) -> None:
    path, _ = PROTOCOLS[protocol]
    answer, _ = door.post({**http_event("x", path=path), "headers": headers})
    assert answer["statusCode"] in {400, 415}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "encoding",
    ["gzip, gzip", "gzip,", "gzip;q=1", "br", "deflate", "compress", "*", LONG, "\u00e9", "\x00",
     "gzip\r\nx: y", "identity, gzip", "aws-chunked"],
    ids=ascii,
)  # fmt: skip
def test_another_content_encoding_is_refused(door: Door, encoding: str, protocol: str) -> None:
    answer = post(door, protocol, one_reading(protocol), content_encoding=encoding)
    text = refused(answer, 415)
    assert "Content-Encoding is not supported" in text
    assert len(text) < 200


@pytest.mark.parametrize(
    "query",
    [
        {"precision": "ns,ms"}, {"precision": LONG}, {"precision": "\n"}, {"precision": "\u2028"},
        {"precision": "\x1b[31m"}, {"precision": "__class__"}, {"precision": "NS"},
        {"precision": "h"}, {"precision": " ms"},
    ],
    ids=ascii,
)  # fmt: skip
def test_an_unknown_precision_is_refused(door: Door, query: dict[str, str]) -> None:
    sent = http_event("m,host=d f=1", {"content-type": "text/plain"}, path="/api/v2/write")
    answer, _ = door.post({**sent, "queryStringParameters": query})
    text = refused(answer, 400)
    assert "it must be ns, us, ms or s" in text
    assert len(text) < 1_000


@pytest.mark.parametrize(
    "query",
    [None, {}, {"precision": ""}, {"org": LONG, "bucket": "../.."}, {"": ""}, {"\x00": "\x00"}],
    ids=ascii,
)
def test_other_parameters_of_the_query_are_not_looked_at(
    door: Door, query: dict[str, str] | None
) -> None:
    sent = http_event("m,host=d f=1", {"content-type": "text/plain"}, path="/api/v2/write")
    answer, _ = door.post({**sent, "queryStringParameters": query})
    assert answer["statusCode"] == 204


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_headers_of_others_do_not_matter(door: Door, protocol: str) -> None:
    answer = post(
        door,
        protocol,
        one_reading(protocol),
        content_length="-1",
        transfer_encoding="chunked",
        expect="100-continue",
        host="\x00",
        x_forwarded_for=LONG,
        authorization="Bearer " + LONG,
        x_amzn_requestid="a\nb",
    )
    assert answer["statusCode"] in {200, 202, 204}
    assert answer["headers"]["x-request-id"] == "api-request-1"


# ------------------------------------------------------------------ names that stand twice

TWICE = {
    "json": b'[{"device_id":"d","device_id":"e","ts":%d,"metrics":{"m":1}}]' % NOW_MS,
    "ndjson": b'{"device_id":"d","ts":%d,"metrics":{"m":1,"m":2}}' % NOW_MS,
    "senml": b'[{"n":"d","v":1,"v":2}]',
    "influx": b"m,host=d,host=e f=1",
}


@pytest.mark.parametrize("protocol", TWICE)
def test_a_name_that_stands_twice_is_refused(door: Door, protocol: str) -> None:
    answer = post(door, protocol, TWICE[protocol])
    assert answer["statusCode"] == (400 if protocol == "influx" else 202)
    assert "more than once" in said(answer)
    assert not door.readings()


@pytest.mark.parametrize("protocol", ["otlp", "protobuf"])
def test_an_attribute_that_stands_twice_is_refused(door: Door, protocol: str) -> None:
    twice = point()
    twice.attributes.extend(attributes({"a": "1"}) * 2)
    made = request(of_resource([gauge("m", twice)], device__id="d"))
    answer = post(
        door, protocol, made.SerializeToString() if protocol == "protobuf" else in_json(made)
    )
    assert "stands more than once" in said(answer)
    assert not door.readings()


# ------------------------------------------------------------------ many


def many(protocol: str, n: int, device: Callable[[int], str]) -> bytes:
    """`n` entries, each of its device."""
    match protocol:
        case "json":
            rows = [{"device_id": device(i), "ts": NOW_MS, "metrics": {"m": i}} for i in range(n)]
            return json.dumps(rows).encode()
        case "ndjson":
            return b"\n".join(one_reading("ndjson", device(i)) for i in range(n))
        case "senml":
            return json.dumps([{"bn": device(i), "n": "m", "v": i} for i in range(n)]).encode()
        case "influx":
            return "\n".join(f"m,host={device(i)} f={i} {NOW_MS}" for i in range(n)).encode()
        case _:
            made = request(
                *[of_resource([gauge("m", point(i))], device__id=device(i)) for i in range(n)]
            )
            if protocol == "protobuf":
                return bytes(made.SerializeToString())
            return re.sub(rb"\s+", b"", in_json(made))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_ten_thousand_devices_in_one_request_make_a_bounded_number_of_calls(
    door: Door, protocol: str
) -> None:
    answer = post(
        door,
        protocol,
        gzip.compress(many(protocol, MAX_READINGS, lambda i: f"d{i}")),
        content_encoding="gzip",
    )
    assert answer["statusCode"] in {200, 202, 204}
    assert len({item["pk"]["S"] for item in door.table.items}) == MAX_READINGS
    assert door.table.calls == 400  # 25 items each
    assert len(door.firehose.calls) == 1
    assert len(door.firehose.records) <= 4


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_one_entry_too_many_is_too_many(door: Door, protocol: str) -> None:
    body = gzip.compress(many(protocol, MAX_READINGS + 1, lambda _: "d"))
    answer = post(door, protocol, body, content_encoding="gzip")
    assert "10000" in refused(answer, 413)
    assert door.table.calls == 0


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_ten_thousand_refusals_fit_into_an_answer(door: Door, protocol: str) -> None:
    body = gzip.compress(many(protocol, MAX_READINGS, lambda i: f"%{i}"))
    answer = post(door, protocol, body, content_encoding="gzip")
    assert door.table.calls == 0
    if protocol in {"json", "ndjson", "senml"}:
        assert len(json.loads(said(answer))["rejected"]) == MAX_READINGS
    else:
        assert len(said(answer)) <= 2 * MAX_MESSAGE


def test_readings_that_share_no_name_make_a_bounded_number_of_items(door: Door) -> None:
    n = MAX_READINGS // 5
    rows = [
        {"device_id": "d", "ts": NOW_MS - i, "metrics": {f"{i * 64 + j:x}": 1 for j in range(64)}}
        for i in range(n)
    ]
    answer = post(door, "json", json.dumps(rows, separators=(",", ":")))
    assert json.loads(said(answer)) == {"accepted": n, "rejected": []}
    assert sum(int(item["n"]["N"]) for item in door.table.items) == n
    assert len(door.table.items) <= n / 10


# ------------------------------------------------------------------ the other doors


@pytest.mark.parametrize("name", ["expires_at", "expires_in", "label", "prefix"])
def test_a_field_that_an_operator_sends_as_null_makes_no_key(name: str) -> None:
    api = load_api()
    api.stores.keys = store = MemoryKeys()
    status, answer = answered(api, event("POST /v1/device-keys", {"device_id": "a", name: None}))
    assert (status, answer["code"]) == (400, "invalid_field")
    assert answer["detail"] == f"{name} is null; what is not meant to be given is left out"
    assert not list(store.all())


KEY = "weir_" + "a" * 43


@pytest.mark.parametrize(
    "authorization",
    [
        "", " ", "Bearer", "Bearer ", "Basic", "Basic \u00e9", "Basic \x00", "Basic ====",
        "Basic Og==",
        "Basic " + base64.b64encode(b"\xff:\xff").decode(), f"Bearer {KEY}x", f"Bearer x{KEY}",
        f"Bearer  {KEY[:-1]}\u00e9x", f"Digest {KEY}", KEY, f"Bearer {KEY}, Bearer {KEY}",
        "Bearer " + "a" * 8000, "Basic " + "YQ==" * 2000, "\ud800",
        "Bearer weir_" + "\n" * 43 + "a", f"Bearer\t{KEY}",
    ],
    ids=ascii,
)  # fmt: skip
def test_what_is_no_key_is_denied_and_not_sought(authorization: str) -> None:
    authorize = load_handler("authorize")
    authorize.keys = None  # type: ignore[attr-defined]  # to seek would raise
    log = io.StringIO()
    for handler in authorize.logger.handlers:
        handler.setStream(log)
    with redirect_stdout(log):
        answer = authorize.lambda_handler({"headers": {"authorization": authorization}}, Context())
    assert answer == {"isAuthorized": False}
    check_log(log.getvalue())
    assert authorization.strip() not in log.getvalue() or not authorization.strip()
