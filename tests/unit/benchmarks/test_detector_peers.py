"""The peers that are ours, and how Weir's detector is run beside them: strictly streaming."""

from array import array
from collections.abc import Callable, Sequence
from math import erfc, sqrt
from statistics import fmean, pstdev

import pytest
from benchmarks.detector import ours, peers
from hypothesis import given
from hypothesis import strategies as st

type Way = Callable[[Sequence[int], Sequence[float]], array[float]]

NUMBERS = st.floats(-1e6, 1e6)


def weir(times: Sequence[int], values: Sequence[float]) -> array[float]:
    return ours.score(ours.make(), times, values)


@pytest.mark.parametrize("way", [weir, peers.windowed_gaussian, peers.robust_z])
@given(values=st.lists(NUMBERS, max_size=80), cut=st.integers(0, 80))
def test_a_score_depends_on_nothing_behind_it(way: Way, values: list[float], cut: int) -> None:
    whole = way(range(len(values)), values)
    assert len(whole) == len(values)
    assert way(range(len(values[:cut])), values[:cut]) == whole[:cut]


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=60))
def test_the_median_deviation_is_the_median_of_the_deviations(values: list[int]) -> None:
    ordered = sorted(map(float, values))
    middle = ordered[len(ordered) // 2]
    deviations = sorted(abs(value - middle) for value in ordered)
    assert peers.median_deviation(ordered) == deviations[len(deviations) // 2]


def test_the_robust_window_forgets() -> None:
    values = [100.0, 101.0, 99.0] * 400 + [0.0, 1.0, -1.0] * 400
    scores = peers.robust_z(range(len(values)), values)
    assert scores[1200] > 50.0
    assert scores[-3] < 1.0


def test_the_gaussian_window_moves_on_by_its_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "_GAUSSIAN_WINDOW", 8)
    monkeypatch.setattr(peers, "_GAUSSIAN_STEP", 3)
    values = [float(at * at % 17) for at in range(40)]
    scores = peers.windowed_gaussian(range(40), values)
    for at in range(1, 40):
        end = at if at <= 8 else 8 + (at - 8) // 3 * 3
        window = values[max(0, end - 8) : end]
        distance = abs(values[at] - fmean(window)) / (pstdev(window) or 1e-6)
        assert scores[at] == pytest.approx(1.0 - 0.5 * erfc(distance / sqrt(2.0)), abs=1e-9)


def test_measuring_the_state_changes_no_score() -> None:
    times = [at // 3 for at in range(1200)]
    values = [float(at % 7) for at in range(1200)]
    detector = ours.make()
    measured = ours.measure(detector, times, values)
    assert measured.scores == ours.score(detector, times, values)
    assert measured.state_bytes >= len(detector.pack(detector.initial()))
