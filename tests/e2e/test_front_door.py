"""What `POST /v1/readings` answers over HTTP: good input in every form, bad in every way."""

import gzip
import json
import time
from typing import Any

import pytest

from tests.e2e.stack import Stack
from weir.readings import format_ts

pytestmark = pytest.mark.e2e


def now_ms() -> int:
    return int(time.time() * 1000)


def good(device_id: str = "door", ago_ms: int = 0, **change: Any) -> dict[str, Any]:
    reading = {"device_id": device_id, "ts": now_ms() - ago_ms, "metrics": {"flow": 1.5}}
    return {**reading, **change}


def lines(*readings: dict[str, Any]) -> bytes:
    return b"\n".join(json.dumps(reading).encode() for reading in readings)


@pytest.mark.parametrize(
    "form", ["single", "array", "envelope", "ndjson", "gzip", "gzipped ndjson"]
)
def test_every_form_of_request_is_accepted_and_stored(stack: Stack, form: str) -> None:
    device_id = f"form-{form.replace(' ', '-')}"
    one, two = good(device_id, 1000), good(device_id)
    both = json.dumps([one, two]).encode()
    inner = [{key: r[key] for key in ("ts", "metrics")} for r in (one, two)]
    body, headers = {
        "single": (json.dumps(one).encode(), {}),
        "array": (both, {}),
        "envelope": (json.dumps({"device_id": device_id, "readings": inner}).encode(), {}),
        "ndjson": (lines(one, two), {"content_type": "application/x-ndjson"}),
        "gzip": (gzip.compress(both), {"content_encoding": "gzip"}),
        "gzipped ndjson": (
            gzip.compress(lines(one, two)),
            {"content_type": "application/x-ndjson", "content_encoding": "gzip"},
        ),
    }[form]
    expected = [one] if form == "single" else [one, two]
    answer = stack.post(body, **headers)
    assert answer.status_code == 202
    assert answer.json() == {"accepted": len(expected), "rejected": []}
    assert answer.headers["x-request-id"]
    assert set(stack.in_table(device_id)) == {(r["ts"], "flow", 1.5) for r in expected}


BAD_READINGS: dict[str, dict[str, Any]] = {
    "wrong types": {"metrics": {"flow": "1.5"}},
    "a boolean": {"metrics": {"flow": True}},
    "a huge number": {"metrics": {"flow": 10**400}},
    "a bad timestamp": {"ts": "yesterday"},
    "a timestamp without offset": {"ts": "2026-01-01T00:00:00"},
    "a far-future timestamp": {"ts": "2036-01-01T00:00:00Z"},
    "a timestamp long ago": {"ts": 0},
    "1,000 metrics": {"metrics": {f"m{n}": 1.0 for n in range(1000)}},
    "a device id with control characters": {"device_id": "a\r\nb\x00"},
    "a device id with a slash": {"device_id": "../../etc"},
    "a device id too long": {"device_id": "a" * 129},
    "no metrics": {"metrics": {}},
}


@pytest.mark.parametrize("change", BAD_READINGS.values(), ids=BAD_READINGS.keys())
def test_a_bad_reading_is_refused_with_its_index_and_its_neighbours_are_taken(
    stack: Stack, change: dict[str, Any]
) -> None:
    answer = stack.post_json([good(ago_ms=5), {**good(), **change}, good(ago_ms=3)])
    assert answer.status_code == 202
    document = answer.json()
    assert document["accepted"] == 2
    (rejection,) = document["rejected"]
    assert rejection["index"] == 1
    assert rejection["code"]
    assert rejection["detail"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400"])
def test_what_is_no_finite_number_is_refused_by_name(stack: Stack, number: str) -> None:
    body = json.dumps([good(ago_ms=7), good(metrics={"flow": "@"})]).replace('"@"', number)
    document = stack.post(body.encode()).json()
    assert document["accepted"] == 1
    assert document["rejected"][0]["code"] == "not_finite"
    assert "metrics.flow" in document["rejected"][0]["detail"]


def test_a_metric_that_stands_twice_is_refused(stack: Stack) -> None:
    body = json.dumps([good(metrics={"flow": 1.0, "flux": 2.0})]).replace("flux", "flow")
    assert stack.post(body.encode()).json()["rejected"][0]["code"] == "duplicate_name"


def test_readings_that_are_all_bad_are_answered_one_by_one(stack: Stack) -> None:
    answer = stack.post_json([{}, 5])
    assert answer.status_code == 202
    assert answer.json()["accepted"] == 0
    assert [rejection["index"] for rejection in answer.json()["rejected"]] == [0, 1]


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"this is not JSON", {}, 400),
        (b"", {}, 400),
        (b"[]", {}, 400),
        (b"42", {}, 400),
        (b'{"device_id": "a", "readings": []}', {}, 400),
        (b"\xff\xfe\x00", {}, 400),
        (b"[" * 200_000, {}, 400),
        (b"not gzip", {"content_encoding": "gzip"}, 400),
        (gzip.compress(b"[]")[:-6], {"content_encoding": "gzip"}, 400),
        (gzip.compress(b"\0" * 50_000_000), {"content_encoding": "gzip"}, 413),
        (b'[{"device_id":"a","ts":1,"metrics":{"m":1}}]' + b" " * 10_000_000, {}, 413),
        (json.dumps([{}] * 10_001).encode(), {}, 413),
        (b"[]", {"content_type": "text/plain"}, 415),
        (b"[]", {"content_type": "application/x-www-form-urlencoded"}, 415),
        (b"[]", {"content_encoding": "br"}, 415),
    ],
    ids=[
        "not JSON", "empty body", "empty batch", "a number", "empty envelope", "not UTF-8",
        "nested deeply", "not gzip", "gzip cut short", "gzip bomb", "10 MB", "too many readings",
        "text/plain", "a form", "brotli",
    ],
)  # fmt: skip
def test_what_cannot_be_read_at_all_is_a_problem_document(
    stack: Stack, body: bytes, headers: dict[str, str], status: int
) -> None:
    answer = stack.post(body, **headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == status
    assert document["request_id"] == answer.headers["x-request-id"]
    assert document["detail"]


def test_a_reading_with_tags_reaches_the_lake_normalised(stack: Stack) -> None:
    ts = now_ms()
    local = format_ts(ts + 2 * 3_600_000).replace("Z", "+02:00")
    stack.post_json([good("lake", ts=local, metrics={"b": 2, "a": 1}, tags={"site": "north"})])
    stack.settle()
    (row,) = stack.lake_rows("lake")
    assert row["ts"] == format_ts(ts)
    assert row["metrics"] == {"a": 1.0, "b": 2.0}
    assert list(row["metrics"]) == ["a", "b"]
    assert row["tags"] == {"site": "north"}
    assert row["received_at"].endswith("Z")
    assert row["reading_id"]


def test_there_is_no_other_way_in(stack: Stack) -> None:
    import httpx

    assert httpx.get(stack.url, trust_env=False).status_code in {404, 405}
    other = stack.url.replace("readings", "other")
    assert httpx.post(other, content=b"[]", trust_env=False).status_code == 404
