"""What the readings tell, and what an alert makes of it: once, again, late, and put right."""

import pytest
from hypothesis import given

from tests.unit.alerts.courses import Course, check_replay, courses, has_rewinds, told_once
from tests.unit.alerts.facts import (
    CRITICAL,
    DEVICE,
    MAJOR,
    MINOR,
    MINUTE,
    ONSET,
    cleared,
    followed,
    kinds,
    opened,
    reopened,
    told,
    withdrawn,
)
from weir.alerts.alarm import Cleared, Fact, Followed, Opened, Reopened, Withdrawn, severity_of
from weir.alerts.alert import MAX_NOTE, MOST_ENTRIES, AlertKey
from weir.alerts.lifecycle import acknowledge, silence_cleared, silence_opened, tell

COURSE = (opened(), followed(20), cleared(30), reopened(40), cleared(60, count=9))


def test_an_alert_opens_with_what_the_first_reading_said() -> None:
    alert = told((1, (opened(MAJOR),)))
    assert alert.key == AlertKey(DEVICE, ONSET, "flow")
    assert (alert.state, alert.severity, alert.acknowledged) == ("OPEN", "major", False)
    assert (alert.score, alert.peak, alert.peak_ts) == (MAJOR, MAJOR, ONSET)
    assert (alert.last_seen, alert.count, alert.ended_at) == (ONSET, 1, None)
    assert (alert.value, alert.expected, alert.low, alert.high) == (93.1, 72.0, 70.0, 74.0)
    assert alert.because == "93.1, expected 70 to 74"
    assert (alert.revision, alert.basis) == (1, 1)
    (entry,) = alert.history
    assert (entry.n, entry.kind, entry.at, entry.severity) == (1, "opened", ONSET, "major")


def test_an_alert_follows_its_anomaly_without_a_transition() -> None:
    alert = told((1, (opened(),)), (2, (followed(20, 0.78, count=4),)))
    assert (alert.peak, alert.peak_ts) == (0.78, 20 * MINUTE)
    assert (alert.last_seen, alert.count) == (20 * MINUTE, 4)
    assert kinds(alert) == ["opened"]


def test_a_rise_in_severity_is_a_transition_at_the_time_of_the_peak() -> None:
    alert = told((1, (opened(),)), (2, (followed(20, CRITICAL),)))
    assert alert.severity == "critical"
    entry = alert.history[-1]
    assert (entry.kind, entry.at, entry.severity) == ("rose", 20 * MINUTE, "critical")


def test_a_rise_that_only_the_clearing_tells_of_is_told_before_it() -> None:
    alert = told((1, (opened(),)), (2, (cleared(30, MAJOR),)))
    assert [(e.kind, e.at, e.severity) for e in alert.history[1:]] == [
        ("rose", 24 * MINUTE, "major"),
        ("cleared", 30 * MINUTE, "major"),
    ]


def test_an_alert_that_cleared_keeps_its_severity_and_says_when_it_ended() -> None:
    alert = told((1, (opened(CRITICAL),)), (2, (cleared(30, CRITICAL, count=7),)))
    assert (alert.state, alert.severity, alert.ended_at) == ("CLEARED", "critical", 30 * MINUTE)
    assert (alert.last_seen, alert.count) == (25 * MINUTE, 7)


def test_an_alert_that_reopens_is_open_as_if_it_had_not_ended() -> None:
    alert = told((1, (opened(), cleared(30))), (2, (reopened(40, MAJOR),)))
    assert (alert.state, alert.ended_at, alert.severity) == ("OPEN", None, "major")
    assert (alert.last_seen, alert.count) == (40 * MINUTE, 5)
    entry = alert.history[-1]
    assert (entry.kind, entry.at, entry.note) == (
        "reopened",
        40 * MINUTE,
        "40, expected 70 to 74",
    )


