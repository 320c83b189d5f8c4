"""The watchdog, case by case: who is found silent, what is read, what is written."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor

import pytest
from msgspec.structs import replace

from tests.fakes.scoring import FakeAlerts, FakeCheckpoints, FakeReadingLog
from tests.fakes.watch import FakeLateDevices, FakeWatchedAlerts
from weir.alerts.alert import Alert, AlertKey
from weir.alerts.lifecycle import silence_cleared, silence_opened, snooze
from weir.chunks import pack
from weir.controls import NONE, Control, Controls
from weir.late import DuePage, Newest
from weir.readings import Reading
from weir.scoring.hearing import Heard, Silence
from weir.scoring.state import Checkpoint, DeviceState, MetricState
from weir.watch import POSTPONE_MS, Tally, Watchdog

START = 1_767_225_600_000
MINUTE = 60_000
HEARD = Heard(gaps=100, mean_s=30.0, longest_s=32.0, second_s=31.0, pace=1.0, lag_s=2.0)
"""Of a device that sends a reading each 30 s: it is allowed 2 minutes, and a lease of 32."""


class Hourglass:
    """A deadline that passes after so many looks at it."""

    def __init__(self, looks: int = 1 << 30) -> None:
        self._looks = looks

    @property
    def left(self) -> float:
        self._looks -= 1
        return float(self._looks + 1)


class World:
    """A fleet, and a watchdog that looks at it."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.checkpoints, self.log, self.kept = FakeCheckpoints(), FakeReadingLog(), FakeAlerts()
        self.now = START
        self.failures: dict[str, Exception] = {}
        self.controls: dict[str, Controls] = {}
        self.opened: list[FakeLateDevices] = []
        self.page_size = 100
        self.watchdog = self.new_watchdog()

    def new_watchdog(self) -> Watchdog:
        return Watchdog(FakeWatchedAlerts(self.kept), lambda: self.now, self.failures.__setitem__)

    def device(self, device_id: str, heard_at: int, **more: object) -> None:
        """A device that was heard at `heard_at`, when its checkpoint was written too."""
        heard = replace(HEARD, last=heard_at, **more)
        state = DeviceState({"flow": MetricState(heard_at - 2_000, scored=1000)})
        expected_by = heard.expected_by()
        self.checkpoints.checkpoints[device_id] = Checkpoint(
            device_id, 7, state, state, heard=heard, expected_by=expected_by
        )
        self.sends(device_id, heard_at)

    def sends(self, device_id: str, at: int) -> None:
        """A chunk is written at `at`, 2 s after its reading."""
        for chunk in pack([Reading(device_id, at - 2_000, {"flow": 20.0})]):
            self.log.put(chunk)

    def run(self, looks: int = 1 << 30) -> Tally:
        self.opened = []

        def late() -> FakeLateDevices:
            self.opened.append(
                FakeLateDevices(self.checkpoints, self.log, page_size=self.page_size)
            )
            return self.opened[-1]

        return self.watchdog.run(late, self._controls, self.executor, Hourglass(looks))

    def _controls(self, device_ids: Sequence[str]) -> Mapping[str, Controls]:
        return {device_id: self.controls.get(device_id, NONE) for device_id in device_ids}

    @property
    def open(self) -> list[Alert]:
        return [alert for alert in self.kept.alerts.values() if alert.is_open]

    @property
    def writes(self) -> int:
        return sum(late.writes for late in self.opened)

    def expected_by(self, device_id: str) -> int | None:
        return self.checkpoints.checkpoints[device_id].expected_by


@pytest.fixture
def world() -> Iterator[World]:
    with ThreadPoolExecutor(8) as executor:
        yield World(executor)


# ------------------------------------------------------------------ how many are found and read


def test_of_10_000_devices_the_20_silent_ones_are_found_and_nobody_else_is_read(
    world: World,
) -> None:
    silent = {f"dev-{n:05d}" for n in range(0, 10_000, 500)}
    for n in range(10_000):
        device_id = f"dev-{n:05d}"
        hours = 3 * 60 if device_id in silent else n % 32  # a checkpoint each 32 minutes
        world.device(device_id, START - hours * MINUTE)

    tally = world.run()

    assert {alert.device_id for alert in world.open} == silent
    assert tally == Tally(due=20, silent=20, items_read=40)
    assert sum(late.pages for late in world.opened) == 8
    assert sum(late.queries for late in world.opened) == 40
    assert world.run() == Tally()  # they are out of the index


def test_an_outage_of_1_000_devices_at_once_is_worked_through_page_by_page(world: World) -> None:
    for n in range(1_000):
        world.device(f"dev-{n:04d}", START - 180 * MINUTE)
    for n in range(1_000, 1_500):
        world.device(f"dev-{n:04d}", START - MINUTE)
    world.page_size = 20

    tally = world.run()

    assert tally == Tally(due=1_000, silent=1_000, items_read=2_000)
    assert len(world.open) == 1_000
    assert world.run() == Tally()


