"""The scorer's ports in memory. `gate` is called around every access, so that a test can stop a
worker there, let others in, or kill it."""

from collections.abc import Callable, Sequence

from weir.alerts.alarm import Cleared, Opened
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
    """Alerts by device, metric and onset; `opens` counts the writes that made one."""

    def __init__(self) -> None:
        self.opened: dict[tuple[str, str, int], Opened] = {}
        self.cleared: dict[tuple[str, str, int], Cleared] = {}

    def open(self, device_id: str, opened: Opened) -> None:
        self.opened.setdefault((device_id, opened.metric, opened.onset), opened)

    def clear(self, device_id: str, cleared: Cleared) -> None:
        key = (device_id, cleared.metric, cleared.onset)
        old = self.cleared.get(key)
        if key in self.opened and (old is None or old.ended_at < cleared.ended_at):
            self.cleared[key] = cleared


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

    def open(self, device_id: str, opened: Opened) -> None:
        self._gate("open")
        self._alerts.open(device_id, opened)
        self._gate("was opened")

    def clear(self, device_id: str, cleared: Cleared) -> None:
        self._gate("clear")
        self._alerts.clear(device_id, cleared)
