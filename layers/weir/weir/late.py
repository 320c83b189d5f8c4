"""Devices that are late: what the watchdog knows of one, and what it needs from the outside.

`weir.storage.watch_store` has it on DynamoDB, the tests in memory.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from weir.alerts.alarm import Fact
from weir.alerts.alert import Alert, AlertKey, Kind
from weir.scoring.hearing import Heard


class Due(msgspec.Struct, frozen=True):
    """A device that should have been heard of by `expected_by`, as the index has it.

    `watermark` is the time of its newest scored reading. `silent_since` is set if somebody marked
    it and did not come to the end.
    """

    device_id: str
    version: int
    expected_by: int
    heard: Heard
    watermark: int = 0
    silent_since: int | None = None


class DuePage(msgspec.Struct, frozen=True):
    """Some devices that are due, and where to go on; `after` is None at the end."""

    devices: Sequence[Due]
    after: Any = None


class Newest(msgspec.Struct, frozen=True):
    """The newest chunk of a device: its sort key, and the time of its last reading."""

    sk: str
    t1: int


class LateDevices(Protocol):
    """The index of who is late, the marks on checkpoints, and the newest chunks."""

    @property
    def items_read(self) -> int:
        """How many items were read so far, index entries among them."""
        ...

    def page(self, shard: str, now: int, after: Any = None) -> DuePage:
        """Some devices of a shard that were expected before `now`, the longest late first."""
        ...

    def newest(self, device_id: str, after_sk: str = "") -> Newest | None:
        """Its newest chunk if that sorts after `after_sk`; strongly consistent."""
        ...

    def mark(self, due: Due, silent_since: int, now: int) -> Due | None:
        """Mark it under the next version; None if it is not any more as `due` says."""
        ...

    def unmark(self, marked: Due, expected_by: int | None) -> None:
        """Take the mark off, and expect it by then; nothing if it is not as `marked` says."""
        ...

    def settle(self, marked: Due) -> None:
        """Take it out of the index, marked as it is; nothing if it is not as `marked` says."""
        ...

    def postpone(self, due: Due, expected_by: int | None) -> None:
        """Expect it by then, or not at all; nothing if it is not any more as `due` says."""
        ...


class WatchedAlerts(Protocol):
    """The alerts, as far as the watchdog has to do with them."""

    def tell(
        self, device_id: str, facts: Sequence[Fact], basis: int, kind: Kind = "anomaly"
    ) -> None:
        """Write what `facts` make of the device's alerts."""
        ...

    def snoozed_until(self, now: int, limit: int = 100) -> Sequence[AlertKey]:
        """The open alerts whose snooze ended at `now` or before."""
        ...

    def change(self, key: AlertKey, change: Callable[[Alert], Alert]) -> Alert:
        """Change an alert; return it as it is then."""
        ...
