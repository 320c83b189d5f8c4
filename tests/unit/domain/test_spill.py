"""The spill's message: what comes out is what went in, however broken what is in between."""

import base64
import gzip
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import NOW_MS, requests
from weir.chunks import MAX_RECORD_ROWS_BYTES, MAX_ROWS_BYTES, Chunk, pack
from weir.lake import open_record, rows
from weir.readings import Reading
from weir.spill import MAX_INFLATED, Sink, Spilled, UnreadableSpill, decode, encode, spill

sinks = st.sets(st.sampled_from(["lake", "table"]), min_size=1)


def one(readings: list[Reading] | None = None) -> Spilled:
    (spilled,) = spill(pack(readings or [Reading("a", NOW_MS, {"m": 1.0})]), ["table"], NOW_MS)
    return spilled


def text(**changes: Any) -> str:
    """A message with some fields changed; None takes a field away."""
    fields = {**json.loads(encode(one())), **changes}
    return json.dumps({name: value for name, value in fields.items() if value is not None})


def documents(*lines: bytes) -> str:
    return base64.b64encode(gzip.compress(b"\n".join(lines))).decode()


@given(requests, sinks, st.integers(0, NOW_MS))
def test_a_message_gives_back_the_chunks_that_were_spilled(
    readings: list[Reading], missing: set[Sink], received_at: int
) -> None:
    chunks = pack(readings)
    messages = [encode(spilled) for spilled in spill(chunks, missing, received_at)]
    read = list(map(decode, messages))
    assert all(message.isascii() for message in messages)
    assert {(spilled.sinks, spilled.received_at) for spilled in read} <= {
        (frozenset(missing), received_at)
    }
    assert sorted(map(_facts, (c for spilled in read for c in spilled.chunks()))) == sorted(
        map(_facts, chunks)
    )
    for spilled in read:
        assert {chunk.device_id for chunk in spilled.chunks()} == {spilled.device_id}


def _facts(chunk: Chunk) -> tuple[object, ...]:
    return chunk.device_id, chunk.sk, chunk.n, chunk.t1, chunk.body, chunk.rows_bytes


@given(requests, st.randoms())
def test_a_device_is_spilled_in_the_order_of_its_keys_whatever_the_order_it_came_in(
    readings: list[Reading], random: Any
) -> None:
    chunks = pack(readings)
    shuffled = random.sample(chunks, len(chunks))
    messages = spill(shuffled, ["lake"], NOW_MS)
    for device_id in {spilled.device_id for spilled in messages}:
        keys = [c.sk for s in messages if s.device_id == device_id for c in s.chunks()]
        assert keys == sorted(keys)
    assert {s.deduplication_id for s in messages} == {
        s.deduplication_id for s in spill(chunks, ["lake"], NOW_MS)
    }


def test_what_is_spilled_again_later_is_known_by_the_same_id() -> None:
    chunks = pack([Reading("a", NOW_MS, {"m": 1.0})])
    (first,) = spill(chunks, ["lake", "table"], NOW_MS)
    (again,) = spill(chunks, ["table", "lake"], NOW_MS + 60_000)
    assert first.deduplication_id == again.deduplication_id
    assert len(first.deduplication_id) == 64
    assert decode(encode(again)).deduplication_id == again.deduplication_id


def test_another_device_another_sink_or_another_content_is_another_id() -> None:
    choices: list[list[Sink]] = [["lake"], ["table"], ["lake", "table"]]
    spilled = [
        spill(pack([Reading(device, NOW_MS, {"m": value})]), which, NOW_MS)[0]
        for device in ("a", "b")
        for value in (1.0, 2.0)
        for which in choices
    ]
    assert len({each.deduplication_id for each in spilled}) == len(spilled)


def test_a_large_request_becomes_messages_that_are_one_bounded_lake_record_each() -> None:
    names = [f"metric-with-a-rather-long-name-{n:03d}-" + "x" * 80 for n in range(64)]
    readings = [Reading("a", NOW_MS + n, dict.fromkeys(names, n / 7)) for n in range(1000)]
    messages = spill(pack(readings), ["lake"], NOW_MS)
    assert len(messages) > 1
    for spilled in messages:
        assert sum(chunk.rows_bytes for chunk in spilled.chunks()) <= MAX_RECORD_ROWS_BYTES
        assert sum(map(len, spilled.documents)) + len(spilled.documents) <= MAX_INFLATED
        assert len(rows(open_record(spilled.record(), 0))) <= MAX_RECORD_ROWS_BYTES
    # No more messages than it takes: two neighbours together would be too much for one.
    sizes = [sum(chunk.rows_bytes for chunk in s.chunks()) for s in messages]
    assert all(size + MAX_ROWS_BYTES > MAX_RECORD_ROWS_BYTES for size in sizes[:-1])


def test_its_lake_record_keeps_when_the_readings_first_came() -> None:
    record = open_record(one().record(), arrived_at=NOW_MS + 3_600_000)
    assert record.received_at == NOW_MS
    assert tuple(record.documents) == one().documents


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ("", "cannot be read"),
        ("no JSON", "malformed"),
        ("[]", "Expected `object`"),
        ('{"version":1,"x":' + "[" * 100_000, "recursion"),
        ('{"x": "\ud800"}', "surrogates not allowed"),
        (text(version=None), "required field `version`"),
        (text(version=2), "Invalid enum value 2 - at `\\$.version`"),
        (text(device_id=7), "\\$.device_id"),
        (text(sinks=[]), "sinks is not of lake and table"),
        (text(sinks=["lake", "attic" * 1000]), "sinks is not of lake and table"),
        (text(received_at="now"), "\\$.received_at"),
        (text(received_at=-1), ">= 0"),
        (text(received_at=10**15), "\\$.received_at"),
        (text(documents=None), "`documents`"),
        (text(documents="?"), "Invalid base64"),
        (text(documents="AAAA"), "documents cannot be read: the data cannot be inflated"),
        (text(documents=documents(b"x" * 100)[:20]), "ends early"),
        (text(documents=documents(b"\n")), "documents is empty"),
        (text(documents=documents(b"x" * (MAX_INFLATED + 1))), "more than 4194304 bytes"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_no_message_is_refused_with_the_reason(message: str, why: str) -> None:
    with pytest.raises(UnreadableSpill, match=why) as caught:
        decode(message)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ([b"{}"], "no chunk: the document cannot be read"),
        ([b'{"device_id":"a","t0":1,"dt":[],"v":{}}'], "no rows"),
        ([b'{"device_id":"b","t0":1,"dt":[0],"v":{"m":[1.0]}}'], "another device"),
    ],
)
def test_documents_that_are_no_chunks_of_the_device_are_refused(
    lines: list[bytes], why: str
) -> None:
    spilled = decode(text(documents=documents(*one().documents, *lines)))
    with pytest.raises(UnreadableSpill, match=why):
        spilled.chunks()


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda data: data.decode("latin-1")))
def test_no_text_makes_it_fail_otherwise(message: str) -> None:
    with suppress(UnreadableSpill):
        decode(message)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_byte_that_flips_in_the_documents_is_noticed(place: int, flip: int) -> None:
    packed = bytearray(base64.b64decode(json.loads(encode(one()))["documents"]))
    packed[place % len(packed)] ^= flip
    broken = text(documents=base64.b64encode(packed).decode())
    with suppress(UnreadableSpill):
        # The header's time and system may differ without harm: they say nothing of the content.
        assert decode(broken).documents == one().documents
