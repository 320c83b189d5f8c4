"""Answers the doorbell: from a device's checkpoint and its log to alerts and the next checkpoint.

Correct whatever is delivered twice, late, to two workers at once, or to one that is killed. The
argument, in full in docs/scoring.md, rests on four rules:

1. A checkpoint counts whole chunks, and every write of one names the version that it replaces.
2. A chunk that comes late (it begins at or before a watermark and is not counted) is rewound
   for: the checkpoint goes back to the one before it, durably, and only then is the log read.
3. A chunk that rings while the log already holds later values of its metrics may have been
   passed over in another worker's memory: the result is written down at once, whether due or
   not, which makes that memory stale, and the log is looked at once more.
4. What is to be told of alerts is written with the checkpoint that it follows from, and told
   after; whoever finds a checkpoint tells what it says, unless it knows that it did.

So memory is good while its version is the table's: what it lacks lies after its watermarks.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from weir.alerts.alarm import Cleared, Fact, Opened, Reopened, Withdrawn
from weir.chunks import HOUR_MS, StoredChunk
from weir.detection import Detector
from weir.scoring.alarms import DEFAULT_RULES, Rules
from weir.scoring.amends import amends
from weir.scoring.fold import fold
from weir.scoring.listening import Listening
from weir.scoring.memory import Memory, MemoryCache
from weir.scoring.ports import Alerts, CheckpointMoved, Checkpoints, ReadingLog
from weir.scoring.state import NEVER, Checkpoint, DeviceState, MetricState
from weir.scoring.telling import fits
from weir.scoring.watermarks import (
    HOURLY,
    Cadence,
    adds_to,
    born,
    can_score,
    is_dormant,
    is_late,
    lowered,
    lows,
    passed_over,
    waits,
)

RUN_AHEAD_CHUNKS: Final = 512
"""So many chunks are read past those that rang before the reading stops at an hour's end."""

_FOREVER: Final = 1 << 62
_WEEK_MS: Final = 7 * 24 * HOUR_MS
_FAR: Final = 4
_VERY_FAR: Final = 64
_ATTEMPTS: Final = 8
_COUNTED: Final[Mapping[type[Fact], str]] = {
    Opened: "opened",
    Cleared: "cleared",
    Reopened: "reopened",
    Withdrawn: "withdrawn",
}


class Outcome(msgspec.Struct, frozen=True):
    """What one ring of the doorbell came to."""

    scored: int = 0
    """Values scored that this worker had not scored before."""
    opened: int = 0
    cleared: int = 0
    reopened: int = 0
    withdrawn: int = 0
    late: int = 0
    """Readings too late to be scored."""
    ignored: int = 0
    """Metrics that rang and are not scored, since their device has too many."""
    rewinds: int = 0
    checkpoints: int = 0
    silences_ended: int = 0


class _Reading(msgspec.Struct, frozen=True):
    """What the log has after `low` and before `until`: `found`, of which `chunks` can be folded.

    `state` is the state to fold them into; it knows all their metrics, `births` among them.
    """

    low: int
    until: int
    found: Sequence[StoredChunk]
    chunks: Sequence[StoredChunk]
    state: DeviceState
    births: Mapping[str, MetricState]


