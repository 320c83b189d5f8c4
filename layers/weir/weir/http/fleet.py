"""What the routes for devices and the overview ask of several tables, some of it kept for seconds.

A console asks every other second, and several may be open. A worker keeps what it read of all open
alerts and of all devices, so that each of them does not cost a walk through both.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from weir.alerts.alarm import SEVERITIES, Severity
from weir.alerts.alert import Alert, AlertKey, State
from weir.storage.alert_store import AlertStore
from weir.storage.device_store import AllDevices, DeviceStore
from weir.storage.reading_range import ReadingRange
from weir.storage.retry import Deadline

MOST_ALERTS: Final = 5000
MOST_DEVICES: Final = 20_000
"""So many are counted; of more, the answer says that it is not all."""

ALERTS_KEPT_S: Final = 1.0
DEVICES_KEPT_S: Final = 5.0

_PAGE: Final = 1000


class Opened(msgspec.Struct, frozen=True):
    """How many alerts of a device are open, and the worst of them."""

    count: int
    worst: Severity | None

    def and_(self, severity: Severity) -> "Opened":
        """The same with one alert more."""
        ranks = SEVERITIES.index(severity), -1 if self.worst is None else _rank(self.worst)
        return Opened(self.count + 1, SEVERITIES[max(ranks)])


NOTHING_OPEN: Final = Opened(0, None)


class OpenAlerts(msgspec.Struct, frozen=True):
    """The open alerts, counted; the newest of them, if `truncated`."""

    alerts: Sequence[Alert]
    by_device: Mapping[str, Opened]
    truncated: bool

    def of(self, device_id: str) -> Opened:
        """Those of a device."""
        return self.by_device.get(device_id, NOTHING_OPEN)


class Fleet:
    """Devices, their alerts and their readings."""

    def __init__(
        self,
        devices: DeviceStore,
        alerts: AlertStore,
        readings: ReadingRange,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.devices = devices
        self.readings = readings
        self._alerts = alerts
        self._open = _Kept[OpenAlerts](ALERTS_KEPT_S, clock)
        self._cleared = _Kept[tuple[Sequence[Alert], bool]](DEVICES_KEPT_S, clock)
        self._all = _Kept[AllDevices](DEVICES_KEPT_S, clock)

    def open_alerts(self, deadline: Deadline) -> OpenAlerts:
        """The open alerts, as they were a second ago at most."""
        return self._open.get(lambda: self._read_open(deadline))

    def cleared_since(self, since: int, deadline: Deadline) -> tuple[Sequence[Alert], bool]:
        """The alerts that began at `since` (epoch ms) or later and cleared, and if there are more.

        As they were some seconds ago at most.
        """
        return self._cleared.get(lambda: self._read("CLEARED", since, deadline))

    def all_devices(self, deadline: Deadline) -> AllDevices:
        """All devices, as they were some seconds ago at most."""
        return self._all.get(lambda: self.devices.all(deadline, MOST_DEVICES))

    def opened_of(self, device_id: str) -> Opened:
        """The open alerts of a device, as they are; of its newest alerts, if it has thousands."""
        opened = NOTHING_OPEN
        for alert in self._alerts.page_of_device(device_id, limit=_PAGE).alerts:
            if alert.is_open:
                opened = opened.and_(alert.severity)
        return opened

    def _read_open(self, deadline: Deadline) -> OpenAlerts:
        alerts, truncated = self._read("OPEN", 0, deadline)
        by_device: dict[str, Opened] = {}
        for alert in alerts:
            before = by_device.get(alert.device_id, NOTHING_OPEN)
            by_device[alert.device_id] = before.and_(alert.severity)
        return OpenAlerts(alerts, by_device, truncated)

    def _read(self, state: State, since: int, deadline: Deadline) -> tuple[Sequence[Alert], bool]:
        found: list[Alert] = []
        after: AlertKey | None = None
        while True:
            page = self._alerts.page_of_state(state, since=since, after=after, limit=_PAGE)
            found += page.alerts
            after = page.after
            if after is None:
                return found, False
            if len(found) >= MOST_ALERTS or deadline.left <= 0:
                return found, True


class _Kept[T]:
    """A value that is good for some seconds."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self._kept: tuple[float, T] | None = None

    def get(self, read: Callable[[], T]) -> T:
        if self._kept is None or self._clock() >= self._kept[0]:
            value = read()
            self._kept = (self._clock() + self._seconds, value)
        return self._kept[1]


def _rank(severity: Severity) -> int:
    return SEVERITIES.index(severity)
