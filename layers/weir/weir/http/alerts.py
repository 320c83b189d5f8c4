"""The routes for alerts: listing them, and what people do about them."""

from collections.abc import Callable, Iterator
from heapq import merge
from typing import Any, Final, get_args
from urllib.parse import unquote

from weir.alerts import lifecycle
from weir.alerts.alarm import SEVERITIES
from weir.alerts.alert import VERDICTS, Alert, AlertKey, Entry, Feedback, NoSuchAlert, State
from weir.http.calls import Call, Outcome, tagged
from weir.http.fields import note, only, snooze_end
from weir.http.queries import Query, bad_cursor, cursor_of
from weir.key_service import InvalidField
from weir.readings import format_ts, kind
from weir.storage.alert_store import AlertPage, AlertStore

PAGE: Final = 100
MAX_PAGE: Final = 500
"""Alerts in an answer: by default, and at most."""

MOST_LOOKED_AT: Final = 5000
"""So many alerts are looked at for an answer, whichever of them are asked for."""

STATES: Final = ("open", "cleared", "all")

_AT_ONCE: Final = 250

type _Pages = Callable[[AlertKey | None], AlertPage]


def list_alerts(store: AlertStore, call: Call) -> Outcome:
    """Alerts, the newest onset first; those of a device, or of a state, or all.

    Raises `InvalidField`.
    """
    query = Query(
        call.raw_query,
        (
            *("state", "severity", "device_id", "metric", "acknowledged"),
            *("since", "until", "limit", "cursor"),
        ),
    )
    state = query.choice("state", STATES, "open")
    severities = query.choices("severity", SEVERITIES)
    device_id, metric = query.device_id(), query.metric(or_device=True)
    acknowledged = query.flag("acknowledged")
    since, until = query.moment("since") or 0, query.moment("until")
    limit = query.whole("limit", 1, MAX_PAGE, PAGE)
    after = _after(query, device_id, since, until)

    def is_wanted(alert: Alert) -> bool:
        return (
            (state == "all" or alert.state == state.upper())
            and (severities is None or alert.severity in severities)
            and (metric is None or alert.metric == metric)
            and (acknowledged is None or alert.acknowledged == acknowledged)
        )

    sifted = severities is not None or metric is not None or acknowledged is not None
    at_once = _AT_ONCE if sifted else limit + 1

    def of_device(place: AlertKey | None) -> AlertPage:
        return store.page_of_device(
            device_id or "", since=since, until=until, after=place, limit=at_once
        )

    def of_state(name: State) -> _Pages:
        return lambda place: store.page_of_state(
            name, since=since, until=until, after=place, limit=at_once
        )

    if device_id is not None:
        sources: list[_Pages] = [of_device]
    else:
        names = [name for name in get_args(State.__value__) if state in {"all", name.lower()}]
        sources = [of_state(name) for name in names]
    found: list[Alert] = []
    last, more = after, False
    walks = (_walk(pages, after) for pages in sources)
    for looked_at, alert in enumerate(merge(*walks, key=_order, reverse=True)):
        if len(found) == limit or looked_at == MOST_LOOKED_AT or call.deadline.left <= 0:
            more = True
            break
        last = alert.key
        if is_wanted(alert):
            found.append(alert)
    document = {
        "alerts": [shown(alert) for alert in found],
        "next_cursor": cursor_of("alerts", str(last)) if more else None,
    }
    return Outcome(200, document)


def get_alert(store: AlertStore, call: Call) -> Outcome:
    """An alert with its history. Raises `NoSuchAlert`."""
    Query(call.raw_query, ())
    key = _key(call)
    alert = store.get(key)
    if alert is None:
        raise NoSuchAlert(str(key))
    return tagged(call, f'"{alert.revision}"', lambda: {"alert": shown_whole(alert)})


def acknowledge(store: AlertStore, call: Call) -> Outcome:
    """Acknowledge an alert. Raises `NoSuchAlert`, `InvalidField` or `AlertMoved`."""
    said = note(only(call.fields, "note"))
    return _changed(
        store,
        call,
        {"action": "alert_acknowledged"},
        lambda alert: lifecycle.acknowledge(alert, call.operator, call.now, said),
    )


