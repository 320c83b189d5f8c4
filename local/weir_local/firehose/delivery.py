"""A delivery stream at work: records wait, are transformed, wait again, and become S3 objects."""

import asyncio
import gzip
import itertools
import logging
import time
from collections import Counter
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from weir_local.faults import Faults
from weir_local.firehose import transform
from weir_local.firehose.buffer import Buffer
from weir_local.firehose.config import StreamConfig
from weir_local.firehose.limits import PutData
from weir_local.firehose.prefixes import evaluate, object_name
from weir_local.firehose.transform import AnswerError, Arrived, Transformed
from weir_local.wire import Wire, WireError
from weir_local.workers import Workers

_log = logging.getLogger(__name__)

_PROCESSING_FAILED = "processing-failed"
_CONCURRENT_TRANSFORMS = 2
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
_KILL_WITHIN = 0.005  # seconds; a transform of a few records takes no longer


@dataclass(frozen=True, slots=True)
class _Ready:
    """What is ready to be written: bytes, and when the record they came from arrived."""

    data: bytes
    arrival: float


class DeliveryStream:
    """Takes records and sees to it that each one ends up in the lake or under the error prefix.

    Parameters
    ----------
    time_scale
        What the buffer intervals are multiplied by.
    counts
        Counters to add to.
    workers
        The functions' processes, which a fault may kill.
    """

    def __init__(
        self,
        config: StreamConfig,
        wire: Wire,
        region: str,
        time_scale: float,
        counts: Counter[str],
        workers: Workers,
    ) -> None:
        self.config = config
        self.faults = Faults()
        self._wire = wire
        self._region = region
        self._counts = counts
        self._workers = workers
        self._numbers = itertools.count(1)
        self._arrived = Buffer[Arrived](
            config.processor_bytes, config.processor_interval * time_scale
        )
        self._outputs = {
            error_type: Buffer[_Ready](config.buffer_bytes, config.buffer_interval * time_scale)
            for error_type in (None, _PROCESSING_FAILED)
        }
        self._in_flight = 0
        self._work: set[asyncio.Task[None]] = set()
        self._transforms = asyncio.Semaphore(_CONCURRENT_TRANSFORMS)
        self._wake = asyncio.Event()
        self._defect: BaseException | None = None

    def put(self, data: PutData) -> str:
        """Take one record and return its id."""
        record_id = self._arrive(data)
        self._counts["records_put"] += 1
        if self.faults.strikes("duplicate"):
            self._arrive(data)
            self._counts["records_duplicated"] += 1
        return record_id

    def pending(self) -> int:
        """Return how many records are in the stream and not yet in S3."""
        waiting = len(self._arrived.items) + sum(len(one.items) for one in self._outputs.values())
        return waiting + self._in_flight

    def in_flight(self) -> int:
        """Return how many transforms and S3 writes are under way."""
        return len(self._work)

    async def run(self) -> None:
        """Close buffers when they are due, for ever."""
        while self._defect is None:
            self._wake.clear()
            now = time.monotonic()
            self._close_due(now)
            deadlines = [self._arrived.deadline, *(one.deadline for one in self._outputs.values())]
            soonest = min((one for one in deadlines if one is not None), default=None)
            try:
                await asyncio.wait_for(
                    self._wake.wait(), None if soonest is None else max(0.0, soonest - now)
                )
            except TimeoutError:
                continue
        raise self._defect

    async def flush(self) -> None:
        """Deliver all that is in the stream now, and what the transform puts back meanwhile."""
        while self.pending():
            if self._arrived.items:
                self._transform(self._arrived.take())
            else:
                self._close_outputs()
            if self._work:
                await asyncio.wait(self._work, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(0)  # let what ended say so

    def _arrive(self, data: PutData) -> str:
        record = Arrived(f"{next(self._numbers):056d}", data.encoded, data.size, time.time())
        closed = self._arrived.add(record, data.size, time.monotonic())
        if closed is not None:
            self._transform(closed)
        self._wake.set()
        return record.record_id

    def _close_due(self, now: float) -> None:
        if self._arrived.due(now):
            self._transform(self._arrived.take())
        for error_type, buffer in self._outputs.items():
            if buffer.due(now):
                self._write(buffer.take(), error_type)

    def _close_outputs(self) -> None:
        for error_type, buffer in self._outputs.items():
            if buffer.items:
                self._write(buffer.take(), error_type)

    def _begin(self, work: Coroutine[Any, Any, None], held: int) -> None:
        """Run `work`, which holds so many records, in the background."""
        self._in_flight += held
        task = asyncio.create_task(work)
        self._work.add(task)

        def ended(_: asyncio.Task[None]) -> None:
            self._work.discard(task)
            self._in_flight -= held
            if not task.cancelled() and task.exception() is not None:
                # A defect of the stand-in, not a fault of the stream: let run() end with it.
                self._defect = task.exception()
            self._wake.set()

        task.add_done_callback(ended)

    # ------------------------------------------------------------------ the transform

    def _transform(self, records: Sequence[Arrived]) -> None:
        self._begin(self._transform_now(records), len(records))

    async def _transform_now(self, records: Sequence[Arrived]) -> None:
        if self.config.function_arn is None:
            results = [Transformed("Ok", transform.decode(record)) for record in records]
            self._sort(records, results, 1)
            return
        async with self._transforms:
            attempts = 0
            pause = _FIRST_PAUSE
            while True:
                attempts += 1
                code, message, retry = "", "", False
                try:
                    self._sort(records, await self._invoke(records), attempts)
                except AnswerError as error:
                    code, message = error.code, error.message
                    retry = code == "Lambda.FunctionError"
                except WireError as error:
                    code, message, retry = "Lambda.InvokeFailed", str(error), True
                if not code:
                    break
                _log.warning("transform of %d records: %s", len(records), message)
                self._counts["transform_failures"] += 1
                if not retry or attempts > self.config.retries:
                    self._fail(records, attempts, code, message)
                    break
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)

    async def _invoke(self, records: Sequence[Arrived]) -> list[Transformed]:
        self._counts["transform_invocations"] += 1
        if self.faults.strikes("fail_transform"):
            raise AnswerError("Lambda.FunctionError", "The function was made to fail.")
        function = self.config.function_arn or ""
        event = transform.event(records, self.config.arn, self._region)
        if self.faults.strikes("kill_transform_process"):
            await self._invoke_and_kill(function, event)
        invocation = await self._wire.invoke(function, event)
        if self.faults.strikes("kill_transform"):
            raise AnswerError("Lambda.FunctionError", "The function's answer was made to be lost.")
        if invocation.error is not None:
            detail = invocation.payload[:500].decode(errors="replace")
            raise AnswerError(
                "Lambda.FunctionError",
                f"The Lambda function was invoked but it returned an error result: {detail}",
            )
        return transform.read_answer(invocation.payload, records)

    async def _invoke_and_kill(self, function: str, event: bytes) -> None:
        """Invoke the function, and kill its processes until the invocation ends.

        Raises
        ------
        AnswerError
            Always. An answer that was given before the process died is lost.
        """
        invocation = asyncio.ensure_future(self._wire.invoke(function, event))
        while not invocation.done():
            await asyncio.wait([invocation], timeout=self.faults.dice.uniform(0, _KILL_WITHIN))
            self._workers.kill_all("transform")
        invocation.result()
        raise AnswerError("Lambda.FunctionError", "The function was killed.")

    def _sort(
        self, records: Sequence[Arrived], results: Sequence[Transformed], attempts: int
    ) -> None:
        for record, result in zip(records, results, strict=True):
            match result.result:
                case "Ok":
                    self._output(None, result.data, record.arrival)
                case "Dropped":
                    self._counts["records_dropped"] += 1
                case _:
                    self._fail(
                        [record],
                        attempts,
                        "Lambda.ProcessingFailedStatus",
                        "ProcessingFailed status set for record",
                    )

    def _fail(self, records: Sequence[Arrived], attempts: int, code: str, message: str) -> None:
        arn = self.config.function_arn or ""
        for record in records:
            line = transform.error_record(record, attempts, code, message, time.time(), arn)
            self._output(_PROCESSING_FAILED, line, record.arrival)
            self._counts["records_processing_failed"] += 1

    # ------------------------------------------------------------------ S3

    def _output(self, error_type: str | None, data: bytes, arrival: float) -> None:
        ready = _Ready(data, arrival)
        closed = self._outputs[error_type].add(ready, len(data), time.monotonic())
        if closed is not None:
            self._write(closed, error_type)
        self._wake.set()

    def _write(self, items: Sequence[_Ready], error_type: str | None) -> None:
        self._begin(self._write_now(items, error_type), len(items))

    async def _write_now(self, items: Sequence[_Ready], error_type: str | None) -> None:
        oldest = min(item.arrival for item in items)
        config = self.config
        prefix = config.prefix if error_type is None else config.error_prefix
        extension = ".gz" if config.compressed else ""
        name = object_name(config.name, config.version, oldest, extension)
        key = evaluate(prefix, oldest, error_type) + name
        body = b"".join(item.data for item in items)
        headers = {"Content-Type": "application/octet-stream"}
        if config.compressed:
            body = await asyncio.to_thread(gzip.compress, body, 6)
            headers["Content-Encoding"] = "gzip"
        await self._put_until_taken(key, body, headers)
        self._counts["objects_written"] += 1
        if error_type is None:
            self._counts["records_delivered"] += len(items)

    async def _put_until_taken(self, key: str, body: bytes, headers: dict[str, str]) -> None:
        """Write an object, again and again: Firehose gives up after 24 hours only."""
        pause = _FIRST_PAUSE
        while True:
            try:
                await self._put(key, body, headers)
            except WireError as error:
                _log.warning("delivery of %s: %s", key, error)
                self._counts["delivery_failures"] += 1
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                return

    async def _put(self, key: str, body: bytes, headers: dict[str, str]) -> None:
        if self.faults.strikes("fail_deliveries"):
            raise WireError("SlowDown", "S3 was made to refuse the object")
        await self._wire.put_object(self.config.bucket, key, body, headers)
