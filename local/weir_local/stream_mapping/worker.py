"""One lane of a shard: takes batches, invokes the function, and sees each batch to its end."""

import asyncio
import json
import logging
import time
from collections import Counter, deque

from weir_local.faults import Faults
from weir_local.paths import STACK_NAME
from weir_local.stream_mapping import batches, discard
from weir_local.stream_mapping.batches import Batch, StreamRecord
from weir_local.stream_mapping.config import MappingConfig
from weir_local.wire import Invocation, Wire, WireError

_log = logging.getLogger(__name__)

# Lambda backs off for up to a minute; nobody waits that long for a local stack.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 0.4
_LOST = json.dumps({"errorMessage": "the answer was made to be lost"}).encode()


class Lane:
    """Delivers the records of `queue` in order, one batch at a time.

    Parameters
    ----------
    window
        How long a batch that is not full waits for more, in seconds.
    """

    def __init__(
        self, config: MappingConfig, shard: str, wire: Wire, window: float, counts: Counter[str]
    ) -> None:
        self.queue: deque[StreamRecord] = deque()
        self.faults = Faults()
        self.delivering = 0
        self._config = config
        self._shard = shard
        self._wire = wire
        self._window = window
        self._counts = counts
        self._more = asyncio.Event()
        self._function = config.function_arn.rpartition(":")[2].removeprefix(f"{STACK_NAME}-")

    def add(self, record: StreamRecord) -> None:
        """Put a record at the end of the queue."""
        self.queue.append(record)
        self._more.set()

    async def run(self) -> None:
        """Deliver batches, for ever."""
        while True:
            await self._gather()
            self._reorder()
            batch = batches.take(self.queue, self._config.batch_size)
            self._counts["batches"] += 1
            self.delivering = len(batch.records)
            await self._see_through(batch)
            self.delivering = 0

    async def _gather(self) -> None:
        """Return when there is a batch: a full one, or what came within the window."""
        while not self.queue:
            self._more.clear()
            await self._more.wait()
        deadline = time.monotonic() + self._window
        while not batches.is_full(self.queue, self._config.batch_size):
            left = deadline - time.monotonic()
            if left <= 0:
                return
            self._more.clear()
            try:
                await asyncio.wait_for(self._more.wait(), left)
            except TimeoutError:
                return

    def _strikes(self, fault: str) -> bool:
        return self.faults.strikes(fault, self._function)

    def _reorder(self) -> None:
        """Let the waiting records of several devices change places, if that fault strikes."""
        devices = {batches.partition(record) for record in self.queue}
        if len(devices) > 1 and self._strikes("reorder_batches"):
            self.queue = deque(batches.reordered(self.queue, self.faults.dice))

    async def _see_through(self, batch: Batch) -> None:
        """Deliver `batch` and what it splits into, in order, until each record is done with."""
        config = self._config
        todo = [batch]
        invocations = 0
        last: Invocation | None = None
        pause = _FIRST_PAUSE
        while todo:
            current = todo.pop(0)
            self.delivering = len(current.records) + sum(len(one.records) for one in todo)
            old, young = batches.expired(current, time.time(), config.max_age)
            if old is not None:
                await self._discard(old, discard.AGE_EXCEEDED, last, invocations)
            if young is None:
                continue
            last = await self._invoke(young)
            invocations += 1
            following = self._next(young, last)
            if following is None:
                await self._discard(young, discard.RETRIES_EXHAUSTED, last, invocations)
                pause = _FIRST_PAUSE
                continue
            todo[:0] = following
            if following and following[0].retries > young.retries:
                self._counts["retries"] += 1
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)

    def _next(self, batch: Batch, done: Invocation) -> list[Batch] | None:
        """Return what to deliver after an invocation, or None when its batch is to be discarded."""
        config = self._config
        bounds = {"bisect": config.bisect, "max_retries": config.retries}
        if done.error is not None:
            self._counts["invocation_errors"] += 1
            detail = done.payload[:300].decode(errors="replace")
            _log.warning("%d records: %s: %s", len(batch.records), done.error, detail)
            following = batches.after_failure(batch, **bounds)  # type: ignore[arg-type]
            self._counts["bisects"] += following is not None and len(following) > 1
            return following
        first = batches.first_failure(done.payload, batch, report_failures=config.report_failures)
        if first is None:
            self._counts["records_succeeded"] += len(batch.records)
            if self._strikes("duplicate_batches"):
                self._counts["duplicated_batches"] += 1
                return [batch]
            return []
        self._counts["partial_responses"] += 1
        _log.warning("%d records: failed from the one at %d on", len(batch.records), first)
        if self._strikes("redeliver_after_partial"):
            self._counts["redelivered_after_partial"] += 1
            return [batch]
        following = batches.after_partial(batch, first, **bounds)  # type: ignore[arg-type]
        self._counts["records_succeeded"] += first
        return following

    async def _invoke(self, batch: Batch) -> Invocation:
        self._counts["invocations"] += 1
        if self._strikes("fail_invocations"):
            return Invocation("", 200, b'{"errorMessage": "made to fail"}', "Unhandled")
        records = batch.records
        killed = self._strikes("kill_mid_batch")
        if killed:
            # What a timeout looks like from outside: some of the work is done, nothing is said.
            self._counts["killed"] += 1
            records = records[: self.faults.dice.randint(1, len(records))]
        try:
            done = await self._wire.invoke(self._config.function_arn, batches.event(records))
        except WireError as error:
            return Invocation("", 503, str(error).encode(), error.code)
        return Invocation(done.request_id, 200, _LOST, "Unhandled") if killed else done

    async def _discard(
        self, batch: Batch, condition: str, last: Invocation | None, invocations: int
    ) -> None:
        config = self._config
        self._counts["records_discarded"] += len(batch.records)
        _log.warning("discarding %d records: %s", len(batch.records), condition)
        if config.failure_bucket is None:
            return
        now = time.time()
        record = discard.invocation_record(
            config, self._shard, batch, condition, last, invocations, now
        )
        key = discard.object_key(config.uuid, self._shard, now)
        headers = {"Content-Type": "application/json"}
        try:
            await self._wire.put_object(config.failure_bucket, key, discard.encode(record), headers)
        except WireError as error:
            # Lambda doesn't hold up the shard for this either; it counts
            # DestinationDeliveryFailures.
            self._counts["destination_delivery_failures"] += 1
            _log.error("could not write %s: %s", key, error)