def test_an_alert_that_reopens_says_why_and_since_when() -> None:
    alert = told((1, (opened(), cleared(30))), (2, (reopened(40, MAJOR),)))
    assert (alert.because, alert.value, alert.score) == ("40, expected 70 to 74", 40.0, MINOR)
    assert alert.reopened_at == 40 * MINUTE
    again = told((2, (followed(41), cleared(50))), alert=alert)
    assert (again.because, again.reopened_at) == ("40, expected 70 to 74", None)


@pytest.mark.parametrize("length", range(1, len(COURSE) + 1))
def test_a_newer_checkpoint_says_why_as_if_it_were_the_first(length: int) -> None:
    alert = told((3, COURSE[:length]), (5, COURSE))
    assert (alert.because, alert.value) == ("40, expected 70 to 74", 40.0)


def test_an_alert_that_did_not_end_after_all_keeps_why_it_opened() -> None:
    back = Reopened("flow", ONSET, 40 * MINUTE, MINOR, ONSET, 5)
    alert = told((1, (opened(), cleared(30))), (2, (back,)))
    assert (alert.because, alert.value) == ("93.1, expected 70 to 74", 93.1)
    assert alert.reopened_at == 40 * MINUTE


def test_facts_of_an_alert_that_nobody_opened_are_nobodys() -> None:
    assert tell(None, DEVICE, (followed(20), cleared(30)), 1) is None
    assert tell(None, DEVICE, (), 1) is None


def test_all_that_one_checkpoint_says_makes_one_alert_with_all_of_its_history() -> None:
    alert = told((1, COURSE))
    assert kinds(alert) == ["opened", "cleared", "reopened", "cleared"]
    assert [entry.n for entry in alert.history] == [1, 2, 3, 4]
    assert (alert.revision, alert.ended_at, alert.count) == (1, 60 * MINUTE, 9)


# ------------------------------------------------------------------ told again


@pytest.mark.parametrize("length", range(1, len(COURSE) + 1))
@pytest.mark.parametrize("again", range(1, len(COURSE) + 1))
def test_what_was_told_already_changes_nothing(length: int, again: int) -> None:
    alert = told((3, COURSE[:length]))
    assert told((3, COURSE[:again]), alert=alert) == told((3, COURSE[: max(length, again)]))


@pytest.mark.parametrize("length", range(1, len(COURSE) + 1))
def test_the_parts_of_what_a_checkpoint_says_come_to_the_whole(length: int) -> None:
    assert told((3, COURSE[:length]), (3, COURSE[length:])) == told((3, COURSE))


def test_what_is_told_again_leaves_an_acknowledgement_alone() -> None:
    alert = acknowledge(told((3, COURSE[:4])), "ann", 99)
    assert told((3, COURSE[:4]), alert=alert) == alert


@pytest.mark.parametrize(
    "late",
    [
        (opened(CRITICAL),),
        (followed(90, CRITICAL, count=50),),
        (cleared(90),),
        (reopened(90),),
        (withdrawn(90),),
        (opened(CRITICAL), followed(80), cleared(90), reopened(95)),
    ],
)
@pytest.mark.parametrize("length", range(1, len(COURSE) + 1))
def test_what_an_older_checkpoint_says_is_out_of_date(length: int, late: tuple[Fact, ...]) -> None:
    alert = told((3, COURSE[:length]))
    assert told((2, late), alert=alert) == alert


def test_what_follows_a_clearing_of_the_same_checkpoint_cannot_open_it() -> None:
    alert = told((3, (opened(), cleared(30))))
    assert told((3, (followed(50, count=40),)), alert=alert) == alert


def test_an_end_before_what_was_told_last_of_the_same_checkpoint_is_none() -> None:
    alert = told((3, (opened(), cleared(30), reopened(40))))
    assert told((3, (cleared(35),)), alert=alert) == alert


# ------------------------------------------------------------------ told anew, after a rewind


