"""Packing: nothing is lost, nothing depends on when it was sent, everything stays in bounds."""

import gzip
import json
import zlib
from collections import Counter

import pytest
from hypothesis import given

from tests.strategies import NOW_MS, requests
from weir.chunks import (
    HOUR_MS,
    MAX_CELLS,
    MAX_DOCUMENT_BYTES,
    MAX_RECORD_ROWS_BYTES,
    Chunk,
    UnreadableChunk,
    inflate,
    pack,
    pack_records,
    reopen,
    unpack,
    unpack_body,
)
from weir.lake import Record, rows
from weir.readings import Reading


def _key(reading: Reading) -> str:
    tags = dict(sorted((reading.tags or {}).items()))
    return repr((reading.device_id, reading.ts, dict(sorted(reading.metrics.items())), tags))


@given(requests)
def test_unpacking_gives_back_every_reading_and_no_other(readings: list[Reading]) -> None:
    unpacked = [r for chunk in pack(readings) for r in unpack_body(chunk.body).rows()]
    assert Counter(map(_key, unpacked)) == Counter(map(_key, readings))


@given(requests)
def test_a_request_that_is_sent_twice_makes_the_same_chunks(readings: list[Reading]) -> None:
    again = [Reading(r.device_id, r.ts, dict(r.metrics), r.tags) for r in readings]
    assert [(c.sk, c.body) for c in pack(readings)] == [(c.sk, c.body) for c in pack(again)]


