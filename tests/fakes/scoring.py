"""The scorer's ports in memory. `gate` is called around every access, so that a test can stop a
worker there, let others in, or kill it."""

from collections.abc import Callable, Sequence

import msgspec

from weir.alerts.alarm import Fact
from weir.alerts.alert import Alert, AlertKey, Kind
from weir.alerts.lifecycle import tell
from weir.chunks import Chunk, StoredChunk, unpack
from weir.scoring.ports import CheckpointMoved, LogPage
from weir.scoring.state import Checkpoint

type Gate = Callable[[str], None]


def no_gate(_: str) -> None:
    """Let everyone through."""


def stored(chunk: Chunk) -> StoredChunk:
    """The chunk as the Readings table would give it back."""
    return StoredChunk(chunk.sk, unpack(chunk.document))


class FakeReadingLog:
    """Chunks by device and sort key; `rings` lists every write that changed something."""

    def __init__(self, page_size: int = 100) -> None:
        self.chunks: dict[tuple[str, str], StoredChunk] = {}
        self.rings: list[StoredChunk] = []
        self.page_size = page_size
        self.reads = 0

    def put(self, chunk: Chunk) -> None:
        key = (chunk.device_id, chunk.sk)
        if key not in self.chunks:
            self.chunks[key] = stored(chunk)
            self.rings.append(self.chunks[key])

    def read(self, device_id: str, *, from_t0: int, after_sk: str | None = None) -> LogPage:
        self.reads += 1
        start = after_sk or f"{max(from_t0, 0):013d}"
        keys = sorted(sk for device, sk in self.chunks if device == device_id and sk > start)
        page = keys[: self.page_size]
        return LogPage(
            [self.chunks[device_id, sk] for sk in page],
            page[-1] if len(keys) > len(page) else None,
        )

    def of(self, device_id: str) -> Sequence[StoredChunk]:
        return [self.chunks[key] for key in sorted(self.chunks) if key[0] == device_id]


class FakeCheckpoints:
    """Checkpoints by device, with the version check of the real store."""

    def __init__(self) -> None:
        self.checkpoints: dict[str, Checkpoint] = {}
        self.writes = 0

    def get(self, device_id: str) -> Checkpoint | None:
        return self.checkpoints.get(device_id)

    def put(self, checkpoint: Checkpoint) -> None:
        old = self.checkpoints.get(checkpoint.device_id)
        if checkpoint.version != (old.version if old else 0) + 1:
            raise CheckpointMoved(checkpoint.device_id)
        self.writes += 1
        self.checkpoints[checkpoint.device_id] = checkpoint


class FakeAlerts:
    """Alerts by their keys, each changed at once, as the store's writes over a revision do it."""

    def __init__(self) -> None:
        self.alerts: dict[AlertKey, Alert] = {}

    def tell(
        self, device_id: str, facts: Sequence[Fact], basis: int, kind: Kind = "anomaly"
    ) -> None:
        by_alert: dict[AlertKey, list[Fact]] = {}
        for fact in facts:
            by_alert.setdefault(AlertKey(device_id, fact.onset, fact.metric, kind), []).append(fact)
        for key, told in by_alert.items():
            self.change(key, told, basis)

    def change(self, key: AlertKey, told: Sequence[Fact], basis: int) -> None:
        old = self.alerts.get(key)
        new = tell(old, key.device_id, told, basis, key.kind)
        if new is not None and new != old:
            revision = 1 if old is None else old.revision + 1
            self.alerts[key] = msgspec.structs.replace(new, revision=revision)

    def of(self, device_id: str) -> Sequence[Alert]:
        return [self.alerts[key] for key in sorted(self.alerts) if key.device_id == device_id]

    @property
    def standing(self) -> dict[tuple[str, str, int], str]:
        """By device, metric and onset, whether those that are not withdrawn are OPEN or CLEARED."""
        return {
            (key.device_id, key.metric, key.onset): alert.state
            for key, alert in self.alerts.items()
            if not alert.withdrawn
        }


class GatedReadingLog(FakeReadingLog):
    """The same log behind a gate, one view a worker."""

    def __init__(self, log: FakeReadingLog, gate: Gate) -> None:
        self._log, self._gate = log, gate

    def read(self, device_id: str, *, from_t0: int, after_sk: str | None = None) -> LogPage:
        self._gate("read")
        return self._log.read(device_id, from_t0=from_t0, after_sk=after_sk)


class GatedCheckpoints(FakeCheckpoints):
    """The same checkpoints behind a gate before and after each write."""

    def __init__(self, checkpoints: FakeCheckpoints, gate: Gate) -> None:
        self._checkpoints, self._gate = checkpoints, gate

    def get(self, device_id: str) -> Checkpoint | None:
        self._gate("get")
        return self._checkpoints.get(device_id)

    def put(self, checkpoint: Checkpoint) -> None:
        self._gate("put")
        self._checkpoints.put(checkpoint)
        self._gate("was put")


class GatedAlerts(FakeAlerts):
    """The same alerts behind a gate before and after each write."""

    def __init__(self, alerts: FakeAlerts, gate: Gate) -> None:
        self._alerts, self._gate = alerts, gate

    def change(self, key: AlertKey, told: Sequence[Fact], basis: int) -> None:
        self._gate("tell")
        self._alerts.change(key, told, basis)
        self._gate("was told")
