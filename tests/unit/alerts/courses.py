"""What successive checkpoints say of one anomaly, rewinds among them, and what must come of it."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from hypothesis import strategies as st

from tests.unit.alerts.facts import DEVICE, MINUTE, ONSET, cleared, followed, opened, reopened
from weir.alerts.alarm import Cleared, Fact, Withdrawn
from weir.alerts.alert import Alert, Entry
from weir.alerts.lifecycle import acknowledge, end_snooze, judge, snooze, tell

BY_READINGS = {"opened", "rose", "cleared", "reopened", "withdrawn"}
NOW = 1_767_225_600_000

type Course = list[Sequence[Fact]]
"""What each checkpoint says, the first one's version being 1."""


@st.composite
def courses(draw: st.DrawFn) -> Course:
    """What up to six checkpoints say: each goes on, or goes back and tells another way from there.

    The last fact of what a rewind leaves stands for what is told of an alert that stands otherwise
    than it was told (`weir.scoring.amends`).
    """
    past: list[Fact] = _on(draw, [opened(draw(st.sampled_from([0.75, 0.85])))])
    course: Course = [past]
    for _ in range(draw(st.integers(0, 5))):
        if draw(st.integers(0, 2)):
            told = _on(draw, past)[len(past) :]
            past = [*past, *told]
        elif draw(st.integers(0, 3)):
            kept = draw(st.integers(1, len(past)))
            past = _on(draw, past[:kept], least=0)
            told = past[draw(st.integers(0, kept - 1)) :]
        else:
            told = [Withdrawn("flow", ONSET, past[-1].at)]
            course.append(told)
            told = past = _on(draw, past[:1])
        course.append(told)
    return course


def _on(draw: st.DrawFn, past: list[Fact], least: int = 1) -> list[Fact]:
    """`past`, and some facts more."""
    facts = list(past)
    count = getattr(past[-1], "count", 1)
    for _ in range(draw(st.integers(least, 3))):
        minute = facts[-1].at // MINUTE + draw(st.integers(1, 30))
        peak = draw(st.sampled_from([0.75, 0.85, 0.95]))
        count += 1
        if isinstance(facts[-1], Cleared):
            facts.append(reopened(minute, peak, count))
        else:
            end = draw(st.booleans())
            facts.append(cleared(minute, peak, count) if end else followed(minute, peak, count))
    return facts


def told_once(course: Course) -> Alert:
    """The alert of whoever tells each checkpoint's facts once, in order."""
    alert: Alert | None = None
    for version, facts in enumerate(course, 1):
        alert = tell(alert, DEVICE, facts, version)
    assert alert is not None
    return alert


def has_rewinds(course: Course) -> bool:
    """Whether some checkpoint tells of a time that one before it told of."""
    facts = [fact for told in course for fact in told]
    return any(after.at <= before.at for before, after in pairwise(facts))


type Deed = Callable[[Alert], Alert]


def deed(name: str, by: str) -> Deed:
    """What a person does, or the watchdog; in the history, each is told by who did it."""
    match name:
        case "acknowledge":
            return lambda alert: acknowledge(alert, by, NOW)
        case "snooze":
            return lambda alert: snooze(alert, NOW + 1 + int(by), by, NOW)
        case "unsnooze":
            return lambda alert: snooze(alert, NOW, by, NOW)
        case "judge":
            return lambda alert: judge(alert, "false", "", by, NOW)
        case _:
            return lambda alert: end_snooze(alert, NOW + 3)


DEEDS = ["acknowledge", "acknowledge", "snooze", "unsnooze", "judge", "end a snooze"]


def check_story(writes: Sequence[Alert]) -> None:
    """Raise `AssertionError` unless the writes, in their order, tell one alert's one story."""
    assert [alert.revision for alert in writes] == list(range(1, len(writes) + 1))
    assert len({alert.key for alert in writes}) == 1
    for before, after in pairwise(writes):
        assert list(after.history[: len(before.history)]) == list(before.history)
        assert before.basis <= after.basis
    last = writes[-1]
    assert [entry.n for entry in last.history] == list(range(1, len(last.history) + 1))
    check_replay(last)


def check_replay(alert: Alert) -> None:
    """Raise `AssertionError` unless the history makes sense and explains how the alert stands."""
    is_open, withdrawn, acknowledged_by, snoozed_by, judged_by = False, False, "", "", ""
    for entry in alert.history:
        match entry.kind:
            case "opened":
                assert entry.n == 1
                is_open = True
            case "rose":
                assert is_open
            case "cleared":
                assert is_open or withdrawn
                is_open = withdrawn = False
            case "withdrawn":
                assert not withdrawn
                is_open, withdrawn = False, True
            case "reopened":
                assert not is_open
                is_open, withdrawn, acknowledged_by = True, False, ""
            case "acknowledged":
                assert not acknowledged_by
                acknowledged_by = entry.by
            case "snoozed":
                assert snoozed_by != entry.by
                snoozed_by = entry.by
            case "unsnoozed" | "snooze_ended":
                assert snoozed_by
                snoozed_by = ""
            case "feedback":
                assert judged_by != entry.by
                judged_by = entry.by
    assert alert.is_open == is_open
    assert alert.withdrawn == withdrawn
    assert alert.acknowledged == bool(acknowledged_by)
    assert alert.acknowledged_by == acknowledged_by
    assert (alert.feedback.by if alert.feedback else "") == judged_by
    # The end of a snooze of an alert that is not open leaves no trace.
    if alert.snoozed_until is not None:
        assert alert.snoozed_until == NOW + 1 + int(snoozed_by)


def check_readings_side(alert: Alert, course: Course) -> None:
    """Raise `AssertionError` unless the alert is, but for people's deeds, as if told once."""
    once = told_once(course)
    for name in Alert.__struct_fields__:
        if name not in {
            "history",
            "revision",
            "acknowledged",
            "acknowledged_by",
            "acknowledged_at",
            "snoozed_until",
            "feedback",
        }:
            assert getattr(alert, name) == getattr(once, name), name
    assert _by_readings(alert) == _by_readings(once)


def _by_readings(alert: Alert) -> list[tuple[str, int, str]]:
    return [(e.kind, e.at, e.severity) for e in alert.history if e.kind in BY_READINGS]


def entries_by(alert: Alert, by: str) -> list[Entry]:
    """What a person did to the alert."""
    return [entry for entry in alert.history if entry.by == by]
