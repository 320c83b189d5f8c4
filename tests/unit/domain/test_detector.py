"""The plain detector: learns what is usual, says what is not, and packs to the bit."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weir.alerts import CALM_READINGS, OPEN_SCORE, Alarm, Cleared, Opened, watch
from weir.detector import Ewma

finite = st.floats(allow_nan=False, allow_infinity=False)


def scores(values: list[float]) -> list[float]:
    ewma = Ewma()
    state, result = ewma.initial(), []
    for ts, value in enumerate(values):
        state, score = ewma.step(state, ts, value)
        result.append(score)
    return result


def test_noise_is_calm_and_a_spike_is_not() -> None:
    usual = [20.0 + math.sin(n * 1.7) for n in range(200)]
    assert max(scores(usual)) < OPEN_SCORE
    assert scores([*usual, 60.0])[-1] > OPEN_SCORE


def test_a_level_that_moved_for_good_becomes_normal() -> None:
    moved = scores([20.0 + n % 3 for n in range(100)] + [50.0 + n % 3 for n in range(100)])
    assert max(moved[100:103]) > OPEN_SCORE
    assert max(moved[130:]) < OPEN_SCORE


@given(st.lists(finite, max_size=80))
def test_scores_lie_between_0_and_1_for_any_finite_values(values: list[float]) -> None:
    assert all(0.0 <= score <= 1.0 for score in scores(values))


@given(st.lists(finite, max_size=60), finite)
def test_a_state_that_was_packed_goes_on_bit_for_bit(values: list[float], last: float) -> None:
    ewma = Ewma()
    state = ewma.initial()
    for ts, value in enumerate(values):
        state, _ = ewma.step(state, ts, value)
    restored = ewma.unpack(ewma.pack(state))
    assert restored == state
    assert ewma.step(restored, 99, last) == ewma.step(state, 99, last)


@pytest.mark.parametrize("data", [b"", b"x" * 27, Ewma._LAYOUT.pack(1, math.nan, 0.0, 0.0)])
def test_what_was_not_packed_is_not_unpacked(data: bytes) -> None:
    with pytest.raises(ValueError, match="the state"):
        Ewma().unpack(data)


def follow(scored: list[float]) -> list[tuple[int, Opened | Cleared]]:
    alarm: Alarm | None = None
    happened = []
    for ts, score in enumerate(scored):
        alarm, transition = watch(alarm, "m", ts, 1.0, score)
        if transition is not None:
            happened.append((ts, transition))
    return happened


def test_an_alert_opens_at_its_onset_and_clears_after_calm() -> None:
    assert follow([0, 0.6, 0.9, 0.3, 0, 0, 0, 0]) == [
        (1, Opened("m", 1, 1.0, 0.6)),
        (6, Cleared("m", 1, 6, 0.9, 2)),
    ]


def test_a_calm_reading_between_does_not_end_an_alert() -> None:
    wavering = [0.6] + [0.1] * (CALM_READINGS - 1) + [0.3] + [0.1] * (CALM_READINGS - 1)
    assert len(follow(wavering)) == 1
