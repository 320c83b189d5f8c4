"""What a worker keeps in memory of the devices that it scored: state ahead of the checkpoint."""

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Self

import msgspec

from weir.alerts.alarm import Fact
from weir.chunks import StoredChunk
from weir.scoring.hearing import Heard
from weir.scoring.state import NEVER, Checkpoint, DeviceState, MetricState


class Memory(msgspec.Struct):
    """A device's state in memory: its checkpoint, and what was folded since.

    `since` are the chunks counted since the checkpoint, `before` the sort keys that the
    checkpoint counts since the previous one, None while they are not known. `told` says whether
    the checkpoint's facts are known to be told. `heard` counts all chunks that rang since.
    """

    checkpoint: Checkpoint
    state: DeviceState
    since: dict[str, StoredChunk]
    before: set[str] | None
    heard: Heard
    told: bool = False

    @classmethod
    def of(
        cls,
        checkpoint: Checkpoint,
        *,
        before: set[str] | None = None,
        heard: Heard | None = None,
    ) -> Self:
        """The memory that knows just what the checkpoint says, and what was `heard` since."""
        if before is None and not checkpoint.folded:
            before = set()
        return cls(checkpoint, checkpoint.current, {}, before, heard or checkpoint.heard)

    def counts(self, chunk: StoredChunk) -> bool:
        """Whether `chunk` is known to be counted in the state."""
        return chunk.sk in self.since or (self.before is not None and chunk.sk in self.before)

    def following(
        self,
        births: Mapping[str, MetricState],
        facts: Sequence[Fact] = (),
        doubted: Sequence[Fact] = (),
        *,
        moved: bool,
    ) -> tuple[Checkpoint, set[str] | None]:
        """The checkpoint after this one, and what it counts since its previous one.

        `births` are metrics that are new: the previous state must know where they begin, so that
        a rewind reads all of them. `facts` follow from what was folded since; of those that were
        told before a rewind some are still `doubted`. `moved`: the current checkpoint becomes the
        previous one.
        """
        old = self.checkpoint
        added = sum(chunk.digest for chunk in self.since.values())
        added_from = min((chunk.t0 for chunk in self.since.values()), default=NEVER)
        if moved:
            previous, folded, digest_sum, folded_from = old.current, 0, 0, NEVER
            before: set[str] | None = set(self.since)
        else:
            previous, folded, digest_sum = old.previous, old.folded, old.digest_sum
            folded_from = old.folded_from
            before = None if self.before is None else self.before | set(self.since)
        if births:
            previous = DeviceState({**births, **previous.metrics}, previous.relearning)
        if folded_from == NEVER:
            folded_from = added_from
        elif added_from != NEVER:
            folded_from = min(folded_from, added_from)
        checkpoint = Checkpoint(
            old.device_id,
            old.version + 1,
            self.state,
            previous,
            folded + len(self.since),
            (digest_sum + added) % (1 << 64),
            folded_from,
            old.telling.then(facts, doubted, moved=moved),
        )
        return checkpoint, before


class MemoryCache:
    """The memories of the devices scored last, the least recent forgotten first."""

    def __init__(self, devices: int = 4096) -> None:
        self._devices = devices
        self._memories: dict[str, Memory] = {}
        self._lock = Lock()

    def recall(self, checkpoint: Checkpoint) -> Memory:
        """The memory of the checkpoint's device: the kept one if it is of this version."""
        with self._lock:
            memory = self._memories.pop(checkpoint.device_id, None)
        if memory is None or memory.checkpoint.version != checkpoint.version:
            return Memory.of(checkpoint)
        return memory

    def remember(self, memory: Memory) -> None:
        """Keep `memory` until its device is recalled."""
        with self._lock:
            self._memories[memory.checkpoint.device_id] = memory
            if len(self._memories) > self._devices:
                del self._memories[next(iter(self._memories))]

    def forget(self, device_id: str) -> None:
        """Drop what is kept of the device."""
        with self._lock:
            self._memories.pop(device_id, None)
