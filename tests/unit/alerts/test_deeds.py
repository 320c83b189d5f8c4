"""What people do to an alert, and what the readings leave of it."""

from collections.abc import Callable

import pytest

from tests.unit.alerts.facts import (
    CRITICAL,
    cleared,
    followed,
    kinds,
    opened,
    reopened,
    told,
    withdrawn,
)
from weir.alerts.alert import MAX_BY, MAX_NOTE, Alert, Feedback
from weir.alerts.lifecycle import acknowledge, end_snooze, judge, snooze

NOW = 1_767_225_600_000
HOUR = 3_600_000

OPEN = told((1, (opened(),)))
CLEARED = told((1, (opened(), cleared(30))))
WITHDRAWN = told((1, (opened(),)), (2, (withdrawn(20),)))
SNOOZED = snooze(OPEN, NOW + HOUR, "ann", NOW)

each_state = pytest.mark.parametrize("alert", [OPEN, CLEARED, WITHDRAWN])


@each_state
def test_an_acknowledgement_says_who_and_when_in_any_state(alert: Alert) -> None:
    seen = acknowledge(alert, "ann", NOW, "on my way")
    assert (seen.acknowledged, seen.acknowledged_by, seen.acknowledged_at) == (True, "ann", NOW)
    assert (seen.state, seen.withdrawn) == (alert.state, alert.withdrawn)
    entry = seen.history[-1]
    assert (entry.kind, entry.at, entry.by, entry.note) == ("acknowledged", NOW, "ann", "on my way")


def test_the_first_to_acknowledge_is_the_one_who_did() -> None:
    seen = acknowledge(OPEN, "ann", NOW)
    assert acknowledge(seen, "ann", NOW + 1) == seen
    assert acknowledge(seen, "bob", NOW + 1, "me too") == seen


def test_a_reopening_takes_the_acknowledgement_back() -> None:
    seen = acknowledge(CLEARED, "ann", NOW)
    again = told((2, (reopened(40),)), alert=seen)
    assert (again.acknowledged, again.acknowledged_by, again.acknowledged_at) == (False, "", None)
    assert kinds(acknowledge(again, "bob", NOW + 1))[-3:] == [
        "acknowledged",
        "reopened",
        "acknowledged",
    ]


def test_a_rise_in_severity_is_told_and_leaves_the_acknowledgement() -> None:
    risen = told((2, (followed(20, CRITICAL),)), alert=acknowledge(OPEN, "ann", NOW))
    assert risen.acknowledged
    assert kinds(risen) == ["opened", "acknowledged", "rose"]


@pytest.mark.parametrize("end", [cleared(30), withdrawn(30)])
def test_an_end_leaves_the_acknowledgement(end: object) -> None:
    ended = told((2, (end,)), alert=acknowledge(OPEN, "ann", NOW))  # type: ignore[arg-type]
    assert (ended.state, ended.acknowledged) == ("CLEARED", True)


@each_state
def test_a_snooze_keeps_an_alert_quiet_until_its_time(alert: Alert) -> None:
    quiet = snooze(alert, NOW + HOUR, "ann", NOW)
    assert (quiet.is_snoozed(NOW), quiet.is_snoozed(NOW + HOUR - 1)) == (True, True)
    assert not quiet.is_snoozed(NOW + HOUR)
    assert (quiet.state, quiet.history[-1].kind) == (alert.state, "snoozed")


def test_a_snooze_until_the_same_time_changes_nothing_and_until_another_does() -> None:
    assert snooze(SNOOZED, NOW + HOUR, "bob", NOW + 1) == SNOOZED
    longer = snooze(SNOOZED, NOW + 2 * HOUR, "bob", NOW + 1)
    assert longer.snoozed_until == NOW + 2 * HOUR
    assert kinds(longer) == ["opened", "snoozed", "snoozed"]


