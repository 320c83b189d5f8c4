"""The read API's routes for readings, one by one and in buckets, and for what was expected."""

import random
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes.aws import FlakyDynamo, client_error
from tests.integration.read_api import HOUR, T0, World, a_world, now
from weir.chunks import unpack_body
from weir.http import expected as http_expected
from weir.http import readings as http_readings
from weir.http.calls import Call
from weir.http.queries import cursor_of
from weir.readings import Reading, format_ts
from weir.storage import reading_range
from weir.storage.reading_range import ReadingRange
from weir.storage.retry import Deadline

READINGS = "GET /v1/devices/{device_id}/readings"
EXPECTED = "GET /v1/devices/{device_id}/expected"
DAY = 24 * HOUR


@pytest.fixture
def world() -> Iterator[World]:
    with a_world() as world:
        yield world


def between(start: int, end: int, **more: str) -> dict[str, str]:
    return {"from": str(start), "to": str(end), **more}


def ask(world: World, query: object, device_id: str = "a") -> Any:
    return world.get(READINGS, query, device_id=device_id)


def all_pages(world: World, query: dict[str, str]) -> list[dict[str, Any]]:
    pages: list[dict[str, Any]] = []
    while not pages or pages[-1]["next_cursor"] is not None:
        more = {"cursor": pages[-1]["next_cursor"]} if pages else {}
        pages.append(ask(world, {**query, **more}))
        assert len(pages) < 200
    return pages


def scattered(world: World, seed: int = 7) -> dict[str, dict[int, float]]:
    """Three days of requests that overlap; by metric and time, the values that count."""
    draw = random.Random(seed)
    for _ in range(60):
        start = T0 + draw.randrange(0, 3 * DAY)
        step = draw.choice([250, 1000, 60_000])
        metrics = draw.choice([("flow",), ("heat",), ("flow", "heat")])
        world.store(
            [
                Reading(
                    "a",
                    (start + at * step) // 1000 * 1000 if step >= 1000 else start + at * step,
                    {name: draw.gauss(50, 10) for name in metrics},
                )
                for at in range(draw.randrange(1, 40))
            ]
        )
    counting: dict[str, dict[int, float]] = {}
    for page in world.dynamodb.get_paginator("query").paginate(
        TableName="readings",
        KeyConditionExpression="pk = :a",
        ExpressionAttributeValues={":a": {"S": "a"}},
    ):
        for item in page["Items"]:
            for reading in unpack_body(item["body"]["B"]).rows():
                for name, value in reading.metrics.items():
                    counting.setdefault(name, {}).setdefault(reading.ts, value)
    return counting


# ------------------------------------------------------------------ one by one


def test_readings_come_in_the_order_of_time_merged_from_all_requests(world: World) -> None:
    world.store([Reading("a", T0 + 1000, {"flow": 1.0}), Reading("a", T0 + 2000, {"flow": 2.0})])
    world.store([Reading("a", T0 + 1000, {"heat": 40.0}), Reading("a", T0 + 500, {"heat": 39.0})])
    world.store([Reading("b", T0, {"flow": 9.0})])
    found = ask(world, between(T0, T0 + HOUR))
    assert found == {
        "device_id": "a",
        "from": format_ts(T0),
        "to": format_ts(T0 + HOUR),
        "readings": [
            {"ts": format_ts(T0 + 500), "metrics": {"heat": 39.0}},
            {"ts": format_ts(T0 + 1000), "metrics": {"flow": 1.0, "heat": 40.0}},
            {"ts": format_ts(T0 + 2000), "metrics": {"flow": 2.0}},
        ],
        "next_cursor": None,
    }
    only = ask(world, between(T0 + 1000, T0 + 2000, metric="flow"))["readings"]
    assert only == [{"ts": format_ts(T0 + 1000), "metrics": {"flow": 1.0}}]


def test_without_a_range_it_is_the_last_hour(world: World) -> None:
    at = now()
    world.store(
        [Reading("a", at - 2 * HOUR, {"flow": 1.0}), Reading("a", at - 1000, {"flow": 2.0})]
    )
    assert [it["metrics"] for it in ask(world, "")["readings"]] == [{"flow": 2.0}]


