"""The InfluxDB write protocol on any input: two ways to one result, bounded work and memory."""

import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.strategies import NOW_MS
from weir.identity import EVERY_DEVICE
from weir.protocols.influx import MAX_FIELDS, InfluxWrite, _Reader
from weir.protocols.influx_lines import Cursor, Malformed
from weir.protocols.interface import (
    MAX_READINGS,
    Parsed,
    Request,
    TooManyReadings,
    UnreadableBody,
)
from weir.readings import Window

WINDOW = Window.around(NOW_MS, past_ms=7 * 86_400_000, future_ms=600_000)
NS = NOW_MS * 1_000_000
MIB = 1024 * 1024
SIZE = 4 * MIB


def request(body: bytes | str, precision: str = "") -> Request:
    sent = body.encode() if isinstance(body, str) else body
    return Request(sent, "text/plain", {"precision": precision}, NOW_MS, WINDOW, EVERY_DEVICE)


def parse(body: bytes | str, precision: str = "") -> Parsed:
    return InfluxWrite().parse(request(body, precision))


# ------------------------------------------------------------------ the two ways through

texts = st.text(st.sampled_from('ab1.-_=,\\"\n {}é\ti'), max_size=4)
pieces = st.sampled_from(
    ["m", ",host=a", ",host=b", ",t=1", " ", "f=1", ",", "g=2i", "=", "1.5", '"', "\\", "\n", "#",
     " f=1", "_", "nan", "e5", str(NS), "\r\n", "é", "\t", "1e308", ",h=1e308", "t"]
)  # fmt: skip
bodies = st.lists(pieces | texts, max_size=40).map("".join)


def outcome(read: Callable[[], Parsed]) -> Any:
    try:
        parsed = read()
    except (UnreadableBody, TooManyReadings) as error:
        return repr(error)
    return list(parsed.readings), list(parsed.rejected), parsed.accepted


@given(bodies)
@example(f"m,host=a f=1,g=1i,h=t {NS}\nm,host=a f=1e308,g=1e308\nm,host=a f=1,f=2")
def test_the_straight_way_and_the_careful_way_come_to_the_same(body: str) -> None:
    careful = outcome(lambda: _Reader(request(body)).read(straight=False))
    assert outcome(lambda: parse(body)) == careful


@given(st.binary(max_size=200) | bodies.map(str.encode), st.sampled_from(["", "ns", "s", "x"]))
def test_any_bytes_are_read_or_refused(body: bytes, precision: str) -> None:
    with suppress(UnreadableBody, TooManyReadings):
        parsed = parse(body, precision)
        refused_lines = {rejection.index for rejection in parsed.rejected}
        assert parsed.accepted + len(refused_lines) > 0
        assert (parsed.accepted > 0) == bool(parsed.readings)
        for reading in parsed.readings:
            assert 1 <= len(reading.metrics) <= 64


# ------------------------------------------------------------------ adversarial bodies

HOSTILE = {
    "commas": b"," * SIZE,
    "tags without end": b"m" + b"".join(b",%x=b" % n for n in range(SIZE // 8)) + b" f=1",
    "fields without values": b"m,host=a f=1" + b"," * SIZE,
    "one field without end": b"m,host=a " + b"a=1," * (SIZE // 4) + b"a=1",
    "equals signs": b"m,host=a a" + b"=" * SIZE,
    "backslashes": b"\\" * SIZE,
    "backslashes in a string": b'm,host=a f="' + b"\\" * SIZE,
    "backslashes in a tag": b"m,host=a,t=" + b"\\" * SIZE + b" f=1",
    "a long measurement": b"m" * SIZE + b",host=a " + b",".join(b"f%d=1" % n for n in range(9999)),
    "a long number": b"m,host=a f=" + b"9" * SIZE,
    "spaces": b"m,host=a" + b" " * SIZE + b"f=1",
    "newlines": b"\n" * SIZE,
    "comments": b"#\n" * (SIZE // 2),
    "short lines": b"a\n" * (SIZE // 2),
    "quotes": b'm,host=a f="\n' * (SIZE // 13),
    "strings": b"m,host=a " + b",".join(b's%d="' % n + b'"' for n in range(SIZE // 9)),
    "strings over lines": b'm a="x",b="\n' * (SIZE // 12),
    "a quote and lines": b'm a="\n' + b"m,host=a f=1\n" * 5000,
    "not UTF-8": b"\xff" * MIB,
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_body_takes_no_memory_to_speak_of_beside_its_own(body: bytes) -> None:
    tracemalloc.start()
    try:
        with suppress(UnreadableBody, TooManyReadings):
            parsed = parse(body)
            assert len(parsed.rejected) <= 4 * MAX_READINGS
            assert len(InfluxWrite().accept(parsed, "").body) < 16 * 1024
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 28 * MIB


def scanned(body: str) -> int:
    """Characters that the careful way looks at in `body`."""
    cursor = Cursor(body)
    while cursor.advance() is not None:
        with suppress(Malformed):
            cursor.parse(MAX_FIELDS)
    return cursor.scanned


@given(
    st.lists(st.sampled_from(["m", "=", ",", '"', "\\", "\n", " ", 'm a="', '",b="']), max_size=90)
)
def test_no_body_is_looked_at_more_than_three_times(parts: list[str]) -> None:
    body = "".join(parts)
    assert scanned(body) <= 3 * len(body)


@pytest.mark.parametrize("part", ['\\ a= a=m",c="\n', '\n,\\" a==",b="\\"x'])
def test_nor_one_in_which_the_strings_of_each_line_go_on_to_the_end(part: str) -> None:
    for body in (part * 5000, part * 500 + "x" * 100_000):
        assert scanned(body) <= 3 * len(body)