def test_what_is_left_over_waits_for_the_next_run(world: World) -> None:
    for n in range(400):
        world.device(f"dev-{n:03d}", START - 180 * MINUTE)
    world.page_size = 20

    first = world.run(looks=200)
    assert 0 < first.silent < 400
    assert first.backlog >= 1
    assert len(world.open) == first.silent

    rest = world.run()
    assert (rest.silent, rest.backlog) == (400 - first.silent, 0)
    assert len(world.open) == 400


# ------------------------------------------------------------------ silent or not


def test_a_silence_alert_says_since_when_and_why(world: World) -> None:
    world.device("pump-7", START - 180 * MINUTE)
    world.sends("pump-7", START - 150 * MINUTE)
    world.run()
    (alert,) = world.open
    assert (alert.kind, alert.metric, alert.severity) == ("silence", "*", "major")
    assert alert.onset == START - 150 * MINUTE - 2_000
    assert alert.because == "no reading for 2 h; it reports every 30 s as a rule"
    assert alert.basis == world.checkpoints.checkpoints["pump-7"].version == 8


def test_a_device_that_is_late_in_the_index_alone_is_left_alone(world: World) -> None:
    world.device("pump-7", START - 180 * MINUTE)
    world.sends("pump-7", START - MINUTE)
    assert world.run() == Tally(due=1, alive=1, items_read=2)
    assert not world.kept.alerts
    assert world.checkpoints.checkpoints["pump-7"].silence is None


def test_a_device_with_nothing_left_in_the_table_is_silent_since_its_last_scored_reading(
    world: World,
) -> None:
    world.device("pump-7", START - 40 * 1440 * MINUTE)
    world.log.chunks.clear()
    assert world.run() == Tally(due=1, silent=1, items_read=1)
    assert world.open[0].onset == START - 40 * 1440 * MINUTE - 2_000


def test_a_device_whose_clock_is_hours_behind_is_not_silent_for_it(world: World) -> None:
    world.device("pump-7", START - 60 * MINUTE, lag_s=36_000.0)
    world.sends("pump-7", START - 600 * MINUTE)  # written a moment ago
    assert world.run().alive == 1


def test_a_late_chunk_does_not_pass_for_the_newest_reading(world: World) -> None:
    world.device("pump-7", START - 180 * MINUTE)
    newest = START - 180 * MINUTE - 2_000
    world.log.chunks.clear()
    for minutes in (400, 399):  # the last of these sorts last, and is older than what was scored
        world.sends("pump-7", START - minutes * MINUTE)
    world.run()
    assert world.open[0].onset == newest