@pytest.mark.parametrize("until", [0, NOW, NOW + 5])
def test_a_snooze_until_a_time_that_passed_ends_it(until: int) -> None:
    loud = snooze(SNOOZED, until, "bob", NOW + 5)
    assert loud.snoozed_until is None
    assert (loud.history[-1].kind, loud.history[-1].by) == ("unsnoozed", "bob")
    assert snooze(loud, until, "bob", NOW + 6) == loud


def test_nothing_is_unsnoozed_that_is_not_snoozed() -> None:
    assert snooze(OPEN, 0, "ann", NOW) == OPEN
    assert snooze(SNOOZED, 0, "ann", NOW + HOUR) == SNOOZED  # over; the watchdog says so


def test_a_snooze_survives_clear_and_reopening() -> None:
    again = told((2, (cleared(30), reopened(40))), alert=SNOOZED)
    assert again.snoozed_until == NOW + HOUR
    assert again.is_snoozed(NOW)


def test_the_end_of_a_snooze_is_a_transition_of_an_open_alert_once() -> None:
    assert end_snooze(SNOOZED, NOW + HOUR - 1) == SNOOZED
    awake = end_snooze(SNOOZED, NOW + HOUR)
    assert awake.snoozed_until is None
    assert (awake.history[-1].kind, awake.history[-1].at) == ("snooze_ended", NOW + HOUR)
    assert end_snooze(awake, NOW + HOUR) == awake
    assert end_snooze(OPEN, NOW) == OPEN


def test_the_end_of_a_snooze_of_a_cleared_alert_is_not_worth_telling() -> None:
    quiet = snooze(CLEARED, NOW + HOUR, "ann", NOW)
    awake = end_snooze(quiet, NOW + HOUR)
    assert awake.snoozed_until is None
    assert awake.history == quiet.history


@each_state
def test_feedback_takes_the_place_of_what_was_said_before(alert: Alert) -> None:
    wrong = judge(alert, "false", "sensor was being cleaned", "ann", NOW)
    assert wrong.feedback == Feedback("false", "ann", NOW, "sensor was being cleaned")
    assert wrong.history[-1].note == "false: sensor was being cleaned"
    right = judge(wrong, "true", "", "bob", NOW + 1)
    assert right.feedback == Feedback("true", "bob", NOW + 1)
    assert right.history[-1].note == "true"
    assert right.transitions == alert.transitions + 2


def test_feedback_that_says_the_same_changes_nothing() -> None:
    once = judge(OPEN, "benign", "tide", "ann", NOW)
    assert judge(once, "benign", "tide", "ann", NOW + 1) == once
    assert judge(once, "benign", "tide", "bob", NOW + 1) != once
    assert judge(once, "benign", "the tide", "ann", NOW + 1) != once


def test_feedback_survives_whatever_the_readings_do() -> None:
    judged = judge(OPEN, "true", "", "ann", NOW)
    after = told((2, (cleared(30), reopened(40))), (3, (withdrawn(40),)), alert=judged)
    assert after.feedback == judged.feedback


LONG = "x" * (MAX_NOTE + 1)


@pytest.mark.parametrize(
    "deed",
    [
        lambda alert: acknowledge(alert, LONG, NOW, LONG),
        lambda alert: judge(alert, "true", LONG, LONG, NOW),
        lambda alert: snooze(alert, NOW + 1, LONG, NOW),
    ],
)
def test_what_an_alert_keeps_of_notes_and_names_is_bounded(deed: Callable[[Alert], Alert]) -> None:
    after = deed(OPEN)
    assert len(after.history[-1].note) <= MAX_NOTE
    assert len(after.history[-1].by) <= MAX_BY
    assert len(after.acknowledged_by) <= MAX_BY
    assert after.feedback is None or len(after.feedback.by) <= MAX_BY
    assert after.feedback is None or len(after.feedback.note) <= MAX_NOTE
    assert deed(after).transitions == after.transitions
