"""However the watchdog and the scorers interleave, silence is told as it is.

Any of them may be stopped at any access to a store, for as long as it likes, or for good; doorbells
ring again, late, or in the middle of the watchdog's work. In the end no silence alert is open of a
device that was heard since, and one is of a device that was not.
"""

import os
from collections.abc import Sequence

from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from tests.fakes.scoring import (
    FakeAlerts,
    FakeCheckpoints,
    FakeReadingLog,
    Gate,
    GatedAlerts,
    GatedCheckpoints,
    GatedReadingLog,
    no_gate,
)
from tests.fakes.watch import FakeLateDevices, FakeWatchedAlerts
from tests.unit.scoring.interleaving import Worker
from tests.unit.scoring.test_fold_property import Remembering
from weir.alerts.alert import Alert
from weir.chunks import pack
from weir.controls import Control, Controls
from weir.readings import Reading
from weir.scoring.alarms import Rules
from weir.scoring.hearing import Heard
from weir.scoring.memory import MemoryCache
from weir.scoring.scorer import Scorer
from weir.scoring.state import Checkpoint
from weir.scoring.watermarks import Cadence
from weir.shards import shard_of
from weir.watch import Watchdog

DEVICE = "pump-7"
START = 1_767_225_600_000
CADENCE = Cadence(readings=6, span_ms=10 * 60_000)
DAY_MS = 86_400_000


class World:
    """One device, what is kept of it, and the clock."""

    def __init__(self, controls: Controls) -> None:
        self.log = FakeReadingLog(page_size=5)
        self.checkpoints = FakeCheckpoints()
        self.alerts = FakeAlerts()
        self.controls = controls
        self.now = START
        self.written: list[int] = []  # when each of the log's rings was written
        known = Heard(START - 10_000, gaps=100, mean_s=10, longest_s=12, second_s=12, pace=1.0)
        fresh = Checkpoint.fresh(DEVICE, version=1)
        self.checkpoints.put(Checkpoint(DEVICE, 1, fresh.current, fresh.previous, heard=known))

    def put(self, ts: int) -> None:
        (chunk,) = pack([Reading(DEVICE, ts, {"flow": 20.0 + ts % 3})])
        self.log.put(chunk)
        self.written += [self.now] * (len(self.log.rings) - len(self.written))

    def scorer(self, gate: Gate = no_gate) -> Scorer:
        return Scorer(
            GatedReadingLog(self.log, gate),
            GatedCheckpoints(self.checkpoints, gate),
            GatedAlerts(self.alerts, gate),
            Remembering(),
            MemoryCache(),
            CADENCE,
        )

    def score(self, scorer: Scorer, start: int, end: int, gate: Gate = no_gate) -> None:
        gate("get")
        scorer.score(
            DEVICE,
            self.log.rings[start:end],
            self.checkpoints.get(DEVICE),
            Rules(self.controls),
            self.written[start:end],
        )

    def watchdog(self, gate: Gate = no_gate) -> Watchdog:
        alerts = FakeWatchedAlerts(GatedAlerts(self.alerts, gate))
        return Watchdog(alerts, lambda: self.now, _fail)

    def watch(self, watchdog: Watchdog, gate: Gate = no_gate) -> FakeLateDevices:
        late = FakeLateDevices(self.checkpoints, self.log, gate)
        for due in late.page(shard_of(DEVICE), self.now).devices:
            watchdog.look(due, late, self.controls)
        return late

    @property
    def is_late(self) -> bool:
        checkpoint = self.checkpoints.get(DEVICE)
        expected_by = None if checkpoint is None else checkpoint.expected_by
        return expected_by is not None and expected_by < self.now

    @property
    def open(self) -> Sequence[Alert]:
        return [alert for alert in self.alerts.of(DEVICE) if alert.is_open]


def _fail(what: str, error: Exception) -> None:
    raise AssertionError(what) from error


