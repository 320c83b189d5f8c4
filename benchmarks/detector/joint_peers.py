"""What scores whole rows, several metrics at once: Weir's joint detector and what it stands beside.

All go over a run in one pass, each row scored from those before it alone. A way that knows one
metric only becomes one of many by its largest or its summed score over them.
"""

from array import array
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from random import Random
from typing import Final

from river import anomaly, preprocessing

from benchmarks.detector import ours, peers, river_peers
from weir.detection.joint import JointDetector

type Rows = Sequence[tuple[float, ...]]
type RowWay = Callable[[Sequence[int], Rows], Sequence[float]]
type MetricWay = Callable[[Sequence[int], Sequence[float]], Sequence[float]]

JOINT: Final = "Weir, joint"
SHUFFLED: Final = "Weir, joint, rows shuffled"
HALF_SPACE_TREES: Final = "river HalfSpaceTrees"
ROBUST: Final = "median and MAD, largest"

_SEED: Final = 42


def joint(times: Sequence[int], rows: Rows) -> array[float]:
    """Weir's joint detector."""
    detector = JointDetector()
    state = detector.initial(len(rows[0]))
    scores = array("d")
    for ts, row in zip(times, rows, strict=True):
        state, score = detector.step(state, ts, row)
        scores.append(score)
    return scores


def joint_shuffled(times: Sequence[int], rows: Rows) -> array[float]:
    """Weir's joint detector over the same rows in random order, in which no anomaly is left.

    A control: what its caution towards a young device is worth, since the runs begin healthy.
    """
    return joint(times, Random(_SEED).sample(rows, len(rows)))


def half_space_trees(times: Sequence[int], rows: Rows) -> array[float]:  # noqa: ARG001
    """Tan, Ting & Liu, IJCAI 2011, as `river_peers.half_space_trees`, over all metrics."""
    scores = array("d")
    model = preprocessing.MinMaxScaler() | anomaly.HalfSpaceTrees(
        n_trees=10, height=8, window_size=250, seed=_SEED
    )
    for row in rows:
        features = dict(enumerate(row))
        scores.append(model.score_one(features))
        model.learn_one(features)
    return scores


def univariate(times: Sequence[int], values: Sequence[float]) -> array[float]:
    """Weir's detector of one metric."""
    return ours.score(ours.make(), times, values)


def over(way: MetricWay, combine: Callable[[Sequence[float]], float]) -> RowWay:
    """The scores of `way` for each metric, combined row by row."""

    def combined(times: Sequence[int], rows: Rows) -> list[float]:
        columns = [
            way(times, list(map(itemgetter(metric), rows))) for metric in range(len(rows[0]))
        ]
        return [combine(scores) for scores in zip(*columns, strict=True)]

    return combined


def held(way: RowWay) -> RowWay:
    """`way`, held as Weir's surprise is: up at once, down over some 500 rows."""

    def holding(times: Sequence[int], rows: Rows) -> list[float]:
        scores, level = [], 0.0
        for row, score in enumerate(way(times, rows)):
            if row >= JointDetector.WARM_UP:
                level = max(score, level + JointDetector.RELEASE * (score - level))
            scores.append(level)
        return scores

    return holding


_DEVIATIONS: Final = over(river_peers.standard_absolute_deviation, sum)

ROW_WAYS: Final[Mapping[str, RowWay]] = {
    JOINT: joint,
    SHUFFLED: joint_shuffled,
    "Weir, each metric, largest": over(univariate, max),
    HALF_SPACE_TREES: half_space_trees,
    "river StandardAbsoluteDeviation, largest": over(river_peers.standard_absolute_deviation, max),
    "river StandardAbsoluteDeviation, summed": _DEVIATIONS,
    "the same, held as Weir's": held(_DEVIATIONS),
    ROBUST: over(peers.robust_z, max),
}