def snooze(store: AlertStore, call: Call) -> Outcome:
    """Keep an alert quiet until a time. Raises `NoSuchAlert`, `InvalidField` or `AlertMoved`."""
    until = snooze_end(only(call.fields, "until", "for_seconds"), call.now)
    return _changed(
        store,
        call,
        {"action": "alert_snoozed", "until": format_ts(until)},
        lambda alert: lifecycle.snooze(alert, until, call.operator, call.now),
    )


def judge(store: AlertStore, call: Call) -> Outcome:
    """Take feedback on an alert. Raises `NoSuchAlert`, `InvalidField` or `AlertMoved`."""
    fields = only(call.fields, "verdict", "note")
    verdict, said = fields.get("verdict"), note(fields)
    if verdict not in VERDICTS:
        what = "another string" if isinstance(verdict, str) else kind(verdict)
        raise InvalidField(f"verdict is {what}; it must be one of {', '.join(VERDICTS)}")
    return _changed(
        store,
        call,
        {"action": "alert_judged", "verdict": verdict},
        lambda alert: lifecycle.judge(alert, verdict, said, call.operator, call.now),
    )


def _changed(
    store: AlertStore, call: Call, audit: dict[str, object], change: Callable[[Alert], Alert]
) -> Outcome:
    Query(call.raw_query, ())
    key = _key(call)
    alert = store.change(key, change)
    return Outcome(200, {"alert": shown_whole(alert)}, {**audit, "alert_id": str(key)})


def _key(call: Call) -> AlertKey:
    return AlertKey.of_id(unquote(call.path.get("alert_id", "")))


def _after(query: Query, device_id: str | None, since: int, until: int | None) -> AlertKey | None:
    text = query.cursor("alerts")
    if text is None:
        return None
    try:
        key = AlertKey.of_id(text)
    except NoSuchAlert:
        raise bad_cursor() from None
    if device_id not in {None, key.device_id} or key.onset < since:
        raise bad_cursor()
    if until is not None and key.onset > until:
        raise bad_cursor()
    return key


def _walk(pages: _Pages, after: AlertKey | None) -> Iterator[Alert]:
    while True:
        page = pages(after)
        yield from page.alerts
        after = page.after
        if after is None:
            return


def _order(alert: Alert) -> tuple[int, str, str]:
    """As the index by state has them: an onset's alerts by device."""
    return alert.onset, alert.device_id, alert.key.sk


# ------------------------------------------------------------------ as documents


def shown(alert: Alert) -> dict[str, Any]:
    """An alert without its history."""
    return {
        "alert_id": str(alert.key),
        "device_id": alert.device_id,
        "metric": alert.metric,
        "kind": alert.kind,
        "state": alert.state,
        "acknowledged": alert.acknowledged,
        "acknowledged_by": alert.acknowledged_by or None,
        "acknowledged_at": _time(alert.acknowledged_at),
        "severity": alert.severity,
        "onset": format_ts(alert.onset),
        "last_seen": format_ts(alert.last_seen),
        "ended_at": _time(alert.ended_at),
        "reopened_at": _time(alert.reopened_at),
        "peak_at": format_ts(alert.peak_ts),
        "score": alert.score,
        "peak": alert.peak,
        "count": alert.count,
        "because": alert.because,
        "value": alert.value,
        "expected": alert.expected,
        "expected_low": alert.low,
        "expected_high": alert.high,
        "withdrawn": alert.withdrawn,
        "snoozed_until": _time(alert.snoozed_until),
        "feedback": None if alert.feedback is None else _feedback(alert.feedback),
        "transitions": alert.transitions,
    }


def shown_whole(alert: Alert) -> dict[str, Any]:
    """An alert with its history."""
    return {**shown(alert), "history": [_entry(entry) for entry in alert.history]}


def _feedback(feedback: Feedback) -> dict[str, Any]:
    return {
        "verdict": feedback.verdict,
        "note": feedback.note,
        "by": feedback.by,
        "at": format_ts(feedback.at),
    }


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "n": entry.n,
        "kind": entry.kind,
        "at": format_ts(entry.at),
        "severity": entry.severity,
        "by": entry.by,
        "note": entry.note,
    }


def _time(at: int | None) -> str | None:
    return None if at is None else format_ts(at)
