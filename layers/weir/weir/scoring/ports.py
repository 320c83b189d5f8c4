"""What scoring needs from the outside: the log, the checkpoints, the alerts.

`weir.storage` has them on DynamoDB, the tests in memory; one contract test holds both to this.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from weir.alerts.alarm import Fact
from weir.alerts.alert import Kind
from weir.chunks import StoredChunk
from weir.scoring.state import Checkpoint


class LogPage(msgspec.Struct, frozen=True):
    """Some chunks of a device's log, in the order of their sort keys.

    `next_sk` is the sort key to go on after, or None at the log's end.
    """

    chunks: Sequence[StoredChunk]
    next_sk: str | None


class ReadingLog(Protocol):
    """A device's chunks, in order."""

    def read(self, device_id: str, *, from_t0: int, after_sk: str | None = None) -> LogPage:
        """One page of the chunks that begin at `from_t0` or later, and after `after_sk`.

        Strongly consistent: it holds every chunk whose write was answered before the call.
        """
        ...


class CheckpointMoved(Exception):
    """Another worker wrote a checkpoint since this one was read."""


class Checkpoints(Protocol):
    """The durable state of each device."""

    def get(self, device_id: str) -> Checkpoint | None:
        """The device's checkpoint, strongly consistent; None if it never had one."""
        ...

    def put(self, checkpoint: Checkpoint) -> None:
        """Write `checkpoint` if its version is the next one; raise `CheckpointMoved` if not."""
        ...


class Alerts(Protocol):
    """The alerts that people see."""

    def tell(
        self, device_id: str, facts: Sequence[Fact], basis: int, kind: Kind = "anomaly"
    ) -> None:
        """Let `facts` change the device's alerts, as `weir.alerts.lifecycle.tell` has it.

        `basis` is the version of the checkpoint that says them. Telling them again changes nothing.
        """
        ...
