"""Adversarial requests through the whole of `ingest`, in every protocol: bodies and names.

`Door.post` holds for each of them that nothing is raised and the answer is none of 5xx, is what the
OpenAPI document foresees and fits a function's answer, that each log line is one short JSON object
without anything unprintable, and that the sinks are called a bounded number of times.
"""

import gzip
import json
import random
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from tests.fuzz.checks import MAX_MESSAGE, MAX_RECORD, check_message
from tests.fuzz.door import Door
from tests.fuzz.parsers import NOW_MS
from tests.fuzz.seeds import otlp_protobuf
from tests.handlers import http_event
from tests.integration.adversarial import PROTOCOLS, one_reading, post, refused, said
from weir.http.bodies import MAX_BODY
from weir.lake import open_record, rows
from weir.protocols.interface import MAX_INFLATED

DEVICE_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


@pytest.fixture(scope="module")
def door() -> Iterator[Door]:
    """One handler for all: a hostile request must leave nothing behind for the next."""
    yield (door := Door())
    answer = post(door, "json", one_reading("json"))
    assert answer["statusCode"] == 202
    assert len(door.readings()) == 1


# ------------------------------------------------------------------ bodies

BODIES: dict[str, Callable[[], bytes]] = {
    "4 MiB of [": lambda: b"[" * MAX_BODY,
    '4 MiB of {"a":': lambda: b'{"a":' * (MAX_BODY // 5),
    "4 MiB of quotes": lambda: b'"' * MAX_BODY,
    "4 MiB of an open string": lambda: b'["' + b"x" * (MAX_BODY - 2),
    "4 MiB of backslashes": lambda: b'"' + b"\\" * (MAX_BODY - 1),
    "4 MiB of digits": lambda: b"9" * MAX_BODY,
    "a million digits in an array": lambda: b"[" + b"9" * 1_000_000 + b"]",
    "4 MiB of blanks": lambda: b" " * MAX_BODY,
    "4 MiB of newlines": lambda: b"\n" * MAX_BODY,
    "4 MiB of line ends": lambda: b"\r\n" * (MAX_BODY // 2),
    "4 MiB of commas": lambda: b"," * MAX_BODY,
    "4 MiB of NUL": lambda: b"\0" * MAX_BODY,
    "4 MiB that are no UTF-8": lambda: b"\xff" * MAX_BODY,
    "4 MiB of empty arrays": lambda: b"[" + b"[]," * (MAX_BODY // 3 - 1) + b"[]]",
    "4 MiB of empty objects": lambda: b"[" + b"{}," * (MAX_BODY // 3 - 1) + b"{}]",
    "4 MiB of empty lines of objects": lambda: b"{}\n" * (MAX_BODY // 3),
    "arrays that do close": lambda: b"[" * 100_000 + b"]" * 100_000,
    "objects that do close": lambda: b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "4 MiB of protobuf's empty messages": lambda: b"\x0a\x00" * (MAX_BODY // 2),
    "messages in messages": lambda: b"\x0a\xff\xff\xff\x01" * (MAX_BODY // 5),
    "a length past the end": lambda: b"\x0a\xff\xff\xff\xff\x7f",
    "protobuf groups": lambda: b"\x0b" * 10_000,
    "UTF-16": lambda: json.dumps([{"n": "d", "v": 1}]).encode("utf-16"),
    "UTF-16 without a mark": lambda: json.dumps([{"n": "d", "v": 1}]).encode("utf-16-be"),
    "UTF-32": lambda: json.dumps([{"n": "d", "v": 1}]).encode("utf-32"),
    "UTF-7": lambda: "[{\u00e9}]".encode("utf-7"),
    "broken UTF-8": lambda: b'[{"n":"\xc3","v":1}]',
    "overlong UTF-8": lambda: b'[{"n":"\xc0\xaf","v":1}]',
    "an escaped surrogate": lambda: b'[{"n":"\\ud800","v":1}]',
    "surrogates in UTF-8": lambda: b'[{"n":"\xed\xa0\x80","v":1}]',
    "a mark alone": lambda: b"\xef\xbb\xbf",
    "two marks": lambda: b"\xef\xbb\xbf\xef\xbb\xbf[]",
    "half a value": lambda: b'[{"device_id":',
    "a value and more": lambda: b"[] []",
    "a scalar": lambda: b"null",
    "a string": lambda: b'"device_id"',
    "nothing": lambda: b"",
    "constants that are no JSON": lambda: b"[NaN,Infinity,-Infinity]",
    "an exponent of a million digits": lambda: b"[1e" + b"9" * 1_000_000 + b"]",
    "PNG": lambda: b"\x89PNG\r\n\x1a\n" + bytes(1000),
    "XML": lambda: b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "&a;&a;">]><a>&a;</a>',
    "another request": lambda: b"POST /v1/readings HTTP/1.1\r\nHost: x\r\n\r\n{}",
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("body", BODIES)
def test_a_hostile_body_stores_nothing_and_is_told_why(
    door: Door, body: str, protocol: str
) -> None:
    answer = post(door, protocol, BODIES[body]())
    assert door.table.calls == 0
    assert not door.firehose.calls
    if answer["statusCode"] in {200, 202}:  # it could be read: each entry of it was refused
        assert json.loads(said(answer) or "{}").get("accepted", 0) == 0
    else:
        assert refused(answer, 400, 413)


@pytest.mark.parametrize("protocol", ["json", "ndjson", "senml"])
def test_a_mark_before_json_in_utf_8_does_not_matter(door: Door, protocol: str) -> None:
    body = b"\xef\xbb\xbf" + one_reading(protocol)
    assert post(door, protocol, body)["statusCode"] == 202
    assert len(door.readings()) == 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "body",
    ["\u00e9", "====", "a", "\x00", "Zm9v\nZm9v", "Zm9v!", "\ud800"],
)
def test_a_body_that_is_not_the_base64_it_is_said_to_be_is_broken(
    door: Door, protocol: str, body: str
) -> None:
    path, content_type = PROTOCOLS[protocol]
    event = http_event(body, {"content-type": content_type}, path=path, isBase64Encoded=True)
    answer, _ = door.post(event)
    assert "base64" in refused(answer, 400)


@pytest.mark.parametrize("seed", [0, 1])
def test_each_cut_of_a_protobuf_body_is_answered(door: Door, seed: int) -> None:
    body = list(otlp_protobuf())[-1 - seed]
    for end in range(0, len(body), 3):
        answer = post(door, "protobuf", body[:end])
        assert answer["statusCode"] in {200, 400}


# ------------------------------------------------------------------ compression


def squeezed(data: bytes) -> bytes:
    return gzip.compress(data, 9, mtime=0)


COMPRESSED: dict[str, tuple[Callable[[], bytes], int, str]] = {
    "a bomb": (lambda: squeezed(bytes(64 * 1024 * 1024)), 413, "inflates to more than"),
    "a bomb behind a member": (
        lambda: squeezed(b"[") + squeezed(bytes(2 * MAX_INFLATED)),
        413,
        "inflates to more than",
    ),
    "a bomb in parts": (lambda: squeezed(bytes(MAX_INFLATED // 8)) * 9, 413, "inflates to more"),
    "gzip of gzip": (lambda: squeezed(squeezed(bytes(1_000_000))), 400, ""),
    "gzip of a bomb": (lambda: squeezed(squeezed(bytes(64 * 1024 * 1024))), 400, ""),
    "65 members": (lambda: squeezed(b"") * 65, 400, "more than 64 gzip members"),
    "100,000 members": (lambda: squeezed(b"") * 100_000, 400, "more than 64 gzip members"),
    "no gzip": (lambda: b"[]", 400, "not gzip"),
    "nothing": (lambda: b"", 400, ""),
    "zlib": (lambda: zlib.compress(b"[]"), 400, "not gzip"),
    "half of it": (lambda: squeezed(b"[]" * 1000)[:-9], 400, "ends early"),
    "a header": (lambda: squeezed(b"")[:10], 400, "ends early"),
    "a header without end": (
        lambda: b"\x1f\x8b\x08\x08" + bytes(6) + b"x" * (MAX_BODY - 10),
        400,
        "ends early",
    ),
    "a wrong checksum": (lambda: squeezed(b"[]")[:-8] + bytes(8), 400, "not gzip"),
    "noise behind it": (lambda: squeezed(b"[]") + b"\x01", 400, "not gzip"),
    "4 MiB of NUL behind it": (lambda: squeezed(b"[") + bytes(MAX_BODY - 30), 400, ""),
    "blanks up to the bound": (lambda: squeezed(b" " * 4 * 1024 * 1024), 400, ""),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("body", COMPRESSED)
def test_hostile_compression_is_refused(door: Door, body: str, protocol: str) -> None:
    make, status, why = COMPRESSED[body]
    answer = post(door, protocol, make(), content_encoding="gzip")
    assert door.table.calls == 0
    if protocol == "protobuf" and not why and answer["statusCode"] == 200:
        return  # no bytes are an empty message, and blanks are fields of a number that is unknown
    assert why in refused(answer, status)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_is_compressed_in_members_or_padded_is_read(door: Door, protocol: str) -> None:
    body = one_reading(protocol)
    step = len(body) // 32
    members = b"".join(squeezed(body[at : at + step]) for at in range(0, len(body), step))
    answer = post(door, protocol, members + bytes(512), content_encoding="gzip")
    assert answer["statusCode"] in {200, 202, 204}
    assert len(door.readings()) == 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_body_past_the_bound_is_too_large_before_anything_looks_at_it(
    door: Door, protocol: str
) -> None:
    body = b"[" * (MAX_BODY + 1)
    for headers in ({}, {"content_encoding": "gzip"}):
        answer = post(door, protocol, body, **headers)
        assert f"has {MAX_BODY + 1} bytes" in refused(answer, 413)


# ------------------------------------------------------------------ names

HOSTILE = [
    "../../etc/passwd", "a//b", "..%2f..%2f", "a\\b", "/", "a\nb", 'a\r\n{"level":"ERROR"}', "a\tb",
    "\x1b[2J\x1b[31m", "\x9b31m", "\x00", "\x7f", "\u2028", "\u2029", "\u202edrow", "\ufeff",
    "\u200b",
    "pump#1", "#", "*", "a b", " ", "\u00e9", "\u0661", "\uff50ump", "\ud800", "\udfff\ud800",
    "\U00010330", "\U0010ffff", "$.a[?(@.b)]", "$['a']", "'; DROP TABLE a; --", "a' OR '1'='1",
    "${jndi:ldap://localhost/a}", "{{7*7}}", "%s%n", "<script>alert(1)</script>", '"', "'", "\\",
    "{", "}", "a{b=c}", "a,b=c", "=", ":a = :b", "arn:aws:s3:::*", "a" * 129, "a" * 100_000,
    "\U00010330" * 200, "", "a\u0300", "\u1e9b\u0323",
]  # fmt: skip
"""No device ids. As other names each is either taken, and kept as it is, or refused."""

PLAIN = ["__proto__", "constructor", "prototype", "toString", "..", ".", "-", "0", "null", "NaN",
         "true", "1e5", "-inf", "-rf", "CON", "pump-7:", "0:0", "a" * 128]  # fmt: skip
"""Names that mean something elsewhere, and nothing here."""

REF = "$ref"


def spoken(protocols: Iterable[str], names: Iterable[str]) -> pytest.MarkDecorator:
    """Each name in each protocol; protobuf has no lone surrogates."""
    return pytest.mark.parametrize(
        ("protocol", "name"),
        [
            pytest.param(protocol, name, id=f"{protocol}-{name!a:.40}")
            for protocol in protocols
            for name in names
            if protocol not in {"otlp", "protobuf"} or not re.search("[\ud800-\udfff]", name)
        ],
    )


@spoken(PROTOCOLS, HOSTILE)
def test_what_is_no_device_id_is_refused_and_gets_into_no_key(
    door: Door, protocol: str, name: str
) -> None:
    answer = post(door, protocol, one_reading(protocol, name))
    stored = {reading.device_id for reading in door.readings()}
    assert all(DEVICE_ID.fullmatch(device_id) for device_id in stored)
    assert name not in stored
    if not stored:
        text = said(answer)
        assert len(text) <= MAX_MESSAGE
        assert text.isprintable()


@spoken(PROTOCOLS, PLAIN)
def test_a_device_may_be_called_what_has_a_meaning_elsewhere(
    door: Door, protocol: str, name: str
) -> None:
    answer = post(door, protocol, one_reading(protocol, name))
    if protocol == "senml" and name in {"..", ".", "-", "-inf", "-rf", "__proto__"}:
        assert json.loads(said(answer))["rejected"][0]["code"] == "invalid_name"
        return
    expected = name.removesuffix(":") if protocol == "senml" else name
    assert [reading.device_id for reading in door.readings()] == [expected]
    assert {item["pk"]["S"] for item in door.table.items} == {expected}


@pytest.mark.parametrize("name", [*HOSTILE, *PLAIN, REF], ids=ascii)
def test_a_metric_is_kept_by_its_exact_name_or_refused(door: Door, name: str) -> None:
    answer = post(door, "json", one_reading("json", metric=name))
    good = name.isprintable() and 1 <= len(name) <= 128 and name != "*"
    if good:
        (reading,) = door.readings()
        assert reading.metrics == {name: 1.5}
        assert lake_rows(door)[0]["metrics"] == {name: 1.5}
    else:
        assert not door.readings()
        (rejection,) = json.loads(said(answer))["rejected"]
        assert rejection["code"] == "invalid_metric_name"
        check_message(rejection["detail"])


@pytest.mark.parametrize("text", [*HOSTILE, *PLAIN, REF], ids=ascii)
def test_tags_are_kept_exactly_or_refused(door: Door, text: str) -> None:
    post(door, "json", one_reading("json", tags={text: "x"}))
    good = text.isprintable() and 1 <= len(text) <= 128
    assert [reading.tags for reading in door.readings()] == ([{text: "x"}] if good else [])
    post(door, "json", one_reading("json", tags={"x": text}))
    good = text.isprintable() and len(text) <= 256
    assert [reading.tags for reading in door.readings()] == ([{"x": text}] if good else [])
    if good:
        assert lake_rows(door)[0]["tags"] == {"x": text}


@spoken(["senml", "influx", "otlp", "protobuf"], [*HOSTILE, *PLAIN, REF])
def test_names_of_the_other_protocols_become_printable_ones_or_none(
    door: Door, protocol: str, name: str
) -> None:
    for body in (
        one_reading(protocol, metric=name),
        one_reading(protocol, tags={"k": name}),
        one_reading(protocol, tags={name: "v"}),
    ):
        answer = post(door, protocol, body)
        for reading in door.readings():
            for text in (*reading.metrics, *(reading.tags or {}), *(reading.tags or {}).values()):
                assert text.isprintable()
        text = said(answer)
        assert text.isprintable()
        assert len(text) <= MAX_MESSAGE


def lake_rows(door: Door) -> list[dict[str, Any]]:
    """What the lake would have of the last request."""
    opened = [open_record(record, NOW_MS) for record in door.firehose.records]
    return [json.loads(line) for record in opened for line in rows(record).splitlines()]


def test_what_deflate_cannot_shrink_fits_into_items_and_records(door: Door) -> None:
    rng = random.Random(1)
    letters = [chr(code) for code in range(33, 127) if chr(code) not in '"\\']
    rows = [
        {
            "device_id": f"d{n}",
            "ts": NOW_MS,
            "metrics": {"".join(rng.choices(letters, k=128)): rng.random() for _ in range(64)},
        }
        for n in range(250)
    ]
    post(door, "json", json.dumps(rows))
    assert len(door.table.items) == 250
    sizes = [len(record) for record in door.firehose.records]
    assert 800_000 < max(sizes) <= MAX_RECORD
