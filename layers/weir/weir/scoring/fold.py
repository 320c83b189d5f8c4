"""The fold: a device's log into its state, reading by reading, in the order of their times."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from weir.alerts.alarm import Fact
from weir.chunks import StoredChunk
from weir.controls import DEVICE
from weir.detection import JOINT, Detector
from weir.scoring.alarms import DEFAULT_RULES, Row, Rules, Series, score_group, score_metric
from weir.scoring.state import (
    MAX_GROUPS,
    NEVER,
    DeviceState,
    Group,
    GroupState,
    MetricState,
    group_of,
)


class Folded(msgspec.Struct, frozen=True):
    """The state after a fold, and what is to be told of the way, in order of time."""

    state: DeviceState
    facts: Sequence[Fact]


class _New(NamedTuple):
    """What is new of one metric: values, and how many metrics came with each."""

    values: dict[int, float]
    company: dict[int, int]

    def series(self) -> Series:
        times = sorted(self.values)
        return Series(times, [self.values[ts] for ts in times], [self.company[ts] for ts in times])


def fold(
    state: DeviceState,
    chunks: Iterable[StoredChunk],
    names: Collection[str],
    until: int,
    detector: Detector[Any],
    rules: Rules = DEFAULT_RULES,
) -> Folded:
    """Score the values of the metrics `names` after their watermarks and before `until`.

    `chunks` come in the order of their sort keys and hold all of the log that this concerns. Of
    two values of one metric and time, the one whose chunk sorts first counts; within a chunk, the
    earlier. The rows of metrics that come together count in the same way for their group.
    """
    new: dict[str, _New] = {}
    new_rows: dict[Group, dict[int, Row]] = {}
    groups = dict(state.groups)
    for chunk in chunks:
        document = chunk.document
        times = [document.t0 + offset for offset in document.dt]
        company = len(document.v)
        for name, column in document.v.items():
            if name not in names:
                continue
            watermark = state.metrics[name].watermark
            if name not in new:
                new[name] = _New({}, {})
            values, companies = new[name]
            for ts, value in zip(times, column, strict=True):
                if value is not None and watermark < ts < until and ts not in values:
                    values[ts] = value
                    companies[ts] = company
        group = group_of(document.v)
        if group is None or not all(name in names for name in group):
            continue
        if group not in groups:
            if len(groups) == MAX_GROUPS:
                continue
            groups[group] = _begin(group, state.metrics)
        watermark = groups[group].watermark
        rows = new_rows.setdefault(group, {})
        columns = [document.v[name] for name in group]
        for ts, row in zip(times, zip(*columns, strict=True), strict=True):
            if watermark < ts < until:
                rows.setdefault(ts, row)
    metrics = dict(state.metrics)
    happened: list[Fact] = []
    for name, found in new.items():
        if found.values:
            metrics[name], told = score_metric(
                metrics[name], name, found.series(), detector, rules.of(name)
            )
            happened += told
    for group, rows in new_rows.items():
        if rows:
            groups[group], told = score_group(groups[group], group, rows, rules.of(DEVICE))
            happened += told
    return Folded(
        DeviceState(metrics, state.relearning, groups),
        sorted(happened, key=lambda it: (it.at, it.metric)),
    )


def _begin(group: Group, metrics: Mapping[str, MetricState]) -> GroupState:
    quiet_until = max(metrics[name].quiet_until for name in group)
    return GroupState(NEVER, JOINT.initial(len(group)), None, quiet_until)