@given(silent_after_s=st.sampled_from([None, 60.0]), data=st.data())
@settings(
    max_examples=int(os.environ.get("WEIR_EXAMPLES", "300")),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_in_the_end_silence_is_told_as_it_is(
    silent_after_s: float | None, data: st.DataObject
) -> None:
    world = World(Controls(device=Control(silent_after_s=silent_after_s)))
    scoring = {at: Worker() for at in range(2)}
    watching = {at: Worker() for at in range(2)}
    scorers = {at: world.scorer(worker.gate) for at, worker in scoring.items()}
    watchdogs = {at: world.watchdog(worker.gate) for at, worker in watching.items()}
    warm = world.scorer()  # one that nobody stops
    delivering: dict[int, tuple[int, int]] = {}
    cursor = last_start = 0

    def deliver(at: int, start: int, end: int) -> None:
        delivering[at] = (start, end)
        worker = scoring[at]
        worker.start(lambda: world.score(scorers[at], start, end, worker.gate))

    def watch(at: int) -> None:
        worker = watching[at]
        worker.start(lambda: world.watch(watchdogs[at], worker.gate))

    def settle() -> None:
        nonlocal cursor, last_start
        for worker in (*scoring.values(), *watching.values()):
            if not worker.running and worker.failure is not None:
                raise worker.failure
        for at in [at for at in delivering if not scoring[at].running]:
            start, end = delivering.pop(at)
            last_start = max(last_start, start)
            if scoring[at].succeeded and start <= cursor:
                cursor = max(cursor, end)

    def busy() -> list[Worker]:
        return [w for w in (*scoring.values(), *watching.values()) if w.running]

    world.put(world.now - 1_000)
    for _ in range(data.draw(st.integers(10, 120))):
        idle = [at for at in scoring if at not in delivering]
        dogs = [at for at, worker in watching.items() if not worker.running]
        rings, late = idle and cursor < len(world.log.rings), dogs and world.is_late
        choices = ["put", "late", "forget"]
        choices += ["ring"] * (3 if busy() else 6) * bool(rings)
        choices += ["ring at once"] * 2 * bool(not delivering and rings)
        choices += ["again"] * bool(idle and last_start < cursor)
        choices += ["watch"] * (3 if busy() else 12) * bool(late)
        choices += ["step"] * 12 * bool(busy()) + ["kill"] * 2 * bool(busy())
        choices += ["pause"] if busy() else ["wait"] * 4
        match data.draw(st.sampled_from(choices), label="next"):
            case "put":
                world.now += data.draw(st.sampled_from([1_000, 10_000]))
                world.put(world.now - 1_000)
            case "late":
                world.now += 1_000
                world.put(world.now - data.draw(st.sampled_from([20_000, 95_000, 3_700_000])))
            case "wait":
                world.now += data.draw(st.sampled_from([90_000, 800_000, 4_000_000]))
            case "pause":
                world.now += data.draw(st.sampled_from([1_000, 70_000, 800_000]))
            case "ring":
                size = data.draw(st.integers(1, 4))
                deliver(idle[0], cursor, min(cursor + size, len(world.log.rings)))
            case "ring at once":
                world.score(warm, cursor, len(world.log.rings))
                cursor = len(world.log.rings)
            case "again":
                deliver(idle[-1], last_start, cursor)
            case "watch":
                watch(dogs[0])
            case "step":
                data.draw(st.sampled_from(busy())).step()
            case "kill":
                data.draw(st.sampled_from(busy())).kill()
            case "forget":  # a cold worker
                at = data.draw(st.sampled_from([0, 1]))
                if at not in delivering:
                    scorers[at] = world.scorer(scoring[at].gate)
        settle()

    world.now += 10_000
    event(f"silences: {min(len(world.alerts.alerts), 5)}, open before: {bool(world.open)}")
    if data.draw(st.booleans(), label="is heard again"):
        world.put(world.now - 1_000)
        # Whoever is on the way comes to the end before, after, or between.
        for _ in range(data.draw(st.integers(0, 6)) if busy() else 0):
            if busy():
                data.draw(st.sampled_from(busy())).step()
                settle()
        world.score(warm, cursor, len(world.log.rings))
        while busy():
            busy()[0].step()
            settle()
        world.watch(world.watchdog())
        assert not world.open

    while busy():
        if data.draw(st.integers(0, 4), label="dies") == 0:
            busy()[0].kill()
        else:
            busy()[0].step()
        settle()
    world.score(warm, cursor, len(world.log.rings))
    world.now += DAY_MS
    watchdog = world.watchdog()
    for _ in range(4):
        world.watch(watchdog)
        world.now += 60_000
    checkpoint = world.checkpoints.get(DEVICE)
    assert checkpoint is not None
    if checkpoint.current.metrics:
        newest = max(chunk.t1 for chunk in world.log.rings)
        (alert,) = world.open
        assert alert.kind == "silence"
        assert alert.onset <= newest
        assert alert.because.startswith("no reading for ")
    # Once told, it is not looked at again.
    assert world.watch(watchdog).items_read == 0
