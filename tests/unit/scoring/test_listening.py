"""What scoring learns of how often a device is heard, and how a silence ends with its doorbell."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from tests.fakes.ewma import Ewma
from tests.fakes.scoring import FakeAlerts, FakeCheckpoints, FakeReadingLog
from tests.fakes.watch import FakeLateDevices, FakeWatchedAlerts
from weir.alerts.lifecycle import silence_opened
from weir.chunks import Chunk, pack
from weir.controls import Control, Controls
from weir.readings import Reading
from weir.scoring.alarms import DEFAULT_RULES, Rules
from weir.scoring.hearing import Silence
from weir.scoring.memory import MemoryCache
from weir.scoring.scorer import Outcome, Scorer
from weir.scoring.state import Checkpoint
from weir.shards import shard_of
from weir.watch import Watchdog

DEVICE = "pump-7"
START = 1_767_225_600_000
MINUTE = 60_000


class World:
    """A device that sends each minute what it measured two seconds before."""

    def __init__(self) -> None:
        self.log, self.checkpoints, self.alerts = FakeReadingLog(), FakeCheckpoints(), FakeAlerts()
        self.worker = self.new_worker()
        self.rules = DEFAULT_RULES

    def new_worker(self) -> Scorer:
        return Scorer(self.log, self.checkpoints, self.alerts, Ewma(), MemoryCache())

    def post(self, at: int, lag: int = 2_000) -> Chunk:
        (chunk,) = pack([Reading(DEVICE, at - lag, {"flow": 20.0 + at // MINUTE % 3})])
        self.log.put(chunk)
        return chunk

    def ring(
        self, chunks: Sequence[Chunk], arrivals: Sequence[int], worker: Scorer | None = None
    ) -> Outcome:
        keys = {chunk.sk for chunk in chunks}
        rung = [chunk for chunk in self.log.of(DEVICE) if chunk.sk in keys]
        scorer = worker or self.worker
        return scorer.score(DEVICE, rung, self.checkpoints.get(DEVICE), self.rules, arrivals)

    def minutes(self, first: int, end: int) -> None:
        for at in range(START + first * MINUTE, START + end * MINUTE, MINUTE):
            self.ring([self.post(at)], [at])

    def mark(self, at: int) -> int:
        """The watchdog marks the device at `at` and opens the alert; return its onset."""
        old = self.checkpoint
        since = max(chunk.t1 for chunk in self.log.of(DEVICE))
        version = old.version + 1
        self.checkpoints.put(
            replace(old, version=version, silence=Silence(since, at), expected_by=None)
        )
        self.alerts.tell(DEVICE, [silence_opened(since, "why")], version, "silence")
        return since

    @property
    def checkpoint(self) -> Checkpoint:
        return self.checkpoints.checkpoints[DEVICE]

    @property
    def silences(self) -> list[str]:
        return [alert.state for alert in self.alerts.of(DEVICE) if alert.kind == "silence"]


@pytest.fixture
def world() -> World:
    return World()


# ------------------------------------------------------------------ learning


def test_a_checkpoint_says_when_the_device_is_expected(world: World) -> None:
    world.minutes(0, 200)
    heard = world.checkpoint.heard
    assert heard.mean_s == pytest.approx(60)
    assert heard.lag_s == pytest.approx(2)
    assert heard.pace == pytest.approx(1)
    # The next checkpoint is due within the hour, and then it has four minutes.
    assert world.checkpoint.expected_by == heard.last + 64 * MINUTE


def test_a_worker_without_a_memory_learns_the_same_cadence(world: World) -> None:
    for n in range(400):
        at = START + n * MINUTE
        world.ring([world.post(at)], [at], world.new_worker() if n % 7 == 0 else None)
    heard = world.checkpoint.heard
    assert heard.mean_s == pytest.approx(60, rel=0.02)
    assert heard.longest_s < 70


def test_chunks_that_ring_again_are_not_heard_again(world: World) -> None:
    world.minutes(0, 100)
    before = world.checkpoint.heard
    chunk = world.post(START + 100 * MINUTE)
    for _ in range(5):
        world.ring([chunk], [START + 100 * MINUTE])
        world.ring([chunk], [START + 100 * MINUTE], world.new_worker())
    world.minutes(101, 165)
    assert world.checkpoint.heard.gaps <= before.gaps + 65 + 64
    assert world.checkpoint.heard.mean_s == pytest.approx(60)


def test_a_device_that_sends_old_readings_alone_is_heard_all_the_same(world: World) -> None:
    world.minutes(0, 300)
    late = 0
    for n in range(300, 480, 10):  # for three hours: readings that are too late to be scored
        at = START + n * MINUTE
        late += world.ring([world.post(at, lag=(n - n // 10) * MINUTE)], [at]).late
    assert late == 18
    assert world.checkpoint.heard.last >= START + 415 * MINUTE
    assert world.checkpoint.heard.lag_s == pytest.approx(2)


def test_without_arrivals_nothing_is_learned_and_nobody_is_expected(world: World) -> None:
    for n in range(200):
        world.ring([world.post(START + n * MINUTE)], [])
    assert world.checkpoint.heard.last == 0
    assert world.checkpoint.expected_by is None


def test_what_is_set_for_the_device_says_when_it_is_expected(world: World) -> None:
    world.rules = Rules(Controls(device=Control(silent_after_s=600)))
    world.minutes(0, 1)
    assert world.checkpoint.expected_by == START + 600_000


# ------------------------------------------------------------------ the end of a silence


def test_a_device_that_is_heard_again_clears_its_silence(world: World) -> None:
    world.minutes(0, 130)
    onset = world.mark(START + 200 * MINUTE)
    at = START + 300 * MINUTE
    outcome = world.ring([world.post(at)], [at])
    assert (outcome.silences_ended, outcome.checkpoints) == (1, 1)
    (alert,) = [alert for alert in world.alerts.of(DEVICE) if alert.kind == "silence"]
    assert (alert.onset, alert.state, alert.ended_at) == (onset, "CLEARED", at)
    assert world.checkpoint.silence is None
    assert world.checkpoint.expected_by is not None
    assert world.checkpoint.expected_by > at


def test_the_alert_that_the_watchdog_is_about_to_open_is_there_already_and_cleared(
    world: World,
) -> None:
    world.minutes(0, 130)
    onset = world.mark(START + 200 * MINUTE)
    marked = world.checkpoint.version
    world.alerts.alerts.clear()  # the watchdog has not come that far
    at = START + 200 * MINUTE + 500
    world.ring([world.post(at)], [at])
    (alert,) = world.alerts.of(DEVICE)
    assert [entry.kind for entry in alert.history] == ["opened", "cleared"]
    assert alert.because == "no reading for 71 min; it reports every 60 s as a rule"
    world.alerts.tell(DEVICE, [silence_opened(onset, "why")], marked, "silence")
    assert world.silences == ["CLEARED"]


def test_a_doorbell_from_before_the_silence_does_not_end_it(world: World) -> None:
    world.minutes(0, 130)
    chunk = world.post(START + 130 * MINUTE)
    onset = world.mark(START + 200 * MINUTE)
    # The backlog of a scorer that was down: many readings, so that a checkpoint is due.
    backlog = [chunk] + [world.post(START + n * MINUTE) for n in range(131, 199)]
    world.ring(backlog, [START + n * MINUTE for n in range(130, 199)])
    assert world.silences == ["OPEN"]
    assert world.checkpoint.silence == Silence(onset, START + 200 * MINUTE)
    # It is looked at once more, since it may have been heard since.
    assert world.checkpoint.expected_by is not None


def test_who_fails_after_clearing_the_silence_clears_it_again(world: World) -> None:
    world.minutes(0, 130)
    world.mark(START + 200 * MINUTE)
    at = START + 300 * MINUTE
    chunk = world.post(at)

    class Broken(FakeCheckpoints):
        def put(self, checkpoint: Checkpoint) -> None:
            raise RuntimeError("broken")

    broken = world.new_worker()
    broken.checkpoints = Broken()
    with pytest.raises(RuntimeError, match="broken"):
        world.ring([chunk], [at], broken)
    assert world.silences == ["CLEARED"]
    assert world.checkpoint.silence is not None

    assert world.ring([chunk], [at]).silences_ended == 1
    assert world.silences == ["CLEARED"]
    assert world.checkpoint.silence is None


def test_a_chunk_that_is_too_late_to_be_scored_ends_a_silence_too(world: World) -> None:
    world.minutes(0, 300)
    world.mark(START + 400 * MINUTE)
    at = START + 500 * MINUTE
    outcome = world.ring([world.post(at, lag=495 * MINUTE + 1)], [at])
    assert (outcome.late, outcome.silences_ended, outcome.checkpoints) == (1, 1, 1)
    assert world.silences == ["CLEARED"]


# ------------------------------------------------------------------ in the midst of the watchdog


@pytest.mark.parametrize("moment", ["write", "was written", "newest"])
def test_a_chunk_that_comes_while_the_watchdog_is_at_work_leaves_no_alert_open(
    world: World, moment: str
) -> None:
    now = _silent_for_five_minutes(world)
    seen: list[str] = []

    def gate(at: str) -> None:
        seen.append(at)
        # It came, and was scored by one who wrote nothing, before the mark; or after it.
        if at == moment and seen.count(at) == (2 if at == "newest" else 1):
            world.ring([world.post(now)], [now])

    late = FakeLateDevices(world.checkpoints, world.log, gate)
    (due,) = late.page(shard_of(DEVICE), now).devices
    watchdog = Watchdog(FakeWatchedAlerts(world.alerts), lambda: now, _fail)
    verdict = watchdog.look(due, late, world.rules.controls)

    assert verdict == "alive"
    assert world.silences == ["CLEARED"]
    assert world.checkpoint.silence is None
    assert world.checkpoint.expected_by is not None
    assert world.checkpoint.expected_by > now


def test_old_readings_that_rang_just_before_the_mark_leave_the_alert_to_the_next_chunk(
    world: World,
) -> None:
    now = _silent_for_five_minutes(world)

    def gate(at: str) -> None:
        if at == "write" and not world.silences and world.checkpoint.silence is None:
            world.ring([world.post(now, lag=143 * MINUTE + 1)], [now])

    late = FakeLateDevices(world.checkpoints, world.log, gate)
    (due,) = late.page(shard_of(DEVICE), now).devices
    watchdog = Watchdog(FakeWatchedAlerts(world.alerts), lambda: now, _fail)
    assert watchdog.look(due, late, world.rules.controls) == "silent"
    now += MINUTE
    world.ring([world.post(now)], [now])
    assert "OPEN" not in world.silences


def _silent_for_five_minutes(world: World) -> int:
    """Let a device be due, and so that one more chunk makes no checkpoint; return now."""
    world.rules = Rules(Controls(device=Control(silent_after_s=60)))
    world.minutes(0, 140)
    return START + 144 * MINUTE


def _fail(what: str, error: Exception) -> None:
    raise AssertionError(what) from error
