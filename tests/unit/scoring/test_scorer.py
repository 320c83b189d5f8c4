"""The doorbell, case by case: what is read, what is written, and when."""

import struct
from typing import Any

import pytest

from tests.fakes.ewma import Ewma
from tests.fakes.scoring import FakeAlerts, FakeCheckpoints, FakeReadingLog, stored
from weir.alerts.alarm import Alarm
from weir.chunks import Chunk, pack
from weir.detection import JOINT
from weir.readings import Reading
from weir.scoring.fold import fold
from weir.scoring.memory import MemoryCache
from weir.scoring.scorer import Outcome, Scorer
from weir.scoring.state import (
    NEVER,
    Checkpoint,
    DeviceState,
    GroupState,
    MetricState,
    UnreadableState,
    pack_state,
    unpack_state,
)
from weir.scoring.watermarks import MAX_SCORED_METRICS
from weir.storage.checkpoint_store import CheckpointStore

DEVICE = "pump-7"
START = 1_767_225_600_000
MINUTE = 60_000


class World:
    """A log, checkpoints and alerts, and workers that score."""

    def __init__(self) -> None:
        self.log, self.checkpoints, self.alerts = FakeReadingLog(), FakeCheckpoints(), FakeAlerts()
        self.worker = self.new_worker()

    def new_worker(self) -> Scorer:
        return Scorer(self.log, self.checkpoints, self.alerts, Ewma(), MemoryCache())

    def post(self, *readings: Reading) -> list[Chunk]:
        chunks = pack(readings)
        for chunk in chunks:
            self.log.put(chunk)
        return chunks

    def ring(self, chunks: list[Chunk], worker: Scorer | None = None) -> Outcome:
        keys = {chunk.sk for chunk in chunks}
        rung = [chunk for chunk in self.log.of(DEVICE) if chunk.sk in keys]
        return (worker or self.worker).score(DEVICE, rung, self.checkpoints.get(DEVICE))

    @property
    def checkpoint(self) -> Checkpoint:
        return self.checkpoints.checkpoints[DEVICE]

    @property
    def state(self) -> DeviceState:
        """The checkpoint's state, folded to the end of the log."""
        state = self.checkpoint.current
        return fold(state, self.log.of(DEVICE), set(state.metrics), 1 << 60, Ewma()).state


@pytest.fixture
def world() -> World:
    return World()


def minute(at: int, value: float | None = None, metric: str = "flow") -> Reading:
    return Reading(DEVICE, START + at * MINUTE, {metric: 20.0 + at % 3 if value is None else value})


