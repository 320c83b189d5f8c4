"""The fold: a device's log into its state, reading by reading, in the order of their times."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec

from weir.alerts import Opened, Transition, watch
from weir.chunks import StoredChunk
from weir.detector import Detector
from weir.scoring.state import DeviceState, MetricState


class Folded(msgspec.Struct, frozen=True):
    """The state after a fold, and what happened on the way, in order of time."""

    state: DeviceState
    transitions: Sequence[Transition]


def fold(
    state: DeviceState,
    chunks: Iterable[StoredChunk],
    names: Collection[str],
    until: int,
    detector: Detector[Any],
) -> Folded:
    """Score the values of the metrics `names` after their watermarks and before `until`.

    `chunks` come in the order of their sort keys and hold all of the log that this concerns. Of
    two values of one metric and time, the one whose chunk sorts first counts; within a chunk, the
    earlier.
    """
    series: dict[str, dict[int, float]] = {}
    for chunk in chunks:
        document = chunk.document
        times = [document.t0 + offset for offset in document.dt]
        for name, column in document.v.items():
            if name not in names:
                continue
            watermark = state.metrics[name].watermark
            values = series.setdefault(name, {})
            for ts, value in zip(times, column, strict=True):
                if value is not None and watermark < ts < until:
                    values.setdefault(ts, value)
    metrics = dict(state.metrics)
    happened: list[tuple[int, str, Transition]] = []
    for name, values in series.items():
        if values:
            metrics[name] = _fold_metric(metrics[name], name, values, detector, happened)
    happened.sort(key=lambda at: at[:2])
    return Folded(
        DeviceState(metrics, state.relearning), [transition for *_, transition in happened]
    )


def _fold_metric(
    metric: MetricState,
    name: str,
    values: dict[int, float],
    detector: Detector[Any],
    happened: list[tuple[int, str, Transition]],
) -> MetricState:
    learned = detector.initial() if metric.learned is None else metric.learned
    alarm = metric.alarm
    step = detector.step
    times = sorted(values)
    for ts in times:
        value = values[ts]
        learned, score = step(learned, ts, value)
        alarm, transition = watch(alarm, name, ts, value, score)
        if transition is not None and not (
            isinstance(transition, Opened) and ts <= metric.quiet_until
        ):
            happened.append((ts, name, transition))
    return MetricState(times[-1], learned, alarm, metric.scored + len(times), metric.quiet_until)
