"""Bodies are bounded before they are read, and answers are what API Gateway takes."""

import gzip
import json

import pytest

from weir.http.answers import problem
from weir.http.bodies import (
    MAX_BODY,
    BodyTooLarge,
    BrokenEncoding,
    UnsupportedEncoding,
    decode,
    media_type,
)


@pytest.mark.parametrize("encoding", ["gzip", "GZIP ", "x-gzip"])
def test_gzip_is_undone(encoding: str) -> None:
    assert decode(gzip.compress(b"one") + gzip.compress(b"two"), encoding, 6) == b"onetwo"


@pytest.mark.parametrize("encoding", ["", "identity"])
def test_a_plain_body_is_left_alone(encoding: str) -> None:
    assert decode(b"text", encoding, 4) == b"text"


def test_a_bomb_is_too_large_not_inflated() -> None:
    with pytest.raises(BodyTooLarge):
        decode(gzip.compress(b"\0" * 1001), "gzip", 1000)


def test_a_large_body_is_too_large() -> None:
    with pytest.raises(BodyTooLarge):
        decode(b"x" * (MAX_BODY + 1), "", 2 * MAX_BODY)
    with pytest.raises(BodyTooLarge):
        decode(b"12345", "", 4)


def test_many_gzip_members_are_refused_before_they_are_a_load() -> None:
    with pytest.raises(BrokenEncoding, match="more than 64 gzip members"):
        decode(gzip.compress(b"") * 1000, "gzip", 1000)


@pytest.mark.parametrize(
    "data", [b"text", gzip.compress(b"text", mtime=0)[:-4], gzip.compress(b"x", mtime=0) + b"y"]
)
def test_what_is_not_gzip_is_broken(data: bytes) -> None:
    with pytest.raises(BrokenEncoding):
        decode(data, "gzip", 100)


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "deflate"])
def test_other_encodings_are_not_supported(encoding: str) -> None:
    with pytest.raises(UnsupportedEncoding):
        decode(b"", encoding, 100)


def test_a_media_type_is_read_without_its_parameters() -> None:
    assert media_type("Application/JSON; charset=utf-8") == "application/json"


def test_a_problem_names_the_request_and_when_to_come_back() -> None:
    answer = problem(503, "sink_unavailable", "later", "r-1", retry_after_s=5)
    assert answer["headers"]["retry-after"] == "5"
    assert answer["headers"]["content-type"] == "application/problem+json"
    document = json.loads(answer["body"])
    assert document["status"] == 503
    assert document["title"] == "Service Unavailable"
    assert document["request_id"] == "r-1"
