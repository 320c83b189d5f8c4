"""From values to alarms: score them, and open and clear alarms by the rules that hold."""

from collections.abc import Mapping, Sequence
from math import log10
from typing import Any, Final, NamedTuple, Self

import msgspec

from weir import explanations
from weir.alerts.alarm import Alarm, Fact, Opened, again, follow
from weir.controls import DEVICE, NONE, Controls, Resolved
from weir.detection import JOINT, Detector, Folded
from weir.detection.surprise import threshold_of
from weir.scoring.state import Group, GroupState, MetricState

type Row = tuple[float | None, ...]

_SLICE: Final = 256
"""So many values are folded at a time; an alarm folds them once more, up to where it opens."""

_JOINT_RARITY: Final = 3.0
"""-log10 of how rare a row of the joint score one half is, were its surprise exponential."""
_JOINT_NOMINAL: Final = 4.0
"""The same of a row that opens an alert at `_JOINT_RATE` false alerts a week."""
_JOINT_RATE: Final = 0.1
_JOINT_YOUNG: Final = 300
_JOINT_CAUTION: Final = 3.0
"""For so many rows an alert of the device needs so much more: it has yet to see its habits."""


class Rules(msgspec.Struct, frozen=True):
    """What opens alerts of a device: its controls, and the false alerts a week without any."""

    controls: Controls = NONE
    false_alerts_per_week: float = 0.1

    def of(self, metric: str) -> Resolved:
        """The rule for a metric, or for the device as a whole (`weir.controls.DEVICE`)."""
        return self.controls.of(metric, self.false_alerts_per_week)


DEFAULT_RULES: Final = Rules()


class Series(NamedTuple):
    """New values of one metric in the order of their times, and how many metrics came with each."""

    times: Sequence[int]
    values: Sequence[float]
    company: Sequence[int]

    def part(self, first: int, end: int) -> Self:
        """The values from `first` to before `end`."""
        return self._replace(
            times=self.times[first:end],
            values=self.values[first:end],
            company=self.company[first:end],
        )


def score_metric(
    metric: MetricState, name: str, series: Series, detector: Detector[Any], rule: Resolved
) -> tuple[MetricState, list[Fact]]:
    """Score and learn the values of `series`; return the new state, and what is to be told."""
    learned = detector.initial() if metric.learned is None else metric.learned
    alarm = metric.alarm
    happened: list[Fact] = []
    least = threshold_of(rule.false_alerts_per_week)
    for at in range(0, len(series.times), _SLICE):
        part = series.part(at, at + _SLICE)
        folded = detector.fold(learned, part.times, part.values)
        if _goes_on(alarm) or (not rule.ignore and max(folded.weekly) >= least):
            watch = MetricWatch(name, part, learned, folded, detector, rule)
            alarm = watch.run(alarm, metric.quiet_until, happened)
        learned = folded.state
    scored = metric.scored + len(series.times)
    ts = series.times[-1]
    return MetricState(ts, learned, _kept(alarm, ts), scored, metric.quiet_until), happened


class MetricWatch(NamedTuple):
    """Some values of a metric, scored, of which some may open or clear an alarm."""

    name: str
    series: Series
    before: Any
    """The detector's state before the first of them."""
    folded: Folded[Any]
    detector: Detector[Any]
    rule: Resolved

    def run(self, alarm: Alarm | None, quiet_until: int, happened: list[Fact]) -> Alarm | None:
        """Return the alarm after the last value; add to `happened` what is to be told."""
        rate = self.rule.false_alerts_per_week
        least = threshold_of(rate)
        scored = zip(self.series.times, self.folded.weekly, strict=True)
        for at, (ts, weekly) in enumerate(scored):
            if alarm is not None and alarm.is_open:
                alarm, told = follow(alarm, self.name, ts, weekly, least)
                if told is not None:
                    happened.append(told)
            elif weekly >= least and not self.rule.ignore:
                # The rate is for the device: each of its metrics has a share.
                if weekly < threshold_of(rate / self.series.company[at]):
                    continue
                opened = self._open(at)
                if opened is not None:
                    alarm = _begin(alarm, opened, quiet_until, happened)
        return alarm

    def _open(self, at: int) -> Opened | None:
        """The alert that the value at `at` opens, unless its kind is not wanted."""
        times, values, _ = self.series
        ts, value = times[at], values[at]
        state = self.detector.fold(self.before, times[:at], values[:at]).state
        explanation = self.detector.explain(state, ts, value)
        expected, low, high, _ = explanation
        departure = value - expected
        if abs(departure) < self.rule.minimum:
            return None
        if self.rule.direction == ("above" if departure < 0.0 else "below"):
            return None
        because = explanations.of_value(value, explanation)
        weekly = self.folded.weekly[at]
        return Opened(self.name, ts, weekly, because, value, expected, low, high)


def score_group(
    group: GroupState, names: Group, rows: Mapping[int, Row], rule: Resolved
) -> tuple[GroupState, list[Fact]]:
    """Score and learn the rows of metrics that come together, as `score_metric` does of values."""
    learned, alarm = group.learned, group.alarm
    happened: list[Fact] = []
    rarity = _JOINT_NOMINAL - log10(rule.false_alerts_per_week / _JOINT_RATE)
    threshold, young = _joint_score(rarity), _joint_score(_JOINT_CAUTION * rarity)
    ts = group.watermark
    for ts in sorted(rows):
        row, before = rows[ts], learned
        learned, score = JOINT.step(before, ts, row)
        if alarm is not None and alarm.is_open:
            alarm, fact = follow(alarm, DEVICE, ts, score, threshold)
            if fact is not None:
                happened.append(fact)
        elif score >= (threshold if before.rows >= _JOINT_YOUNG else young) and not rule.ignore:
            because = explanations.of_device(names, JOINT.explain(before, row))
            opened = Opened(DEVICE, ts, score, because)
            alarm = _begin(alarm, opened, group.quiet_until, happened)
    return GroupState(ts, learned, _kept(alarm, ts), group.quiet_until), happened


def _goes_on(alarm: Alarm | None) -> bool:
    return alarm is not None and alarm.is_open


def _begin(alarm: Alarm | None, opened: Opened, quiet_until: int, happened: list[Fact]) -> Alarm:
    """The alarm with which `opened` begins, or that goes on with it if it ended just before.

    What begins up to `quiet_until` is not told; an alarm of then was not, and cannot go on.
    """
    ts = opened.onset
    if alarm is not None and alarm.returns_at(ts) and alarm.onset > quiet_until:
        begun, fact = again(alarm, opened)
        happened.append(fact)
        return begun
    if ts > quiet_until:
        happened.append(opened)
    return Alarm.begin(ts, opened.score)


def _kept(alarm: Alarm | None, ts: int) -> Alarm | None:
    """The alarm as it is remembered after `ts`: not once it can return no more."""
    if alarm is None or alarm.is_open or alarm.returns_at(ts):
        return alarm
    return None


def _joint_score(rarity: float) -> float:
    """The joint score of a row that is 10^-`rarity` rare."""
    return max(rarity, 0.1) / (max(rarity, 0.1) + _JOINT_RARITY)
