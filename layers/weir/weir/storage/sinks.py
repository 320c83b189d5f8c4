"""The two places where readings go, and the spill behind them: what makes a 202 true.

Readings are durable once the lake's stream and the Readings table have them, or the spill has them
for the one that would not. A sink that is down costs a request a few seconds of patience, and the
next ones nothing, since a circuit breaker lets them spill at once.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Final

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from weir.breaker import Breaker
from weir.chunks import Chunk, pack_records
from weir.spill import Sink, spill
from weir.storage.lake_stream import LakeStream
from weir.storage.reading_store import ReadingStore
from weir.storage.retry import Deadline, SinkUnavailable
from weir.storage.spill_queue import SpillQueue

PATIENCE_S: Final = 4.0
"""Seconds for which a sink is tried before its part is spilled."""

SPILL_PATIENCE_S: Final = 4.0
"""Seconds for which the spill is tried after that. The no comes while clients still listen: many
give up after 10 s, and would send again beside a request that goes on."""

type Trouble = SinkUnavailable | ClientError | BotoCoreError


class Stored(msgspec.Struct, frozen=True):
    """How often calls had to be repeated, and for which sinks the readings wait in the spill."""

    retries: int
    spilled: frozenset[Sink]


class Sinks:
    """Writes chunks to the lake's stream and the Readings table side by side.

    Parameters
    ----------
    spill_queue
        Makes the spill when it is needed: most workers never need it.
    on_trouble
        Is told, from any thread, what a sink failed with.
    """

    def __init__(
        self,
        lake: LakeStream,
        readings: ReadingStore,
        spill_queue: Callable[[], SpillQueue],
        executor: Executor,
        *,
        on_trouble: Callable[[Sink, Trouble], None] = lambda _sink, _error: None,
        patience_s: float = PATIENCE_S,
        breaker: Callable[[], Breaker] = Breaker,
    ) -> None:
        self._lake = lake
        self._readings = readings
        self._spill_queue = spill_queue
        self._executor = executor
        self._on_trouble = on_trouble
        self._patience_s = patience_s
        self._breakers: dict[Sink, Breaker] = {"lake": breaker(), "table": breaker()}

    def store(self, chunks: Sequence[Chunk], received_at: int, seconds: float) -> Stored:
        """Make `chunks`, which came at `received_at` (epoch ms), durable within `seconds`.

        Raises `SinkUnavailable` when a sink failed and the spill did not take its part either.
        """
        deadline = Deadline(seconds)
        patience = Deadline(min(self._patience_s, seconds / 2))
        to_lake = self._executor.submit(
            self._try, "lake", lambda: self._lake.put(pack_records(chunks), patience)
        )
        table = self._try("table", lambda: self._readings.put(chunks, patience))
        lake = to_lake.result()
        missing: set[Sink] = set()
        if lake is None:
            missing.add("lake")
        if table is None:
            missing.add("table")
        retries = (lake or 0) + (table or 0)
        if missing:
            spill_patience = Deadline(min(SPILL_PATIENCE_S, deadline.left))
            self._spill_queue().put(spill(chunks, missing, received_at), spill_patience)
        return Stored(retries, frozenset(missing))

    def _try(self, sink: Sink, put: Callable[[], int]) -> int | None:
        """Call `put`; return what it returns, or None if the sink has not taken all."""
        breaker = self._breakers[sink]
        if not breaker.allows():
            return None
        try:
            retries = put()
        except (SinkUnavailable, ClientError, BotoCoreError) as error:
            if _is_one_device_s(sink, error):
                breaker.succeeded()
            else:
                breaker.failed()
            self._on_trouble(sink, error)
            return None
        except BaseException:
            breaker.failed()
            raise
        breaker.succeeded()
        return retries


def _is_one_device_s(sink: Sink, error: Trouble) -> bool:
    """Whether the trouble may be one device's alone: a partition of the table takes 1,000 writes.

    The table itself is well then, and the other devices' readings need not spill.
    """
    return sink == "table" and isinstance(error, SinkUnavailable) and error.throttled