@pytest.mark.parametrize("limit", ["1", "7", "10000"])
def test_pages_hold_each_reading_that_counts_once(world: World, limit: str) -> None:
    counting = scattered(world)
    start, end = T0 + HOUR // 2, T0 + (DAY if limit == "1" else 3 * DAY)
    if limit == "1":
        end = start + 2 * HOUR
    pages = all_pages(world, between(start, end, limit=limit))
    found = [it for page in pages for it in page["readings"]]
    assert all(len(page["readings"]) <= int(limit) for page in pages)
    times = sorted({ts for values in counting.values() for ts in values if start <= ts < end})
    assert [it["ts"] for it in found] == [format_ts(ts) for ts in times]
    for it, ts in zip(found, times, strict=True):
        assert it["metrics"] == {
            name: values[ts] for name, values in counting.items() if ts in values
        }


def test_an_answer_ends_before_it_grows_too_large(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_readings, "MAX_BYTES", 1000)
    world.store([Reading("a", T0 + at, {"m" * 100: 1.0, "n" * 100: 2.0}) for at in range(5)])
    pages = all_pages(world, between(T0, T0 + HOUR))
    assert [len(page["readings"]) for page in pages] == [1] * 5


# ------------------------------------------------------------------ in buckets


@pytest.mark.parametrize("buckets", ["1", "50", "2000"])
def test_buckets_hold_what_a_naive_computation_finds(world: World, buckets: str) -> None:
    counting = scattered(world)
    start, end = T0 + HOUR // 2, T0 + 2 * DAY + 17
    found = ask(world, between(start, end, buckets=buckets))
    width = found["bucket_ms"]
    assert width == -(-(end - start) // int(buckets))
    assert found["next_cursor"] is None
    naive: dict[str, dict[int, list[float]]] = {}
    for name, values in counting.items():
        for ts in sorted(values):
            if start <= ts < end:
                naive.setdefault(name, {}).setdefault(ts // width * width, []).append(values[ts])
    assert found["readings"] == sum(len(v) for b in naive.values() for v in b.values())
    assert found["series"].keys() == naive.keys()
    for name, in_buckets in naive.items():
        series = found["series"][name]
        assert series["ts"] == list(in_buckets)
        assert len(series["ts"]) <= int(buckets) + 1
        assert series["count"] == [len(values) for values in in_buckets.values()]
        assert series["min"] == [min(values) for values in in_buckets.values()]
        assert series["max"] == [max(values) for values in in_buckets.values()]
        means = [sum(values) / len(values) for values in in_buckets.values()]
        assert series["mean"] == pytest.approx(means)
    one = ask(world, between(start, end, buckets=buckets, metric="heat"))
    assert one["series"] == {"heat": found["series"]["heat"]}


def test_a_part_that_takes_several_queries_is_read_whole(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting = scattered(world)
    real = ReadingRange._query

    def short(self: ReadingRange, *args: Any, **more: Any) -> Any:
        return real(self, *args, **{**more, "limit": 2})

    whole = ask(world, between(T0, T0 + 3 * DAY, buckets="10"))
    monkeypatch.setattr(ReadingRange, "_query", short)
    assert ask(world, between(T0, T0 + 3 * DAY, buckets="10")) == whole
    assert whole["readings"] == sum(
        sum(ts < T0 + 3 * DAY for ts in values) for values in counting.values()
    )


class Passing(Deadline):
    """A deadline that passes after it was asked so many times."""

    def __init__(self, asked: int) -> None:
        super().__init__(60)
        self.asked = asked

    @property
    def left(self) -> float:
        self.asked -= 1
        return float(self.asked)


@pytest.mark.parametrize("buckets", [None, "7"])
def test_when_the_time_is_over_a_cursor_leads_on(
    world: World, buckets: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting = scattered(world)
    real = ReadingRange._query
    monkeypatch.setattr(
        ReadingRange, "_query", lambda *args, **more: real(*args, **{"limit": 9, **more})
    )
    monkeypatch.setattr(reading_range, "AT_ONCE", 2)
    monkeypatch.setattr(reading_range, "_FIRST_PAGE", 3)
    monkeypatch.setattr(reading_range, "_LAST_PAGE", 6)
    query = between(T0, T0 + 4 * DAY, **({} if buckets is None else {"buckets": buckets}))
    store = world.api.stores.readings
    path = {"device_id": "a"}
    cursor: str | None = None
    merged: dict[str, dict[int, int]] = {}
    rows = pages = 0
    while True:
        raw = "&".join(f"{name}={value}" for name, value in query.items())
        raw += "" if cursor is None else f"&cursor={cursor}"
        call = Call(path, {}, {}, now(), raw_query=raw, deadline=Passing(4))
        document: Any = http_readings.readings(store, call).document
        pages += 1
        if buckets is None:
            rows += len(document["readings"])
        else:
            for name, series in document["series"].items():
                for ts, count in zip(series.ts, series.count, strict=True):
                    merged.setdefault(name, {})[ts] = merged.get(name, {}).get(ts, 0) + count
        cursor = document["next_cursor"]
        if cursor is None:
            break
    assert pages > 2
    if buckets is None:
        assert rows == len({ts for values in counting.values() for ts in values})
        return
    whole = ask(world, query)
    assert merged == {
        name: dict(zip(series["ts"], series["count"], strict=True))
        for name, series in whole["series"].items()
    }


def test_an_hour_that_cannot_be_read_in_time_is_said_to_be_too_much(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for at in range(8):
        world.store([Reading("a", T0 + at * 1000, {"flow": 1.0})])
    real = ReadingRange._query
    monkeypatch.setattr(
        ReadingRange, "_query", lambda *args, **more: real(*args, **{**more, "limit": 2})
    )
    for more in ({}, {"buckets": "3"}):
        raw = "&".join(f"{k}={v}" for k, v in between(T0, T0 + DAY, **more).items())
        call = Call({"device_id": "a"}, {}, {}, now(), raw_query=raw, deadline=Deadline(-1))
        with pytest.raises(http_readings.TooDense):
            http_readings.readings(world.api.stores.readings, call)


def test_too_many_points_are_refused_with_what_to_do(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_readings, "MAX_POINTS", 20)
    world.store([Reading("a", T0 + at, {f"m{n}": 1.0 for n in range(5)}) for at in range(10)])
    for query in (
        between(T0, T0 + 10, buckets="10"),
        [*between(T0, T0 + 10, buckets="10").items(), *(("metric", f"m{n}") for n in range(3))],
    ):
        status, problem = world.ask(READINGS, query, device_id="a")
        assert (status, problem["code"]) == (400, "invalid_field")
        assert "ask for fewer buckets, or name fewer metrics" in problem["detail"]
    assert ask(world, between(T0, T0 + 10, buckets="10", metric="m1"))["readings"] == 10


def test_a_chunk_that_cannot_be_read_costs_no_other(world: World) -> None:
    world.store([Reading("a", T0, {"flow": 1.0})])
    world.dynamodb.put_item(
        TableName="readings",
        Item={"pk": {"S": "a"}, "sk": {"S": f"{T0}#0000000000000000"}, "body": {"B": b"broken"}},
    )
    assert len(ask(world, between(T0, T0 + 1))["readings"]) == 1
    assert ask(world, between(T0, T0 + 1, buckets="1"))["readings"] == 1


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        (between(T0, T0), "from lies after to, or at it; it must lie before"),
        (between(T0, T0 + 367 * DAY), "from lies more than 366 days before to"),
        (between(T0, T0 + 1, limit="0"), "limit is 0; it must be a whole number from 1 to 10000"),
        (between(T0, T0 + 1, buckets="2001"), "buckets is 2001; it must be a whole number from 1"),
        (between(T0, T0 + 1, buckets="1", limit="1"), "limit and buckets: a question has one"),
        (between(T0, T0 + 1, metric="*"), "metric is *, a string of 1 characters; it must be"),
        ({"cursor": cursor_of("readings", str(T0))}, "cursor stands without from and to"),
        (between(T0, T0 + 9, cursor=cursor_of("readings", str(T0 + 9))), "cursor must be the next"),
        (between(T0, T0 + 9, cursor=cursor_of("readings", "x")), "cursor must be the next_cursor"),
        (between(T0, T0 + 9, cursor=cursor_of("devices", str(T0))), "cursor must be the next_"),
    ],
)
def test_what_breaks_a_rule_is_named(world: World, query: object, detail: str) -> None:
    status, problem = world.ask(READINGS, query, device_id="a")
    assert (status, problem["code"]) == (400, "invalid_field")
    assert detail in problem["detail"]


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (client_error("ThrottlingException"), 503, "readings_unavailable"),
        (client_error("AccessDeniedException"), 500, "internal"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("buckets", [{}, {"buckets": "3"}])
def test_a_table_that_fails_is_a_503_if_it_may_pass_and_a_500_if_not(
    world: World, fault: Exception, status: int, code: str, buckets: dict[str, str]
) -> None:
    flaky = FlakyDynamo(world.dynamodb, "query", *[fault] * 99)
    world.api.stores.readings._dynamodb = flaky
    found, problem = world.ask(READINGS, between(T0, T0 + 20 * DAY, **buckets), device_id="a")
    assert (found, problem["code"]) == (status, code)
    assert problem["detail"].startswith("The readings cannot be reached")


# ------------------------------------------------------------------ what was expected


def minutely(world: World, count: int) -> None:
    draw = random.Random(1)
    world.store(
        [Reading("a", T0 + at * 60_000, {"flow": draw.gauss(20, 1)}) for at in range(count)]
    )


def expected(world: World, query: dict[str, str]) -> Any:
    return world.get(EXPECTED, {"metric": "flow", **query}, device_id="a")


def test_what_was_expected_is_learned_from_what_came_before(world: World) -> None:
    minutely(world, 1440)
    found = expected(world, between(T0 + DAY // 2, T0 + DAY, buckets="24"))
    assert (found["warm_from"], found["truncated"]) == (format_ts(T0), False)
    assert found["ts"] == [T0 + DAY // 2 + at * HOUR // 2 for at in range(24)]
    assert len(found["low"]) == len(found["high"]) == len(found["score"]) == 24
    for low, middle, high in zip(found["low"], found["expected"], found["high"], strict=True):
        assert low < middle < high
        assert 10 < middle < 30


def test_nothing_is_expected_of_what_begins(world: World) -> None:
    minutely(world, 120)
    found = expected(world, between(T0, T0 + 2 * HOUR, buckets="12"))
    assert found["expected"][:10] == [None] * 10
    assert found["expected"][10] is not None
    none = expected(world, between(T0 + DAY, T0 + 2 * DAY))
    assert (none["ts"], none["truncated"]) == ([], False)
    other = world.get(EXPECTED, between(T0, T0 + DAY, metric="heat"), device_id="a")
    assert (other["ts"], other["warm_from"]) == ([], None)


def test_of_a_range_that_is_too_long_the_end_is_shown(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_expected, "MOST_VALUES", 300)
    monkeypatch.setattr(http_expected, "WARM_UP", 120)
    minutely(world, 1440)
    found = expected(world, between(T0, T0 + DAY, buckets="48"))
    assert found["truncated"]
    assert found["warm_from"] == format_ts(T0 + DAY - 300 * 60_000)
    assert found["ts"] == [T0 + DAY - at * HOUR // 2 for at in range(6, 0, -1)]
    short = expected(world, between(T0 + DAY - HOUR, T0 + DAY, buckets="2"))
    assert not short["truncated"]
    assert len(short["ts"]) == 2


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        (between(T0, T0 + 1), "metric is missing; name one: ?metric=flow"),
        ("metric=a&metric=b", "metric stands in the query more than once; it may once"),
        (between(T0, T0 + 1, metric="*"), "metric is *, a string of 1 characters; it must be"),
        (between(T0, T0 + 1, metric="a", cursor="x"), "the query has a parameter cursor"),
        (between(T0 + 1, T0, metric="a"), "from lies after to, or at it; it must lie before"),
    ],
)
def test_what_breaks_a_rule_of_a_band_is_named(world: World, query: object, detail: str) -> None:
    status, problem = world.ask(EXPECTED, query, device_id="a")
    assert (status, problem["code"]) == (400, "invalid_field")
    assert detail in problem["detail"]