def test_a_newer_checkpoint_that_says_the_same_adds_no_transition() -> None:
    before = acknowledge(told((3, COURSE)), "ann", 99)
    alert = told((5, COURSE), alert=before)
    assert alert.history == before.history
    assert alert.acknowledged
    assert (alert.state, alert.ended_at, alert.basis) == ("CLEARED", 60 * MINUTE, 5)


def test_a_newer_checkpoint_makes_older_ones_out_of_date_even_if_it_says_the_same() -> None:
    alert = told((3, (opened(),)), (5, (opened(),)))
    assert told((4, (cleared(30),)), alert=alert) == alert


def test_an_alert_that_did_not_end_after_all_is_open_again() -> None:
    alert = told((3, (opened(), cleared(30))), (5, (opened(), followed(20))))
    assert (alert.state, alert.ended_at, alert.last_seen) == ("OPEN", None, 20 * MINUTE)
    assert kinds(alert) == ["opened", "cleared", "reopened"]


def test_an_alert_that_ended_after_all_is_cleared() -> None:
    before = told((3, (opened(), cleared(30), reopened(40))))
    alert = told((5, (opened(), cleared(35))), alert=before)
    assert (alert.state, alert.ended_at) == ("CLEARED", 35 * MINUTE)
    assert kinds(alert) == ["opened", "cleared", "reopened", "cleared"]


def test_that_it_ended_at_another_time_is_no_transition() -> None:
    alert = told((3, (opened(), cleared(30))), (5, (opened(), cleared(28))))
    assert alert.ended_at == 28 * MINUTE
    assert kinds(alert) == ["opened", "cleared"]


def test_the_past_is_not_gone_through_again() -> None:
    before = acknowledge(told((3, COURSE[:4])), "ann", 99)
    past = (opened(), cleared(25), reopened(29), cleared(34), reopened(39))
    alert = told((5, past), alert=before)
    assert alert.history == before.history
    assert alert.acknowledged
    assert (alert.state, alert.last_seen) == ("OPEN", 39 * MINUTE)


def test_news_after_a_past_that_is_told_anew_are_transitions() -> None:
    alert = told((3, COURSE[:4]), (5, (*COURSE[:4], cleared(60), reopened(80))))
    assert kinds(alert) == ["opened", "cleared", "reopened", "cleared", "reopened"]


@pytest.mark.parametrize("last", [followed(50, count=16), reopened(50)])
def test_whatever_a_newer_checkpoint_says_last_is_how_it_stands(last: Fact) -> None:
    alert = told((3, (opened(), cleared(30))), (5, (last,)))
    assert (alert.state, alert.last_seen) == ("OPEN", 50 * MINUTE)
    assert kinds(alert) == ["opened", "cleared", "reopened"]


def test_a_reopening_of_what_is_open_only_follows_it() -> None:
    alert = told((3, (opened(),)), (5, (reopened(50, MAJOR),)))
    assert (alert.state, alert.last_seen) == ("OPEN", 50 * MINUTE)
    assert kinds(alert) == ["opened", "rose"]


def test_a_peak_that_was_none_goes_and_the_severity_with_it() -> None:
    before = told((3, (opened(), followed(20, CRITICAL, count=8))))
    alert = told((5, (opened(), followed(20, 0.78, count=4))), alert=before)
    assert (alert.severity, alert.peak, alert.count) == ("minor", 0.78, 4)
    assert kinds(alert) == ["opened", "rose"]


def test_a_severity_that_went_and_comes_back_rises_again() -> None:
    before = told((3, (opened(), followed(20, CRITICAL))), (5, (opened(),)))
    alert = told((6, (followed(30, MAJOR),)), alert=before)
    assert [(e.kind, e.severity) for e in alert.history] == [
        ("opened", "minor"),
        ("rose", "critical"),
        ("rose", "major"),
    ]


