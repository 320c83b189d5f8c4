"""The ports of telling in memory. `gate` is called around every access, so that a test can stop a
worker there, let others in, fail the call, or kill the worker."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from typing import Any

from weir.alerts.alarm import Opened
from weir.alerts.alert import Alert
from weir.alerts.lifecycle import tell
from weir.notices import pace
from weir.notices.message import Message
from weir.notices.notice import Notice, notices_of
from weir.notices.ports import Channel, Claimed, Marks, NotTaken, Patience, Refused
from weir.notices.teller import Teller
from weir.storage.notice_ledger import LEASE_S
from weir.storage.retry import Deadline

START = 1_767_225_600_000

type Gate = Callable[[str], None]


class Crash(BaseException):
    """A worker dies, as a timeout kills it: nothing of it is run any more."""


def no_gate(_: str) -> None:
    """Let everyone through."""


class Clock:
    """A clock that stands still unless it is told to go on; epoch ms."""

    def __init__(self, now: int = START) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def seconds(self) -> float:
        return self.now / 1000

    def sleep(self, seconds: float) -> None:
        self.now += round(seconds * 1000)


class InTurn(Executor):
    """Runs each call as it is submitted, so that a test knows the order."""

    def submit[**P, T](self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:
            future.set_exception(error)
            if not isinstance(error, Exception):
                raise
        return future


class MemoryLedger:
    """What was told, in a dictionary; `as_another` is the same ledger in another worker."""

    def __init__(self, clock: Clock, gate: Gate = no_gate) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self._clock = clock
        self._gate = gate
        self._own = object()

    def as_another(self, gate: Gate = no_gate) -> "MemoryLedger":
        other = MemoryLedger(self._clock, gate)
        other.items = self.items
        return other

    def suppress(self, message_id: str) -> bool:
        self._gate("suppress")
        return bool(self.items.setdefault(message_id, {"quiet": True, "done": True}).get("quiet"))

    def claim(self, message_id: str) -> Marks | None:
        self._gate("claim")
        item = self.items.setdefault(message_id, {})
        if item.get("done"):
            return None
        if item.get("until", 0) >= self._clock():
            raise Claimed(message_id)
        item |= {"until": self._clock() + LEASE_S * 1000, "by": self._own}
        self._gate("was claimed")
        channels: tuple[Channel, ...] = ("event", "message")
        return frozenset(channel for channel in channels if channel in item)

    def mark(self, message_ids: Sequence[str], channel: Channel) -> None:
        self._gate("mark")
        for message_id in message_ids:
            self.items.setdefault(message_id, {})[channel] = True
        self._gate("was marked")

    def done(self, message_id: str) -> None:
        self._gate("done")
        self.items.setdefault(message_id, {})["done"] = True
        self._gate("was done")

    def release(self, message_id: str) -> None:
        self._gate("release")
        item = self.items.get(message_id, {})
        if item.get("by") is self._own:
            item.pop("until", None)


class MemoryMinutes:
    """The minutes beside a ledger in memory."""

    def __init__(self, ledger: MemoryLedger, gate: Gate = no_gate) -> None:
        self.counts: dict[int, tuple[int, bool]] = {}
        self.is_asked: set[int] = set()
        self.closed: set[int] = set()
        self.kept: dict[int, dict[str, Notice]] = {}
        self._ledger = ledger
        self._gate = gate

    def as_another(self, ledger: MemoryLedger, gate: Gate = no_gate) -> "MemoryMinutes":
        other = MemoryMinutes(ledger, gate)
        other.counts, other.is_asked = self.counts, self.is_asked
        other.closed, other.kept = self.closed, self.kept
        return other

    def take(self, minute: int, more: int, limit: int) -> int:
        self._gate("take")
        told, storm = self.counts.get(minute, (0, None))
        if storm is None:
            before = self.counts.get(pace.before(minute), (0, False))
            storm = pace.is_storm(before[0], limit)
        self.counts[minute] = (told + more, storm)
        self._gate("was taken")
        return pace.singles(told, more, limit, storm_before=storm)

    def is_called(self, minute: int) -> bool:
        self._gate("is called")
        return minute in self.is_asked

    def called(self, minute: int) -> None:
        self._gate("called")
        self.is_asked.add(minute)
        self._gate("was called")

    def hold(self, minute: int, notices: Sequence[Notice]) -> bool:
        self._gate("hold")
        if minute in self.closed or minute not in self.is_asked:
            return False
        self.kept.setdefault(minute, {}).update({each.notice_id: each for each in notices})
        for notice in notices:
            self._ledger.items.setdefault(notice.notice_id, {})["done"] = True
        self._gate("was held")
        return True

    def close(self, minute: int) -> None:
        self._gate("close")
        self.closed.add(minute)
        self._gate("was closed")

    def held(self, minute: int) -> list[Notice]:
        self._gate("held")
        kept = self.kept.get(minute, {})
        return [kept[notice_id] for notice_id in sorted(kept)]


class FakeBus:
    """Takes events, but those whose places `refuse` names, one entry a call."""

    def __init__(self, gate: Gate = no_gate, *refuse: Sequence[int]) -> None:
        self.events: list[Notice] = []
        self._gate = gate
        self._refuse = list(refuse)

    def put(self, notices: Sequence[Notice], deadline: Patience) -> None:
        self._gate("put")
        refused = self._refuse.pop(0) if self._refuse else ()
        self.events += [each for at, each in enumerate(notices) if at not in refused]
        if refused:
            raise NotTaken("full", frozenset(notices[at].notice_id for at in refused))
        self._gate("was put")


class FakeTopic:
    """Takes messages."""

    def __init__(self, gate: Gate = no_gate) -> None:
        self.messages: list[Message] = []
        self._gate = gate

    def publish(self, message: Message) -> None:
        self._gate("publish")
        self.messages.append(message)
        self._gate("was published")


class FakeQueue:
    """Holds what was asked for: digests by when they are due, and posts."""

    def __init__(self, clock: Clock, gate: Gate = no_gate) -> None:
        self.digests: list[tuple[int, int]] = []
        self.posts: list[tuple[str, str]] = []
        self._clock = clock
        self._gate = gate

    def call_digest(self, minute: int, delay_s: int) -> None:
        self._gate("call digest")
        self.digests.append((self._clock() + delay_s * 1000, minute))
        self._gate("was called for")

    def post(self, message_id: str, document: str) -> None:
        self._gate("ask to post")
        self.posts.append((message_id, document))
        self._gate("was asked to post")


class FakeHook:
    """Takes posts, or fails as it is told, one fault a post."""

    def __init__(self, *faults: NotTaken | Refused | Crash | None) -> None:
        self.posted: list[tuple[str, str]] = []
        self._faults = list(faults)

    def post(self, message_id: str, document: str) -> None:
        fault = self._faults.pop(0) if self._faults else None
        if fault is not None:
            raise fault
        self.posted.append((message_id, document))


class World:
    """All of it, and workers in it. `gate` holds for every worker that is made after it is set."""

    def __init__(self, *, limit: int = 3, webhook: bool = False) -> None:
        self.clock = Clock()
        self.limit = limit
        self.webhook = webhook
        self.ledger = MemoryLedger(self.clock)
        self.minutes = MemoryMinutes(self.ledger)
        self.bus = FakeBus()
        self.topic = FakeTopic()
        self.queue = FakeQueue(self.clock)
        self.troubles: list[tuple[str, str]] = []

    def worker(self, gate: Gate = no_gate) -> Teller:
        """A new worker behind a gate."""
        ledger = self.ledger.as_another(gate)
        for channel in (self.bus, self.topic, self.queue):
            channel._gate = gate
        return Teller(
            ledger,
            self.minutes.as_another(ledger, gate),
            self.bus,
            self.topic,
            self.queue,
            InTurn(),
            limit=self.limit,
            webhook=self.webhook,
            clock=self.clock,
            sleep=self.clock.sleep,
            on_trouble=lambda notice_id, error: self.troubles.append((notice_id, str(error))),
        )

    def soon(self, seconds: float = 50) -> Deadline:
        return Deadline(seconds, self.clock.seconds)

    def digests(self, *, early: bool = False) -> Iterator[int]:
        """Take the minutes whose digests are due, or all of them, out of the queue."""
        due = [each for each in self.queue.digests if early or each[0] <= self.clock()]
        for each in due:
            self.queue.digests.remove(each)
            yield each[1]


def an_alert(
    device_id: str = "pump-7", metric: str = "flow", onset: int = START, score: float = 0.95
) -> Alert:
    """An alert that has just opened."""
    opened = Opened(metric, onset, score, "93.1, expected 70.25 to 75.9", 93.1, 72.0, 70.25, 75.9)
    alert = tell(None, device_id, [opened], 1)
    assert alert is not None
    return alert


def some_notices(count: int, **about: Any) -> list[Notice]:
    """One notice of each of so many devices."""
    return [
        notice
        for at in range(count)
        for notice in notices_of(None, an_alert(f"pump-{at}", **about))
    ]
