"""Volume under the surface of precision and recall, for scores of a labelled series.

Paparrizos et al., "Volume under the surface: a new accuracy evaluation measure for time-series
anomaly detection", PVLDB 15 (2022). Labels of anomalies are given a buffer on both sides, in which
a row counts for less the farther it lies from the anomaly; recall asks besides how many anomalies
were met at all. The volume is the mean of the area under precision over recall, for buffers from
none to the widest.

The areas are step-wise (each step of recall has the precision at its end), not trapezoids: so a
constant score gets the share of anomalous rows, not the mean of that and 1.
"""

from collections.abc import Sequence
from itertools import groupby
from math import sqrt
from typing import Final

WIDEST: Final = 100
"""The widest buffer, in rows, half of it on each side of an anomaly."""

STEP: Final = 10
"""Buffers are 0, 10, 20, … up to the widest."""


def vus_pr(labels: Sequence[bool], scores: Sequence[float]) -> float:
    """The volume under the surface, in [0, 1], over buffers of 0 to 100 rows.

    Raises `ValueError` if the lengths differ or no row is labelled.
    """
    widths = range(0, WIDEST + 1, STEP)
    return sum(range_auc_pr(labels, scores, width) for width in widths) / len(widths)


def auc_pr(labels: Sequence[bool], scores: Sequence[float]) -> float:
    """The area under precision over recall, row by row: average precision, in [0, 1].

    Raises as `vus_pr`.
    """
    return _area(labels, scores, [1.0 if label else 0.0 for label in labels], [])


def range_auc_pr(labels: Sequence[bool], scores: Sequence[float], width: int) -> float:
    """The area for one buffer of `width` rows; raises as `vus_pr`."""
    weights = buffered(labels, width)
    return _area(labels, scores, weights, _segments(weights))


def _area(
    labels: Sequence[bool],
    scores: Sequence[float],
    weights: Sequence[float],
    to_meet: Sequence[tuple[int, int]],
) -> float:
    """The area where rows count by `weights`, and recall by the share of `to_meet` that is met."""
    if len(labels) != len(scores):
        raise ValueError(f"{len(labels)} labels, but {len(scores)} scores")
    if not any(labels):
        raise ValueError("no row is labelled")
    # As in the paper: between the anomaly's rows and those of the buffer too, so that nobody must
    # reach the whole of the buffer.
    positives = (sum(labels) + sum(weights)) / 2.0
    peaks = sorted((max(scores[first:last]) for first, last in to_meet), reverse=True)
    ranked = sorted(zip(scores, weights, strict=True), key=lambda row: -row[0])
    area = reached = caught = 0.0
    predicted = met = 0
    for threshold, rows in groupby(ranked, key=lambda row: row[0]):
        for _, weight in rows:
            caught += weight
            predicted += 1
        while met < len(peaks) and peaks[met] >= threshold:
            met += 1
        recall = min(caught / positives, 1.0)
        if peaks:
            recall *= met / len(peaks)
        area += (recall - reached) * caught / predicted
        reached = recall
    return area


def buffered(labels: Sequence[bool], width: int) -> list[float]:
    """Each row's weight: 1 in an anomaly, falling off to both sides of it, 0 elsewhere.

    >>> [round(weight, 2) for weight in buffered([False, False, False, True, False], 4)]
    [0.0, 0.71, 0.87, 1.0, 0.87]
    """
    weights = [1.0 if label else 0.0 for label in labels]
    for first, last in _segments(weights):
        for away in range(1, width // 2 + 1):
            weight = sqrt(1.0 - away / width)
            for row in (first - away, last - 1 + away):
                if 0 <= row < len(weights):
                    weights[row] = max(weights[row], weight)
    return weights


def _segments(weights: Sequence[float]) -> list[tuple[int, int]]:
    """The runs of rows that weigh anything: first row, and the one behind the last."""
    found: list[tuple[int, int]] = []
    row = 0
    for inside, rows in groupby(weights, key=bool):
        length = sum(1 for _ in rows)
        if inside:
            found.append((row, row + length))
        row += length
    return found
