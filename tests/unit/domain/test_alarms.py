"""From scores to alerts: what opens them, what ends them, and what they say."""

from typing import Any

import pytest

from tests.fakes.ewma import Ewma
from weir import explanations
from weir.alerts.alarm import (
    CALM_READINGS,
    QUIET_MS,
    Alarm,
    Cleared,
    Fact,
    Followed,
    Opened,
    Reopened,
    follow,
    severity_of,
)
from weir.controls import DEVICE, Control, Controls
from weir.detection import JOINT, Explanation
from weir.detection.joint import Share
from weir.scoring.alarms import Rules, Series, score_group, score_metric
from weir.scoring.state import NEVER, GroupState, MetricState

MINUTE = 60_000
SPIKE = 80


def spiked(value: float = 60.0, count: int = 120) -> list[float]:
    values = [20.0 + 0.5 * (at * 7 % 5) for at in range(count)]
    values[SPIKE] = value
    return values


def alerts(
    values: list[float], control: Control | None = None, *, company: int = 1, quiet: int = NEVER
) -> list[Fact]:
    series = Series([at * MINUTE for at in range(len(values))], values, [company] * len(values))
    rule = Rules(Controls(device=control or Control())).of("m")
    metric = MetricState(NEVER, quiet_until=quiet)
    return score_metric(metric, "m", series, Ewma(), rule)[1]


def test_an_anomaly_opens_one_alert_that_says_what_was_expected_and_ends() -> None:
    opened, *course, cleared = alerts(spiked())
    assert all(isinstance(fact, Followed) for fact in course)
    assert isinstance(opened, Opened)
    assert (opened.metric, opened.onset, opened.value) == ("m", SPIKE * MINUTE, 60.0)
    assert opened.low is not None
    assert opened.high is not None
    assert opened.low < 21.0 < opened.high < 60.0
    assert opened.because.startswith("60, expected ")
    assert isinstance(cleared, Cleared)
    assert cleared.onset == opened.onset
    assert cleared.peak == opened.score


@pytest.mark.parametrize(
    ("control", "value", "opens"),
    [
        (Control(direction="above"), 60.0, True),
        (Control(direction="above"), -60.0, False),
        (Control(direction="below"), -60.0, True),
        (Control(direction="below"), 60.0, False),
        (Control(minimum=20.0), 60.0, True),
        (Control(minimum=50.0), 60.0, False),
        (Control(ignore=True), 60.0, False),
        (Control(false_alerts_per_week=1e-6), 26.0, False),
        (Control(false_alerts_per_week=1000.0), 26.0, True),
    ],
)
def test_controls_decide_what_opens_an_alert(control: Control, value: float, opens: bool) -> None:
    found = alerts(spiked(value), control)
    assert any(isinstance(t, Opened) and t.onset == SPIKE * MINUTE for t in found) == opens


def test_the_more_metrics_a_device_has_the_rarer_each_has_to_be() -> None:
    values = spiked(35.0)
    assert alerts(values, company=1)
    assert not alerts(values, company=10**6)


def test_history_that_is_learned_again_opens_nothing() -> None:
    assert not [t for t in alerts(spiked(), quiet=SPIKE * MINUTE) if isinstance(t, Opened)]


def twice(again: int, count: int = 240) -> list[float]:
    """A spike, and another one `again` readings later."""
    values = spiked(count=count)
    values[SPIKE + again] = 60.0
    return values


def kinds(facts: list[Fact]) -> list[str]:
    return [type(fact).__name__ for fact in facts if not isinstance(fact, Followed)]


def test_what_begins_within_the_quiet_period_is_the_same_alert_again() -> None:
    found = alerts(twice(60))
    assert kinds(found) == ["Opened", "Cleared", "Reopened", "Cleared"]
    assert {fact.onset for fact in found} == {SPIKE * MINUTE}
    (reopened,) = (fact for fact in found if isinstance(fact, Reopened))
    assert reopened.at == (SPIKE + 60) * MINUTE
    assert reopened.because.startswith("60, expected ")


def test_what_begins_after_the_quiet_period_is_a_new_alert() -> None:
    ended_after = next(f.at for f in alerts(spiked()) if isinstance(f, Cleared)) - SPIKE * MINUTE
    last_return = (ended_after + QUIET_MS) // MINUTE
    assert kinds(alerts(twice(last_return)))[2] == "Reopened"
    assert kinds(alerts(twice(last_return + 1)))[2] == "Opened"


def test_what_could_not_open_an_alert_opens_none_again() -> None:
    values = twice(60)
    values[SPIKE + 60] = -20.0
    assert kinds(alerts(values, Control(direction="above"))) == ["Opened", "Cleared"]


def test_an_anomaly_of_history_that_is_learned_again_opens_an_alert_when_it_comes_back() -> None:
    found = alerts(twice(60), quiet=SPIKE * MINUTE)
    assert kinds(found) == ["Cleared", "Opened", "Cleared"]
    assert [f.onset for f in found if isinstance(f, Opened)] == [(SPIKE + 60) * MINUTE]


