"""Charts: buckets hold what a naive computation over the readings that count holds."""

import math
from itertools import pairwise
from statistics import fmean

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests import strategies
from weir.charts.band import LEAST_LEARNED, band
from weir.charts.buckets import Chart, Series, mean_of, width_of
from weir.charts.merging import latest, rows, values_of
from weir.chunks import Chunk, Document, pack, unpack
from weir.detection import IN_USE
from weir.readings import Reading

T0 = strategies.NOW_MS - 3 * 3_600_000
END = strategies.NOW_MS

few_times = st.integers(0, 40).map(lambda at: T0 + at * 250_000)
few_readings = st.builds(
    Reading,
    device_id=st.just("pump-7"),
    ts=few_times,
    metrics=st.dictionaries(
        st.sampled_from(["flow", "heat", "level"]),
        st.sampled_from([1.5, -2.0, 0.1, 1e308, -1e308]) | st.floats(-1e6, 1e6),
        min_size=1,
    ),
)
several_requests = st.lists(st.lists(few_readings, min_size=1, max_size=12), max_size=6)
widths = st.integers(1, 3) | st.integers(100_000, 4_000_000)


def documents_of(requests: list[list[Reading]]) -> list[Document]:
    """The documents of the chunks, in the order of their sort keys."""
    chunks: dict[str, Chunk] = {}
    for request in requests:
        chunks |= {chunk.sk: chunk for chunk in pack(request)}
    return [unpack(chunks[sk].document) for sk in sorted(chunks)]


def that_count(documents: list[Document]) -> dict[str, dict[int, float]]:
    """By the rule itself: the first chunk's value, and in it the earlier one."""
    found: dict[str, dict[int, float]] = {}
    for document in documents:
        for reading in document.rows():
            for name, value in reading.metrics.items():
                found.setdefault(name, {}).setdefault(reading.ts, value)
    return found


