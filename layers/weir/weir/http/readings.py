"""The route for a device's readings: one by one, or in buckets for a chart."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import msgspec

from weir.charts.buckets import Chart, width_of
from weir.charts.merging import rows
from weir.chunks import HOUR_MS
from weir.http.calls import Call, Outcome
from weir.http.fields import path_device
from weir.http.queries import Query, cursor_of, place_in_time
from weir.key_service import InvalidField
from weir.readings import format_ts
from weir.storage.reading_range import ReadingRange

PAGE: Final = 1000
MAX_PAGE: Final = 10_000
"""Readings in an answer: by default, and at most."""

MAX_BUCKETS: Final = 2000
MAX_POINTS: Final = 40_000
"""Buckets of all metrics together: an answer holds 6 MB, and one of them takes some 100 bytes."""

MAX_BYTES: Final = 4 * 1024 * 1024
"""What readings may take in an answer."""

MAX_RANGE_MS: Final = 366 * 86_400_000
DEFAULT_RANGE_MS: Final = HOUR_MS


class TooDense(ValueError):
    """An hour of a device's readings is more than can be read in the time of an answer."""

    def __init__(self) -> None:
        super().__init__(
            "The readings of one hour are more than an answer's time allows to read; they are in "
            "the lake."
        )


class Span(msgspec.Struct, frozen=True):
    """What is asked of a device: from `start` up to `end` (epoch ms), and on from `at`."""

    device_id: str
    start: int
    end: int
    at: int


def span(query: Query, call: Call) -> Span:
    """The device in the path, `from` and `to`, and `cursor`. Raises `InvalidField`."""
    device_id = path_device(call)
    start, end = query.moment("from"), query.moment("to")
    place = query.cursor("readings")
    if place is not None and (start is None or end is None):
        raise InvalidField("cursor stands without from and to; it goes on with those of its answer")
    end = call.now if end is None else end
    start = max(0, end - DEFAULT_RANGE_MS) if start is None else start
    if not start < end:
        raise InvalidField("from lies after to, or at it; it must lie before")
    if end - start > MAX_RANGE_MS:
        raise InvalidField("from lies more than 366 days before to; it may lie so far")
    at = start if place is None else place_in_time(place, start, end - 1)
    return Span(device_id, start, end, at)


def readings(store: ReadingRange, call: Call) -> Outcome:
    """A device's readings, or buckets of them. Raises `InvalidField` or `TooDense`."""
    query = Query(
        call.raw_query, ("from", "to", "metric", "limit", "buckets", "cursor"), ("metric",)
    )
    asked = span(query, call)
    metrics = query.metrics()
    buckets = query.optional_whole("buckets", 1, MAX_BUCKETS)
    if buckets is None:
        limit = query.whole("limit", 1, MAX_PAGE, PAGE)
        return _one_by_one(store, call, asked, metrics or None, limit)
    if query.text("limit") is not None:
        raise InvalidField("limit and buckets: a question has one of the two")
    if len(metrics) * buckets > MAX_POINTS:
        raise _too_many_points(len(metrics))
    return _in_buckets(store, call, asked, metrics or None, buckets)


def _in_buckets(
    store: ReadingRange, call: Call, asked: Span, metrics: Collection[str] | None, buckets: int
) -> Outcome:
    width = width_of(asked.start, asked.end, buckets)
    chart = Chart(asked.at, asked.end, width, metrics)
    until = asked.at
    for hours in store.all(asked.device_id, asked.at, asked.end, call.deadline):
        chart.add(hours.documents)
        until = max(until, hours.until)
        if chart.points > MAX_POINTS:
            raise _too_many_points(chart.metrics)
    series = chart.series()
    document = {
        **_head(asked),
        "bucket_ms": width,
        "readings": sum(sum(it.count) for it in series.values()),
        "series": series,
        "next_cursor": _next(asked, until),
    }
    return Outcome(200, document)


def _one_by_one(
    store: ReadingRange, call: Call, asked: Span, metrics: Collection[str] | None, limit: int
) -> Outcome:
    found: list[dict[str, Any]] = []
    room, until = MAX_BYTES, asked.at
    for hours in store.few(asked.device_id, asked.at, asked.end, call.deadline):
        by_time = rows(hours.documents, metrics)
        for ts in sorted(by_time):
            if not asked.at <= ts < asked.end:
                continue
            values = by_time[ts]
            room -= _size(values)
            if len(found) == limit or (room < 0 and found):
                return _listed(asked, found, ts)
            found.append({"ts": format_ts(ts), "metrics": dict(sorted(values.items()))})
        until = max(until, hours.until)
    return _listed(asked, found, until)


def _listed(asked: Span, found: Sequence[dict[str, Any]], until: int) -> Outcome:
    return Outcome(200, {**_head(asked), "readings": found, "next_cursor": _next(asked, until)})


def _next(asked: Span, until: int) -> str | None:
    if until >= asked.end:
        return None
    if until <= asked.at:
        raise TooDense
    return cursor_of("readings", str(until))


def _head(asked: Span) -> dict[str, Any]:
    return {
        "device_id": asked.device_id,
        "from": format_ts(asked.start),
        "to": format_ts(asked.end),
    }


def _size(values: Mapping[str, float]) -> int:
    """At most so many bytes a reading takes in an answer, where each quote is escaped."""
    return 64 + sum(2 * len(name.encode()) + 32 for name in values)


def _too_many_points(metrics: int) -> InvalidField:
    return InvalidField(
        f"buckets is a number of buckets for each of {metrics} metrics; there may be {MAX_POINTS} "
        "of all metrics together: ask for fewer buckets, or name fewer metrics"
    )
