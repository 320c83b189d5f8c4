"""How an alert changes: by what the readings tell, and by what people do.

All pure functions from an alert to the alert after; `weir.storage.alert_store` writes the result
only over the revision that it was made from, and makes it anew otherwise. So of any transitions
that happen at once, each happens, one after the other.

    by the readings    opened -> OPEN -> cleared -> CLEARED -> reopened -> OPEN …
                       rose: the severity is higher than before; withdrawn: CLEARED, it never was
    by people          acknowledged (a reopening takes it back), snoozed, unsnoozed, feedback
    by the watchdog    snooze_ended, while the alert is open
"""

from collections.abc import Sequence
from itertools import dropwhile
from typing import Final

from msgspec.structs import replace

from weir.alerts.alarm import (
    SEVERITIES,
    Cleared,
    Fact,
    Followed,
    Opened,
    Reopened,
    Withdrawn,
    severity_of,
)
from weir.alerts.alert import (
    MAX_BY,
    MAX_NOTE,
    MOST_ENTRIES,
    Alert,
    AlertKey,
    Entry,
    EntryKind,
    Feedback,
    Kind,
    Verdict,
)

SILENCE_SCORE: Final = 0.8
"""A silence has no score; its alert is a major one."""

# ------------------------------------------------------------------ what the readings tell


def tell(
    alert: Alert | None, device_id: str, facts: Sequence[Fact], basis: int, kind: Kind = "anomaly"
) -> Alert | None:
    """The alert after `facts`, all of it and in order of time; None while there is none.

    `basis` is the version of the checkpoint that says them. Facts of an older one than the alert's
    are out of date and change nothing; of the same, those that were told already don't. Facts of a
    newer one hold: where they tell the past anew, as after a rewind, the alert stands in the end
    as they say, without going once more through what it went through.
    """
    for at, fact in enumerate(facts):
        if alert is None and isinstance(fact, Opened):
            return _told_on(_opened(device_id, fact, basis, kind), facts[at + 1 :])
    if alert is None or not facts or basis < alert.basis:
        return alert
    if basis == alert.basis:
        return _told_on(alert, facts)
    return _told_anew(replace(alert, basis=basis), facts)


def _told_on(alert: Alert, facts: Sequence[Fact]) -> Alert:
    for fact in facts:
        if _is_news(alert, fact):
            alert = _after(alert, fact)
    return alert


def _is_news(alert: Alert, fact: Fact) -> bool:
    """Whether a fact goes on from where the alert stands."""
    match fact:
        case Opened():
            return False
        case Followed():
            return alert.is_open and fact.at > alert.last_seen
        case Cleared():
            return alert.is_open and fact.at >= alert.last_seen
        case Reopened():
            return not alert.withdrawn and fact.at > _told_to(alert)
        case Withdrawn():
            return True


def _told_anew(alert: Alert, facts: Sequence[Fact]) -> Alert:
    first, told_to = facts[0], _told_to(alert)
    if isinstance(first, Opened):
        alert = replace(_explained(alert, first), score=first.score)
    news = list(dropwhile(lambda fact: fact.at <= told_to, facts))
    past = facts[: len(facts) - len(news)]
    for fact in past:
        if isinstance(fact, Reopened):
            alert = _explained(alert, fact)
    for fact in (*past[-1:], *news):
        alert = _after(alert, fact)
    return alert


def _told_to(alert: Alert) -> int:
    """The time of the reading that was told of last."""
    return alert.last_seen if alert.ended_at is None else alert.ended_at


def _opened(device_id: str, fact: Opened, basis: int, kind: Kind) -> Alert:
    bare = Alert(
        AlertKey(device_id, fact.onset, fact.metric, kind),
        "OPEN",
        severity_of(fact.score),
        fact.score,
        peak=fact.score,
        peak_ts=fact.onset,
        last_seen=fact.onset,
        count=1,
        basis=basis,
    )
    return _with(_explained(bare, fact), "opened", fact.onset)


def _explained(alert: Alert, fact: Opened | Reopened) -> Alert:
    """The alert with the newest telling of what came and what was expected, where there is one."""
    if not fact.because and isinstance(fact, Reopened):
        return alert
    return replace(
        alert,
        because=fact.because[:MAX_NOTE],
        value=fact.value,
        expected=fact.expected,
        low=fact.low,
        high=fact.high,
    )


