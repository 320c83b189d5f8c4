"""The parts of the alerts' benchmark: the devices it makes, and how it counts what was told."""

from collections import Counter
from json import loads

import pytest
from benchmarks.alerts.latency import at_share
from benchmarks.alerts.pumps import (
    FURTHER_OUT,
    OUT,
    STEP_MS,
    Reading,
    batches,
    calm,
    history,
    reading,
)
from benchmarks.alerts.told import compare, expected, of_message

from weir.alerts.alarm import Cleared, Fact, Opened, Reopened
from weir.alerts.lifecycle import acknowledge, tell
from weir.detection import IN_USE
from weir.notices.message import digest, single
from weir.notices.notice import Notice, notices_of
from weir.scoring.alarms import DEFAULT_RULES, Series, score_metric
from weir.scoring.state import NEVER, MetricState

ONSET = 1_767_225_600_000


def kinds(readings: list[Reading]) -> list[str]:
    """What scoring tells of a device's readings, one POST after the other."""
    state = MetricState(NEVER, IN_USE.initial(), None, 0)
    told: list[str] = []
    for batch in batches(readings, 1):
        values = [one["metrics"]["flow"] for one in batch]
        series = Series([one["ts"] for one in batch], values, [1] * len(values))
        state, facts = score_metric(state, "flow", series, IN_USE, DEFAULT_RULES.of("flow"))
        told += [type(fact).__name__ for fact in facts]
    return told


@pytest.mark.parametrize("device", [f"pump-{at}" for at in range(20)])
def test_a_device_alerts_at_its_first_odd_reading_clears_and_alerts_again(device: str) -> None:
    before = history(device, ONSET)
    first = reading(device, ONSET, OUT)
    after = calm(device, ONSET + STEP_MS, 14)
    second = reading(device, ONSET + 15 * STEP_MS, FURTHER_OUT)
    assert kinds(before) == []
    assert kinds([*before, first]) == ["Opened"]
    assert kinds([*before, first, *after]) == ["Opened", "Cleared"]
    assert kinds([*before, first, *after, second]) == ["Opened", "Cleared", "Reopened"]


def notices() -> list[Notice]:
    facts: list[Fact] = [
        Opened("flow", ONSET, 0.9, "far out"),
        Cleared("flow", ONSET, ONSET + 9000, 0.9, ONSET),
        Reopened("flow", ONSET, ONSET + 20_000, 0.95, ONSET + 20_000, 2),
    ]
    alert = tell(None, "pump-1", facts, 1)
    assert alert is not None
    seen = acknowledge(alert, "ada", ONSET + 30_000)
    assert expected([seen]) == {notice.notice_id for notice in notices_of(None, alert)}
    return notices_of(None, seen)


def test_every_transition_is_expected_and_what_people_do_is_not() -> None:
    assert [notice.kind for notice in notices()] == ["opened", "cleared", "reopened"]


def test_a_message_tells_of_one_notice_and_a_digest_of_all_of_them() -> None:
    made = notices()
    ids = [notice.notice_id for notice in made]
    assert of_message(loads(single(made[0]).document)) == ids[:1]
    assert sorted(of_message(loads(digest(ONSET, made).document))) == sorted(ids)
    with pytest.raises(ValueError, match="leaves ids out"):
        of_message({"type": "digest", "truncated": True, "digest_id": "d", "notice_ids": ids})


def test_what_is_missing_doubled_and_unknown_is_counted() -> None:
    found = compare({"a", "b", "c"}, Counter({"a": 1, "b": 3, "z": 1}))
    assert (found.missing, found.doubled, found.unknown) == (1, 2, 1)


def test_a_share_of_the_values_lies_at_or_below() -> None:
    values = [float(value) for value in range(200, 0, -1)]
    assert at_share(values, 0.95) == 190.0
    assert at_share([7.0], 0.95) == 7.0
