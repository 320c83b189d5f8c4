"""Volume under the surface, on cases that can be worked out by hand."""

from math import sqrt

import pytest
from benchmarks.detector.vus import WIDEST, auc_pr, buffered, range_auc_pr, vus_pr

LABELS = [300 <= row < 600 for row in range(1000)]


def test_a_perfect_score_has_all_the_area() -> None:
    perfect = [float(label) for label in LABELS]
    assert auc_pr(LABELS, perfect) == 1.0
    assert vus_pr(LABELS, perfect) > 0.95  # it doesn't reach into the buffers


def test_a_score_that_follows_the_buffer_has_all_the_volume_too() -> None:
    assert vus_pr(LABELS, buffered(LABELS, WIDEST)) == pytest.approx(1.0, abs=0.03)


def test_a_constant_score_has_the_share_of_anomalous_rows() -> None:
    assert auc_pr(LABELS, [0.7] * 1000) == pytest.approx(0.3)
    weight = sum(buffered(LABELS, 100))
    assert range_auc_pr(LABELS, [0.7] * 1000, 100) == pytest.approx(weight / 1000)


def test_the_worst_score_has_less_than_a_constant_one() -> None:
    worst = [-float(label) for label in LABELS]
    assert vus_pr(LABELS, worst) < vus_pr(LABELS, [0.0] * 1000)


def test_average_precision_by_hand() -> None:
    # Ranked: hit (precision 1), miss, hit (2/3), miss.
    assert auc_pr([True, False, True, False], [4, 3, 2, 1]) == pytest.approx((1 + 2 / 3) / 2)


def test_a_buffer_forgives_being_near() -> None:
    near = [float(610 <= row < 640) for row in range(1000)]
    assert range_auc_pr(LABELS, near, 100) > range_auc_pr(LABELS, near, 0) + 0.05


def test_recall_counts_the_anomalies_that_were_met() -> None:
    # Two anomalies of 1 row. The first is ranked first: recall 1/2 of the rows times 1/2 of the
    # anomalies at precision 1; then both, at precision 1.
    assert range_auc_pr([True, False, True], [3, 1, 2], 0) == pytest.approx(1.0)
    assert range_auc_pr([True, False, True], [3, 2, 1], 0) == pytest.approx(1 / 4 + 3 / 4 * 2 / 3)


def test_a_buffer_falls_off_as_a_root() -> None:
    assert buffered([False, True, False, False], 4) == [sqrt(3 / 4), 1.0, sqrt(3 / 4), sqrt(1 / 2)]
    assert buffered([True, True, False], 0) == [1.0, 1.0, 0.0]


def test_what_cannot_be_judged_is_refused() -> None:
    with pytest.raises(ValueError, match="no row"):
        vus_pr([False], [1.0])
    with pytest.raises(ValueError, match="2 scores"):
        vus_pr([True], [1.0, 2.0])
