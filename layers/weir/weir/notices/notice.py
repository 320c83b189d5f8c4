"""A notice: one transition of an alert, as everybody outside is told of it.

Its JSON is the detail of the EventBridge event, the JSON of a message about it alone, and a part of
a digest's: docs/notifications.md describes it. Times are RFC 3339 in UTC.
"""

from collections.abc import Iterable, Sequence
from typing import Final, Literal

import msgspec

from weir.alerts.alarm import SEVERITIES, Severity
from weir.alerts.alert import Alert, Entry, Kind, State
from weir.readings import format_ts

type NoticeKind = Literal["opened", "rose", "cleared", "reopened", "withdrawn", "snooze_ended"]

KINDS: Final[dict[NoticeKind, str]] = {
    "opened": "opened",
    "rose": "rose",
    "reopened": "reopened",
    "cleared": "cleared",
    "withdrawn": "withdrawn",
    "snooze_ended": "still open",
}
"""The transitions that are told, in words. What people themselves do to an alert is not."""

DETAIL_TYPES: Final[dict[NoticeKind, str]] = {
    kind: f"Weir Alert {words.title()}" for kind, words in KINDS.items()
}

VERSION: Final = 1


class Notice(msgspec.Struct, frozen=True):
    """A transition of an alert, and the alert as it was once that was written.

    `notice_id` is the alert's id and the number of the transition: who is told of it twice can see
    so. `at` is when it happened: in the readings' time, or by the clock for a snooze that ended.
    `severity` is the alert's after this transition, `peak` the alert's highest score.
    """

    notice_id: str
    kind: NoticeKind
    at: str
    severity: Severity
    alert_id: str
    device_id: str
    metric: str
    alert_kind: Kind
    state: State
    onset: str
    ended_at: str | None
    score: float
    peak: float
    count: int
    because: str
    value: float | None = None
    expected: float | None = None
    expected_low: float | None = None
    expected_high: float | None = None
    acknowledged: bool = False
    note: str = ""
    version: int = VERSION
    type: Literal["notice"] = "notice"


def notices_of(old: Alert | None, new: Alert) -> list[Notice]:
    """What is to be told of a write that made `new` of `old` (None: there was no alert)."""
    known = 0 if old is None else old.transitions
    return [
        _notice(new, entry, kind)
        for entry in new.history
        for kind in KINDS
        if entry.n > known and entry.kind == kind
    ]


def _notice(alert: Alert, entry: Entry, kind: NoticeKind) -> Notice:
    alert_id = str(alert.key)
    return Notice(
        f"{alert_id}#{entry.n}",
        kind,
        format_ts(entry.at),
        entry.severity,
        alert_id,
        alert.device_id,
        alert.metric,
        alert.kind,
        alert.state,
        format_ts(alert.onset),
        None if alert.ended_at is None else format_ts(alert.ended_at),
        alert.score,
        alert.peak,
        alert.count,
        alert.because,
        value=alert.value,
        expected=alert.expected,
        expected_low=alert.low,
        expected_high=alert.high,
        acknowledged=alert.acknowledged,
        note=entry.note,
    )


def is_quiet(alert: Alert, snoozed: bool, now: int) -> bool:
    """Whether nobody is to be told at `now` (epoch ms): by the alert's own snooze, or `snoozed`."""
    return snoozed or alert.is_snoozed(now)


def worst(notices: Iterable[Notice], most: int) -> list[Notice]:
    """The worst alerts that `notices` tell of, at most `most`: the newest notice of each.

    What goes on is worse than what ended; then the severity decides, then the highest score.
    """
    newest: dict[str, Notice] = {}
    for notice in notices:
        known = newest.get(notice.alert_id)
        if known is None or number(notice) > number(known):
            newest[notice.alert_id] = notice
    return sorted(newest.values(), key=_badness)[:most]


def number(notice: Notice) -> int:
    """Which transition of its alert it tells of, counted from 1."""
    return int(notice.notice_id.rpartition("#")[2])


def highest(severities: Sequence[Severity]) -> Severity:
    """The highest of them; there must be one."""
    return max(severities, key=SEVERITIES.index)


def _badness(notice: Notice) -> tuple[bool, int, float, str, str]:
    return (
        notice.kind in ("cleared", "withdrawn"),
        -SEVERITIES.index(notice.severity),
        -notice.peak,
        notice.onset,
        notice.alert_id,
    )
