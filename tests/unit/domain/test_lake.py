"""Lake rows: normalised, one a reading, named the same whichever way they came."""

import gzip
import json

import pytest

from tests.strategies import NOW_MS
from weir.chunks import UnreadableChunk, pack, pack_records
from weir.lake import Record, close_record, open_record, reading_id, rows
from weir.readings import Reading

READING = Reading("pump-7", NOW_MS, {"pressure": 3.0, "flow": 1.0}, {"site": "north"})


def rows_of(readings: list[Reading], received_at: int = NOW_MS + 250) -> list[dict[str, object]]:
    (record,) = pack_records(pack(readings))
    opened = open_record(record, received_at)
    return [json.loads(line) for line in rows(opened).splitlines()]


def test_a_row_is_normalised() -> None:
    (row,) = rows_of([READING])
    position = row.pop("position")
    assert row == {
        "device_id": "pump-7",
        "ts": "2026-01-01T00:00:00.000Z",
        "metrics": {"flow": 1.0, "pressure": 3.0},
        "tags": {"site": "north"},
        "received_at": "2026-01-01T00:00:00.250Z",
        "reading_id": reading_id("pump-7", NOW_MS, ["flow", "pressure"]),
    }
    (chunk,) = pack([READING])
    assert position == f"{chunk.sk}#00000"


def test_a_metric_that_a_reading_lacks_is_left_out_of_its_row() -> None:
    lacking, full = rows_of(
        [Reading("a", NOW_MS, {"m": 1.0}), Reading("a", NOW_MS + 1, {"n": 2.0})]
    )
    assert lacking["metrics"] == {"m": 1.0}
    assert full["metrics"] == {"n": 2.0}


def test_a_reading_has_one_id_whatever_it_was_sent_with() -> None:
    other = Reading("pump-7", NOW_MS + 1000, {"flow": 2.0})
    (alone,) = rows_of([READING])
    together = rows_of([other, READING])
    assert alone["reading_id"] == together[0]["reading_id"]


def test_of_two_values_of_one_time_the_row_that_counts_has_the_smaller_position() -> None:
    first, second = rows_of([Reading("a", NOW_MS, {"m": 1.0}), Reading("a", NOW_MS, {"m": 2.0})])
    assert first["reading_id"] == second["reading_id"]
    assert str(first["position"]) < str(second["position"])


def test_a_record_that_went_back_keeps_when_it_first_came() -> None:
    (record,) = pack_records(pack([READING]))
    opened = open_record(record, NOW_MS)
    again = open_record(close_record(opened), NOW_MS + 60_000)
    assert again == opened


FOREIGN = [
    b"",
    b"{}",
    b'{"received_at":"x"}',
    b'{"received_at":1000000000000000000}',
    b'{"device_id":"a","t0":1000000000000000000,"dt":[0],"v":{"m":[1]}}',
    b'{"more":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
]


@pytest.mark.parametrize(
    "data",
    [b"", b"text", *(gzip.compress(text, mtime=0) for text in FOREIGN)],
)
def test_what_is_no_record_is_unreadable(data: bytes) -> None:
    with pytest.raises(UnreadableChunk):
        rows(open_record(data, NOW_MS))


def test_an_empty_record_has_no_rows_only_after_its_arrival_line() -> None:
    assert rows(open_record(close_record(Record([], NOW_MS)), 0)) == b""
