"""Peers of the library river, as its documentation uses them."""

from array import array
from collections.abc import Sequence

from river import anomaly, preprocessing


def half_space_trees(times: Sequence[int], values: Sequence[float]) -> array[float]:  # noqa: ARG001
    """Tan, Ting & Liu, "Fast Anomaly Detection for Streaming Data", IJCAI 2011.

    The library's defaults, 10 trees of height 8 and a window of 250. Behind `MinMaxScaler`, since
    it takes values in [0, 1]; the scaler knows nothing but the past, either.
    """
    scores = array("d")
    model = preprocessing.MinMaxScaler() | anomaly.HalfSpaceTrees(
        n_trees=10, height=8, window_size=250, seed=42
    )
    for value in values:
        features = {"value": value}
        scores.append(model.score_one(features))
        model.learn_one(features)
    return scores


def standard_absolute_deviation(
    times: Sequence[int],  # noqa: ARG001
    values: Sequence[float],
) -> array[float]:
    """Distance from the mean of all the past, in its standard deviations."""
    scores = array("d")
    model = anomaly.StandardAbsoluteDeviation()
    for value in values:
        scores.append(model.score_one(None, value))
        model.learn_one(None, value)
    return scores
