"""The watchdog's view of the fake checkpoints and log, behind a gate as the scorer's is."""

from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from tests.fakes.scoring import FakeAlerts, FakeCheckpoints, FakeReadingLog, Gate, no_gate
from weir.alerts.alarm import Fact
from weir.alerts.alert import Alert, AlertKey, Kind
from weir.late import Due, DuePage, Newest
from weir.scoring.hearing import Silence
from weir.scoring.state import Checkpoint
from weir.shards import shard_of


class FakeLateDevices:
    """The index, the marks and the newest chunks, of `FakeCheckpoints` and `FakeReadingLog`."""

    def __init__(
        self,
        checkpoints: FakeCheckpoints,
        log: FakeReadingLog,
        gate: Gate = no_gate,
        page_size: int = 100,
    ) -> None:
        self._checkpoints = checkpoints
        self._log = log
        self._gate = gate
        self._page_size = page_size
        self.items_read = self.pages = self.queries = self.writes = 0

    def page(self, shard: str, now: int, after: Any = None) -> DuePage:
        self._gate("page")
        self.pages += 1
        late = sorted(
            (
                _due(checkpoint, checkpoint.expected_by)
                for checkpoint in self._checkpoints.checkpoints.values()
                if checkpoint.expected_by is not None
                and checkpoint.expected_by < now
                and shard_of(checkpoint.device_id) == shard
            ),
            key=_place,
        )
        rest = [due for due in late if after is None or _place(due) > after]
        page = rest[: self._page_size]
        self.items_read += len(page)
        return DuePage(page, _place(page[-1]) if len(rest) > len(page) else None)

    def newest(self, device_id: str, after_sk: str = "") -> Newest | None:
        self._gate("newest")
        self.queries += 1
        found = [chunk for chunk in self._log.of(device_id) if chunk.sk > after_sk][-1:]
        self.items_read += len(found)
        return Newest(found[0].sk, found[0].t1) if found else None

    def mark(self, due: Due, silent_since: int, now: int) -> Due | None:
        old = self._as_seen(due)
        if old is None:
            return None
        version, silence = due.version + 1, Silence(silent_since, now)
        self._put(replace(old, version=version, silence=silence))
        return replace(due, version=version, silent_since=silent_since)

    def unmark(self, marked: Due, expected_by: int | None) -> None:
        old = self._as_marked(marked)
        if old is not None:
            self._put(replace(old, silence=None, expected_by=expected_by))

    def settle(self, marked: Due) -> None:
        old = self._as_marked(marked)
        if old is not None:
            self._put(replace(old, expected_by=None))

    def postpone(self, due: Due, expected_by: int | None) -> None:
        old = self._as_seen(due)
        if old is not None:
            self._put(replace(old, expected_by=expected_by))

    def _as_seen(self, due: Due) -> Checkpoint | None:
        self._gate("write")
        old = self._checkpoints.checkpoints[due.device_id]
        return old if (old.version, old.expected_by) == (due.version, due.expected_by) else None

    def _as_marked(self, marked: Due) -> Checkpoint | None:
        self._gate("write")
        old = self._checkpoints.checkpoints[marked.device_id]
        since = old.silence and old.silence.since
        return old if (old.version, since) == (marked.version, marked.silent_since) else None

    def _put(self, checkpoint: Checkpoint) -> None:
        self.writes += 1
        self._checkpoints.checkpoints[checkpoint.device_id] = checkpoint
        self._gate("was written")


class FakeWatchedAlerts:
    """Alerts in memory as the watchdog has to do with them."""

    def __init__(self, alerts: FakeAlerts) -> None:
        self.kept = alerts

    def tell(
        self, device_id: str, facts: Sequence[Fact], basis: int, kind: Kind = "anomaly"
    ) -> None:
        self.kept.tell(device_id, facts, basis, kind)

    def snoozed_until(self, now: int, limit: int = 100) -> Sequence[AlertKey]:
        ended = (
            key
            for key, alert in sorted(self.kept.alerts.items())
            if alert.snoozed_until is not None and alert.snoozed_until <= now
        )
        return list(ended)[:limit]

    def change(self, key: AlertKey, change: Callable[[Alert], Alert]) -> Alert:
        changed = change(self.kept.alerts[key])
        self.kept.alerts[key] = changed
        return changed


def _place(due: Due) -> tuple[int, str]:
    return due.expected_by, due.device_id


def _due(checkpoint: Checkpoint, expected_by: int) -> Due:
    return Due(
        checkpoint.device_id,
        checkpoint.version,
        expected_by,
        checkpoint.heard,
        checkpoint.current.frontier,
        checkpoint.silence.since if checkpoint.silence else None,
    )
