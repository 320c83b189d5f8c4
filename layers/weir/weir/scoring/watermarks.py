"""What watermarks say of chunks: which came late, which add something, from where to read."""

from bisect import bisect_left
from collections.abc import Sequence
from operator import itemgetter
from typing import Final

import msgspec

from weir.chunks import HOUR_MS, StoredChunk
from weir.scoring.state import NEVER, DeviceState, GroupState, MetricState, group_of

RELEARN_MS: Final = 24 * HOUR_MS

MAX_SCORED_METRICS: Final = 256
"""So many metrics of a device are scored, the first that come; a checkpoint is one item."""


class Cadence(msgspec.Struct, frozen=True):
    """How much is scored between two checkpoints: readings of a metric, or event time."""

    readings: int = 64
    span_ms: int = HOUR_MS

    def is_due(self, old: DeviceState, new: DeviceState, *, times: int = 1) -> bool:
        """Whether `new` is so much past `old`, or so much several `times`."""
        if new.frontier - max(old.frontier, NEVER // 2) >= times * self.span_ms:
            return True
        return any(
            metric.scored - (old.metrics[name].scored if name in old.metrics else 0)
            >= times * self.readings
            for name, metric in new.metrics.items()
        )


HOURLY: Final = Cadence()


def is_late(state: DeviceState, chunk: StoredChunk) -> bool:
    """Whether some value or row of `chunk` lies at or before the watermark of its metric or group.

    A row may lack a metric that its group has, so its time can be new to those that it has.
    """
    group = _group(state, chunk)
    if group is not None and chunk.t0 <= group.watermark:
        return True
    return any(
        (metric := state.metrics.get(name)) is not None and first <= metric.watermark
        for name, (first, _) in chunk.spans.items()
    )


def adds_to(state: DeviceState, chunk: StoredChunk, *, unknown: bool = False) -> bool:
    """Whether some value of `chunk` lies after the watermark of its metric.

    `unknown` says what to make of a metric that the state does not know: it may be yet to begin,
    or one of too many.
    """
    return any(
        last > metric.watermark if (metric := state.metrics.get(name)) is not None else unknown
        for name, (_, last) in chunk.spans.items()
    )


def waits(state: DeviceState, previous: DeviceState, chunk: StoredChunk) -> bool:
    """Whether `chunk` is new, but holds values that `state` has passed and `previous` has not.

    To fold what it has beyond would count it whole and lose the rest: it waits for its doorbell,
    which rewinds for it.
    """
    if not adds_to(state, chunk, unknown=True):
        return False
    group, earlier = _group(state, chunk), _group(previous, chunk)
    if (
        group is not None
        and chunk.t0 <= group.watermark
        and (earlier is None or chunk.t1 > earlier.watermark)
    ):
        return True
    return any(
        (metric := state.metrics.get(name)) is not None
        and first <= metric.watermark
        and (
            (before := previous.metrics.get(name)) is None
            or before.learned is None
            or last > before.watermark
        )
        for name, (first, last) in chunk.spans.items()
    )


def can_score(state: DeviceState, chunk: StoredChunk) -> bool:
    """Whether going back to `state` lets some late value of `chunk` be scored."""
    return any(
        (metric := state.metrics.get(name)) is None
        or metric.learned is None
        or last > metric.watermark
        for name, (_, last) in chunk.spans.items()
    )


def lowered(state: DeviceState, chunks: Sequence[StoredChunk]) -> DeviceState:
    """`state`, with the watermarks of metrics that have learned nothing yet put before `chunks`."""
    metrics = dict(state.metrics)
    for chunk in chunks:
        for name, (first, _) in chunk.spans.items():
            metric = metrics.get(name)
            if metric is not None and metric.learned is None and first <= metric.watermark:
                metrics[name] = msgspec.structs.replace(metric, watermark=first - 1)
    return msgspec.structs.replace(state, metrics=metrics)


def born(
    state: DeviceState, chunks: Sequence[StoredChunk], rung_from: int
) -> tuple[DeviceState, dict[str, MetricState]]:
    """`state` with the metrics of `chunks` that it doesn't know, and those.

    A metric begins with its first value; those past `MAX_SCORED_METRICS` never begin. Where an
    earlier state could not be read, it begins a day before `rung_from`, the time that rang, and
    opens no alerts until then.
    """
    first_seen: dict[str, int] = {}
    for chunk in chunks:
        for name, (first, _) in chunk.spans.items():
            if name not in state.metrics:
                first_seen[name] = min(first, first_seen.get(name, first))
    room = max(0, MAX_SCORED_METRICS - len(state.metrics))
    births = {
        name: MetricState(rung_from - 1 - RELEARN_MS, quiet_until=rung_from - 1)
        if state.relearning
        else MetricState(first - 1)
        for name, first in sorted(first_seen.items(), key=itemgetter(1, 0))[:room]
    }
    if not births:
        return state, births
    return msgspec.structs.replace(state, metrics={**state.metrics, **births}), births


def _group(state: DeviceState, chunk: StoredChunk) -> GroupState | None:
    names = group_of(chunk.document.v)
    return None if names is None else state.groups.get(names)


def lows(state: DeviceState) -> dict[str, int]:
    """For each metric the time up to which none of its unscored values can be in the log.

    It is the metric's watermark, but for a chunk that carries another metric too which lags
    behind: that chunk may begin before. It begins within the same hour, and after the other's
    watermark; a metric dormant for longer does not count, since its first value is written down
    at once.
    """
    marks = sorted({metric.watermark for metric in state.metrics.values()})
    low_of: dict[int, int] = {}
    for mark in marks:
        hour_start = (mark + 1) // HOUR_MS * HOUR_MS - 1
        low_of[mark] = min(mark, marks[bisect_left(marks, hour_start)])
    return {name: low_of[metric.watermark] for name, metric in state.metrics.items()}


def is_dormant(state: DeviceState, name: str) -> bool:
    """Whether the metric lags behind the device by so much that `lows` leaves it out."""
    metric = state.metrics.get(name)
    return metric is not None and metric.watermark < state.frontier // HOUR_MS * HOUR_MS - 1


def passed_over(chunks: Sequence[StoredChunk], rung: Sequence[StoredChunk]) -> bool:
    """Whether the log has values that are later than those of a chunk that rang after them."""
    ringing = {chunk.sk for chunk in rung}
    newest: dict[str, int] = {}
    for chunk in chunks:
        if chunk.sk not in ringing:
            for name, (_, last) in chunk.spans.items():
                newest[name] = max(last, newest.get(name, NEVER))
    for chunk in rung:
        if any(newest.get(name, NEVER) >= first for name, (first, _) in chunk.spans.items()):
            return True
        for name, (_, last) in chunk.spans.items():
            newest[name] = max(last, newest.get(name, NEVER))
    return False
