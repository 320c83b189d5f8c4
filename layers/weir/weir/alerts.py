"""From scores to alerts: onset, peak and end with hysteresis, severity, and what an alert says.

`Alarm` is the small state that a metric carries between readings; `Alert` is what a person gets.
An alert is the anomaly of one metric of one device, or of the device as a whole, that began at
one time: those three are its identity, so that whoever folds the same readings again opens the
same alert.
"""

from typing import Final, Literal

import msgspec

CALM_SCORE: Final = 0.3
"""A score below is calm, unless alerts open at less than twice that."""

CALM_READINGS: Final = 12
"""So many calm readings in a row end an alert."""

type Severity = Literal["minor", "major", "critical"]


class Alarm(msgspec.Struct, frozen=True, gc=False):
    """An anomaly that goes on: where it began, its peak, and the calm readings since."""

    onset: int
    peak: float
    peak_ts: int
    calm: int


class Opened(msgspec.Struct, frozen=True, gc=False):
    """At `onset`, an anomaly of `metric` began: `value` scored `score`.

    Expected was `expected`, from `low` to `high`; all are None for the device as a whole. `because`
    says in words what came and what had been expected.
    """

    metric: str
    onset: int
    score: float
    because: str
    value: float | None = None
    expected: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def at(self) -> int:
        """When it happened."""
        return self.onset


class Cleared(msgspec.Struct, frozen=True, gc=False):
    """The anomaly of `metric` that began at `onset` ended at `ended_at`, having peaked before."""

    metric: str
    onset: int
    ended_at: int
    peak: float
    peak_ts: int

    @property
    def at(self) -> int:
        """When it happened."""
        return self.ended_at


type Transition = Opened | Cleared


class Alert(msgspec.Struct, frozen=True):
    """An anomaly of a device, as the Alerts table keeps it; times in epoch ms."""

    device_id: str
    metric: str
    onset: int
    state: Literal["OPEN", "CLEARED"]
    score: float
    peak: float
    peak_ts: int
    because: str = ""
    value: float | None = None
    expected: float | None = None
    low: float | None = None
    high: float | None = None
    ended_at: int | None = None

    @property
    def severity(self) -> Severity:
        """How grave the anomaly was at its peak, as far as is known."""
        return severity_of(self.peak)


def severity_of(score: float) -> Severity:
    """Critical from 0.9, what a healthy metric shows once in 10,000 weeks; major from 0.8 (30)."""
    if score >= 0.9:
        return "critical"
    return "major" if score >= 0.8 else "minor"


def follow(
    alarm: Alarm, metric: str, ts: int, score: float, threshold: float
) -> tuple[Alarm | None, Cleared | None]:
    """Follow an open alarm by one scored value; return it, or None and its end.

    `threshold` is the score from which on alerts open.
    """
    if score >= min(CALM_SCORE, threshold / 2):
        if score > alarm.peak:
            return Alarm(alarm.onset, score, ts, 0), None
        return (alarm if not alarm.calm else msgspec.structs.replace(alarm, calm=0)), None
    if alarm.calm + 1 < CALM_READINGS:
        return msgspec.structs.replace(alarm, calm=alarm.calm + 1), None
    return None, Cleared(metric, alarm.onset, ts, alarm.peak, alarm.peak_ts)
