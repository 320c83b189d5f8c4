"""The simulated fleet: the same every time, and honest about its faults."""

from itertools import islice, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weir.readings import Reading, Window, check_device_id, check_metrics, check_ts
from weir_cli.faults import KINDS, Fault, plan_faults
from weir_cli.fleet import METRICS, Fleet, FleetOptions
from weir_cli.simulation import Timer, label

START = 1_767_225_600_000

OPTIONS = st.builds(
    FleetOptions,
    start_ms=st.integers(0, START),
    pumps=st.integers(1, 4),
    seed=st.integers(),
    interval_ms=st.integers(1, 600_000),
    steps=st.integers(8, 60),
    faults=st.integers(0, 5),
    live_every=st.none() | st.integers(1, 10),
)


def stream(options: FleetOptions, live: int = 40) -> tuple[list[Reading], list[Fault]]:
    fleet = Fleet(options)
    readings = [*fleet.history(), *islice(fleet.live(), live)]
    return readings, fleet.faults


@settings(max_examples=30)
@given(OPTIONS)
def test_the_same_seed_gives_the_same_readings_and_faults(options: FleetOptions) -> None:
    assert stream(options) == stream(options)


@settings(max_examples=30)
@given(OPTIONS)
def test_every_reading_is_valid_and_their_times_rise(options: FleetOptions) -> None:
    readings, _ = stream(options)
    always = Window(-(1 << 62), 1 << 62)
    for reading in readings:
        check_device_id(reading.device_id)
        check_ts(reading.ts, always)
        assert check_metrics(reading.metrics).keys() == set(METRICS)
    times = [reading.ts for reading in readings]
    assert times == sorted(times)
    assert readings[0].ts == options.start_ms
    device = [r.ts for r in readings if r.device_id == options.device_id(0)]
    assert {b - a for a, b in pairwise(device)} == {options.interval_ms}


@settings(max_examples=30)
@given(OPTIONS)
def test_a_fault_changes_its_metric_in_its_time_and_nothing_else(options: FleetOptions) -> None:
    quiet = FleetOptions(
        options.start_ms, options.pumps, options.seed, options.interval_ms, options.steps, 0
    )
    with_faults, faults = stream(
        FleetOptions(
            options.start_ms,
            options.pumps,
            options.seed,
            options.interval_ms,
            options.steps,
            options.faults,
        )
    )
    without, _ = stream(quiet)
    spoiled = {
        (options.device_id(fault.pump), options.ts(step, fault.pump), fault.metric)
        for fault in faults
        for step in range(fault.first, fault.last + 1)
    }
    for one, other in zip(with_faults, without, strict=True):
        for metric in METRICS:
            if one.metrics[metric] != other.metrics[metric]:
                assert (one.device_id, one.ts, metric) in spoiled


def test_a_pump_is_silent_for_its_time_and_the_last_ones_have_no_faults() -> None:
    options = FleetOptions(
        START, pumps=3, interval_ms=1000, steps=8, faults=4, live_every=5, healthy=1
    )
    fleet = Fleet(options)
    fleet.silence(2, (START + 8000, START + 20_999), (START + 50_000, START + 50_999))
    readings = [*fleet.history(), *islice(fleet.live(), 200)]
    mine = [r.ts for r in readings if r.device_id == options.device_id(2)]
    gaps = [b - a for a, b in pairwise(mine) if b - a > 1000]
    assert gaps == [14_000, 2000]
    assert len(fleet.faults) > 4
    assert {fault.pump for fault in fleet.faults} <= {0, 1}


def test_faults_come_after_the_quiet_time() -> None:
    options = FleetOptions(START, pumps=4, steps=100, faults=5, quiet=80)
    assert all(80 <= fault.first <= fault.last < 100 for fault in Fleet(options).faults)


def test_another_seed_gives_other_readings() -> None:
    one, _ = stream(FleetOptions(START, pumps=1, seed=1, steps=8, faults=0))
    other, _ = stream(FleetOptions(START, pumps=1, seed=2, steps=8, faults=0))
    assert one != other


def test_the_kinds_of_faults_take_turns_in_metrics_of_their_own() -> None:
    faults = list(plan_faults(7, 4, METRICS, 100, 1000, 10))
    assert sorted(fault.kind for fault in faults) == sorted(KINDS * 2)
    assert len({(fault.pump, fault.metric) for fault in faults}) == 10
    assert all(100 <= fault.first <= fault.last < 1000 for fault in faults)


def test_there_cannot_be_more_faults_than_metrics() -> None:
    with pytest.raises(ValueError, match="1 pumps cannot have 6 faults"):
        list(plan_faults(7, 1, METRICS, 0, 100, 6))


@pytest.mark.parametrize(
    ("kind", "size", "expected"),
    [("spike", 10.0, 15.0), ("shift", -10.0, 5.0), ("drift", 10.0, 12.5), ("noise", 4.0, 13.0),
     ("stuck", 10.0, 9.5)],
)  # fmt: skip
def test_a_fault_does_what_its_kind_says(kind: str, size: float, expected: float) -> None:
    fault = Fault(0, "flow", kind, 100, 103, size)
    assert fault.distort(101, 10.0, noise=1.0, deviation=0.5, previous=9.5) == expected


def test_a_label_names_the_first_and_the_last_faulty_reading() -> None:
    options = FleetOptions(START, pumps=2, interval_ms=60_000)
    assert label(options, Fault(1, "flow", "shift", 10, 20, 15.0)) == {
        "device_id": "pump-02",
        "metric": "flow",
        "kind": "shift",
        "start": "2026-01-01T00:10:30.000Z",
        "end": "2026-01-01T00:20:30.000Z",
    }


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def readings(*offsets: int) -> list[Reading]:
    return [Reading("a", START + offset, {"x": 1.0}) for offset in offsets]


def test_history_passes_so_many_times_as_quickly_as_it_happened() -> None:
    clock = Clock(50.0)
    passed = [clock.now for _ in Timer(clock.sleep, clock).timed(readings(0, 60_000, 120_000), 60)]
    assert passed == [50.0, 51.0, 52.0]


def test_live_readings_pass_when_their_time_comes_and_late_ones_at_once() -> None:
    clock = Clock(START / 1000 + 1.5)
    passed = [
        clock.now - START / 1000
        for _ in Timer(clock.sleep, clock).live(readings(0, 1000, 2000, 3000))
    ]
    assert passed == [1.5, 1.5, 2.0, 3.0]