@given(requests)
def test_a_chunk_is_of_one_device_and_one_utc_hour(readings: list[Reading]) -> None:
    chunks = pack(readings)
    for chunk in chunks:
        assert chunk.t0 // HOUR_MS == chunk.t1 // HOUR_MS
    places = [(chunk.device_id, chunk.t0 // HOUR_MS) for chunk in chunks]
    assert len(places) == len(set(places))


@given(requests)
def test_a_record_and_the_items_hold_the_same_documents(readings: list[Reading]) -> None:
    chunks = pack(readings)
    lines = [
        line for record in pack_records(chunks) for line in gzip.decompress(record).split(b"\n")
    ]
    assert lines == [zlib.decompress(chunk.body) for chunk in chunks]


@given(requests)
def test_the_estimate_of_lake_rows_is_never_too_small(readings: list[Reading]) -> None:
    for chunk in pack(readings):
        assert len(rows(Record([chunk.document], NOW_MS))) <= chunk.rows_bytes


@given(requests)
def test_a_chunk_that_is_reopened_from_its_document_is_the_chunk_that_was_packed(
    readings: list[Reading],
) -> None:
    for chunk in pack(readings):
        again = reopen(chunk.document)
        assert (again.device_id, again.sk, again.body) == (chunk.device_id, chunk.sk, chunk.body)
        assert (again.n, again.t0, again.t1) == (chunk.n, chunk.t0, chunk.t1)
        assert again.rows_bytes == chunk.rows_bytes
        assert len(rows(Record([again.document], NOW_MS))) <= again.rows_bytes


def test_what_is_no_document_is_not_reopened() -> None:
    with pytest.raises(UnreadableChunk):
        reopen(b'{"device_id":"a","t0":1,"dt":[],"v":{}}')


def test_rows_are_in_time_order_and_of_one_time_in_the_order_sent() -> None:
    at = NOW_MS
    chunk = one_chunk(
        [Reading("a", at + 5, {"m": 1.0}), Reading("a", at, {"m": 2.0}), Reading("a", at, {"m": 3})]
    )
    assert [(r.ts - at, r.metrics["m"]) for r in unpack(chunk.document).rows()] == [
        (0, 2.0),
        (0, 3.0),
        (5, 1.0),
    ]


def test_a_document_can_be_read_with_zlib_and_json_alone() -> None:
    chunk = one_chunk(
        [
            Reading("pump-7", NOW_MS, {"flow": 1.5, "pressure": 3.0}, {"site": "north"}),
            Reading("pump-7", NOW_MS + 1000, {"pressure": 4.0}, {"site": "north"}),
        ]
    )
    assert json.loads(zlib.decompress(chunk.body)) == {
        "device_id": "pump-7",
        "t0": NOW_MS,
        "dt": [0, 1000],
        "v": {"flow": [1.5, None], "pressure": [3.0, 4.0]},
        "tags": {"site": "north"},
    }
    assert chunk.sk == f"{NOW_MS}#{chunk.digest}"


def test_tags_that_differ_become_a_column() -> None:
    chunk = one_chunk(
        [
            Reading("a", NOW_MS, {"m": 1.0}, {"shift": "day"}),
            Reading("a", NOW_MS + 1, {"m": 1.0}),
        ]
    )
    assert json.loads(chunk.document)["tags"] == {"shift": ["day", None]}


def test_a_large_group_is_split_by_its_content_and_stays_in_bounds() -> None:
    names = [f"metric-with-a-rather-long-name-{n:03d}-" + "x" * 80 for n in range(64)]
    readings = [Reading("a", NOW_MS + n, dict.fromkeys(names, n / 7)) for n in range(3000)]
    chunks = pack(readings)
    assert len(chunks) > 1
    assert sum(chunk.n for chunk in chunks) == 3000
    assert all(len(chunk.body) < 400_000 for chunk in chunks)
    assert all(len(chunk.document) <= MAX_DOCUMENT_BYTES for chunk in chunks)
    for record in pack_records(chunks):
        documents = gzip.decompress(record).split(b"\n")
        assert len(rows(Record(documents, NOW_MS))) <= MAX_RECORD_ROWS_BYTES


def test_a_hundred_readings_of_five_metrics_fit_three_write_units_and_one_firehose_step() -> None:
    readings = [
        Reading(
            "pump-7",
            NOW_MS + n * 1000,
            {
                f"metric{k}": float(f"{(n * 7919 + k * 104729) % 999983 / 1000:.6g}")
                for k in range(5)
            },
        )
        for n in range(100)
    ]
    chunk = one_chunk(readings)
    assert len(chunk.body) < 2700
    assert len(pack_records([chunk])[0]) < 5 * 1024


def test_readings_that_share_no_names_are_split_before_they_become_columns_of_nulls() -> None:
    readings = [
        Reading("a", NOW_MS + n, {f"m{n}-{k}": 1.0 for k in range(64)}, {f"t{n}": "x"})
        for n in range(2000)
    ]
    chunks = pack(readings)
    assert sum(chunk.n for chunk in chunks) == 2000
    assert all(chunk.n * len(unpack(chunk.document).v) <= MAX_CELLS for chunk in chunks)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"no zlib", "cannot be inflated"),
        (zlib.compress(b"{}"), "cannot be read"),
        (zlib.compress(b'{"device_id":"a","t0":1,"dt":[],"v":{}}'), "no rows"),
        (zlib.compress(b'{"device_id":"a","t0":1,"dt":[0],"v":{"m":[1,2]}}'), "differ in length"),
        (zlib.compress(b'{"device_id":"a","t0":-1,"dt":[0],"v":{"m":[1]}}'), "outside the years"),
        (zlib.compress(b'{"device_id":"a","t0":%d,"dt":[0],"v":{"m":[1]}}' % 10**18), "outside"),
        (zlib.compress(b"x" * 10)[:-6], "ends early"),
        (zlib.compress(b"0" * 10_000_000), "inflates to more than"),
    ],
)
def test_what_is_no_chunk_is_refused_with_the_reason(data: bytes, why: str) -> None:
    with pytest.raises(UnreadableChunk, match=why):
        unpack_body(data)


def test_a_bomb_is_not_inflated_past_the_limit() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    with pytest.raises(UnreadableChunk, match="more than 1000 bytes"):
        inflate(bomb, 1000)


def one_chunk(readings: list[Reading]) -> Chunk:
    (chunk,) = pack(readings)
    return chunk