class CountingTable:
    """A States table that counts the write units that its items cost."""

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self.writes = self.units = 0

    def get_item(self, **request: Any) -> dict[str, Any]:
        item = self.items.get(request["Key"]["pk"]["S"])
        return {} if item is None else {"Item": item}

    def put_item(self, **request: Any) -> None:
        item = request["Item"]
        self.items[item["pk"]["S"]] = item
        size = sum(len(name) + len(value) for name, kind in item.items() for value in kind.values())
        self.writes += 1
        self.units += -(-size // 1024)


def test_a_device_that_posts_each_minute_of_a_day_costs_at_most_40_write_units(
    world: World,
) -> None:
    table = CountingTable()
    store = CheckpointStore(table, "states", Ewma())
    scorer = Scorer(world.log, store, world.alerts, Ewma(), MemoryCache())
    for at in range(1440):
        (chunk,) = world.post(minute(at))
        scorer.score(DEVICE, [stored(chunk)], store.get(DEVICE))
    assert table.writes <= 40
    assert table.units <= 40
    checkpoint = store.get(DEVICE)
    assert checkpoint is not None
    assert checkpoint.current.scored > 1440 - 64


def test_a_device_that_is_off_all_day_costs_no_more(world: World) -> None:
    table = CountingTable()
    store = CheckpointStore(table, "states", Ewma())
    scorer = Scorer(world.log, store, world.alerts, Ewma(), MemoryCache())
    for at in range(1440):
        (chunk,) = world.post(minute(at, None if at < 60 else (-1.0) ** at * 1.2**at))
        scorer.score(DEVICE, [stored(chunk)], store.get(DEVICE))
    (alert,) = world.alerts.of(DEVICE)
    assert alert.is_open
    assert alert.count >= 1024
    assert table.writes <= 40
    assert table.units <= 40


def test_a_doorbell_that_rings_twice_scores_nothing_twice(world: World) -> None:
    chunks = world.post(*(minute(at) for at in range(100)))
    assert world.ring(chunks).scored == 100
    assert world.ring(chunks) == Outcome()
    assert world.state.scored == 100


def test_another_worker_finds_that_a_chunk_was_counted_already(world: World) -> None:
    chunks = world.post(*(minute(at) for at in range(100)))
    world.ring(chunks)
    outcome = world.ring(chunks, world.new_worker())
    assert (outcome.scored, outcome.rewinds, outcome.late) == (0, 0, 0)


@pytest.mark.parametrize(
    ("begins", "rewinds"), [(200, 0), (150, 1)], ids=["since the checkpoint", "before it"]
)
def test_a_late_chunk_is_scored_as_if_it_had_come_in_order(
    world: World, begins: int, rewinds: int
) -> None:
    in_order = World()
    for at in range(0, 240, 10):
        in_order.ring(in_order.post(*(minute(m) for m in range(at, at + 10))))
    for at in range(0, 240, 10):
        if at != begins:
            world.ring(world.post(*(minute(m) for m in range(at, at + 10))))
    outcome = world.ring(world.post(*(minute(m) for m in range(begins, begins + 10))))
    assert (outcome.rewinds, outcome.late) == (rewinds, 0)
    assert world.state.metrics == in_order.state.metrics


def test_a_chunk_older_than_both_checkpoints_is_counted_late_and_left(world: World) -> None:
    for at in range(60, 600, 10):
        world.ring(world.post(*(minute(m) for m in range(at, at + 10))))
    before = world.state
    outcome = world.ring(world.post(minute(0)))
    assert outcome.late == 1
    assert world.state == before


def test_a_device_whose_first_readings_come_out_of_order_is_learned_from_the_first(
    world: World,
) -> None:
    second, first = world.post(minute(5)), world.post(minute(4))
    world.ring(second)
    world.ring(first)
    assert world.state.scored == 2


def test_a_metric_may_come_in_requests_of_its_own_long_after_the_others(world: World) -> None:
    for at in range(0, 600, 10):
        world.ring(world.post(*(minute(m) for m in range(at, at + 10))))
    for at in range(0, 600, 10):
        world.ring(world.post(*(minute(m, metric="pressure") for m in range(at, at + 10))))
    state = world.state
    assert {name: metric.scored for name, metric in state.metrics.items()} == {
        "flow": 600,
        "pressure": 600,
    }


def test_of_two_values_of_one_time_the_one_whose_chunk_sorts_first_counts(world: World) -> None:
    one, two = pack([minute(1, 1.0)])[0], pack([minute(1, 2.0)])[0]
    counts = {one.sk: 1.0, two.sk: 2.0}[min(one.sk, two.sk)]
    for chunk in sorted((one, two), key=lambda c: c.sk, reverse=True):
        world.log.put(chunk)
        world.ring([chunk])
    learned = world.state.metrics["flow"].learned
    assert (learned.n, learned.level) == (1, counts)


def test_an_anomaly_opens_one_alert_that_clears(world: World) -> None:
    values = [None] * 60 + [500.0] + [None] * 60
    opened = cleared = 0
    for at, value in enumerate(values):
        outcome = world.ring(world.post(minute(at, value)))
        opened += outcome.opened
        cleared += outcome.cleared
    assert world.alerts.standing == {(DEVICE, "flow", START + 60 * MINUTE): "CLEARED"}
    assert (opened, cleared) == (1, 1)


@pytest.mark.parametrize("access", ["put", "tell"])
def test_a_kill_before_the_checkpoint_or_the_alert_doubles_and_loses_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, access: str
) -> None:
    world.ring(world.post(*(minute(at) for at in range(60))))
    chunks = world.post(minute(60, 500.0))

    class Killed(Exception):
        pass

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr({"put": FakeCheckpoints, "tell": FakeAlerts}[access], access, killed)
        with pytest.raises(Killed):
            world.ring(chunks)
    assert not world.alerts.alerts
    world.ring(chunks, world.new_worker())
    assert world.alerts.standing == {(DEVICE, "flow", START + 60 * MINUTE): "OPEN"}
    assert world.state.scored == 61
    assert world.state.metrics["flow"].alarm is not None


def test_a_backlog_is_read_once_and_its_later_doorbells_cost_nothing(world: World) -> None:
    posts = [world.post(minute(at)) for at in range(300)]
    world.ring(posts[0])
    reads = world.log.reads
    for chunks in posts[1:]:
        assert world.ring(chunks).scored == 0
    assert world.log.reads == reads
    assert world.state.scored == 300


def test_a_new_detector_version_learns_again_from_the_log_without_alerts(world: World) -> None:
    for at in range(0, 120, 10):
        world.ring(
            world.post(*(minute(m, 500.0 if m == 100 else None) for m in range(at, at + 10)))
        )
    alerts = list(world.alerts.alerts)
    world.checkpoints.checkpoints[DEVICE] = Checkpoint.fresh(
        DEVICE, version=world.checkpoint.version, relearning=True
    )
    world.alerts.alerts.clear()
    world.ring(world.post(minute(120)), world.new_worker())
    assert world.state.scored == 121
    assert not world.alerts.alerts
    assert alerts


