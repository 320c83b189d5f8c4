"""The merge rule: which of two values counts, in what is shown as in what is scored."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.ewma import Ewma
from tests.fakes.scoring import FakeReadingLog, stored
from weir.chunks import HOUR_MS, StoredChunk, pack
from weir.readings import Reading
from weir.scoring.fold import fold
from weir.scoring.state import NEVER, DeviceState, MetricState
from weir_cli.merge import chunks_of, latest, merged

T = 1_767_225_600_000

READINGS = st.builds(
    Reading,
    st.just("a"),
    st.integers(T - 2, T + 2) | st.integers(T + HOUR_MS - 1, T + HOUR_MS + 1),
    st.dictionaries(st.sampled_from("xy"), st.floats(-5, 5), min_size=1),
    st.none() | st.dictionaries(st.sampled_from("st"), st.sampled_from("12"), min_size=1),
)
REQUESTS = st.lists(st.lists(READINGS, min_size=1, max_size=6), max_size=6)


def log_of(requests: list[list[Reading]], page_size: int = 100) -> FakeReadingLog:
    log = FakeReadingLog(page_size)
    for request in requests:
        for chunk in pack(request):
            log.put(chunk)
    return log


def chunk(*readings: Reading) -> StoredChunk:
    (packed,) = pack(readings)
    return stored(packed)


def test_within_a_chunk_the_earlier_of_two_values_counts() -> None:
    one = chunk(Reading("a", T, {"x": 1.0}), Reading("a", T, {"x": 2.0, "y": 3.0}))
    assert list(merged([one])) == [Reading("a", T, {"x": 1.0, "y": 3.0})]


def test_of_two_chunks_the_one_that_sorts_first_counts() -> None:
    chunks = [chunk(Reading("a", T, {"x": value})) for value in (1.0, 2.0)]
    chunks.sort(key=lambda c: c.sk)
    (reading,) = merged(chunks)
    assert reading.metrics == {"x": chunks[0].document.v["x"][0]}


@settings(max_examples=150)
@given(REQUESTS)
def test_there_is_one_reading_a_time_with_the_first_value_of_the_log(
    requests: list[list[Reading]],
) -> None:
    chunks = log_of(requests).of("a")
    expected: dict[int, dict[str, float]] = {}
    for one in chunks:
        for reading in one.document.rows():
            values = expected.setdefault(reading.ts, {})
            for name, value in reading.metrics.items():
                values.setdefault(name, value)
    found = list(merged(chunks))
    assert [(r.ts, dict(r.metrics)) for r in found] == sorted(expected.items())


class Recorder(Ewma):
    """A detector that remembers what it was given."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, float]] = []

    def step(self, state: object, ts: int, value: float) -> tuple[object, float]:  # type: ignore[override]
        self.seen.append((ts, value))
        return state, 0.0


@settings(max_examples=150)
@given(REQUESTS)
def test_what_is_shown_is_what_is_scored(requests: list[list[Reading]]) -> None:
    chunks = log_of(requests).of("a")
    detector = Recorder()
    fold(DeviceState({"x": MetricState(NEVER)}), chunks, {"x"}, 1 << 62, detector)
    shown = [(r.ts, r.metrics["x"]) for r in merged(chunks) if "x" in r.metrics]
    assert detector.seen == shown


@given(REQUESTS, st.integers(T - 3, T + 3), st.integers(1, 3))
def test_since_leaves_out_what_is_older_and_nothing_else(
    requests: list[list[Reading]], since: int, page_size: int
) -> None:
    log = log_of(requests, page_size)
    everything = list(merged(chunks_of(log, "a", 0)))
    found = list(merged(chunks_of(log, "a", since), since))
    assert found == [reading for reading in everything if reading.ts >= since]


def test_the_latest_value_of_each_metric_may_be_of_another_time() -> None:
    one = chunk(
        Reading("a", T, {"x": 1.0, "y": 2.0}),
        Reading("a", T + 5, {"x": 3.0}),
        Reading("a", T + 5, {"x": 4.0}),
    )
    assert latest(one) == {"x": (T + 5, 3.0), "y": (T, 2.0)}
