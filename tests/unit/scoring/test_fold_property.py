"""Whatever happens between the table and the fold, the result is that of the readings in order.

Any order of arrival within the rewind horizon, any duplication, any split into batches, any number
of workers with caches of any age, a kill at any point: the alerts that are not withdrawn are those
of in-order arrival, open or cleared as they are, and the state folded to the end is the same.
"""

import os
from collections.abc import Iterator, Sequence
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from tests.fakes.scoring import (
    FakeAlerts,
    FakeCheckpoints,
    FakeReadingLog,
    GatedAlerts,
    GatedCheckpoints,
    GatedReadingLog,
)
from tests.unit.scoring.interleaving import Worker
from weir.chunks import Chunk, StoredChunk, pack
from weir.detection import Explanation, Folded
from weir.readings import Reading
from weir.scoring.fold import fold
from weir.scoring.memory import MemoryCache
from weir.scoring.scorer import Outcome, Scorer
from weir.scoring.state import Checkpoint, DeviceState, MetricState
from weir.scoring.watermarks import Cadence

DEVICE = "pump-7"
START = 1_767_225_600_000 + 2_400_000  # twenty minutes before a full hour
CADENCE = Cadence(readings=20, span_ms=20 * 60_000)


type Seen = tuple[tuple[int, float], ...]


class Remembering:
    """A detector whose state is all that it saw: any reading lost, doubled or displaced shows.

    It is surprised by a jump, so that a late value may open an alert, or explain one away.
    """

    version = 7

    def initial(self) -> Seen:
        return ()

    def step(self, state: Seen, ts: int, value: float) -> tuple[Seen, float]:
        last = state[-1][1] if state else value
        return (*state, (ts, value)), 0.9 if abs(value - last) > 100 else 0.0

    def fold(self, state: Seen, times: Sequence[int], values: Sequence[float]) -> Folded[Seen]:
        scores = []
        for ts, value in zip(times, values, strict=True):
            state, score = self.step(state, ts, value)
            scores.append(score)
        return Folded(state, scores, scores)

    def explain(self, state: Seen, ts: int, value: float) -> Explanation:
        return Explanation(0.0, 0.0, 10.0, "level")

    def pack(self, state: Seen) -> bytes:
        return repr(state).encode()

    def unpack(self, data: bytes) -> Seen:
        raise NotImplementedError


def in_order(chunks: list[StoredChunk]) -> tuple[DeviceState, FakeAlerts]:
    """The state and the alerts of a device whose whole log is folded at once."""
    firsts: dict[str, int] = {}
    for chunk in chunks:
        for name, (first, _) in chunk.spans.items():
            firsts[name] = min(first, firsts.get(name, first))
    start = DeviceState({name: MetricState(first - 1) for name, first in firsts.items()})
    folded = fold(start, chunks, set(firsts), 1 << 60, Remembering())
    alerts = FakeAlerts()
    alerts.tell(DEVICE, folded.facts, 1)
    return folded.state, alerts


def to_the_end(checkpoint: Checkpoint, chunks: list[StoredChunk]) -> DeviceState:
    """The state that follows from the checkpoint and all of the log."""
    state = checkpoint.current
    return fold(state, chunks, set(state.metrics), 1 << 60, Remembering()).state


@st.composite
def arrivals(draw: st.DrawFn) -> list[Chunk]:
    """Chunks of one device in an order of arrival in which none is late by more than the horizon.

    Values jump up for a while and down again, so that the first to come of some tells when that
    was. Minutes are sent in requests of one to three; some metrics come in requests of their own,
    some minutes twice with other values, and requests trade places with near neighbours.
    """
    minutes = draw(st.integers(4, 80))
    requests: list[list[Reading]] = []
    minute, high = 0, False
    while minute < minutes:
        size = draw(st.integers(1, 3))
        rows = []
        for at in range(minute, min(minute + size, minutes)):
            high ^= draw(st.integers(0, 9)) == 0
            value = 500.0 * high + at % 5
            names = draw(st.sampled_from([("a",), ("a",), ("a", "b"), ("b",), ("a", "c")]))
            rows.append(Reading(DEVICE, START + at * 60_000, dict.fromkeys(names, value)))
        requests.append(rows)
        if draw(st.integers(0, 5)) == 0:
            again = draw(st.sampled_from(rows))
            requests.append([Reading(DEVICE, again.ts, dict.fromkeys(again.metrics, 7.5))])
        minute += size
    order = sorted(
        range(len(requests)),
        key=lambda at: at + (draw(st.sampled_from([0, 0, 0, 0, 1.5, 2.5, 4.5])) if at else 0),
    )
    return [chunk for at in order for chunk in pack(requests[at])]