def test_an_alert_that_a_late_reading_explains_away_does_not_stay_open(world: World) -> None:
    steps = [minute(at, 20.0 + at) for at in range(60)]
    world.ring(world.post(*steps))
    world.ring(world.post(minute(70, 300.0)))
    assert world.alerts.standing == {(DEVICE, "flow", START + 70 * MINUTE): "OPEN"}
    late = [minute(at, 20.0 + 28.0 * (at - 59)) for at in range(60, 70)]
    assert world.ring(world.post(*late)).withdrawn == 1
    (first,) = [alert for alert in world.alerts.of(DEVICE) if alert.onset == START + 70 * MINUTE]
    assert (first.state, first.withdrawn) == ("CLEARED", True)
    alarm = world.state.metrics["flow"].alarm
    assert world.alerts.standing == ({(DEVICE, "flow", alarm.onset): "OPEN"} if alarm else {})


@pytest.mark.parametrize("relearning", [False, True])
def test_a_state_survives_packing_bit_for_bit(relearning: bool) -> None:
    world = World()
    for at in range(61):
        world.ring(world.post(minute(at, 900.0 if at == 60 else None)))
    metrics = {**world.checkpoint.current.metrics, "new": MetricState(START)}
    state = DeviceState(metrics, relearning)
    assert unpack_state(pack_state(state, Ewma()), Ewma()) == state


ALARMS = {
    "open": Alarm(START, 0.9, START + 1, 3, START + 2, 70_000),
    "ended": Alarm(START, 0.9, START + 1, 0, START + 2, 4, START + 9),
}


@pytest.mark.parametrize("alarm", ALARMS.values(), ids=ALARMS)
def test_an_alarm_survives_packing(alarm: Alarm) -> None:
    group = GroupState(START, JOINT.initial(2), alarm)
    metrics = {name: MetricState(START, Ewma().initial(), alarm, 1) for name in "ab"}
    state = DeviceState(metrics, groups={("a", "b"): group})
    assert unpack_state(pack_state(state, Ewma()), Ewma()) == state


def test_a_state_of_the_layout_before_is_read_and_not_learned_again() -> None:
    learned = Ewma().pack(Ewma().initial())
    alarm = b"\1" + struct.pack("<qdqB", START, 0.9, START + 5, 3)
    metric = struct.pack("<qqI", START, NEVER, 7)
    joint = JOINT.pack(JOINT.initial(2))
    data = b"".join(
        (
            struct.pack("<BBHHHB", 2, 0, Ewma.version, JOINT.version, 2, 1),
            *(b"\1\0a", metric, alarm, struct.pack("<H", len(learned)), learned),
            *(b"\1\0b", metric, b"\0", struct.pack("<H", len(learned)), learned),
            *(struct.pack("<BHHqq", 2, 0, 1, START, NEVER), alarm),
            *(struct.pack("<H", len(joint)), joint),
        )
    )
    state = unpack_state(data, Ewma())
    expected = Alarm(START, 0.9, START + 5, 3, last_seen=START + 5, count=1)
    assert [metric.alarm for metric in state.metrics.values()] == [expected, None]
    assert [group.alarm for group in state.groups.values()] == [expected]
    assert (state.scored, state.relearning) == (14, False)
    assert unpack_state(pack_state(state, Ewma()), Ewma()) == state


@pytest.mark.parametrize("cut", [0, 3, 6, 10, 30, -1])
def test_a_state_that_was_cut_short_is_unreadable(cut: int) -> None:
    world = World()
    world.ring(world.post(minute(0)))
    data = pack_state(world.checkpoint.current, Ewma())
    with pytest.raises(UnreadableState):
        unpack_state(data[:cut], Ewma())


def test_a_state_of_another_detector_is_unreadable() -> None:
    class Next(Ewma):
        version = 2

    with pytest.raises(UnreadableState, match="detector 1, not 2"):
        unpack_state(pack_state(DeviceState(), Ewma()), Next())


def test_alerts_carry_the_time_of_the_reading(world: World) -> None:
    world.ring(world.post(*(minute(at) for at in range(60))))
    world.ring(world.post(minute(60, 500.0)))
    (opened,) = world.alerts.of(DEVICE)
    assert (opened.metric, opened.onset, opened.value) == ("flow", START + 60 * MINUTE, 500.0)
    assert opened.because.startswith("500, expected ")


def test_a_device_with_metrics_without_end_is_scored_up_to_a_bound(world: World) -> None:
    for at in range(20):
        metrics = {f"m{at}-{n}": 1.0 for n in range(64)} | {"m0-0": float(at)}
        outcome = world.ring(world.post(Reading(DEVICE, START + at * MINUTE, metrics)))
    assert outcome.ignored == 64
    assert len(world.state.metrics) == MAX_SCORED_METRICS
    assert world.state.metrics["m0-0"].scored == 20
    assert len(pack_state(world.state, Ewma())) < 100_000
