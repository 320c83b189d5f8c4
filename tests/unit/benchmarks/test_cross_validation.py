"""Cross-validation: every file is held out once, and nothing is chosen by looking at it."""

import struct
from collections import Counter
from collections.abc import Sequence

import pytest
from benchmarks.detector.cross_validation import cross_validated, folds
from benchmarks.detector.labelled import Series

from weir.detection import Explanation, Folded


class Scaled:
    """Scores a value by itself, times a gain that a series' first value can turn around."""

    version = 1

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def initial(self) -> float:
        return 0.0

    def step(self, state: float, ts: int, value: float) -> tuple[float, float]:
        return state, value * self.gain

    def fold(self, state: float, times: Sequence[int], values: Sequence[float]) -> Folded[float]:
        scores = [value * self.gain for value in values]
        return Folded(state, scores, scores)

    def explain(self, state: float, ts: int, value: float) -> Explanation:
        raise NotImplementedError

    def pack(self, state: float) -> bytes:
        return struct.pack("<d", state)

    def unpack(self, data: bytes) -> float:
        return float(struct.unpack("<d", data)[0])


def series(name: str, peak: float) -> Series:
    values = [0.0] * 100
    values[50] = peak
    return Series(name, tuple(range(100)), tuple(values), ((50, 59),))


FILES = [series(f"{category}/{at}.csv", 0.8) for category in "abc" for at in range(5)]


def test_the_folds_share_out_each_category_evenly_and_always_alike() -> None:
    dealt = folds(FILES)
    assert sorted(name for fold in dealt for name in fold) == sorted(one.name for one in FILES)
    for fold in dealt:
        assert Counter(name[0] for name in fold) == {"a": 1, "b": 1, "c": 1}
    assert folds(FILES[::-1]) == dealt
    assert folds(FILES, seed=1) != dealt


def test_folds_differ_by_one_file_at_the_most() -> None:
    sizes = [len(fold) for fold in folds(FILES[:13])]
    assert max(sizes) - min(sizes) == 1


def test_the_parameters_that_are_best_on_the_rest_are_chosen() -> None:
    found = cross_validated(Scaled, [{"gain": -1.0}, {"gain": 1.0}, {}], FILES, workers=1)
    assert found.normalised == pytest.approx(100.0)
    assert [choice.parameters for choice in found.choices] == [{"gain": 1.0}] * 5
    assert {choice.threshold for choice in found.choices} == {0.8}


def test_the_threshold_is_not_chosen_on_the_file_itself() -> None:
    # The one file with a lower peak is missed: on the others, a higher threshold is as good, and
    # of those that tie the highest counts.
    low = series("a/0.csv", 0.5)
    found = cross_validated(Scaled, [{}], [low, *FILES[1:]], workers=1)
    assert found.normalised == pytest.approx(100.0 * 14 / 15)


def test_several_processes_come_to_the_same() -> None:
    grid = [{"gain": 0.5}, {"gain": 2.0}]
    assert cross_validated(Scaled, grid, FILES, workers=2) == cross_validated(
        Scaled, grid, FILES, workers=1
    )