@pytest.fixture(autouse=True, scope="module")
def short_lives() -> Iterator[None]:
    """Let anomalies end, come back and be forgotten, and folds stop short, within an hour or so."""
    with (
        patch("weir.alerts.alarm.CALM_READINGS", 3),
        patch("weir.alerts.alarm.QUIET_MS", 600_000),
        patch("weir.scoring.scorer.RUN_AHEAD_CHUNKS", 8),
    ):
        yield


@given(chunks=arrivals(), data=st.data())
@settings(
    max_examples=int(os.environ.get("WEIR_EXAMPLES", "150")),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_any_delivery_comes_to_the_result_of_in_order_arrival(
    chunks: list[Chunk], data: st.DataObject
) -> None:
    log, checkpoints, alerts = FakeReadingLog(page_size=5), FakeCheckpoints(), FakeAlerts()
    workers = [Worker() for _ in range(3)]
    scorers = [
        Scorer(
            GatedReadingLog(log, worker.gate),
            GatedCheckpoints(checkpoints, worker.gate),
            GatedAlerts(alerts, worker.gate),
            Remembering(),
            MemoryCache(),
            CADENCE,
        )
        for worker in workers
    ]
    last_start = 0  # where the last batch began
    cursor = 0  # the stream up to here was processed by someone
    delivering: dict[int, tuple[int, int]] = {}  # worker -> its batch
    outcomes: dict[int, Outcome] = {}
    overlapping: set[int] = set()  # workers that are not alone on the device

    def deliver(at: int, start: int, end: int) -> None:
        batch = log.rings[start:end]
        gate, scorer = workers[at].gate, scorers[at]

        def work() -> None:
            gate("get")
            outcomes[at] = scorer.score(DEVICE, batch, checkpoints.get(DEVICE))

        if delivering:
            overlapping.update(delivering, (at,))
        delivering[at] = (start, end)
        workers[at].start(work)

    def settle() -> None:
        nonlocal cursor, last_start
        for at in [at for at in delivering if not workers[at].running]:
            start, end = delivering.pop(at)
            last_start = max(last_start, start)
            failure = workers[at].failure
            if failure is not None:
                raise failure
            if workers[at].succeeded and start <= cursor:
                cursor = max(cursor, end)
                # Nothing arrives past the horizon, so nothing may be taken for it; only a worker
                # that others overtook may find that its batch lies past the horizon by now.
                assert outcomes[at].late == 0 or at in overlapping
            overlapping.discard(at)

    waiting = list(reversed(chunks))
    for _ in range(600):
        idle = [at for at in range(3) if at not in delivering]
        if not waiting and cursor == len(log.rings) and not delivering:
            break
        choices = ["step"] * 6 * bool(delivering)
        choices += ["put"] * 3 * bool(waiting)
        choices += ["ring"] * 3 * bool(idle and cursor < len(log.rings))
        choices += ["again"] * bool(idle and last_start < cursor and waiting)
        choices += ["kill"] * bool(delivering and waiting)
        match data.draw(st.sampled_from(choices), label="next"):
            case "put":
                log.put(waiting.pop())
            case "ring":
                size = data.draw(st.integers(1, 6))
                deliver(idle[0], cursor, min(cursor + size, len(log.rings)))
            case "again":
                deliver(idle[-1], last_start, cursor)
            case "step":
                workers[data.draw(st.sampled_from(sorted(delivering)))].step()
            case "kill":
                workers[data.draw(st.sampled_from(sorted(delivering)))].kill()
        settle()
    while waiting or delivering or cursor < len(log.rings):
        while waiting:
            log.put(waiting.pop())
        if not delivering:
            deliver(0, cursor, len(log.rings))
        for at in list(delivering):
            while workers[at].running:
                workers[at].step()
        settle()

    for told in {entry.kind for alert in alerts.alerts.values() for entry in alert.history}:
        event(told)
    expected, expected_alerts = in_order(list(log.of(DEVICE)))
    checkpoint = checkpoints.get(DEVICE)
    assert checkpoint is not None
    actual = to_the_end(checkpoint, list(log.of(DEVICE)))
    assert actual.metrics == expected.metrics
    assert alerts.standing == expected_alerts.standing
