"""Delivers batches over several connections, those of one device one after the other.

Order within a device matters for scoring, so each device has one connection that it keeps; what
cannot be sent stops the delivery, rather than letting later readings pass.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from queue import Empty, Full, Queue
from threading import Event, Lock, Thread
from typing import Final, Protocol

from weir_cli.batches import Batch
from weir_cli.rows import Unreadable
from weir_cli.sender import NotSent, Receipt, Sender

_QUEUED: Final = 2
_GLANCE_S: Final = 0.05
_GRACE_S: Final = 3.0


class Stopped(Exception):
    """The operator wants no more."""


def interruptible(stop: Event) -> Callable[[float], None]:
    """A `sleep` that ends early, with `Stopped`, once `stop` is set."""

    def sleep(seconds: float) -> None:
        if stop.wait(max(seconds, 0.0)):
            raise Stopped

    return sleep


@dataclass(slots=True)
class Totals:
    """What became of the rows."""

    rows: int = 0
    sent: int = 0
    accepted: int = 0
    rejected: int = 0
    unreadable: int = 0
    requests: int = 0
    retries: int = 0
    seconds: float = 0.0
    failure: str | None = None
    refused: Counter[str] = field(default_factory=Counter)
    """How many readings were rejected, by the code."""

    @property
    def complete(self) -> bool:
        """Whether every row was accepted."""
        return self.failure is None and self.accepted == self.rows

    @property
    def per_second(self) -> float:
        """Readings accepted per second."""
        return self.accepted / self.seconds if self.seconds else 0.0


class Observer(Protocol):
    """Is told what happens, by one thread at a time."""

    def on_receipt(self, batch: Batch, receipt: Receipt) -> None:
        """A request was answered."""
        ...

    def on_unreadable(self, row: Unreadable) -> None:
        """A row could not be read."""
        ...


class Silent:
    """An observer that says nothing."""

    def on_receipt(self, batch: Batch, receipt: Receipt) -> None:
        """Say nothing."""

    def on_unreadable(self, row: Unreadable) -> None:
        """Say nothing."""


@dataclass
class Pace:
    """Holds a delivery to `rate` readings per second, on the average."""

    rate: float
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _start: float | None = field(default=None, init=False)
    _passed: int = field(default=0, init=False)

    def wait(self, readings: int) -> None:
        """Wait until so many more readings may go."""
        if self._start is None:
            self._start = self.clock()
        ahead = self._start + self._passed / self.rate - self.clock()
        self._passed += readings
        if ahead > 0:
            self.sleep(ahead)


class Delivery:
    """Sends batches with `sender` over `connections` threads."""

    def __init__(
        self,
        sender: Sender,
        *,
        connections: int = 4,
        observer: Observer | None = None,
        pace: Pace | None = None,
        stop: Event | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sender = sender
        self._observer = observer or Silent()
        self._pace = pace
        self._stop = stop or Event()
        self._clock = clock
        self._lock = Lock()
        self._broken = Event()
        self._queues: list[Queue[Batch | None]] = [Queue(_QUEUED) for _ in range(connections)]
        self._queue_of: dict[str, Queue[Batch | None]] = {}
        self.totals = Totals()

    def run(self, items: Iterable[Batch | Unreadable]) -> Totals:
        """Send all `items`, and return what became of them.

        Ends early, with `Totals.failure`, when a request cannot be sent; without, when `stop` is
        set.
        """
        started = self._clock()
        # Daemons: an operator's second thoughts need not wait for an answer.
        workers = [Thread(target=self._work, args=(queue,), daemon=True) for queue in self._queues]
        for worker in workers:
            worker.start()
        try:
            for item in items:
                if self._ended() or not self._take(item):
                    break
        except Stopped:
            pass
        finally:
            for queue in self._queues:
                self._put(queue, None)
        self._await(workers)
        self.totals.seconds = self._clock() - started
        return self.totals

    def _await(self, workers: Iterable[Thread]) -> None:
        """Wait for what is under way; once `stop` is set, not for long."""
        patience = _GRACE_S
        for worker in workers:
            while worker.is_alive() and patience > 0:
                worker.join(_GLANCE_S)
                if self._stop.is_set():
                    patience -= _GLANCE_S

    def _ended(self) -> bool:
        return self._broken.is_set() or self._stop.is_set()

    def _take(self, item: Batch | Unreadable) -> bool:
        if isinstance(item, Unreadable):
            with self._lock:
                self.totals.rows += 1
                self.totals.unreadable += 1
                self._observer.on_unreadable(item)
            return True
        if self._pace is not None:
            self._pace.wait(len(item.readings))
        with self._lock:
            self.totals.rows += len(item.readings)
        queue = self._queue_of.setdefault(
            item.device_id, self._queues[len(self._queue_of) % len(self._queues)]
        )
        return self._put(queue, item)

    def _put(self, queue: Queue[Batch | None], batch: Batch | None) -> bool:
        while not self._ended():
            try:
                queue.put(batch, timeout=_GLANCE_S)
            except Full:
                continue
            return True
        return False

    def _work(self, queue: Queue[Batch | None]) -> None:
        while not self._ended():
            try:
                batch = queue.get(timeout=_GLANCE_S)
            except Empty:
                continue
            if batch is None:
                return
            try:
                receipt = self._sender.send(batch)
            except Stopped:
                return
            except NotSent as error:
                self._fail(batch, str(error), error.retries)
            except Exception as error:
                self._fail(batch, f"{type(error).__name__}: {error}", 0)
                raise
            else:
                self._count(batch, receipt)

    def _fail(self, batch: Batch, reason: str, retries: int) -> None:
        where = f", from line {batch.lines[0]}," if batch.lines else ""
        with self._lock:
            self.totals.retries += retries
            self.totals.failure = self.totals.failure or (
                f"{len(batch.readings)} readings of {batch.device_id}{where} and all after them "
                f"were not sent: {reason}"
            )
        self._broken.set()

    def _count(self, batch: Batch, receipt: Receipt) -> None:
        with self._lock:
            totals = self.totals
            totals.requests += 1
            totals.retries += receipt.retries
            totals.sent += len(batch.readings)
            totals.accepted += receipt.accepted
            totals.rejected += len(receipt.rejected)
            totals.refused.update(refusal.code for refusal in receipt.rejected)
            self._observer.on_receipt(batch, receipt)
