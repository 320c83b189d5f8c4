"""Tell each notice once: an event for each, and a message for each or for many.

The ledger decides: a notice is claimed, told by one channel after the other, each marked once it
has told, and done. Whoever finds a claim whose lease has ended goes on where the marks end. So only
a worker that dies between a channel's yes and the mark lets that channel tell twice, with the same
id.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import Executor
from functools import partial
from itertools import batched
from typing import Final, Literal

import msgspec

from weir.notices import pace
from weir.notices.message import Message, digest, digest_id, single
from weir.notices.notice import Notice
from weir.notices.ports import (
    MAX_EVENTS,
    MAX_HELD_AT_ONCE,
    Bus,
    Claimed,
    Ledger,
    Marks,
    Minutes,
    NotTaken,
    Patience,
    Queue,
    Topic,
)

_FIRST_WAIT_S: Final = 0.1
_LONGEST_WAIT_S: Final = 2.0


class Told(msgspec.Struct):
    """What was told: counts, and the ids of the notices that were not, and must come again."""

    sent: int = 0
    held: int = 0
    suppressed: int = 0
    events: int = 0
    digests: int = 0
    failed: set[str] = msgspec.field(default_factory=set)


class Teller:
    """Tells notices and digests.

    Parameters
    ----------
    limit
        So many notices a minute go singly.
    webhook
        Whether messages are posted as well.
    clock
        The time in epoch ms.
    on_trouble
        Is told, from any thread, the id of what was not told, and why.
    """

    def __init__(
        self,
        ledger: Ledger,
        minutes: Minutes,
        bus: Bus,
        topic: Topic,
        queue: Queue,
        executor: Executor,
        *,
        limit: int,
        webhook: bool,
        clock: Callable[[], int],
        sleep: Callable[[float], None] = time.sleep,
        on_trouble: Callable[[str, Exception], None] = lambda _id, _error: None,
    ) -> None:
        self._ledger = ledger
        self._minutes = minutes
        self._bus = bus
        self._topic = topic
        self._queue = queue
        self._executor = executor
        self._limit = limit
        self._webhook = webhook
        self._clock = clock
        self._sleep = sleep
        self._on_trouble = on_trouble

    def tell(self, notices: Iterable[Notice], quiet: AbstractSet[str], deadline: Patience) -> Told:
        """Tell `notices`, but those whose ids are in `quiet`, which are only noted.

        What others have claimed is waited for, until the deadline.
        """
        told = Told()
        waiting: Sequence[Notice] = list({each.notice_id: each for each in notices}.values())
        wait = _FIRST_WAIT_S
        while True:
            waiting = self._tell(waiting, quiet, deadline, told)
            if not waiting or deadline.left <= wait:
                break
            self._sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT_S)
        for notice in waiting:
            self._trouble(told, notice.notice_id, Claimed("another worker is at it"))
        return told

    def tell_digest(self, minute: int) -> Told:
        """Send the digest of a minute, unless it was sent; what comes after is for a later one.

        It is the call that ends a minute, and no clock: calls come when it is over.
        Raises `Claimed` or `NotTaken`.
        """
        told = Told()
        ledger_id = digest_id(minute)
        marks = self._ledger.claim(ledger_id)
        if marks is None:
            return told
        try:
            self._minutes.close(minute)
            notices = self._minutes.held(minute)
            if notices:
                self._send(ledger_id, digest(minute, notices), marks)
                told.digests = 1
            else:
                self._ledger.done(ledger_id)
        except NotTaken:
            self._release(ledger_id)
            raise
        return told

    # -------------------------------------------------------------- one turn

    def _tell(
        self,
        notices: Sequence[Notice],
        quiet: AbstractSet[str],
        deadline: Patience,
        told: Told,
    ) -> list[Notice]:
        """Tell those that can be claimed; return those that others have claimed."""
        claimed: list[tuple[Notice, Marks]] = []
        live: list[Notice] = []
        claims = self._executor.map(partial(self._claim, quiet), notices)
        for notice, claim in zip(notices, claims, strict=True):
            if isinstance(claim, Claimed):
                live.append(notice)
            elif isinstance(claim, NotTaken):
                self._trouble(told, notice.notice_id, claim)
            elif claim == "suppressed":
                told.suppressed += 1
            elif claim is not None:
                claimed.append((notice, claim))
        own = {notice.notice_id for notice, _ in claimed}
        self._put_events([each for each, marks in claimed if "event" not in marks], deadline, told)
        left = [each for each in claimed if each[0].notice_id not in told.failed]
        self._send_messages(left, deadline, told)
        for _ in self._executor.map(self._release, own & told.failed):
            pass  # each is awaited
        return live

    def _claim(
        self, quiet: AbstractSet[str], notice: Notice
    ) -> Marks | Literal["suppressed"] | Claimed | NotTaken | None:
        try:
            if notice.notice_id in quiet and self._ledger.suppress(notice.notice_id):
                return "suppressed"
            return self._ledger.claim(notice.notice_id)
        except (Claimed, NotTaken) as error:
            return error

    def _put_events(self, notices: Sequence[Notice], deadline: Patience, told: Told) -> None:
        batches = list(batched(notices, MAX_EVENTS, strict=False))
        puts = self._executor.map(partial(self._put_batch, deadline), batches)
        for batch, failures in zip(batches, puts, strict=True):
            told.events += len(batch) - len(failures)
            for notice_id, error in failures.items():
                self._trouble(told, notice_id, error)

    def _put_batch(self, deadline: Patience, batch: Sequence[Notice]) -> dict[str, NotTaken]:
        failures: dict[str, NotTaken] = {}
        try:
            self._bus.put(batch, deadline)
        except NotTaken as error:
            failures = dict.fromkeys(error.ids or {each.notice_id for each in batch}, error)
        taken = [each.notice_id for each in batch if each.notice_id not in failures]
        try:
            self._ledger.mark(taken, "event")
        except NotTaken as error:
            failures |= dict.fromkeys(taken, error)
        return failures

    def _send_messages(
        self, claimed: Sequence[tuple[Notice, Marks]], deadline: Patience, told: Told
    ) -> None:
        # What was published before and lacks only its post goes on, whatever the minute.
        going = [each for each in claimed if "message" in each[1]]
        new = [each for each in claimed if "message" not in each[1]]
        if new:
            minute = pace.minute_of(self._clock())
            try:
                free = self._minutes.take(minute, len(new), self._limit)
            except NotTaken as error:
                for notice, _ in new:
                    self._trouble(told, notice.notice_id, error)
                new, free = [], 0
            going += new[:free]
            self._hold([notice for notice, _ in new[free:]], minute, told)
        sent = self._executor.map(partial(self._try_single, deadline), going)
        for (notice, _), failure in zip(going, sent, strict=True):
            if failure is None:
                told.sent += 1
            else:
                self._trouble(told, notice.notice_id, failure)

    def _try_single(self, deadline: Patience, claimed: tuple[Notice, Marks]) -> NotTaken | None:
        notice, marks = claimed
        if deadline.left <= 0:
            return NotTaken("no time was left")
        try:
            self._send(notice.notice_id, single(notice), marks)
        except NotTaken as error:
            return error
        return None

    def _send(self, ledger_id: str, message: Message, marks: Marks) -> None:
        if "message" not in marks:
            self._topic.publish(message)
            if self._webhook:
                self._ledger.mark([ledger_id], "message")
        if self._webhook:
            self._queue.post(message.message_id, message.document)
        self._ledger.done(ledger_id)

    def _hold(self, notices: Sequence[Notice], minute: int, told: Told) -> None:
        for batch in batched(notices, MAX_HELD_AT_ONCE, strict=False):
            try:
                self._called(minute)
                while not self._minutes.hold(minute, batch):
                    # Its digest has gone: time passed, or another's clock is ahead.
                    minute = max(pace.minute_of(self._clock()), minute + pace.MINUTE_MS)
                    self._called(minute)
            except NotTaken as error:
                for notice in batch:
                    self._trouble(told, notice.notice_id, error)
            else:
                told.held += len(batch)

    def _called(self, minute: int) -> None:
        """See to it that the digest is asked for: asked twice, it is sent once."""
        if not self._minutes.is_called(minute):
            self._queue.call_digest(minute, pace.seconds_to_end(minute, self._clock()))
            self._minutes.called(minute)

    # -------------------------------------------------------------- trouble

    def _trouble(self, told: Told, message_id: str, error: Exception) -> None:
        told.failed.add(message_id)
        self._on_trouble(message_id, error)

    def _release(self, message_id: str) -> None:
        try:
            self._ledger.release(message_id)
        except NotTaken as error:
            self._on_trouble(message_id, error)  # its lease ends by itself