def test_looking_costs_no_write_unless_it_spares_half_an_hour_of_looks(world: World) -> None:
    world.device("slow", START - 60 * MINUTE)
    world.sends("slow", START - MINUTE)
    world.device("fast", START - 60 * MINUTE, mean_s=1.0, second_s=1.0)
    world.sends("fast", START - MINUTE // 2)
    fast = world.expected_by("fast")

    assert world.run() == Tally(due=2, alive=2, items_read=4)
    assert world.writes == 1
    # 32 minutes of lease and 2 of allowance since it was heard.
    assert world.expected_by("slow") == START + 33 * MINUTE
    assert START + 33 * MINUTE > START + POSTPONE_MS
    assert world.expected_by("fast") == fast

    assert world.run() == Tally(due=1, alive=1, items_read=1)  # remembered: no chunk is read
    world.watchdog = world.new_watchdog()
    assert world.run() == Tally(due=1, alive=1, items_read=2)


def test_who_was_remembered_alive_is_looked_at_again_when_due(world: World) -> None:
    world.device("fast", START - 60 * MINUTE, mean_s=1.0, second_s=1.0)
    world.sends("fast", START - MINUTE // 2)
    world.run()
    world.now += 5 * MINUTE
    assert world.run().silent == 1


# ------------------------------------------------------------------ what operators set


def test_what_is_set_for_a_device_decides(world: World) -> None:
    world.device("pump-7", START - 60 * MINUTE)
    world.controls["pump-7"] = Controls(device=Control(silent_after_s=7200))
    assert world.run().alive == 1
    world.controls["pump-7"] = Controls(device=Control(silent_after_s=600))
    world.now = START + 61 * MINUTE
    assert world.run().silent == 1
    assert world.open[0].because == "no reading for 2 h; 10 min are allowed"


@pytest.mark.parametrize("control", [Control(silent_after_s=0), Control(ignore=True)])
def test_a_device_that_may_be_silent_for_ever_is_not_looked_for_again(
    world: World, control: Control
) -> None:
    world.device("pump-7", START - 180 * MINUTE)
    world.controls["pump-7"] = Controls(fleet=control)
    assert world.run() == Tally(due=1, alive=1, items_read=1)
    assert world.run() == Tally()
    assert not world.kept.alerts


# ------------------------------------------------------------------ what goes wrong


def test_one_device_that_fails_stops_nobody(world: World) -> None:
    for n in range(50):
        world.device(f"dev-{n:02d}", START - (180 - n) * MINUTE)
    broken = RuntimeError("broken")

    class Broken(FakeLateDevices):
        def newest(self, device_id: str, after_sk: str = "") -> Newest | None:
            if device_id == "dev-07":
                raise broken
            return super().newest(device_id, after_sk)

    tally = world.watchdog.run(
        lambda: Broken(world.checkpoints, world.log), world._controls, world.executor, Hourglass()
    )
    assert (tally.silent, tally.failures) == (49, 1)
    assert world.failures == {"dev-07": broken}
    assert world.run().silent == 1  # it is due again


def test_one_shard_that_cannot_be_read_stops_no_other(world: World) -> None:
    for n in range(50):
        world.device(f"dev-{n:02d}", START - 180 * MINUTE)

    class Broken(FakeLateDevices):
        def page(self, shard: str, now: int, after: object = None) -> DuePage:
            if shard == "3":
                raise RuntimeError("broken")
            return super().page(shard, now, after)

    tally = world.watchdog.run(
        lambda: Broken(world.checkpoints, world.log),
        world._controls,
        world.executor,
        Hourglass(),
    )
    assert tally.failures == 1
    assert 30 < tally.silent < 50
    assert list(world.failures) == ["shard 3"]


def test_a_mark_that_somebody_left_is_brought_to_its_end(world: World) -> None:
    world.device("pump-7", START - 180 * MINUTE)
    _mark(world, "pump-7", START - 180 * MINUTE - 2_000)
    assert world.run() == Tally(due=1, silent=1, items_read=2)
    assert world.expected_by("pump-7") is None


def test_a_mark_that_somebody_left_goes_if_the_device_was_heard_since(world: World) -> None:
    world.device("pump-7", START - 180 * MINUTE)
    since = START - 180 * MINUTE - 2_000
    _mark(world, "pump-7", since)
    world.kept.tell("pump-7", [silence_opened(since, "")], 8, "silence")
    world.sends("pump-7", START - MINUTE)
    assert world.run() == Tally(due=1, alive=1, items_read=2)
    (alert,) = world.kept.alerts.values()
    assert (alert.state, alert.ended_at) == ("CLEARED", START - MINUTE)
    checkpoint = world.checkpoints.checkpoints["pump-7"]
    assert (checkpoint.silence, checkpoint.expected_by) == (None, START + 33 * MINUTE)


def test_a_device_that_falls_silent_twice_after_the_same_reading_has_one_alert(
    world: World,
) -> None:
    world.device("pump-7", START - 180 * MINUTE)
    world.run()
    since = world.open[0].onset
    # A chunk of old readings: it was heard, and that is all that came.
    old = world.checkpoints.checkpoints["pump-7"]
    world.kept.tell(
        "pump-7", [silence_opened(since, ""), silence_cleared(since, START + MINUTE)], 8, "silence"
    )
    heard = replace(old.heard, last=START + MINUTE)
    world.checkpoints.put(
        replace(old, version=9, heard=heard, silence=None, expected_by=heard.expected_by())
    )
    assert not world.open
    world.now = START + 180 * MINUTE
    assert world.run().silent == 1
    (alert,) = world.open
    assert [entry.kind for entry in alert.history] == ["opened", "cleared", "reopened"]


# ------------------------------------------------------------------ snoozes


def test_snoozes_that_ended_are_ended_and_one_that_fails_stops_no_other(world: World) -> None:
    for n, until in enumerate((START - 1, START, START + 1)):
        world.kept.tell(f"dev-{n}", [silence_opened(START - 9999, "")], 1, "silence")
        key = AlertKey(f"dev-{n}", START - 9999, "*", "silence")
        world.kept.alerts[key] = snooze(world.kept.alerts[key], until, "ada", START - 5000)
    assert world.run() == Tally(snoozes_ended=2, items_read=2)
    ended = [alert.device_id for alert in world.open if alert.snoozed_until is None]
    assert ended == ["dev-0", "dev-1"]
    assert world.run() == Tally()


def _mark(world: World, device_id: str, since: int) -> None:
    old = world.checkpoints.checkpoints[device_id]
    mark = Silence(since, START - MINUTE)
    world.checkpoints.put(replace(old, version=old.version + 1, silence=mark))