@pytest.mark.parametrize("peak", [MINOR, CRITICAL])
def test_a_cleared_alert_whose_peak_was_another_has_its_severity(peak: float) -> None:
    before = told((3, (opened(MAJOR), cleared(30, MAJOR))))
    alert = told((5, (opened(MAJOR), cleared(30, peak))), alert=before)
    assert alert.severity == ("minor" if peak == MINOR else "critical")
    assert alert.history == before.history


def test_what_was_expected_at_the_onset_is_as_the_newest_telling_has_it() -> None:
    new = opened(MAJOR, because="late readings know better")
    alert = told((3, (opened(), followed(20))), (5, (new, followed(20, MAJOR))))
    assert (alert.score, alert.because) == (MAJOR, "late readings know better")


# ------------------------------------------------------------------ withdrawn


def test_an_alert_that_late_readings_explain_is_withdrawn() -> None:
    alert = told((3, (opened(), followed(20))), (5, (withdrawn(20),)))
    assert (alert.state, alert.withdrawn, alert.ended_at) == ("CLEARED", True, 20 * MINUTE)
    assert kinds(alert) == ["opened", "withdrawn"]


def test_a_withdrawn_alert_ends_no_sooner_than_it_began() -> None:
    assert told((3, (opened(),)), (5, (withdrawn(2),))).ended_at == ONSET


def test_an_alert_that_had_cleared_is_withdrawn_and_ended_when_it_did() -> None:
    alert = told((3, (opened(), cleared(30))), (5, (withdrawn(35),)))
    assert (alert.withdrawn, alert.ended_at) == (True, 30 * MINUTE)
    assert kinds(alert) == ["opened", "cleared", "withdrawn"]


def test_the_checkpoint_that_told_of_an_alert_can_withdraw_it() -> None:
    alert = told((3, (opened(), followed(20))), (3, (withdrawn(20),)))
    assert (alert.withdrawn, alert.ended_at) == (True, 20 * MINUTE)


@pytest.mark.parametrize("basis", [5, 6])
def test_an_alert_is_withdrawn_once(basis: int) -> None:
    alert = told((3, (opened(),)), (5, (withdrawn(20),)))
    again = told((basis, (withdrawn(20),)), alert=alert)
    assert again.history == alert.history


def test_a_withdrawn_alert_that_was_one_after_all_is_open_again() -> None:
    before = acknowledge(told((3, (opened(),)), (5, (withdrawn(20),))), "ann", 99)
    alert = told((7, (opened(), followed(50))), alert=before)
    assert (alert.state, alert.withdrawn, alert.acknowledged) == ("OPEN", False, False)
    assert (alert.ended_at, alert.last_seen) == (None, 50 * MINUTE)
    assert kinds(alert)[-2:] == ["acknowledged", "reopened"]


def test_a_withdrawn_alert_that_was_one_and_ended_is_cleared() -> None:
    before = told((3, (opened(),)), (5, (withdrawn(20),)))
    alert = told((7, (opened(), cleared(18))), alert=before)
    assert (alert.state, alert.withdrawn, alert.ended_at) == ("CLEARED", False, 18 * MINUTE)
    assert kinds(alert) == ["opened", "withdrawn", "cleared"]


def test_the_checkpoint_that_withdraws_cannot_reopen() -> None:
    alert = told((3, (opened(),)), (5, (withdrawn(20),)))
    assert told((5, (reopened(50),)), alert=alert) == alert


# ------------------------------------------------------------------ history and silence


def test_the_history_keeps_its_first_entry_and_the_newest() -> None:
    alert = told((1, (opened(),)))
    for cycle in range(MOST_ENTRIES):
        minute = 20 + 20 * cycle
        alert = told((2 + cycle, (cleared(minute), reopened(minute + 10))), alert=alert)
    assert len(alert.history) == MOST_ENTRIES
    assert alert.transitions == 1 + 2 * MOST_ENTRIES
    numbers = [entry.n for entry in alert.history]
    assert numbers[0] == 1
    assert numbers[1:] == list(range(alert.transitions + 2 - MOST_ENTRIES, alert.transitions + 1))


