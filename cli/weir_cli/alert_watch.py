"""Reads alerts, and tells which are new or changed since the last look."""

from collections.abc import Iterable, Sequence
from typing import Final, Literal

from weir.alerts.alert import Alert
from weir.storage.alert_store import AlertStore
from weir_cli.target import Target

type Shown = Literal["open", "cleared", "all"]

POLL_S: Final = 0.5


class AlertReader:
    """The alerts of a deployed Weir, those of one device or of all."""

    def __init__(
        self, target: Target, *, since: int = 0, device: str | None = None, shown: Shown = "all"
    ) -> None:
        self._store = AlertStore(target.client("dynamodb"), target.alerts_table)
        self._since = since
        self._device = device
        self._shown = shown

    def read(self) -> list[Alert]:
        """The alerts now, in the order of their onsets."""
        if self._device is not None:
            alerts = [a for a in self._store.of_device(self._device) if a.onset >= self._since]
        else:
            alerts = []
            # An alert that clears between the two queries is in both: the later look counts.
            if self._shown in {"open", "all"}:
                alerts += self._store.of_state("OPEN", since=self._since)
            if self._shown in {"cleared", "all"}:
                alerts += self._store.of_state("CLEARED", since=self._since)
        latest = {identity(alert): alert for alert in alerts if self._wanted(alert)}
        return sorted(latest.values(), key=lambda a: (a.onset, a.device_id, a.metric))

    def _wanted(self, alert: Alert) -> bool:
        return self._shown == "all" or alert.state.lower() == self._shown


def identity(alert: Alert) -> tuple[str, str, int]:
    """What makes an alert the same alert."""
    return alert.device_id, alert.metric, alert.onset


class Changes:
    """Remembers alerts from look to look."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, int], Alert] = {}

    def of(self, alerts: Iterable[Alert]) -> Sequence[Alert]:
        """Those of `alerts` that were not known, or not like this."""
        changed = [alert for alert in alerts if self._known.get(identity(alert)) != alert]
        self._known.update((identity(alert), alert) for alert in changed)
        return changed

    @property
    def known(self) -> int:
        """How many alerts were seen."""
        return len(self._known)
