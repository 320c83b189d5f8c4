"""The parts of the soak: the fleet is what it claims, bodies say what was measured, all is sent."""

import random
import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.soak import schedule
from tests.soak.bodies import Batch, Body, WrongAnswer, encode, is_taken
from tests.soak.expected import expected_alerts
from tests.soak.fleet import PROTOCOLS, Device, ProtocolName, bulk_device, make_fleet
from tests.soak.gateway import SIZES, Gateway, Pool
from weir.http.bodies import decode, media_type
from weir.identity import EVERY_DEVICE
from weir.protocols.doors import INFLUX, OTLP, READINGS, adapter_of
from weir.protocols.interface import Parsed, Reply, Request
from weir.readings import Window
from weir.spill import encode as encode_spill
from weir.spill import spill
from weir.storage.spill_queue import MAX_BODY_BYTES
from weir_local.faults import Faults

NOW = 1_767_225_600_000
EACH = 200


@pytest.fixture(scope="module")
def fleet() -> list[Device]:
    devices = make_fleet(25, EACH, NOW, seed=1, run="test")
    for device in devices:
        device.upto(EACH)
        device.sent = EACH
    return devices


def test_a_seed_makes_the_same_fleet_again(fleet: list[Device]) -> None:
    again = make_fleet(25, EACH, NOW, seed=1, run="test")
    assert [device.upto(EACH) for device in again] == [device.readings for device in fleet]
    other = make_fleet(25, EACH, NOW, seed=2, run="test")
    assert other[0].upto(EACH) != fleet[0].readings


def test_readings_come_in_order_and_from_the_past(fleet: list[Device]) -> None:
    for device in fleet:
        times = [reading.ts for reading in device.readings]
        assert times == sorted(set(times))
        assert times[-1] < NOW


def test_every_fifth_device_is_odd_and_the_others_open_no_alert(fleet: list[Device]) -> None:
    alerts = expected_alerts(fleet)
    odd = {device_id for device_id, _, _ in alerts}
    assert len(odd) == len(fleet) / 5
    protocols = {device.protocol for device in fleet if device.device_id in odd}
    assert protocols == set(PROTOCOLS)


# ------------------------------------------------------------------ bodies


def parsed(body: Body) -> tuple[Parsed, Reply]:
    route = {"/v1/readings": READINGS, "/v1/metrics": OTLP}.get(body.path, INFLUX)
    kind = media_type(body.headers["content-type"])
    adapter = adapter_of(route, kind)
    content = decode(body.content, body.headers.get("content-encoding", ""), max_inflated=1 << 23)
    window = Window.around(NOW, past_ms=400 * 86_400_000, future_ms=0)
    query = {"precision": "ms"} if route == INFLUX else {}
    result = adapter.parse(Request(content, kind, query, NOW, window, EVERY_DEVICE))
    return result, adapter.accept(result, kind)


def values_of(batch: Batch) -> Counter[tuple[str, int, str, float]]:
    return Counter(
        (device_id, reading.ts, name, value)
        for device_id, readings in batch
        for reading in readings
        for name, value in reading.metrics.items()
    )


@pytest.mark.parametrize("bad", [0, 3])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_body_holds_just_what_was_measured_and_its_answer_is_understood(
    fleet: list[Device], protocol: ProtocolName, bad: int
) -> None:
    own = [device for device in fleet if device.protocol == protocol]
    batch = [(device.device_id, device.readings[:7]) for device in own]
    for seed in range(8):  # gzipped and not
        body = encode(protocol, batch, bad, random.Random(seed))
        result, reply = parsed(body)
        found = Counter(
            (reading.device_id, reading.ts, name, value)
            for reading in result.readings
            for name, value in reading.metrics.items()
        )
        assert found == values_of(batch)
        assert is_taken(body, reply.status, reply.body)
        assert not is_taken(body, 503, b"")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_answer_that_takes_more_or_less_than_it_should_is_wrong(
    fleet: list[Device], protocol: ProtocolName
) -> None:
    own = next(device for device in fleet if device.protocol == protocol)
    dice = random.Random(1)
    clean = encode(protocol, [(own.device_id, own.readings[:7])], 0, dice)
    spoilt = encode(protocol, [(own.device_id, own.readings[:7])], 2, dice)
    _, reply = parsed(spoilt)
    with pytest.raises(WrongAnswer):
        is_taken(clean, reply.status, reply.body)
    with pytest.raises(WrongAnswer):
        is_taken(spoilt, *answer_of(parsed(clean)[1]))
    with pytest.raises(WrongAnswer):
        is_taken(clean, 403, b"{}")


def answer_of(reply: Reply) -> tuple[int, bytes]:
    return reply.status, reply.body


