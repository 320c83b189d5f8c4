"""The route for the overview: the fleet in a few numbers."""

from collections import Counter
from typing import Final

from weir.alerts.alarm import SEVERITIES
from weir.alerts.alert import Alert
from weir.http.calls import Call, Outcome
from weir.http.devices import STATES, state_of
from weir.http.fleet import Fleet
from weir.http.queries import Query
from weir.readings import format_ts

HOURS: Final = 24
_HOUR_MS: Final = 3_600_000


def overview(fleet: Fleet, call: Call) -> Outcome:
    """How many devices and alerts there are, of which kinds, and how much comes in."""
    Query(call.raw_query, ())
    this_hour = call.now // _HOUR_MS * _HOUR_MS
    since = this_hour - (HOURS - 1) * _HOUR_MS
    opened = fleet.open_alerts(call.deadline)
    cleared, more_cleared = fleet.cleared_since(since, call.deadline)
    everyone = fleet.all_devices(call.deadline)
    states = Counter(state_of(it, opened.of(it.device_id)) for it in everyone.devices)
    severities = Counter(alert.severity for alert in opened.alerts)
    hours = Counter(_hour(alert) for alert in (*opened.alerts, *cleared))
    rate = sum(it.readings_per_second(call.now) for it in everyone.devices)
    document = {
        "at": format_ts(call.now),
        "devices": {
            "total": len(everyone.devices),
            **{state: states[state] for state in STATES},
        },
        "alerts": {
            "open": len(opened.alerts),
            "unacknowledged": sum(not alert.acknowledged for alert in opened.alerts),
            "by_severity": {severity: severities[severity] for severity in SEVERITIES},
            "per_hour": [
                {"hour": format_ts(hour), "opened": hours[hour]}
                for hour in range(since, this_hour + 1, _HOUR_MS)
            ],
        },
        "readings_per_second": round(rate, 3),
        "truncated": everyone.truncated or opened.truncated or more_cleared,
    }
    return Outcome(200, document)


def _hour(alert: Alert) -> int:
    return alert.onset // _HOUR_MS * _HOUR_MS
