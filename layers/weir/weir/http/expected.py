"""The route for what was expected of a metric."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any, Final

from weir.charts.buckets import width_of
from weir.charts.merging import values_of
from weir.chunks import Document
from weir.http.calls import Call, Outcome
from weir.http.queries import Query
from weir.http.readings import MAX_BUCKETS, Span, span
from weir.key_service import InvalidField
from weir.readings import format_ts
from weir.storage.reading_range import ReadingRange

BUCKETS: Final = 300

MOST_VALUES: Final = 30_000
WARM_UP: Final = 5000
"""Values that are learned in all, and those of them before what is asked for."""

MOST_CHUNKS: Final = 6000


def expected(readings: ReadingRange, call: Call) -> Outcome:
    """What a detector would have expected of a metric, bucket by bucket. Raises `InvalidField`.

    It starts `WARM_UP` values before `from`. If there are more than `MOST_VALUES` up to `to`, it
    starts later and shows the end of the range alone: `truncated`.
    """
    from weir.charts.band import band

    query = Query(call.raw_query, ("metric", "from", "to", "buckets"))
    asked = span(query, call)
    metric = query.metric()
    if metric is None:
        raise InvalidField("metric is missing; name one: ?metric=flow")
    buckets = query.whole("buckets", 1, MAX_BUCKETS, BUCKETS)
    documents, truncated = _read(readings, call, asked, metric)
    times, values = values_of(documents, metric)
    end = bisect_left(times, asked.end)
    times, values = times[max(0, end - MOST_VALUES) : end], values[max(0, end - MOST_VALUES) : end]
    start = asked.start
    if truncated and times:
        start = max(start, times[min(WARM_UP, len(times) - 1)])
    shown = band(times, values, start, width_of(asked.start, asked.end, buckets))
    document: dict[str, Any] = {
        "device_id": asked.device_id,
        "metric": metric,
        "from": format_ts(asked.start),
        "to": format_ts(asked.end),
        "warm_from": format_ts(times[0]) if times else None,
        "ts": shown.ts,
        "expected": shown.expected,
        "low": shown.low,
        "high": shown.high,
        "score": shown.score,
        "truncated": truncated,
    }
    return Outcome(200, document)


def _read(
    readings: ReadingRange, call: Call, asked: Span, metric: str
) -> tuple[Sequence[Document], bool]:
    """The chunks to learn from, in order, and whether they begin too late."""
    found: list[Document] = []
    in_range = before = read = 0
    begins = asked.end
    for document in readings.backwards(asked.device_id, asked.end, call.deadline, MOST_CHUNKS):
        read += 1
        begins = document.t0
        column = document.v.get(metric)
        if column is None:
            continue
        found.append(document)
        count = len(column) - column.count(None)
        if begins < asked.start:
            before += count
        else:
            in_range += count
        if before >= WARM_UP or before + in_range >= MOST_VALUES:
            break
    else:
        if read < MOST_CHUNKS and call.deadline.left > 0:
            begins = 0  # there is no more
    found.reverse()
    return found, begins >= asked.start
