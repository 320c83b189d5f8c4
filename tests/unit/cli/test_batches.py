"""Readings into requests: of one device, in order, the same ones every time."""

import gzip
import json

from hypothesis import given
from hypothesis import strategies as st

from weir.protocols.native import parse_ndjson
from weir.readings import Reading, Window
from weir_cli.batches import GZIP_FROM, MAX_CHARACTERS, Batch, batches
from weir_cli.rows import Item, Row, Unreadable

ITEMS = st.lists(
    st.one_of(
        st.builds(
            Reading,
            st.sampled_from(["a", "b", "c"]),
            st.integers(0, 100),
            st.just({"x": 1.0}),
        ),
        st.just("unreadable"),
    )
)


def items_of(drawn: list[Reading | str]) -> list[Item]:
    return [
        Row(line, item) if isinstance(item, Reading) else Unreadable(line, item)
        for line, item in enumerate(drawn)
    ]


@given(ITEMS, st.integers(1, 5))
def test_every_row_is_in_one_request_and_each_device_in_its_order(
    drawn: list[Reading | str], size: int
) -> None:
    items = items_of(drawn)
    made = list(batches(items, size))
    for device in "abc":
        rows = [i for i in items if isinstance(i, Row) and i.reading.device_id == device]
        mine = [b for b in made if isinstance(b, Batch) and b.device_id == device]
        assert [line for b in mine for line in b.lines] == [row.line for row in rows]
        assert [r for b in mine for r in b.readings] == [row.reading for row in rows]
        assert all(len(b.readings) == size for b in mine[:-1])
        assert all(1 <= len(b.readings) <= size for b in mine)
    assert [i for i in made if isinstance(i, Unreadable)] == [
        i for i in items if isinstance(i, Unreadable)
    ]


@given(ITEMS, st.integers(1, 5))
def test_the_same_rows_make_the_same_bytes(drawn: list[Reading | str], size: int) -> None:
    def bodies() -> list[object]:
        made = batches(items_of(drawn), size)
        return [b.body() if isinstance(b, Batch) else b for b in made]

    assert bodies() == bodies()


def test_a_full_request_does_not_wait_for_the_next_row() -> None:
    def rows() -> list[Item]:
        return [Row(1, Reading("a", 1, {"x": 1.0})), Row(2, Reading("a", 2, {"x": 1.0}))]

    stream = batches(iter(rows()), 1)
    first = next(stream)
    assert isinstance(first, Batch)
    assert first.lines == [1]


def test_wide_readings_make_smaller_requests() -> None:
    metrics = {f"{'m' * 100}{number}": 1.0 for number in range(64)}
    rows = [Row(n, Reading("a", n, metrics)) for n in range(1000)]
    made = [b for b in batches(rows, 10_000) if isinstance(b, Batch)]
    assert len(made) > 1
    assert all(len(b.document) <= MAX_CHARACTERS for b in made)


def test_a_small_body_is_plain_and_a_large_one_compressed() -> None:
    small = Batch("a", [Reading("a", 1, {"x": 1.0})])
    large = Batch("a", [Reading("a", n, {"x": 1.0}) for n in range(100)])
    body, headers = small.body()
    assert (body, headers) == (small.document, {"content-type": "application/x-ndjson"})
    body, headers = large.body()
    assert len(body) < GZIP_FROM < len(large.document)
    assert headers["content-encoding"] == "gzip"
    assert gzip.decompress(body) == large.document


def test_the_server_reads_what_was_meant() -> None:
    readings = [Reading("a", 1, {"x": 0.1}, {"site": "Süd"}), Reading("a", 2, {"y": -2.5e-7})]
    parsed = parse_ndjson(Batch("a", readings).document, Window(0, 10))
    assert list(parsed.readings) == readings
    assert json.loads(Batch("a", readings).document.splitlines()[1]) == {
        "device_id": "a",
        "ts": 2,
        "metrics": {"y": -2.5e-7},
    }
