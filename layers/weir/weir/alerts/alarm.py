"""From scores to facts: onset, course and end of an anomaly, with hysteresis and a quiet period.

An `Alarm` is the small state that a metric carries between readings. A fact is what the fold tells
of it. Both follow from the readings alone, so that whoever folds the same log tells the same.
"""

from typing import Final, Literal

import msgspec

CALM_SCORE: Final = 0.3
"""A score below is calm, unless alerts open at less than twice that."""

CALM_READINGS: Final = 12
"""So many calm readings in a row end an alert."""

QUIET_MS: Final = 3_600_000
"""What begins so soon after an alert cleared, in the readings' time, is the same trouble."""

_HOUR_MS: Final = 3_600_000

type Severity = Literal["minor", "major", "critical"]

SEVERITIES: Final[tuple[Severity, ...]] = ("minor", "major", "critical")


def severity_of(score: float) -> Severity:
    """Critical from 0.9, what a healthy metric shows once in 10,000 weeks; major from 0.8 (30)."""
    if score >= 0.9:
        return "critical"
    return "major" if score >= 0.8 else "minor"


class Alarm(msgspec.Struct, frozen=True, gc=False):
    """An anomaly that goes on, or that ended at `ended_at` and may yet go on again.

    `count` readings were not calm, the last of them at `last_seen`; `calm` were, since.
    """

    onset: int
    peak: float
    peak_ts: int
    calm: int = 0
    last_seen: int = 0
    count: int = 1
    ended_at: int | None = None

    @classmethod
    def begin(cls, onset: int, score: float) -> "Alarm":
        """An anomaly that begins with a reading of this score."""
        return cls(onset, score, onset, last_seen=onset)

    @property
    def is_open(self) -> bool:
        """Whether it goes on."""
        return self.ended_at is None

    def returns_at(self, ts: int) -> bool:
        """Whether what begins at `ts` is this anomaly again, and no new one."""
        return self.ended_at is not None and ts - self.ended_at <= QUIET_MS


class Opened(msgspec.Struct, frozen=True, gc=False, tag=True):
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
        """When it happened, in the readings' time."""
        return self.onset


class Followed(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The anomaly goes on: at `at` its `count`-th reading that is not calm came."""

    metric: str
    onset: int
    at: int
    peak: float
    peak_ts: int
    count: int


class Cleared(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The anomaly of `metric` that began at `onset` ended at `ended_at`, having peaked before."""

    metric: str
    onset: int
    ended_at: int
    peak: float
    peak_ts: int
    last_seen: int = 0
    count: int = 1

    @property
    def at(self) -> int:
        """When it happened, in the readings' time."""
        return self.ended_at


class Reopened(msgspec.Struct, frozen=True, gc=False, tag=True):
    """At `at` the anomaly that had ended went on again, within the quiet period.

    The rest is as in `Opened`, of the reading that brought it back; without `because` there was
    none, and it had not ended after all.
    """

    metric: str
    onset: int
    at: int
    peak: float
    peak_ts: int
    count: int
    because: str = ""
    value: float | None = None
    expected: float | None = None
    low: float | None = None
    high: float | None = None


class Withdrawn(msgspec.Struct, frozen=True, gc=False, tag=True):
    """With the readings that came late, there is no such anomaly; it was told up to `at`."""

    metric: str
    onset: int
    at: int


type Fact = Opened | Followed | Cleared | Reopened | Withdrawn


def follow(
    alarm: Alarm, metric: str, ts: int, score: float, threshold: float
) -> tuple[Alarm, Followed | Cleared | None]:
    """Follow an open alarm by one scored value; return it as it is then, and what is to be told.

    `threshold` is the score from which on alerts open. The course is told when the severity rises,
    when the count of readings that are not calm has doubled, and once an hour: an anomaly of n
    readings costs about log2(n) writes, and one for each hour.
    """
    if score < min(CALM_SCORE, threshold / 2):
        if alarm.calm + 1 < CALM_READINGS:
            return msgspec.structs.replace(alarm, calm=alarm.calm + 1), None
        ended = msgspec.structs.replace(alarm, calm=0, ended_at=ts)
        return ended, Cleared(
            metric, alarm.onset, ts, alarm.peak, alarm.peak_ts, alarm.last_seen, alarm.count
        )
    count = alarm.count + 1
    higher = score > alarm.peak
    peak, peak_ts = (score, ts) if higher else (alarm.peak, alarm.peak_ts)
    followed = msgspec.structs.replace(
        alarm, peak=peak, peak_ts=peak_ts, calm=0, last_seen=ts, count=count
    )
    rises = higher and severity_of(score) != severity_of(alarm.peak)
    doubled = count & (count - 1) == 0
    if rises or doubled or ts // _HOUR_MS != alarm.last_seen // _HOUR_MS:
        return followed, Followed(metric, alarm.onset, ts, peak, peak_ts, count)
    return followed, None


def again(alarm: Alarm, opened: Opened) -> tuple[Alarm, Reopened]:
    """Let an alarm that ended go on again with what would otherwise have opened another."""
    ts, score, count = opened.onset, opened.score, alarm.count + 1
    peak, peak_ts = (score, ts) if score > alarm.peak else (alarm.peak, alarm.peak_ts)
    reopened = Alarm(alarm.onset, peak, peak_ts, last_seen=ts, count=count)
    return reopened, Reopened(
        opened.metric,
        alarm.onset,
        ts,
        peak,
        peak_ts,
        count,
        opened.because,
        opened.value,
        opened.expected,
        opened.low,
        opened.high,
    )
