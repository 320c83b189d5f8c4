"""The joint detector: a device's metrics together, calm when healthy and up while they are not."""

import random
import struct
from collections.abc import Sequence
from math import isfinite, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weir.detection.joint import JointDetector, JointState

JOINT = JointDetector()
OPEN = 0.5
CALM = 0.3

type Row = tuple[float | None, ...]

finite = st.floats(allow_nan=False, allow_infinity=False)
extreme = st.sampled_from([0.0, 1e300, -1e300, 1e-300, -1e-300, 5e-324, 1.7e308, -1.7e308])


def rows_of(cells: st.SearchStrategy[float | None], width: int = 3) -> st.SearchStrategy[list[Row]]:
    """Few drawn rows over and over, so that metrics get past their warm-up."""
    drawn = st.lists(st.tuples(*[cells] * width), min_size=1, max_size=12)
    return st.builds(lambda rows, times: (rows * times)[:90], drawn, st.integers(1, 40))


any_rows = rows_of(st.none() | finite | extreme)


def follow(rows: Sequence[Row], state: JointState | None = None) -> tuple[JointState, list[float]]:
    """The state after `rows`, all at one time, and their scores."""
    if state is None:
        state = JOINT.initial(len(rows[0]) if rows else 0)
    scores = []
    for row in rows:
        state, score = JOINT.step(state, 0, row)
        scores.append(score)
    return state, scores


def scores(rows: Sequence[Row]) -> list[float]:
    return follow(rows)[1]


def noise(count: int, width: int = 8, seed: int = 1) -> list[Row]:
    """Healthy rows: autocorrelated noise, of another scale and level for each metric."""
    chance, level = random.Random(seed), [0.0] * width
    rows: list[Row] = []
    for _ in range(count):
        level = [0.7 * old + chance.gauss() for old in level]
        rows.append(tuple(10.0**j * (40.0 + value) for j, value in enumerate(level)))
    return rows


def shifted(rows: Sequence[Row], by: float, metrics: Sequence[int] = (0, 1, 2, 3)) -> list[Row]:
    """`rows` with some metrics of `noise` moved by so many innovations."""
    return [
        tuple(
            None if cell is None else cell + (by * 10.0**j if j in metrics else 0.0)
            for j, cell in enumerate(row)
        )
        for row in rows
    ]


@given(any_rows)
def test_any_finite_values_score_between_0_and_1(rows: list[Row]) -> None:
    state, found = follow(rows)
    assert all(0.0 <= score <= 1.0 for score in found)
    assert all(map(isfinite, (*state.recent, *state.usual, *state.deviation, *state[5:])))


@given(any_rows, st.data())
def test_a_state_that_was_packed_anywhere_goes_on_bit_for_bit(
    rows: list[Row], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(rows)))
    state, before = follow(rows[:at], JOINT.initial(3))
    packed = JOINT.pack(state)
    restored = JOINT.unpack(packed)
    assert restored == state
    assert JOINT.pack(restored) == packed
    last, after = follow(rows[at:], restored)
    assert (last, before + after) == follow(rows)


@given(any_rows, st.integers(0, 90))
def test_what_comes_later_changes_no_score(rows: list[Row], at: int) -> None:
    assert scores(rows)[:at] == scores(rows[:at])


def test_a_step_leaves_the_state_before_it_as_it_was() -> None:
    state, _ = follow(noise(100))
    packed = JOINT.pack(state)
    assert JOINT.step(state, 0, shifted(noise(1), 9.0)[0]) == JOINT.step(
        JOINT.unpack(packed), 0, shifted(noise(1), 9.0)[0]
    )
    assert JOINT.pack(state) == packed


@given(
    st.lists(
        st.tuples(st.floats(1e-3, 1e3) | st.floats(-1e3, -1e-3), st.floats(-1e3, 1e3)),
        min_size=4,
        max_size=4,
    ),
    st.integers(0, 9),
)
def test_a_metrics_unit_changes_no_score(units: list[tuple[float, float]], seed: int) -> None:
    healthy = [tuple(random.Random(seed + n).gauss() for _ in range(4)) for n in range(120)]
    rows: list[Row] = [*healthy, *shifted(healthy[:30], 0.5)]
    other = [
        tuple(a * (cell or 0.0) + b for cell, (a, b) in zip(row, units, strict=True))
        for row in rows
    ]
    assert scores(other) == pytest.approx(scores(rows), rel=1e-6, abs=1e-6)


