"""From scores to alerts: what opens them, what ends them, and what they say."""

from typing import Any

import pytest

from tests.fakes.ewma import Ewma
from weir import explanations
from weir.alerts.alarm import CALM_READINGS, Alarm, Cleared, Fact, Opened, follow, severity_of
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
    opened, cleared = alerts(spiked())
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


@pytest.mark.parametrize("cut", [1, SPIKE - 1, SPIKE, SPIKE + 1, SPIKE + 5])
def test_alerts_are_the_same_however_the_values_come(cut: int) -> None:
    values = spiked()
    series = Series([at * MINUTE for at in range(len(values))], values, [1] * len(values))
    rule = Rules().of("m")
    whole, told = score_metric(MetricState(NEVER), "m", series, Ewma(), rule)
    half, first = score_metric(MetricState(NEVER), "m", series.part(0, cut), Ewma(), rule)
    rest = series.part(cut, len(values))
    both, then = score_metric(half, "m", rest, Ewma(), rule)
    assert (both, first + then) == (whole, told)


def test_an_alarm_follows_its_peak_and_ends_with_calm_readings_in_a_row() -> None:
    alarm: Alarm | None = Alarm(0, 0.8, 0, 0)
    wavering = [0.9, *[0.1] * (CALM_READINGS - 1), 0.4, *[0.1] * (CALM_READINGS - 1)]
    for ts, score in enumerate(wavering, 1):
        assert alarm is not None
        alarm, cleared = follow(alarm, "m", ts, score, 0.75)
        assert cleared is None
    assert alarm is not None
    end = len(wavering) + 1
    assert follow(alarm, "m", end, 0.1, 0.75) == (None, Cleared("m", 0, end, 0.9, 1))


def test_what_is_calm_lies_well_below_what_opens() -> None:
    alarm, _ = follow(Alarm(0, 0.2, 0, 3), "m", 1, 0.15, 0.2)
    assert alarm is not None
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
    shares = [Share(1, 0.75), Share(0, 0.25)]
    assert explanations.of_device(["flow", "heat"], shares) == (
        "several metrics are off together: heat (75 %), flow (25 %)"
    )
