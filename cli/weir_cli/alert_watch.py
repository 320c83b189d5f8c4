"""Alerts from look to look: which are new, which changed, and what became of those that left.

A look costs what is open and what began lately, however long the watch lasts.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from weir.readings import format_ts
from weir_cli.api_client import Api, ApiProblem, Document
from weir_cli.timeline import now_ms

POLL_S: Final = 1.0
LATELY_MS: Final = 15 * 60_000
"""What opens and clears between two looks is seen if its onset lies no further back."""

_CLEARED_EVERY_S: Final = 5.0
_LATE_TO_CLEAR: Final = 20
"""So many alerts that left the open ones are looked at one by one; the others at the next look."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which alerts: the filters of `GET /v1/alerts`, and bounds of the onset (epoch ms).

    `open_since` is for those that are open, `since` for the others.
    """

    state: str = "all"
    severity: str | None = None
    device_id: str | None = None
    metric: str | None = None
    acknowledged: bool | None = None
    since: int = 0
    open_since: int = 0

    def query(self, state: str, since: int) -> list[tuple[str, str]]:
        """The query for the wanted alerts of one state, from `since` on."""
        acknowledged = None if self.acknowledged is None else str(self.acknowledged).lower()
        named = {
            "state": state,
            "severity": self.severity,
            "device_id": self.device_id,
            "metric": self.metric,
            "acknowledged": acknowledged,
            "since": format_ts(since) if since > 0 else None,
        }
        return [(name, value) for name, value in named.items() if value is not None]


def read(api: Api, wanted: Wanted, limit: int | None = None) -> list[Document]:
    """The wanted alerts in the order of their onsets; of more than `limit`, the newest."""
    if wanted.state != "all" or wanted.since == wanted.open_since:
        since = wanted.open_since if wanted.state == "open" else wanted.since
        found = list(api.alerts(wanted.query(wanted.state, since), limit))
    else:
        # An alert that clears between the two is in both: the later look counts.
        found = list(api.alerts(wanted.query("open", wanted.open_since), limit))
        found += api.alerts(wanted.query("cleared", wanted.since), limit)
    latest = {alert["alert_id"]: alert for alert in found}
    ordered = sorted(latest.values(), key=_place)
    return ordered if limit is None else ordered[-limit:]


@dataclass
class Watch:
    """Tells what is new and what changed, with what was known before.

    Attributes
    ----------
    lately_ms
        How far back the onset of an alert may lie that opened and cleared between two looks.
    cleared_every_s
        How often those that cleared are looked through for such.
    clock, now
        Seconds, and epoch ms.
    known
        All that was seen, by id.
    """

    api: Api
    wanted: Wanted
    lately_ms: int = LATELY_MS
    cleared_every_s: float = _CLEARED_EVERY_S
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], int] = now_ms
    known: dict[str, Document] = field(default_factory=dict, init=False)
    _open: list[str] = field(default_factory=list, init=False)
    _looked_back_at: float | None = field(default=None, init=False)

    def look(self) -> Sequence[tuple[Document | None, Document]]:
        """Each alert that is new or changed, with what it was before, in the order of onsets."""
        found = self._look_back()
        for alert in self._look_at_open():
            # What clears between the two is open in the one and not in the other, and comes next.
            found[alert["alert_id"]] = alert
        changed = [
            (before, alert)
            for alert in sorted(found.values(), key=_place)
            if (before := self.known.get(alert["alert_id"])) is None or _differ(before, alert)
        ]
        self.known.update((alert["alert_id"], alert) for _, alert in changed)
        return [pair for pair in changed if self._is_told(pair[1])]

    def _is_told(self, alert: Document) -> bool:
        return self.wanted.state != "cleared" or alert["state"] == "CLEARED"

    def _look_back(self) -> dict[str, Document]:
        """Those that cleared: all at first, and then now and then those that began lately."""
        wanted, last, since = self.wanted, self._looked_back_at, self.wanted.since
        if wanted.state == "open":
            return {}
        if last is not None:
            if self.clock() - last < self.cleared_every_s:
                return {}
            since = max(since, self.now() - self.lately_ms)
        self._looked_back_at = self.clock()
        cleared = self.api.alerts(wanted.query("cleared", since))
        return {alert["alert_id"]: alert for alert in cleared}

    def _look_at_open(self) -> Iterator[Document]:
        """Those that are open, and what became of those that were at the last look."""
        listed = list(self.api.alerts(self.wanted.query("open", self.wanted.open_since)))
        yield from listed
        still = [alert["alert_id"] for alert in listed]
        gone = [alert_id for alert_id in self._open if alert_id not in frozenset(still)]
        yield from self._each(gone[:_LATE_TO_CLEAR])
        self._open = still + gone[_LATE_TO_CLEAR:]

    def _each(self, alert_ids: Sequence[str]) -> Iterator[Document]:
        for alert_id in alert_ids:
            try:
                yield self.api.alert(alert_id)
            except ApiProblem as problem:
                if problem.code != "no_such_alert":
                    raise
                self.known.pop(alert_id, None)  # it was kept for as long as alerts are


def _place(alert: Document) -> tuple[str, str]:
    return alert["onset"], alert["alert_id"]


def _differ(one: Document, other: Document) -> bool:
    return any(one[name] != other[name] for name in _TOLD)


_TOLD: Final = ("state", "severity", "acknowledged", "transitions")