def test_a_score_is_up_while_several_metrics_are_shifted_and_down_some_time_after() -> None:
    rows = noise(3000)
    found = scores([*rows[:1000], *shifted(rows[1000:1300], 14.0), *rows[1300:]])
    assert max(found[:1000]) < CALM
    assert min(found[1010:1300]) > OPEN
    assert max(found[2300:]) < CALM


def test_several_metrics_say_more_than_one() -> None:
    rows = noise(1050)
    peaks = [
        max(scores([*rows[:1000], *shifted(rows[1000:], 8.0, range(count))])) for count in (1, 3, 8)
    ]
    assert peaks == sorted(peaks)
    assert peaks[0] < OPEN < peaks[2]


def test_a_shift_for_good_becomes_normal() -> None:
    rows = noise(4000)
    found = scores([*rows[:1000], *shifted(rows[1000:], 14.0)])
    assert max(found[1000:1100]) > OPEN
    assert max(found[3500:]) < CALM


@pytest.mark.parametrize("seed", range(3))
def test_healthy_noise_is_calm(seed: int) -> None:
    assert max(scores(noise(4000, seed=seed))) < CALM


def test_a_daily_rhythm_is_calm() -> None:
    day = 288
    chance = random.Random(5)
    rows = [
        tuple(abs(n % day - day / 2 + 9 * j) / 5 + chance.gauss() for j in range(6))
        for n in range(10 * day)
    ]
    assert max(scores(rows)) < CALM


def test_a_score_does_not_rise_with_the_rows_of_a_healthy_device() -> None:
    found = scores(noise(4000))
    early, late = sum(found[500:2000]) / 1500, sum(found[2500:]) / 1500
    assert early == pytest.approx(late, rel=0.25)


@given(finite)
def test_constants_say_nothing(value: float) -> None:
    assert scores([(value, -value)] * 80) == [0.0] * 80


def test_a_metric_that_never_moved_alone_does_not_end_in_an_error() -> None:
    found = scores([(5.0, 1e-300)] * 100 + [(5.0, 1e300)] * 3)
    assert 0.0 < found[100] <= 1.0


def test_a_missing_cell_teaches_and_says_nothing() -> None:
    state, _ = follow(noise(100, 3))
    after, _ = JOINT.step(state, 0, (None, None, None))
    assert after == state
    partly, _ = JOINT.step(state, 0, (None, 1e9, None))
    assert partly.recent[0] == state.recent[0]
    assert (partly.seen, partly.usual[2]) == ((100, 101, 100), state.usual[2])


def test_metrics_at_different_rates_are_calm_and_a_shift_is_seen() -> None:
    rows = noise(2000)
    shift = [*rows[:1500], *shifted(rows[1500:], 14.0)]
    sparse = [
        tuple(cell if n % (1 + j) == 0 else None for j, cell in enumerate(row))
        for n, row in enumerate(shift)
    ]
    found = scores(sparse)
    assert max(found[:1500]) < OPEN < max(found[1500:1600])


def test_a_metric_that_comes_later_is_learned_from_its_own_first_value() -> None:
    state, _ = follow(noise(200, 2))
    wider = JOINT.widen(state, 3)
    assert wider.seen == (200, 200, 0)
    _, found = follow([(*row, 7e9 + n % 5) for n, row in enumerate(noise(200, 2))], wider)
    assert max(found) < CALM


def test_it_says_which_metrics_it_was() -> None:
    state, _ = follow(noise(500))
    shares = JOINT.explain(state, shifted(noise(1), 500.0, (2, 5))[0])
    assert {shares[0].column, shares[1].column} == {2, 5}
    assert sum(one.share for one in shares) == pytest.approx(1.0)
    assert JOINT.explain(state, (None,) * 8) == []


def test_a_row_of_another_width_is_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        JOINT.step(JOINT.initial(2), 0, (1.0,))


def test_a_state_is_28_bytes_a_metric() -> None:
    assert len(JOINT.pack(JOINT.initial(8))) == 244


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x" * 19,
        JOINT.pack(JOINT.initial(2))[:-1],
        JOINT.pack(JOINT.initial(2)) + b"\0",
        struct.pack("<Idd", 1, nan, 0.2),
        struct.pack("<Idd", 1, -1.0, 0.2),
        struct.pack("<IddIddd", 1, 0.0, 0.2, 1, 0.0, 0.0, -1.0),
        struct.pack("<IddIddd", 1, 0.0, 0.2, 1, nan, 0.0, 1.0),
    ],
)
def test_what_was_not_packed_is_not_unpacked(data: bytes) -> None:
    with pytest.raises(ValueError, match="the state"):
        JOINT.unpack(data)
