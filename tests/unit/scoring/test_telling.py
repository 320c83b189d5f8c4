"""What is told of alerts, by whom, and what is put right after a rewind."""

import pytest

from tests.fakes.scoring import FakeCheckpoints
from tests.unit.scoring.test_scorer import DEVICE, MINUTE, START, World, minute
from weir.alerts.alarm import Alarm, Cleared, Fact, Followed, Opened, Reopened, Withdrawn
from weir.readings import Reading
from weir.scoring.amends import amends
from weir.scoring.fold import Folded
from weir.scoring.state import Checkpoint, DeviceState, MetricState
from weir.scoring.telling import MOST_TOLD, NOTHING, Telling, pack_telling, unpack_telling
from weir.scoring.watermarks import Cadence

ONSET = START + 60 * MINUTE
KEY = (DEVICE, "flow", ONSET)
A_WEEK = 7 * 24 * 60


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def alarmed(world: World) -> World:
    """A device that is calm for an hour, and then is not."""
    world.ring(world.post(*(minute(at) for at in range(60))))
    world.ring(world.post(minute(60, 500.0)))
    assert world.alerts.standing == {KEY: "OPEN"}
    return world


def calm(world: World, since: int, until: int) -> None:
    for at in range(since, until):
        world.ring(world.post(minute(at)))


def test_an_alert_that_cleared_opens_again_within_the_quiet_period(alarmed: World) -> None:
    calm(alarmed, 61, 110)
    assert alarmed.alerts.standing == {KEY: "CLEARED"}
    outcome = alarmed.ring(alarmed.post(minute(110, 500.0)), alarmed.new_worker())
    assert (outcome.opened, outcome.reopened) == (0, 1)
    assert alarmed.alerts.standing == {KEY: "OPEN"}


def test_the_facts_of_a_checkpoint_are_told_by_whoever_finds_it(alarmed: World) -> None:
    alarmed.alerts.alerts.clear()  # as if its worker had died before it told
    alarmed.ring(alarmed.post(minute(61)), alarmed.new_worker())
    assert alarmed.alerts.standing == {KEY: "OPEN"}


def test_a_worker_tells_once_what_it_knows_to_be_told(alarmed: World) -> None:
    alarmed.alerts.alerts.clear()
    alarmed.ring(alarmed.post(minute(61)))
    assert not alarmed.alerts.alerts


@pytest.mark.parametrize(("later", "told"), [(A_WEEK - 1, True), (A_WEEK, False)])
def test_what_is_a_week_older_than_what_rings_is_not_told_again(
    alarmed: World, later: int, told: bool
) -> None:
    alarmed.alerts.alerts.clear()  # as if it had expired
    alarmed.ring(alarmed.post(minute(60 + later)), alarmed.new_worker())
    assert (KEY in alarmed.alerts.standing) == told