class Scorer:
    """Scores what is new of a device, given its log, its checkpoint, and its alerts."""

    def __init__(
        self,
        log: ReadingLog,
        checkpoints: Checkpoints,
        alerts: Alerts,
        detector: Detector[Any],
        cache: MemoryCache,
        cadence: Cadence = HOURLY,
    ) -> None:
        self.log = log
        self.checkpoints = checkpoints
        self.alerts = alerts
        self.detector = detector
        self.cadence = cadence
        self._cache = cache

    def score(
        self,
        device_id: str,
        rung: Sequence[StoredChunk],
        checkpoint: Checkpoint | None,
        rules: Rules = DEFAULT_RULES,
        arrivals: Sequence[int] = (),
    ) -> Outcome:
        """Take the chunks `rung`, in the order in which they rang, and alert by `rules`.

        `checkpoint` is the device's, read after they rang, and `arrivals` when they were written
        (epoch ms), where that is known. Raises `CheckpointMoved` if other workers were faster time
        and again: the doorbell then has to ring once more.
        """
        for _ in range(_ATTEMPTS):
            try:
                return self._visit(device_id, rung, checkpoint, rules, arrivals)
            except CheckpointMoved:
                self._cache.forget(device_id)
                checkpoint = self.checkpoints.get(device_id)
        raise CheckpointMoved(f"{device_id}: the checkpoint moved {_ATTEMPTS} times")

    def _visit(
        self,
        device_id: str,
        rung: Sequence[StoredChunk],
        checkpoint: Checkpoint | None,
        rules: Rules,
        arrivals: Sequence[int],
    ) -> Outcome:
        checkpoint = checkpoint or Checkpoint.fresh(device_id)
        memory = self._cache.recall(checkpoint)
        listening = Listening(self.alerts, rules.controls, arrivals, checkpoint.silence)
        visit = _Visit(self, memory, rules, listening)
        visit.take(rung)
        self._cache.remember(visit.memory)
        return visit.outcome