def chart_of(documents: list[Document], start: int, end: int, width: int) -> dict[str, Series]:
    chart = Chart(start, end, width)
    hours = sorted({document.t0 // 3_600_000 for document in documents})
    for hour in hours:
        chart.add([it for it in documents if it.t0 // 3_600_000 == hour])
    return dict(chart.series())


@given(several_requests, widths, few_times, few_times)
def test_buckets_hold_what_a_naive_computation_finds(
    requests: list[list[Reading]], width: int, start: int, end: int
) -> None:
    documents = documents_of(requests)
    series = chart_of(documents, start, end, width)
    naive: dict[str, dict[int, list[float]]] = {}
    for name, values in that_count(documents).items():
        for ts in sorted(values):
            if start <= ts < end:
                naive.setdefault(name, {}).setdefault(ts // width * width, []).append(values[ts])
    assert {name: it.ts for name, it in series.items()} == {
        name: list(buckets) for name, buckets in naive.items()
    }
    for name, buckets in naive.items():
        found = series[name]
        assert found.count == [len(values) for values in buckets.values()]
        assert found.min == [min(values) for values in buckets.values()]
        assert found.max == [max(values) for values in buckets.values()]
        for mean, bucket in zip(found.mean, buckets.values(), strict=True):
            assert min(bucket) <= mean <= max(bucket)
            if max(map(abs, bucket)) < 1e300:
                assert math.isclose(mean, fmean(bucket), rel_tol=1e-9, abs_tol=1e-9)


@given(st.lists(few_readings, min_size=1, max_size=30, unique_by=lambda it: it.ts), st.data())
def test_however_readings_are_split_into_chunks_their_chart_is_the_same(
    readings: list[Reading], data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(1, len(readings)))) | {0, len(readings)})
    split = [readings[low:high] for low, high in pairwise(cuts)]
    width = data.draw(widths)
    whole = chart_of(documents_of([readings]), T0, END, width)
    assert chart_of(documents_of(split), T0, END, width) == whole


@given(several_requests, st.sampled_from([T0 + 3_600_000, T0 + 7_200_000]))
def test_a_chart_in_two_pages_is_the_chart_once_its_buckets_are_merged(
    requests: list[list[Reading]], cut: int
) -> None:
    documents = documents_of(requests)
    whole = chart_of(documents, T0, END, 700_000)
    pages = [
        chart_of([d for d in documents if d.t0 < cut], T0, cut, 700_000),
        chart_of(documents, cut, END, 700_000),
    ]
    for name, it in whole.items():
        for at, ts in enumerate(it.ts):
            parts = [
                (page[name].count[place], page[name].min[place], page[name].max[place])
                for page in pages
                if name in page and ts in page[name].ts
                for place in [page[name].ts.index(ts)]
            ]
            assert sum(count for count, _, _ in parts) == it.count[at]
            assert min(low for _, low, _ in parts) == it.min[at]
            assert max(high for _, _, high in parts) == it.max[at]


@given(several_requests)
def test_rows_values_and_latest_are_those_that_count(requests: list[list[Reading]]) -> None:
    documents = documents_of(requests)
    counting = that_count(documents)
    by_time = rows(documents)
    for name, values in counting.items():
        assert {ts: row[name] for ts, row in by_time.items() if name in row} == values
        times, found = values_of(documents, name)
        assert (times, found) == (sorted(values), [values[ts] for ts in sorted(values)])
        assert latest(documents)[name] == (max(values), values[max(values)])
    assert set(rows(documents, {"flow"})) == set(counting.get("flow", {}))
    assert values_of(documents, "other") == ([], [])


def test_a_week_at_one_a_second_is_600_buckets() -> None:
    week = 604_800_000
    assert width_of(T0, T0 + week, 600) == 1_008_000
    assert width_of(T0, T0 + 1, 2000) == 1


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
@example([1e308, 1e308])
@example([0.1] * 3)
def test_a_mean_lies_within_its_values_whatever_their_order(values: list[float]) -> None:
    mean = mean_of(values, min(values), max(values))
    assert min(values) <= mean <= max(values)
    assert mean_of(values[::-1], min(values), max(values)) == mean


# ------------------------------------------------------------------ the band


def test_the_band_is_what_the_detector_would_have_said_at_each_bucket() -> None:
    times = [T0 + at * 60_000 for at in range(600)]
    values = [20.0 + 0.1 * (at * at % 7) + (15.0 if at == 550 else 0.0) for at in range(600)]
    start, width = times[300], 10 * 60_000
    shown = band(times, values, start, width)
    assert shown.ts == sorted({ts // width * width for ts in times[300:]})
    state = IN_USE.initial()
    weekly: dict[int, float] = {}
    for ts, value in zip(times, values, strict=True):
        bucket = ts // width * width
        if ts >= start and bucket not in weekly:
            at = shown.ts.index(bucket)
            said = IN_USE.explain(state, ts, value)
            assert (shown.expected[at], shown.low[at], shown.high[at]) == said[:3]
        folded = IN_USE.fold(state, (ts,), (value,))
        state = folded.state
        weekly[bucket] = max(weekly.get(bucket, 0.0), folded.weekly[0])
    assert shown.score == [weekly[ts] for ts in shown.ts]
    assert max(shown.score) == shown.score[shown.ts.index(times[550] // width * width)] > 0.7


@pytest.mark.parametrize("before", [0, LEAST_LEARNED - 1, LEAST_LEARNED])
def test_nothing_is_expected_before_enough_was_learned(before: int) -> None:
    times = [T0 + at * 1000 for at in range(before + 1)]
    shown = band(times, [float(at % 5) for at in range(before + 1)], times[before], 1000)
    assert len(shown.ts) == 1
    assert (shown.low[0] is None) == (before < LEAST_LEARNED)


def test_a_band_of_nothing_is_empty() -> None:
    assert band([], [], T0, 1000).ts == []