def test_an_alarm_that_ended_is_forgotten_after_the_quiet_period() -> None:
    values = spiked(count=SPIKE + 200)
    rule = Rules().of("m")

    def alarm_after(count: int) -> Alarm | None:
        series = Series([at * MINUTE for at in range(count)], values[:count], [1] * count)
        return score_metric(MetricState(NEVER), "m", series, Ewma(), rule)[0].alarm

    (ended,) = (fact.at // MINUTE for fact in alerts(values) if isinstance(fact, Cleared))
    kept = alarm_after(ended + QUIET_MS // MINUTE + 1)
    assert kept is not None
    assert kept.ended_at == ended * MINUTE
    assert alarm_after(ended + QUIET_MS // MINUTE + 2) is None


@pytest.mark.parametrize("again", [60, 100])
@pytest.mark.parametrize(
    "cut", [1, SPIKE - 1, SPIKE, SPIKE + 1, SPIKE + 5, 130, 140, 141, 180, 200]
)
def test_alerts_are_the_same_however_the_values_come(cut: int, again: int) -> None:
    values = twice(again)
    series = Series([at * MINUTE for at in range(len(values))], values, [1] * len(values))
    rule = Rules().of("m")
    whole, told = score_metric(MetricState(NEVER), "m", series, Ewma(), rule)
    half, first = score_metric(MetricState(NEVER), "m", series.part(0, cut), Ewma(), rule)
    rest = series.part(cut, len(values))
    both, then = score_metric(half, "m", rest, Ewma(), rule)
    assert (both, first + then) == (whole, told)


def test_an_alarm_follows_its_peak_and_ends_with_calm_readings_in_a_row() -> None:
    alarm = Alarm.begin(0, 0.8)
    wavering = [0.9, *[0.1] * (CALM_READINGS - 1), 0.4, *[0.1] * (CALM_READINGS - 1)]
    for ts, score in enumerate(wavering, 1):
        alarm, told = follow(alarm, "m", ts, score, 0.75)
        assert not isinstance(told, Cleared)
    end, last = len(wavering) + 1, CALM_READINGS + 1
    ended, cleared = follow(alarm, "m", end, 0.1, 0.75)
    assert cleared == Cleared("m", 0, end, 0.9, 1, last_seen=last, count=3)
    assert (ended.is_open, ended.ended_at, ended.calm) == (False, end, 0)


def test_the_course_of_an_anomaly_is_told_when_it_rises_when_it_doubles_and_each_hour() -> None:
    alarm = Alarm.begin(0, 0.75)
    told: list[int] = []
    for at in range(1, 300):
        alarm, fact = follow(alarm, "m", at * MINUTE, 0.85 if at == 10 else 0.75, 0.75)
        if isinstance(fact, Followed):
            assert fact.count == at + 1
            told.append(at)
    assert told == [1, 3, 7, 10, 15, 31, 60, 63, 120, 127, 180, 240, 255]


def test_what_is_calm_lies_well_below_what_opens() -> None:
    alarm, _ = follow(Alarm(0, 0.2, 0, 3), "m", 1, 0.15, 0.2)
    assert alarm.calm == 0


def test_severity_grows_with_the_score() -> None:
    assert [severity_of(score) for score in (0.75, 0.8, 0.9)] == ["minor", "major", "critical"]


def test_metrics_that_move_together_open_one_alert_of_the_device() -> None:
    rows: dict[int, Any] = {}
    for at in range(2000):
        moved = 3.0 if at >= 1500 else 0.0
        wobble = [((at + n) * 7919 % 13 - 6) / 6 for n in range(4)]
        rows[at * MINUTE] = tuple(10.0 * n + wobble[n] + moved for n in range(4))
    group = GroupState(NEVER, JOINT.initial(4))
    state, told = score_group(group, ("a", "b", "c", "d"), rows, Rules().of(DEVICE))
    assert state.watermark == 1999 * MINUTE
    (opened,) = (found for found in told if isinstance(found, Opened))
    assert opened.metric == DEVICE
    assert 1500 * MINUTE <= opened.onset < 1520 * MINUTE
    assert opened.because.startswith("several metrics are off together: ")
    ignoring = Rules(Controls(metrics={DEVICE: Control(ignore=True)})).of(DEVICE)
    assert score_group(group, ("a", "b", "c", "d"), rows, ignoring)[1] == []


def test_an_explanation_is_a_sentence() -> None:
    why = Explanation(72.0, 70.0, 74.0, "noise")
    assert explanations.of_value(72.5, why) == (
        "72.5 is within 70 to 74, but its readings scatter unlike before"
    )
    assert explanations.of_value(93.1, why._replace(channel="jump")) == (
        "93.1, expected 70 to 74: a sudden jump"
    )


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        ((0.75, 0.25), "several metrics are off together: a (75 %), b (25 %)"),
        ((0.6, 0.36, 0.04), "several metrics are off together: a (60 %), b (36 %)"),
        ((0.99, 0.01), "a has moved away from its usual level, and the others have not"),
        ((1.0,), "a has moved away from its usual level"),
        (
            (0.06, *[0.04] * 20),  # each a little
            "several metrics are off together: a (6 %), b (4 %), c (4 %)",
        ),
    ],
)
def test_of_a_device_the_metrics_are_named_that_make_the_difference(
    shares: tuple[float, ...], said: str
) -> None:
    names = "abcdefghijklmnopqrstuvwxyz"[: len(shares)]
    assert explanations.of_device(names, [Share(*pair) for pair in enumerate(shares)]) == said
