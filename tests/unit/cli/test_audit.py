"""The audit: what agrees, and that whatever does not is told."""

from typing import Any, Self

import msgspec
import pytest

from tests.fakes.ewma import Ewma
from tests.fakes.scoring import FakeAlerts, FakeCheckpoints, FakeReadingLog
from weir.chunks import pack, pack_records
from weir.lake import open_record, rows
from weir.readings import Reading
from weir.scoring.memory import MemoryCache
from weir.scoring.scorer import Scorer
from weir_cli.audit import DeviceAudit, LakeSide, compare, devices, score_side, table_side
from weir_cli.audit_io import settle
from weir_cli.errors import Problem
from weir_cli.timeline import moment_ms
from weir_local import control
from weir_local.control import Pending

T = 1_767_225_600_000
REQUESTS = [
    [Reading("a", T + 1000 * (10 * request + n), {"x": 1.0 + n, "y": 2.0}) for n in range(10)]
    for request in range(12)
]


class World:
    """A device's readings in table, lake and scores; a test breaks one of them."""

    def __init__(self) -> None:
        self.log = FakeReadingLog()
        self.checkpoints = FakeCheckpoints()
        self.lake = LakeSide()
        self.scorer = Scorer(self.log, self.checkpoints, FakeAlerts(), Ewma(), MemoryCache())

    def accept(self, request: list[Reading], *, lake: bool = True, score: bool = True) -> None:
        chunks = pack(request)
        before = len(self.log.rings)
        for chunk in chunks:
            self.log.put(chunk)
        if score:
            self.scorer.score("a", self.log.rings[before:], self.checkpoints.get("a"))
        if lake:
            self.deliver(chunks)

    def deliver(self, chunks: list[Any]) -> None:
        for record in pack_records(chunks):
            for line in rows(open_record(record, T)).splitlines():
                row = msgspec.json.decode(line)
                self.lake.add(
                    row["reading_id"], moment_ms(row["ts"]), row["position"], row["metrics"]
                )

    def audit(self) -> DeviceAudit:
        chunks = list(self.log.of("a"))
        score = score_side(chunks, self.checkpoints.get("a"), Ewma())
        return compare("a", table_side(chunks), self.lake, score, alerts=0)


def test_what_was_accepted_once_agrees() -> None:
    world = World()
    for request in REQUESTS:
        world.accept(request)
    found = world.audit()
    assert found.agrees
    assert found.table_rows == found.lake_rows == found.lake_ids == 120
    assert found.table_values == found.lake_values == found.scored == 240
    assert 0 < found.checkpointed < 240  # the rest is in the log after the checkpoint


def test_what_is_delivered_twice_and_what_is_sent_twice_agrees() -> None:
    world = World()
    for request in [*REQUESTS, REQUESTS[0]]:
        world.accept(request)
        world.deliver(pack(request))
    found = world.audit()
    assert found.agrees
    assert found.lake_rows == 260
    assert found.table_rows == found.lake_ids == 120


def test_two_values_of_one_time_agree_on_the_one_that_counts() -> None:
    world = World()
    for value in (1.0, 2.0, 3.0):
        world.accept([Reading("a", T, {"x": value})])
    found = world.audit()
    assert found.agrees
    assert (found.table_rows, found.table_values, found.scored) == (3, 1, 1)


def test_what_is_not_in_the_lake_is_told() -> None:
    world = World()
    world.accept(REQUESTS[0], lake=False)
    assert "20 values of the table are not in the lake" in world.audit().faults


def test_what_is_not_in_the_table_is_told() -> None:
    world = World()
    world.deliver(pack(REQUESTS[0]))
    assert "20 values of the lake are not in the table" in world.audit().faults


def test_a_value_that_differs_is_told() -> None:
    world = World()
    world.accept(REQUESTS[0])
    world.lake.add("another", T, "0", {"x": -1.0})
    assert list(world.audit().faults) == ["1 values differ between table and lake"]


def test_a_device_that_was_never_scored_is_told() -> None:
    world = World()
    world.accept(REQUESTS[0], score=False)
    (fault,) = world.audit().faults
    assert fault.startswith("20 values are in the table, 0 are scored")


def test_scoring_that_is_behind_is_told() -> None:
    world = World()
    world.accept(REQUESTS[0])
    for request in REQUESTS[1:]:
        world.accept(request, score=False)
    (fault,) = world.audit().faults
    assert fault.startswith("scoring is behind")


@pytest.mark.parametrize(
    ("asked", "expected"), [(["b", "a", "b"], ["b", "a"]), ([], ["a", "c", "d"])]
)
def test_devices_are_those_asked_for_or_all(asked: list[str], expected: list[str]) -> None:
    assert devices(asked, ["d", "a"], ["c", "a"]) == expected


class Busy:
    """A stack that comes to rest after some flushes."""

    def __init__(self, flushes: int) -> None:
        self.left = flushes

    def __call__(self, _: str) -> "Busy":
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def pending(self) -> Pending:
        return Pending(0, 2 * self.left, self.left, 0)

    def flush(self) -> None:
        self.left -= 1

    def wait_idle(self, timeout: float) -> None:
        if self.left:
            raise TimeoutError


def test_an_audit_says_what_it_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(control, "Control", Busy(2))
    settle("http://control", said.append)
    assert said == [
        "waiting until all is delivered and scored: 4 firehose records, 2 stream records",
        "waiting until all is delivered and scored: 2 firehose records, 1 stream records",
    ]
    monkeypatch.setattr(control, "Control", Busy(0))
    settle("http://control", said.append)
    assert len(said) == 2
    monkeypatch.setattr(control, "Control", Busy(999))
    with pytest.raises(Problem, match="does not come to rest: 1,974 firehose records"):
        settle("http://control", said.append)