def test_a_history_that_was_cut_does_not_let_the_past_happen_again() -> None:
    cycles: list[Fact] = [opened()]
    for minute in range(20, 20 + 20 * MOST_ENTRIES, 20):
        cycles += [cleared(minute), reopened(minute + 10)]
    alert = acknowledge(told((3, tuple(cycles))), "ann", 99)
    for basis in (3, 5):
        again = told((basis, tuple(cycles)), alert=alert)
        assert again.history == alert.history
        assert again.acknowledged


def test_what_an_alert_keeps_of_a_reason_is_bounded() -> None:
    long = "x" * (MAX_NOTE + 1)
    again = Reopened("flow", ONSET, 40 * MINUTE, MINOR, ONSET, 5, long)
    alert = told((1, (opened(because=long), cleared(30), again)))
    assert len(alert.because) == len(alert.history[-1].note) == MAX_NOTE


def test_a_silence_opens_as_major_and_clears_when_the_device_is_heard() -> None:
    silent = tell(None, DEVICE, (silence_opened(ONSET, "no readings for 9 min"),), 0, "silence")
    assert silent is not None
    assert silent.key == AlertKey(DEVICE, ONSET, "*", "silence")
    assert (silent.state, silent.severity, silent.kind) == ("OPEN", "major", "silence")
    heard = tell(silent, DEVICE, (silence_cleared(ONSET, 30 * MINUTE),), 0, "silence")
    assert heard is not None
    assert (heard.state, heard.ended_at, heard.severity) == ("CLEARED", 30 * MINUTE, "major")
    for fact in (silence_opened(ONSET, "…"), silence_cleared(ONSET, 31 * MINUTE)):
        assert tell(heard, DEVICE, (fact,), 0, "silence") == heard


def test_a_device_that_is_heard_by_late_readings_alone_was_silent_for_no_time() -> None:
    silent = tell(None, DEVICE, (silence_opened(ONSET, "…"),), 0, "silence")
    heard = tell(silent, DEVICE, (silence_cleared(ONSET, ONSET - MINUTE),), 0, "silence")
    assert heard is not None
    assert (heard.state, heard.ended_at) == ("CLEARED", ONSET)


@given(courses())
def test_an_alert_stands_in_the_end_as_the_newest_checkpoint_says_last(course: Course) -> None:
    alert, last = told_once(course), course[-1][-1]
    assert alert.is_open == (not isinstance(last, Cleared | Withdrawn))
    assert alert.withdrawn == isinstance(last, Withdrawn)
    assert alert.severity == severity_of(alert.peak)
    assert alert.basis == len(course)
    match last:
        case Opened():
            assert (alert.peak, alert.last_seen, alert.count) == (last.score, ONSET, 1)
        case Followed() | Reopened():
            assert (alert.peak, alert.peak_ts) == (last.peak, last.peak_ts)
            assert (alert.last_seen, alert.count) == (last.at, last.count)
        case Cleared():
            assert (alert.peak, alert.peak_ts, alert.count) == (last.peak, last.peak_ts, last.count)
            assert (alert.last_seen, alert.ended_at) == (last.last_seen, last.ended_at)


@given(courses())
def test_a_history_of_the_readings_makes_sense(course: Course) -> None:
    check_replay(told_once(course))


@given(courses().filter(lambda course: not has_rewinds(course)))
def test_without_rewinds_the_history_is_what_was_told(course: Course) -> None:
    facts = [fact for told in course for fact in told]
    ends = [fact.at for fact in facts if isinstance(fact, Cleared)]
    returns = [fact.at for fact in facts if isinstance(fact, Reopened)]
    history = told_once(course).history
    assert [entry.at for entry in history if entry.kind == "cleared"] == ends
    assert [entry.at for entry in history if entry.kind == "reopened"] == returns