class _Visit:
    """One worker's work on one device for one ring."""

    def __init__(self, scorer: Scorer, memory: Memory, rules: Rules, listening: Listening) -> None:
        self._rules = rules
        self._listening = listening
        self._log = scorer.log
        self._checkpoints = scorer.checkpoints
        self._alerts = scorer.alerts
        self._detector = scorer.detector
        self._cadence = scorer.cadence
        self.memory = memory
        self.outcome = Outcome()
        self._rung: Sequence[StoredChunk] = ()

    def take(self, rung: Sequence[StoredChunk]) -> None:
        self._rung = rung
        self._tell_again()
        back = self._listening.end_silence(self.memory.checkpoint, self.memory.heard)
        if back:
            self._note(silences_ended=1)
        fresh: Sequence[StoredChunk] = [c for c in rung if not self.memory.counts(c)]
        if any(is_late(self.memory.state, chunk) for chunk in fresh):
            fresh = self._rewind_for(fresh)
        if fresh:
            names = {name for chunk in fresh for name in chunk.spans}
            names.update(self.memory.checkpoint.telling.again)
            if self._advance(names, fresh):
                self._advance(names, ())  # what came between our reading and our checkpoint
        else:
            self._hear(self.memory.state)
        if not self.outcome.checkpoints and (back or self._is_overdue()):
            doubted = self.memory.checkpoint.telling.doubted
            self._write(*self.memory.following({}, doubted=doubted, moved=False))

    def _hear(self, before: DeviceState, added: Iterable[StoredChunk] = ()) -> None:
        self.memory.heard = self._listening.hear(self.memory.heard, self._rung, before, added)

    def _is_overdue(self) -> bool:
        """Whether the clock says that a checkpoint is due: of a device that sends old readings.

        Or that did, and has caught up.
        """
        known, heard = self.memory.checkpoint.heard, self.memory.heard
        return 0 < known.last <= heard.last - self._cadence.span_ms or heard.caught_up(known)

    # -------------------------------------------------------------- late chunks

    def _rewind_for(self, fresh: Sequence[StoredChunk]) -> Sequence[StoredChunk]:
        """Make room for chunks that may have come late; return those that can be scored."""
        checkpoint = self.memory.checkpoint
        # What only this memory passed over is not lost: start from the checkpoint again.
        self.memory = Memory.of(checkpoint, before=self.memory.before, heard=self.memory.heard)
        late = [chunk for chunk in fresh if is_late(checkpoint.current, chunk)]
        if late and self.memory.before is None:
            self.memory.before = self._recount(checkpoint)
        fresh = [chunk for chunk in fresh if not self.memory.counts(chunk)]
        late = [chunk for chunk in late if not self.memory.counts(chunk)]
        too_late = [chunk for chunk in late if not can_score(checkpoint.previous, chunk)]
        if too_late:
            readings = sum(len(chunk.document.dt) for chunk in too_late)
            self._note(late=readings)
            hopeless = {chunk.sk for chunk in too_late}
            fresh = [chunk for chunk in fresh if chunk.sk not in hopeless]
            late = [chunk for chunk in late if chunk.sk not in hopeless]
        if late:
            self._write(_rewound(checkpoint, lowered(checkpoint.previous, late)), before=set())
            self._note(rewinds=1)
        return fresh

    def _recount(self, checkpoint: Checkpoint) -> set[str] | None:
        """The sort keys that the checkpoint counts since the previous one.

        None if the log holds others beside them: some chunk of that time came late.
        """
        current, previous = checkpoint.current, checkpoint.previous
        if not checkpoint.folded:
            return set()
        found: dict[str, int] = {}
        page = self._log.read(checkpoint.device_id, from_t0=checkpoint.folded_from)
        while True:
            for chunk in page.chunks:
                if is_late(current, chunk) and adds_to(previous, chunk):
                    found[chunk.sk] = chunk.digest
            passed = page.chunks and page.chunks[-1].t0 > current.frontier
            if page.next_sk is None or passed:
                break
            page = self._log.read(
                checkpoint.device_id, from_t0=checkpoint.folded_from, after_sk=page.next_sk
            )
        same = (
            len(found) == checkpoint.folded and _digest_sum(found.values()) == checkpoint.digest_sum
        )
        return set(found) if same else None

    # -------------------------------------------------------------- the way forward

    def _advance(self, names: set[str], rung: Sequence[StoredChunk]) -> bool:
        """Fold what the log has for the metrics `names`, those of the chunks `rung`.

        Returns whether the log has to be looked at once more.
        """
        checkpoint, start = self.memory.checkpoint, self.memory.state
        resumed = any(is_dormant(checkpoint.current, name) for name in names)
        reading = self._read(start, names, rung)
        state = reading.state
        complete = {name for name, low in lows(state).items() if low >= reading.low}
        adding = {chunk.sk: chunk for chunk in reading.chunks if adds_to(state, chunk)}
        folded = fold(state, reading.chunks, complete, reading.until, self._detector, self._rules)
        risky = bool(rung) and (reading.until != _FOREVER or passed_over(reading.found, rung))
        facts, doubted = amends(checkpoint.telling.doubted, state, folded)
        facts = [*folded.facts, *facts]
        ignored = len(names - state.metrics.keys()) if rung else 0
        self._note(scored=folded.state.scored - state.scored, ignored=ignored)
        if rung:
            self._hear(state, adding.values())
        self.memory.state = folded.state
        self.memory.since |= adding
        due = self._cadence.is_due(checkpoint.current, folded.state)
        if reading.births or resumed or facts or checkpoint.telling.doubted or risky or due:
            moved = self._moves(checkpoint, folded.state, reading, due=due)
            self._write_and_tell(reading.births, facts, doubted, moved=moved)
            self._note(**Counter(_COUNTED[type(fact)] for fact in facts if type(fact) in _COUNTED))
        return risky

    def _moves(
        self, checkpoint: Checkpoint, new: DeviceState, reading: _Reading, *, due: bool
    ) -> bool:
        """Whether the current checkpoint becomes the previous one.

        Not while something may yet ring that lies before it: a chunk that it counts and that
        rings now may ring again, one that waits will ring, and where the fold ran ahead of what
        rang, late chunks may stand unseen between. An alert's checkpoint alone moves nothing, or
        two alerts in a row would leave nothing to rewind to. A device that always alerts, or is
        always read ahead of its doorbells, must not keep the previous one for ever, though.
        """
        if len(reading.chunks) != len(reading.found):
            return False
        if any(is_late(checkpoint.current, chunk) for chunk in self._rung):
            return False
        if self._cadence.is_due(checkpoint.previous, new, times=_VERY_FAR):
            return True
        rung_until = max((chunk.t1 for chunk in self._rung), default=NEVER)
        if any(chunk.t0 > rung_until for chunk in self.memory.since.values()):
            return False
        return due or self._cadence.is_due(checkpoint.previous, new, times=_FAR)

    def _read(self, start: DeviceState, names: set[str], rung: Sequence[StoredChunk]) -> _Reading:
        """Read the log from where the metrics `names`, and all found with them, are scored to."""
        rung_until = max((chunk.t1 for chunk in rung), default=start.frontier)
        rung_from = min((chunk.t0 for chunk in rung), default=start.frontier)
        state, births = born(start, rung, rung_from)
        while True:
            low_of = lows(state)
            lowest = min((low_of[name] for name in names & low_of.keys()), default=start.frontier)
            found, until = self._read_from(lowest, rung_until)
            previous = self.memory.checkpoint.previous
            chunks = [chunk for chunk in found if not waits(start, previous, chunk)]
            state, births = born(start, [*chunks, *rung], rung_from)
            names = names | {
                name
                for chunk in chunks
                for name, (_, last) in chunk.spans.items()
                if (metric := state.metrics.get(name)) is not None and last > metric.watermark
            }
            low_of = lows(state)
            if all(low_of[name] >= lowest for name in names & low_of.keys()):
                return _Reading(lowest, until, found, chunks, state, births)

    def _read_from(self, lowest: int, rung_until: int) -> tuple[Sequence[StoredChunk], int]:
        """All chunks that begin after `lowest` and before the returned time."""
        device_id = self.memory.checkpoint.device_id
        chunks: list[StoredChunk] = []
        ahead = 0
        page = self._log.read(device_id, from_t0=lowest + 1)
        while True:
            chunks.extend(page.chunks)
            if page.next_sk is None:
                return chunks, _FOREVER
            ahead += sum(chunk.t0 > rung_until for chunk in page.chunks)
            # Chunks never cross an hour: up to the last one's hour, none is half read.
            hour = chunks[-1].t0 // HOUR_MS * HOUR_MS if chunks else NEVER
            if ahead > RUN_AHEAD_CHUNKS and hour > rung_until:
                return [chunk for chunk in chunks if chunk.t0 < hour], hour
            page = self._log.read(device_id, from_t0=lowest + 1, after_sk=page.next_sk)

    # -------------------------------------------------------------- what is written

    def _write_and_tell(
        self,
        births: Mapping[str, MetricState],
        facts: Sequence[Fact],
        doubted: Sequence[Fact],
        *,
        moved: bool,
    ) -> None:
        checkpoint, before = self.memory.following(births, facts, doubted, moved=moved)
        if not fits(facts):  # told before, then: better some that do not hold than none at all
            self._alerts.tell(checkpoint.device_id, facts, checkpoint.version)
            checkpoint = msgspec.structs.replace(checkpoint, telling=checkpoint.telling.done())
        self._write(checkpoint, before)
        self._tell(checkpoint.telling.untold)

    def _tell_again(self) -> None:
        """Tell what the checkpoint says, unless that is known to be done.

        What is a week older than what rings was told, and its alert may have expired since.
        """
        newest = max((chunk.t1 for chunk in self._rung), default=NEVER)
        untold = self.memory.checkpoint.telling.untold
        if not self.memory.told:
            self._tell([fact for fact in untold if newest - fact.at < _WEEK_MS])

    def _tell(self, facts: Sequence[Fact]) -> None:
        checkpoint = self.memory.checkpoint
        if facts:
            self._alerts.tell(checkpoint.device_id, facts, checkpoint.version)
        self.memory.told = True

    def _write(self, checkpoint: Checkpoint, before: set[str] | None) -> None:
        old, heard = self.memory.checkpoint, self.memory.heard
        checkpoint = self._listening.stamped(checkpoint, old, heard)
        self._checkpoints.put(checkpoint)
        self.memory = Memory.of(checkpoint, before=before)
        self._note(checkpoints=1)

    def _note(self, **more: int) -> None:
        old = self.outcome
        self.outcome = msgspec.structs.replace(
            old, **{name: getattr(old, name) + count for name, count in more.items()}
        )


def _rewound(old: Checkpoint, base: DeviceState) -> Checkpoint:
    """The checkpoint that goes back from `old` to `base`, its previous one."""
    again = {
        name
        for name, metric in base.metrics.items()
        if metric.watermark < old.current.metrics[name].watermark
    }
    telling = old.telling.rewound(again)
    return Checkpoint(old.device_id, old.version + 1, base, base, telling=telling)


def _digest_sum(digests: Iterable[int]) -> int:
    return sum(digests) % (1 << 64)
