"""Messages: a notice, or many in a digest, in words for people and in JSON for programs.

A digest of a single notice is a message about it like any other.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

import msgspec

from weir.alerts.alarm import SEVERITIES, Severity
from weir.controls import DEVICE
from weir.notices.notice import KINDS, VERSION, Notice, NoticeKind, highest, number, worst
from weir.readings import format_ts

MAX_SUBJECT: Final = 99
"""A subject in SNS has less than 100 characters, all ASCII (API reference, "Publish")."""

WORST: Final = 10
"""So many alerts a digest tells of in full."""

MAX_LISTED_BYTES: Final = 48 * 1024
"""A digest lists as many ids as fit, in three places: a message in SNS or SQS has 256 KiB."""

_ENCODE = msgspec.json.Encoder().encode


class Message(msgspec.Struct, frozen=True):
    """What one message says.

    `message_id` is that of the notice or the digest: it is the same however often it is sent.
    `document` is the JSON, `attributes` what a subscription can filter by: each a list of values.
    """

    message_id: str
    subject: str
    text: str
    document: str
    attributes: Mapping[str, Sequence[str]]


class Digest(msgspec.Struct, frozen=True):
    """The JSON of a digest: what was held in the minute that began at `minute`.

    `notices` counts transitions, `devices` the devices that they are of. `notice_ids` and
    `device_ids` name them, the worst first; where they are too many, `truncated` is true.
    """

    digest_id: str
    minute: str
    notices: int
    devices: int
    by_severity: Mapping[Severity, int]
    by_kind: Mapping[NoticeKind, int]
    worst: Sequence[Notice]
    notice_ids: Sequence[str]
    device_ids: Sequence[str]
    truncated: bool
    version: int = VERSION
    type: Literal["digest"] = "digest"


def digest_id(minute: int) -> str:
    """The id of the digest of the minute that begins at `minute` (epoch ms)."""
    return f"digest~{minute:013d}"


def single(notice: Notice) -> Message:
    """The message about one notice."""
    return Message(
        notice.notice_id,
        _subject(f"[{notice.severity}] {_headline(notice)}"),
        _text(notice),
        _ENCODE(notice).decode(),
        {
            "type": ["notice"],
            "severity": [notice.severity],
            "kind": [notice.kind],
            "device_id": [notice.device_id],
        },
    )


def digest(minute: int, notices: Sequence[Notice]) -> Message:
    """The message about all that was held in the minute that began at `minute` (epoch ms).

    There must be one notice at least.
    """
    if len(notices) == 1:
        return single(notices[0])
    ranked = worst(notices, len(notices))
    place = {notice.alert_id: at for at, notice in enumerate(ranked)}
    ordered = sorted(notices, key=lambda notice: (place[notice.alert_id], number(notice)))
    ids, all_ids = _fitting(notice.notice_id for notice in ordered)
    devices = list(dict.fromkeys(notice.device_id for notice in ordered))
    device_ids, all_devices = _fitting(devices)
    summary = Digest(
        digest_id(minute),
        format_ts(minute),
        len(notices),
        len(devices),
        _counted((notice.severity for notice in notices), reversed(SEVERITIES)),
        _counted((notice.kind for notice in notices), KINDS),
        ranked[:WORST],
        ids,
        device_ids,
        truncated=not (all_ids and all_devices),
    )
    severity = highest([notice.severity for notice in notices])
    return Message(
        summary.digest_id,
        _subject(f"[{severity}] {_summed(summary)}"),
        _digest_text(summary, len(ranked)),
        _ENCODE(summary).decode(),
        {
            "type": ["digest"],
            "severity": list(summary.by_severity),
            "kind": list(summary.by_kind),
            "device_id": device_ids,
        },
    )


# ------------------------------------------------------------------ words


def _headline(notice: Notice) -> str:
    if notice.alert_kind == "silence":
        what = {
            "opened": f"silent since {_moment(notice.onset)}",
            "cleared": "heard again",
            "snooze_ended": "still silent",
        }.get(notice.kind, f"silence {KINDS[notice.kind]}")
        return f"{notice.device_id}: {what}"
    name = "" if notice.metric == DEVICE else f" {notice.metric}"
    what = f"alert {KINDS[notice.kind]}"
    if notice.kind == "rose":
        what = f"alert rose to {notice.severity}"
    return f"{notice.device_id}{name}: {what}"


def _text(notice: Notice) -> str:
    whole = "the device as a whole" if notice.metric == DEVICE else notice.metric
    lines = [
        ("Device", notice.device_id),
        ("Metric", whole),
        ("Severity", notice.severity),
        ("Came", _number(notice.value)),
        ("Expected", _expected(notice)),
        ("Because", notice.because),
        ("Began", _moment(notice.onset)),
        ("Ended", _moment(notice.ended_at) if notice.ended_at else "not yet"),
        ("Readings", f"{notice.count} out of the usual" if notice.alert_kind == "anomaly" else ""),
        ("Happened", _moment(notice.at)),
        ("Note", "" if notice.note == notice.because else notice.note),
        ("Seen", "acknowledged" if notice.acknowledged else ""),
        ("Alert", notice.alert_id),
        ("Notice", notice.notice_id),
    ]
    told = [f"  {name:<9} {_one_line(value)}" for name, value in lines if value]
    return "\n".join([_one_line(_headline(notice)), "", *told, ""])


def _digest_text(summary: Digest, alerts: int) -> str:
    lines = [
        _summed(summary),
        "",
        f"  Minute    {_moment(summary.minute)}",
        f"  Severity  {_list(summary.by_severity.items())}",
        f"  What      {_list((KINDS[kind], n) for kind, n in summary.by_kind.items())}",
        "",
        f"The worst {len(summary.worst)} of {alerts:,}:" if alerts > 1 else "The alert:",
    ]
    for at, notice in enumerate(summary.worst, start=1):
        lines.append(f"  {at:>2}. [{notice.severity}] {_one_line(_headline(notice))}")
        if notice.because:
            lines.append(f"      {_one_line(notice.because)}")
        lines.append(f"      {notice.alert_id}")
    return "\n".join([*lines, "", f"Digest {summary.digest_id}", ""])


def _summed(summary: Digest) -> str:
    devices = "1 device" if summary.devices == 1 else f"{summary.devices:,} devices"
    return f"{summary.notices:,} changes of alerts on {devices} within a minute"


def _list(counts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{n:,} {name}" for name, n in counts)


def _expected(notice: Notice) -> str:
    if notice.expected is None:
        return ""
    if notice.expected_low is None or notice.expected_high is None:
        return _number(notice.expected)
    band = f"{_number(notice.expected_low)} to {_number(notice.expected_high)}"
    return f"{_number(notice.expected)} ({band})"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _moment(rfc3339: str) -> str:
    """For eyes: seconds are enough.

    >>> _moment("2026-01-01T00:00:05.250Z")
    '2026-01-01 00:00:05 UTC'
    """
    return f"{rfc3339[:10]} {rfc3339[11:19]} UTC"


def _one_line(text: str) -> str:
    """Names and notes come from outside: no line of theirs passes for one of ours."""
    return " ".join(text.split())


def _subject(text: str) -> str:
    plain = _one_line(text).encode("ascii", "replace").decode()
    plain = "".join(sign if sign.isprintable() else "?" for sign in plain)
    return plain if len(plain) <= MAX_SUBJECT else plain[: MAX_SUBJECT - 3] + "..."


def _counted[K](values: Iterable[K], order: Iterable[K]) -> dict[K, int]:
    counts = Counter(values)
    return {key: counts[key] for key in order if counts[key]}


def _fitting(ids: Iterable[str]) -> tuple[list[str], bool]:
    """As many ids as fit, and whether that is all of them."""
    taken: list[str] = []
    size = 0
    for each in ids:
        size += len(each) + 3
        if size > MAX_LISTED_BYTES:
            return taken, False
        taken.append(each)
    return taken, True
