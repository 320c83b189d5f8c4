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

_KINDS: Final[dict[type[Fact], EntryKind]] = {
    Opened: "opened",
    Followed: "rose",
    Cleared: "cleared",
    Reopened: "reopened",
    Withdrawn: "withdrawn",
}


def tell(
    alert: Alert | None, device_id: str, facts: Sequence[Fact], basis: int, kind: Kind = "anomaly"
) -> Alert | None:
    """The alert after `facts`, all of it and in order; None while there is none.

    `facts` come from a fold that began at the checkpoint of version `basis`. Those that the alert
    has in its history already change nothing, those from an older basis than its own neither, and
    if their basis is newer, the alert is in the end open or cleared as the last of them says.
    """
    newer = alert is not None and basis > alert.basis
    if alert is not None and basis < alert.basis:
        return alert
    for fact in facts:
        if alert is None:
            if isinstance(fact, Opened):
                alert = _opened(device_id, fact, basis, kind)
        elif not _is_known(alert, fact):
            alert = _changed(alert, fact, newer=newer)
    if alert is None or not newer:
        return alert
    # What another order of the readings had told last may not be what this one does.
    last = facts[-1]
    should_be_open = not isinstance(last, Cleared | Withdrawn)
    if alert.is_open != should_be_open:
        alert = _turned(alert, last)
    return replace(alert, basis=basis)


def _is_known(alert: Alert, fact: Fact) -> bool:
    if isinstance(fact, Followed):
        return False
    kind = _KINDS[type(fact)]
    return any(entry.kind == kind and entry.at == fact.at for entry in alert.history)


def _opened(device_id: str, fact: Opened, basis: int, kind: Kind) -> Alert:
    severity = severity_of(fact.score)
    return Alert(
        AlertKey(device_id, fact.onset, fact.metric, kind),
        "OPEN",
        severity,
        fact.score,
        peak=fact.score,
        peak_ts=fact.onset,
        last_seen=fact.onset,
        count=1,
        because=fact.because,
        value=fact.value,
        expected=fact.expected,
        low=fact.low,
        high=fact.high,
        history=(Entry(1, "opened", fact.onset, severity),),
        basis=basis,
    )


def _changed(alert: Alert, fact: Fact, *, newer: bool) -> Alert:
    match fact:
        case Opened():
            return alert
        case Followed():
            return _followed(alert, fact, newer=newer)
        case Cleared():
            return _cleared(alert, fact)
        case Reopened():
            return _reopened(alert, fact) if not alert.is_open else alert
        case Withdrawn():
            return _withdrawn(alert, fact) if not alert.withdrawn else alert


def _turned(alert: Alert, last: Fact) -> Alert:
    match last:
        case Cleared():
            return _cleared(alert, last)
        case Withdrawn():
            return _withdrawn(alert, last)
        case Opened():
            because = Reopened(
                last.metric, last.onset, alert.last_seen, alert.peak, alert.peak_ts, alert.count
            )
            return _reopened(alert, because)
        case Followed():
            because = Reopened(
                last.metric, last.onset, last.at, last.peak, last.peak_ts, last.count
            )
            return _reopened(alert, because)
        case Reopened():
            return _reopened(alert, last)


def _followed(alert: Alert, fact: Followed, *, newer: bool) -> Alert:
    if not newer and fact.count <= alert.count:
        return alert  # told again
    course = replace(
        alert, peak=fact.peak, peak_ts=fact.peak_ts, last_seen=fact.at, count=fact.count
    )
    if not alert.is_open:
        return course
    return _risen(course, fact.at)


def _risen(alert: Alert, at: int) -> Alert:
    severity = severity_of(alert.peak)
    if SEVERITIES.index(severity) <= SEVERITIES.index(alert.severity):
        return alert
    return _with(replace(alert, severity=severity), "rose", at)


def _cleared(alert: Alert, fact: Cleared) -> Alert:
    rising = replace(
        alert,
        peak=fact.peak,
        peak_ts=fact.peak_ts,
        last_seen=fact.last_seen,
        count=fact.count,
    )
    if not alert.is_open:
        return replace(rising, ended_at=fact.ended_at, severity=severity_of(fact.peak))
    risen = _risen(rising, fact.peak_ts)
    ended = replace(risen, state="CLEARED", ended_at=fact.ended_at)
    return _with(ended, "cleared", fact.ended_at)


def _reopened(alert: Alert, fact: Reopened) -> Alert:
    opened = replace(
        alert,
        state="OPEN",
        ended_at=None,
        withdrawn=False,
        severity=severity_of(fact.peak),
        peak=fact.peak,
        peak_ts=fact.peak_ts,
        last_seen=fact.at,
        count=fact.count,
        acknowledged=False,
        acknowledged_by="",
        acknowledged_at=None,
    )
    return _with(opened, "reopened", fact.at, note=fact.because)


def _withdrawn(alert: Alert, fact: Withdrawn) -> Alert:
    ended = replace(
        alert, state="CLEARED", withdrawn=True, ended_at=alert.ended_at or max(fact.at, alert.onset)
    )
    return _with(ended, "withdrawn", fact.at, note="readings that came late explain it")


# ------------------------------------------------------------------ what people do


def acknowledge(alert: Alert, by: str, now: int, note: str = "") -> Alert:
    """The alert, acknowledged; as it was if it is."""
    if alert.acknowledged:
        return alert
    seen = replace(alert, acknowledged=True, acknowledged_by=by, acknowledged_at=now)
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
    """The alert when its snooze has ended; as it was if that has not."""
    if alert.snoozed_until is None or now < alert.snoozed_until:
        return alert
    awake = replace(alert, snoozed_until=None)
    return _with(awake, "snooze_ended", now) if alert.is_open else awake


def judge(alert: Alert, verdict: Verdict, note: str, by: str, now: int) -> Alert:
    """The alert with a person's feedback, in place of any before; as it was if that says so."""
    old = alert.feedback
    if old is not None and (old.verdict, old.note, old.by) == (verdict, note, by):
        return alert
    judged = replace(alert, feedback=Feedback(verdict, by, now, note))
    return _with(judged, "feedback", now, by=by, note=f"{verdict}: {note}" if note else verdict)


def _with(alert: Alert, kind: EntryKind, at: int, *, by: str = "", note: str = "") -> Alert:
    entry = Entry(alert.transitions + 1, kind, at, alert.severity, by, note)
    history = (*alert.history, entry)
    if len(history) > MOST_ENTRIES:
        history = (history[0], *history[2:])
    return replace(alert, history=history)


def silence_opened(onset: int, because: str) -> Opened:
    """The fact that a device fell silent: it was last heard at `onset`."""
    return Opened("*", onset, SILENCE_SCORE, because)


def silence_cleared(onset: int, heard: int) -> Cleared:
    """The fact that a device that was last heard at `onset` was heard again at `heard`."""
    return Cleared("*", onset, heard, SILENCE_SCORE, onset, onset)