def test_more_facts_than_a_checkpoint_carries_are_told_before_it_is_written(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weir.scoring.telling.MOST_BYTES", 10)
    world.ring(world.post(*(minute(at) for at in range(60))))
    world.ring(world.post(minute(60, 500.0)))
    assert world.alerts.standing == {KEY: "OPEN"}
    assert world.checkpoint.telling.untold == ()
    assert [(fact.metric, fact.onset) for fact in world.checkpoint.telling.told] == [KEY[1:]]


# ------------------------------------------------------------------ rewinds


def explained_away(world: World) -> list[Reading]:
    """Open an alert after a gap; return the readings of the gap, which explain it."""
    world.ring(world.post(*(minute(at, 20.0 + at) for at in range(60))))
    world.ring(world.post(minute(70, 300.0)))
    assert world.alerts.standing == {(DEVICE, "flow", START + 70 * MINUTE): "OPEN"}
    return [minute(at, 20.0 + 28.0 * (at - 59)) for at in range(60, 70)]


def test_a_worker_that_dies_after_its_rewind_leaves_the_next_to_put_the_alert_right(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = world.post(*explained_away(world))
    put, puts = FakeCheckpoints.put, 0

    class Killed(Exception):
        pass

    def killed(self: FakeCheckpoints, checkpoint: Checkpoint) -> None:
        nonlocal puts
        puts += 1
        if puts > 1:
            raise Killed
        put(self, checkpoint)

    with monkeypatch.context() as patch:
        patch.setattr(FakeCheckpoints, "put", killed)
        with pytest.raises(Killed):
            world.ring(late)
    assert world.alerts.standing == {(DEVICE, "flow", START + 70 * MINUTE): "OPEN"}
    assert world.ring(late, world.new_worker()).withdrawn == 1
    assert (DEVICE, "flow", START + 70 * MINUTE) not in world.alerts.standing


def test_an_alert_is_withdrawn_though_others_were_told_since(world: World) -> None:
    late = explained_away(world)
    for at in range(71, 110):
        world.ring(world.post(minute(at, 500.0 if at == 105 else None, metric="heat")))
    assert len(world.alerts.standing) == 2
    assert world.ring(world.post(*late)).withdrawn == 1
    assert (DEVICE, "flow", START + 70 * MINUTE) not in world.alerts.standing
    assert (DEVICE, "heat", START + 105 * MINUTE) in world.alerts.standing


def test_an_alert_of_another_metric_outlasts_a_rewind(world: World) -> None:
    world.worker.cadence = Cadence(readings=1000, span_ms=10**9)
    for at in range(70):
        world.ring(world.post(minute(at)))
        world.ring(world.post(minute(at, 500.0 if at == 60 else None, metric="heat")))
    key = (DEVICE, "heat", ONSET)
    assert world.alerts.standing == {key: "OPEN"}
    late = Reading(DEVICE, START + 50 * MINUTE + 1, {"flow": 21.0})
    outcome = world.ring(world.post(late))
    assert (outcome.rewinds, outcome.withdrawn) == (1, 0)
    assert world.alerts.standing == {key: "OPEN"}
    assert (world.checkpoint.telling.doubted, world.checkpoint.telling.again) == ((), ())


# ------------------------------------------------------------------ amends, fact by fact

OPENED = Opened("m", 10, 0.8, "500, expected 1 to 9")
FOLLOWED = Followed("m", 10, 20, 0.9, 15, 4)
CLEARED = Cleared("m", 10, 40, 0.9, 15, 20, 4)
REOPENED = Reopened("m", 10, 50, 0.95, 50, 5)
WITHDRAWN = Withdrawn("m", 10, 20)


GOES_ON = Alarm(10, 0.95, 50, last_seen=50, count=5)
ENDED = Alarm(10, 0.9, 15, last_seen=20, count=4, ended_at=40)


def at(watermark: int, alarm: Alarm | None) -> DeviceState:
    return DeviceState({"m": MetricState(watermark, alarm=alarm)})


@pytest.mark.parametrize(
    ("before", "start", "now", "amended"),
    [
        (FOLLOWED, None, None, [Withdrawn("m", 10, 20)]),
        (CLEARED, None, None, [Withdrawn("m", 10, 40)]),
        (WITHDRAWN, None, None, []),
        (FOLLOWED, None, GOES_ON, []),
        (CLEARED, None, GOES_ON, [REOPENED]),
        (WITHDRAWN, None, GOES_ON, [REOPENED]),
        (FOLLOWED, None, ENDED, [CLEARED]),
        (REOPENED, ENDED, None, [CLEARED]),  # forgotten since
        (WITHDRAWN, None, ENDED, [CLEARED]),
        (CLEARED, None, ENDED, []),
    ],
)
def test_an_alert_is_put_right_by_how_its_alarm_stands(
    before: Fact, start: Alarm | None, now: Alarm | None, amended: list[Fact]
) -> None:
    folded = Folded(at(60, now), [])
    assert amends([before], at(0, start), folded) == (amended, [])


def test_an_alert_of_which_the_fold_tells_is_left_to_that() -> None:
    assert amends([FOLLOWED], at(0, None), Folded(at(60, None), [OPENED, CLEARED])) == ([], [])


def test_an_alert_that_the_fold_has_not_reached_stays_in_doubt() -> None:
    assert amends([CLEARED], at(0, None), Folded(at(39, None), [])) == ([], [CLEARED])


def test_a_checkpoint_knows_the_last_fact_of_each_alert_since_the_one_before() -> None:
    first = NOTHING.then([OPENED], (), moved=False).then([CLEARED], (), moved=False)
    assert first == Telling((CLEARED,), (Followed("m", 10, 10, 0.8, 10, 1),))
    second = first.then([REOPENED], (), moved=False)
    assert second.told == (CLEARED,)
    assert first.then([REOPENED], (), moved=True) == Telling((REOPENED,))
    assert second.rewound(["m"]) == Telling(doubted=(REOPENED,), again=("m",))
    assert NOTHING.rewound(["m"]) == NOTHING


def test_of_many_alerts_the_newest_are_kept_in_mind() -> None:
    many = [Withdrawn("m", onset, onset) for onset in range(MOST_TOLD + 5)]
    assert [fact.onset for fact in Telling(tuple(many)).rewound(["m"]).doubted] == list(
        range(5, MOST_TOLD + 5)
    )


def test_a_telling_survives_packing() -> None:
    telling = Telling((OPENED, FOLLOWED), (CLEARED,), (REOPENED, WITHDRAWN), ("m",))
    assert unpack_telling(pack_telling(telling)) == telling
    assert unpack_telling(pack_telling(NOTHING)) == NOTHING