def test_an_upload_outgrows_a_message_of_the_spill() -> None:
    from weir.chunks import pack
    from weir.readings import Reading

    device = bulk_device(1, NOW, seed=1, run="test")
    readings = [Reading(device.device_id, one.ts, one.metrics) for one in device.readings]
    [message] = spill(pack(readings), ["lake"], NOW)
    assert len(encode_spill(message)) > MAX_BODY_BYTES


# ------------------------------------------------------------------ sending


def served(devices: list[Device], fails: Iterator[bool]) -> list[Batch]:
    """Serve a gateway until all is acknowledged; return what was sent, the failed requests too."""
    gateway = Gateway(devices, random.Random(1), pace=2.5, key="")
    sent: list[Batch] = []
    before = {device.device_id: 0 for device in devices}
    while gateway.next_body(EACH, only_sent=False) is not None:
        sent.append(
            [
                (device.device_id, device.readings[device.acknowledged : until])
                for device, until in gateway.drawn
            ]
        )
        if next(fails):
            gateway.failed()
        else:
            gateway.succeeded()
            for device in devices:
                assert device.acknowledged >= before[device.device_id]
                before[device.device_id] = device.acknowledged
    return sent


def test_a_gateway_sends_all_in_order_and_regroups_what_it_sends_again() -> None:
    devices = make_fleet(25, EACH, NOW, seed=1, run="test")[::5]
    dice = random.Random(7)
    sent = served(devices, iter(lambda: dice.random() < 0.3, None))
    assert all(device.acknowledged == device.sent == EACH for device in devices)
    assert all(sum(len(rows) for _, rows in batch) <= SIZES[1] for batch in sent)
    assert sum(len(rows) for batch in sent for _, rows in batch) / len(sent) > SIZES[0]
    groups = Counter(
        (device_id, rows[0].ts, len(rows)) for batch in sent for device_id, rows in batch
    )
    starts = Counter((device_id, ts) for device_id, ts, _ in groups)
    assert any(count > 1 for count in starts.values())  # begun anew at the same place, otherwise


def test_an_upload_that_fails_is_sent_again_in_parts_and_not_beyond_its_end() -> None:
    device = bulk_device(1, NOW, seed=1, run="test")
    total = device.sent = len(device.readings)
    gateway = Gateway([device], random.Random(1), 2.5, "", bulk=True)
    parts = 0
    while (body := gateway.next_body(10 * total, only_sent=False)) is not None:
        assert parts or body.good == total
        parts += 1
        if parts == 1:
            gateway.failed()
            assert gateway.next_body(10 * total, only_sent=False) is not None
        gateway.succeeded()
    assert device.acknowledged == device.sent == total


def test_a_pool_that_ended_gives_out_what_is_unacknowledged_and_then_nothing() -> None:
    devices = make_fleet(10, EACH, NOW, seed=1, run="test")
    gateways = [Gateway([device], random.Random(1), 2.5, "") for device in devices]
    for gateway in gateways[:3]:
        gateway.next_body(EACH, only_sent=False)
    pool = Pool(2.5)
    pool.add(gateways)
    pool.end()
    served_ones = []
    while (gateway := pool.take()) is not None:  # type: ignore[assignment]
        served_ones.append(gateway)
        gateway.next_body(EACH, only_sent=True)
        gateway.succeeded()
        pool.give(gateway, 0.0)
    assert {id(one) for one in served_ones} == {id(one) for one in gateways[:3]}
    assert not any(gateway.unacknowledged for gateway in gateways)


# ------------------------------------------------------------------ the schedule


def test_every_round_has_all_phases_and_their_faults_exist() -> None:
    phases = schedule.rounds(seed=1)
    found = [next(phases) for _ in range(2 * len(schedule.PHASES))]
    for part in (found[: len(schedule.PHASES)], found[len(schedule.PHASES) :]):
        assert {phase.name for phase in part} == {phase.name for phase in schedule.PHASES}
    for phase in found:
        Faults.parse(phase.faults)


def test_there_are_kinds_enough() -> None:
    kinds = {name.split("@")[0] for phase in schedule.PHASES for name in phase.faults}
    assert len(kinds - {"slow_seconds"}) >= schedule.FEWEST_KINDS + 10


def test_a_schedule_ends_once_it_is_done_and_every_phase_has_been() -> None:
    done, stopped = threading.Event(), threading.Event()
    told: list[str] = []

    def run() -> int:
        return schedule.run(
            schedule.rounds(1, 1e-6), lambda _: None, lambda: None, done, stopped, told.append
        )

    done.set()
    assert run() == len(told) == len(set(told)) == len(schedule.PHASES)
    stopped.set()
    assert run() == 1
