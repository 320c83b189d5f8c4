"""The watchdog: which of the devices that are late fell silent (docs/silence.md).

A device is late when its `expected_by` has passed. That is an index over checkpoints, so a look
costs as much as there are devices that are late, however many there are. A device that goes on is
hardly ever among them; whether it does is asked of its newest chunk.

What is done for a device that is silent, so that `score` can take part at any moment and either
side may stop at any:

1. Mark it: `silent_since`, under a new version of its checkpoint. From now on no worker that read
   it before can write, and who reads it, because a chunk came, clears the alert before the mark.
2. Look once more: a chunk that came before the mark may have been scored by one who saw none.
3. Open the alert, with the marked version as its basis: if it was cleared already, it stays so.
4. Take the device out of the index. Whoever stops before finds it there again.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial
from threading import Lock
from typing import Any, Final, Literal, NamedTuple, Protocol

import msgspec

from weir.alerts.alarm import Fact
from weir.alerts.alert import AlertKey
from weir.alerts.lifecycle import end_snooze, silence_cleared, silence_opened
from weir.controls import NONE, Controls
from weir.late import Due, LateDevices, Newest, WatchedAlerts
from weir.scoring.hearing import silent_after
from weir.shards import SHARDS

POSTPONE_MS: Final = 1_800_000
"""To move a device in the index is to write its whole checkpoint anew, which costs as much as a
hundred looks. So it is moved if that spares it half an hour of them; else this worker remembers."""

MOST_REMEMBERED: Final = 100_000

type Verdict = Literal["silent", "alive", "moved"]


class Left(Protocol):
    """How many seconds are left."""

    @property
    def left(self) -> float:
        """Seconds; negative once the time is over."""
        ...


class Tally(msgspec.Struct, frozen=True):
    """What a run came to. `backlog` devices at least wait for the next one, for want of time."""

    due: int = 0
    silent: int = 0
    alive: int = 0
    snoozes_ended: int = 0
    items_read: int = 0
    failures: int = 0
    backlog: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        """Both together."""
        mine, others = msgspec.structs.astuple(self), msgspec.structs.astuple(other)
        return Tally(*(a + b for a, b in zip(mine, others, strict=True)))


type ControlsOf = Callable[[Sequence[str]], Mapping[str, Controls]]
type OnFailure = Callable[[str, Exception], None]


class Watchdog:
    """Looks for silent devices and ended snoozes; remembers for a while who was found alive."""

    def __init__(
        self, alerts: WatchedAlerts, clock: Callable[[], int], on_failure: OnFailure
    ) -> None:
        self._alerts = alerts
        self._clock = clock
        self._on_failure = on_failure
        self._alive: dict[str, _Alive] = {}
        self._one_at_a_time = Lock()

    def run(
        self,
        late_devices: Callable[[], LateDevices],
        controls_of: ControlsOf,
        executor: Executor,
        deadline: Left,
    ) -> Tally:
        """Look at all devices that are late, all shards at once, until `deadline`.

        Each shard has its own of `late_devices`. What fails is told to `on_failure` and counted,
        and stops nothing else.
        """
        if len(self._alive) > MOST_REMEMBERED:
            self._alive.clear()

        def look_through(shard: str) -> Tally:
            late, found = late_devices(), [Tally()]
            look = partial(self._look_through, shard, late, controls_of, deadline, found)
            found.append(self._guarded(f"shard {shard}", look))
            return sum(found, Tally(items_read=late.items_read))

        shards = [executor.submit(look_through, shard) for shard in SHARDS]
        snoozes = self._guarded("snoozes", self._end_snoozes)
        return sum((shard.result() for shard in shards), snoozes)

    # -------------------------------------------------------------- silence

    def _look_through(
        self,
        shard: str,
        late: LateDevices,
        controls_of: ControlsOf,
        deadline: Left,
        found: list[Tally],
    ) -> Tally:
        """Look at all of a shard; add what each device comes to to `found`."""
        after: Any = None
        while deadline.left > 0:
            page = late.page(shard, self._clock(), after)
            with self._one_at_a_time:
                controls = controls_of([due.device_id for due in page.devices])
            found.append(Tally(due=len(page.devices)))
            for at, due in enumerate(page.devices):
                if deadline.left <= 0:
                    return Tally(backlog=len(page.devices) - at)
                rules = controls.get(due.device_id, NONE)
                look_at = partial(self._look_at, due, late, rules)
                found.append(self._guarded(due.device_id, look_at))
            after = page.after
            if after is None:
                return Tally()
        return Tally(backlog=1)

    def _look_at(self, due: Due, late: LateDevices, controls: Controls) -> Tally:
        verdict = self.look(due, late, controls)
        return Tally(silent=verdict == "silent", alive=verdict == "alive")

    def _guarded(self, what: str, work: Callable[[], Tally]) -> Tally:
        """What `work` comes to; if it fails, whatever the reason, the others must not stop."""
        try:
            return work()
        except Exception as error:  # noqa: BLE001 - told to the caller, and counted
            self._on_failure(what, error)
            return Tally(failures=1)

    def look(self, due: Due, late: LateDevices, controls: Controls = NONE) -> Verdict:
        """Find out about one device, and do what follows."""
        limit = silent_after(controls)
        if due.silent_since is not None:  # somebody stopped half-way
            return self._finish(due, late.newest(due.device_id), late, limit)
        allowance = due.heard.allowance_s(limit)
        if allowance is None:
            late.postpone(due, None)
            return "alive"
        now = self._clock()
        if self._is_known_alive(due, limit, now):
            return "alive"
        newest = late.newest(due.device_id)
        heard_at = _heard_at(due, newest)
        if now - heard_at <= allowance * 1000.0:
            self._leave(due, late, heard_at, limit, now)
            return "alive"
        marked = late.mark(due, _newest_reading(due, newest), self._clock())
        if marked is None:
            return "moved"
        later = late.newest(due.device_id, newest.sk if newest else "")
        return self._finish(marked, later or newest, late, limit)

    def _finish(
        self, marked: Due, newest: Newest | None, late: LateDevices, limit: float | None
    ) -> Verdict:
        """Open the alert of a marked device; if it was heard since, clear it, and the mark too."""
        since = marked.silent_since or 0
        heard_at = _heard_at(marked, newest)
        opened = silence_opened(since, marked.heard.why_silent(self._clock() - heard_at, limit))
        if newest is not None and newest.t1 > since:
            self._tell(marked, opened, silence_cleared(since, max(heard_at, since)))
            late.unmark(marked, marked.heard.next_look(heard_at, limit))
            return "alive"
        self._tell(marked, opened)
        late.settle(marked)
        return "silent"

    def _tell(self, marked: Due, *facts: Fact) -> None:
        self._alerts.tell(marked.device_id, facts, marked.version, kind="silence")

    def _is_known_alive(self, due: Due, limit: float | None, now: int) -> bool:
        known = self._alive.get(due.device_id)
        return (
            known is not None
            and (known.version, known.expected_by, known.limit)
            == (due.version, due.expected_by, limit)
            and now < known.until
        )

    def _leave(
        self, due: Due, late: LateDevices, heard_at: int, limit: float | None, now: int
    ) -> None:
        """Do not look at a device again before it is due again."""
        next_look = due.heard.next_look(heard_at, limit)
        if next_look is None or next_look - now >= POSTPONE_MS:
            late.postpone(due, next_look)
        else:
            self._alive[due.device_id] = _Alive(due.version, due.expected_by, limit, next_look)

    # -------------------------------------------------------------- snoozes

    def _end_snoozes(self) -> Tally:
        now = self._clock()
        keys = self._alerts.snoozed_until(now)
        tally = Tally(items_read=len(keys))
        for key in keys:
            tally += self._guarded(str(key), partial(self._end_snooze, key, now))
        return tally

    def _end_snooze(self, key: AlertKey, now: int) -> Tally:
        self._alerts.change(key, lambda alert: end_snooze(alert, now))
        return Tally(snoozes_ended=1)


class _Alive(NamedTuple):
    """A device that was found alive, as it was then, and until when not to look again."""

    version: int
    expected_by: int
    limit: float | None
    until: int


def _newest_reading(due: Due, newest: Newest | None) -> int:
    """The time of the newest reading: the last chunk by key may hold an older one."""
    return max(due.watermark, newest.t1 if newest else 0, 0)


def _heard_at(due: Due, newest: Newest | None) -> int:
    return due.heard.heard_at(_newest_reading(due, newest) or None)
