"""From scores to alerts: onset and end with hysteresis, and what an alert says.

`Alarm` is the small state that a metric carries between readings; `Alert` is what a person gets.
An alert is the anomaly of one metric of one device that began at one time: those three are its
identity, so that whoever folds the same readings again opens the same alert.
"""

from typing import Final, Literal

import msgspec

OPEN_SCORE: Final = 0.5
"""A score from here on opens an alert."""

CALM_SCORE: Final = 0.2
"""A score below is calm."""

CALM_READINGS: Final = 3
"""So many calm readings in a row end an alert."""


class Alarm(msgspec.Struct, frozen=True, gc=False):
    """An anomaly that goes on: where it began, its peak, and the calm readings since."""

    onset: int
    peak: float
    peak_ts: int
    calm: int


class Opened(msgspec.Struct, frozen=True, gc=False):
    """At `onset`, `value` scored `score`: an anomaly of `metric` began."""

    metric: str
    onset: int
    value: float
    score: float


class Cleared(msgspec.Struct, frozen=True, gc=False):
    """The anomaly of `metric` that began at `onset` ended at `ended_at`, having peaked before."""

    metric: str
    onset: int
    ended_at: int
    peak: float
    peak_ts: int


type Transition = Opened | Cleared


class Alert(msgspec.Struct, frozen=True):
    """An anomaly of one metric of one device, as the Alerts table keeps it; times in epoch ms."""

    device_id: str
    metric: str
    onset: int
    state: Literal["OPEN", "CLEARED"]
    value: float
    score: float
    peak: float
    peak_ts: int
    ended_at: int | None = None


def watch(
    alarm: Alarm | None, metric: str, ts: int, value: float, score: float
) -> tuple[Alarm | None, Transition | None]:
    """Follow one scored value; return the new alarm and what changed, if anything did."""
    if alarm is None:
        if score < OPEN_SCORE:
            return None, None
        return Alarm(ts, score, ts, 0), Opened(metric, ts, value, score)
    if score >= CALM_SCORE:
        if score > alarm.peak:
            return Alarm(alarm.onset, score, ts, 0), None
        return (alarm if not alarm.calm else msgspec.structs.replace(alarm, calm=0)), None
    if alarm.calm + 1 < CALM_READINGS:
        return msgspec.structs.replace(alarm, calm=alarm.calm + 1), None
    return None, Cleared(metric, alarm.onset, ts, alarm.peak, alarm.peak_ts)