def _after(alert: Alert, fact: Fact) -> Alert:
    """The alert as it stands after a fact, however it stood before."""
    match fact:
        case Opened():
            course = _on_course(alert, fact.score, fact.onset, fact.onset, 1)
            return _going_on(alert, course, fact.at)
        case Followed():
            course = _on_course(alert, fact.peak, fact.peak_ts, fact.at, fact.count)
            return _going_on(alert, course, fact.at)
        case Reopened():
            course = _on_course(alert, fact.peak, fact.peak_ts, fact.at, fact.count)
            return _going_on(alert, _explained(course, fact), fact.at, fact.because)
        case Cleared():
            course = _on_course(alert, fact.peak, fact.peak_ts, fact.last_seen, fact.count)
            return _cleared(alert, course, fact.ended_at)
        case Withdrawn():
            return _withdrawn(alert, fact.at)


def _on_course(alert: Alert, peak: float, peak_ts: int, last_seen: int, count: int) -> Alert:
    """The alert with another course; the severity is always that of the peak."""
    return replace(
        alert,
        severity=severity_of(peak),
        peak=peak,
        peak_ts=peak_ts,
        last_seen=last_seen,
        count=count,
    )


def _going_on(alert: Alert, course: Alert, at: int, because: str = "") -> Alert:
    if alert.is_open:
        return _risen(alert, course)
    reopened = replace(
        course,
        state="OPEN",
        ended_at=None,
        withdrawn=False,
        acknowledged=False,
        acknowledged_by="",
        acknowledged_at=None,
    )
    return _with(reopened, "reopened", at, note=because)


def _risen(alert: Alert, course: Alert) -> Alert:
    if SEVERITIES.index(course.severity) > SEVERITIES.index(alert.severity):
        return _with(course, "rose", course.peak_ts)
    return course


def _cleared(alert: Alert, course: Alert, ended_at: int) -> Alert:
    if alert.is_open:
        course = _risen(alert, course)
    ended = replace(course, state="CLEARED", ended_at=ended_at, withdrawn=False)
    # That it ended at another time than was told is no transition; that it was, after all, is.
    return _with(ended, "cleared", ended_at) if alert.is_open or alert.withdrawn else ended


def _withdrawn(alert: Alert, at: int) -> Alert:
    if alert.withdrawn:
        return alert
    ended_at = max(at, alert.onset) if alert.ended_at is None else alert.ended_at
    ended = replace(alert, state="CLEARED", ended_at=ended_at, withdrawn=True)
    return _with(ended, "withdrawn", at, note="readings that came late explain it")


def silence_opened(onset: int, because: str) -> Opened:
    """The fact that a device fell silent: it was last heard at `onset`."""
    return Opened("*", onset, SILENCE_SCORE, because)


def silence_cleared(onset: int, heard: int) -> Cleared:
    """The fact that a device that was last heard at `onset` was heard again at `heard`."""
    return Cleared("*", onset, max(heard, onset), SILENCE_SCORE, onset, onset)


# ------------------------------------------------------------------ what people do


def acknowledge(alert: Alert, by: str, now: int, note: str = "") -> Alert:
    """The alert, acknowledged; as it was if it is."""
    if alert.acknowledged:
        return alert
    seen = replace(alert, acknowledged=True, acknowledged_by=by[:MAX_BY], acknowledged_at=now)
    return _with(seen, "acknowledged", now, by=by, note=note)


def snooze(alert: Alert, until: int, by: str, now: int) -> Alert:
    """The alert, quiet until `until`; with a time that has passed, quiet no more."""
    if until <= now:
        if not alert.is_snoozed(now):
            return alert
        return _with(replace(alert, snoozed_until=None), "unsnoozed", now, by=by)
    if alert.snoozed_until == until:
        return alert
    return _with(replace(alert, snoozed_until=until), "snoozed", now, by=by)


def end_snooze(alert: Alert, now: int) -> Alert:
    """The alert when its snooze has ended; as it was if that has not.

    It is a transition only of an alert that is open: then there is something to be told.
    """
    if alert.snoozed_until is None or now < alert.snoozed_until:
        return alert
    awake = replace(alert, snoozed_until=None)
    return _with(awake, "snooze_ended", now) if alert.is_open else awake


def judge(alert: Alert, verdict: Verdict, note: str, by: str, now: int) -> Alert:
    """The alert with a person's feedback, in place of any before; as it was if that says so."""
    old, new = alert.feedback, Feedback(verdict, by[:MAX_BY], now, note[:MAX_NOTE])
    if old is not None and replace(old, at=now) == new:
        return alert
    said = f"{verdict}: {note}" if note else verdict
    return _with(replace(alert, feedback=new), "feedback", now, by=by, note=said)


def _with(alert: Alert, kind: EntryKind, at: int, *, by: str = "", note: str = "") -> Alert:
    entry = Entry(alert.transitions + 1, kind, at, alert.severity, by[:MAX_BY], note[:MAX_NOTE])
    history = (*alert.history, entry)
    if len(history) > MOST_ENTRIES:
        history = (history[0], *history[2:])
    return replace(alert, history=history)
