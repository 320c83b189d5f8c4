"""What a surprise is worth: how often a healthy metric shows one as great, and the score from it.

A surprise is the evidence of a value in units of the metric's own mean evidence. Two numbers are
made of it, by the same scale: what happens so many times a week has the score

    times a week     10      1       0.1      0.01     0.0001
    score            0.25    0.5     0.75     0.833    0.9

and no score reaches 1, so that greater surprises still rank above great ones.

`score_of` compares metrics of all kinds. About 10^-(0.8 + 1.38 √s) of the values show a surprise
that is new and at least s: measured on 29 real and artificial series outside their labelled
anomalies. It takes a week for 2016 values, one each five minutes.

`weekly_score_of` is for alerts, and asks how rare a surprise, or the evidence of one channel alone,
is for this metric: some have surprises of 4 a hundred times for one of 6, others ten times. Great
ones come in some 0.3 % of the values of any metric; how far they exceed the limit of that is
learned from each, by a generalised Pareto distribution of a fixed shape, as in
`weir.detection.tails`.
"""

from math import log10, sqrt
from typing import Final

from weir.detection.coarse import coarse

WEEK_MS: Final = 604_800_000
NOMINAL_VALUES: Final = 2016
"""The values of a week, one every five minutes: what `score_of` refers to."""

GREAT: Final = 2.0
"""A surprise from here on is great."""
STRONG: Final = 3.0
"""The evidence of a channel from here on is strong."""

_RARITY: Final = 0.8
_RISE: Final = 1.38
_NOMINAL: Final = log10(NOMINAL_VALUES)

_GREAT_RARITY: Final = -log10(0.02)
_SHAPE: Final = 0.1
_PRIOR: Final = 5.0
"""The mean excess that a metric begins with, 1, counts for so many."""
_MOST: Final = 60.0
"""The mean excess remembers about so many."""
_CLIP: Final = 5.0
"""One counts for at most so many times the mean in the mean."""
_LEAST_INTERVAL: Final = 60_000.0
"""Values that come faster are taken to depend on each other: no more than one a minute counts."""


def score_of(surprise: float) -> float:
    """The score of a new `surprise` > 0 at the nominal rate of values."""
    return of_rarity(_RARITY + _RISE * sqrt(surprise) - _NOMINAL)


def weekly_score_of(
    found: float, limit: float, excess: float, interval: float, caution: float = 1.0
) -> float:
    """The score of what was `found`, of a metric with a value every `interval` ms (0: unknown).

    `found` is a surprise, with the `limit` `GREAT`, or the evidence of one channel, with `STRONG`.
    `excess` is what such have in excess of the limit in the mean. With `caution`, it is taken to be
    so much less rare.
    """
    beyond = found - limit
    if beyond > 0.0:
        rarity = _GREAT_RARITY + log10(1.0 + _SHAPE * beyond / excess) / _SHAPE
    else:
        rarity = _GREAT_RARITY * found / limit
    rarity /= caution
    if interval <= 0.0:
        return of_rarity(rarity - _NOMINAL)
    return of_rarity(rarity - log10(WEEK_MS / max(interval, _LEAST_INTERVAL)))


def learn_excess(excess: float, count: float, beyond: float) -> tuple[float, float]:
    """The mean excess and of how many it is, with one more that is `beyond` the limit."""
    count = min(count + 1.0, _MOST)
    beyond = min(beyond, _CLIP * excess)
    return coarse(excess + (beyond - excess) / (count + _PRIOR)), count


def threshold_of(false_alerts_per_week: float) -> float:
    """The score that is reached so many times a week by a healthy metric.

    >>> threshold_of(1.0), threshold_of(0.1)
    (0.5, 0.75)
    """
    return of_rarity(-log10(false_alerts_per_week))


def of_rarity(rarity: float) -> float:
    """The score of what happens 10^-`rarity` times a week.

    >>> [round(of_rarity(r), 3) for r in (-1, 0, 1, 2, 4)]
    [0.25, 0.5, 0.75, 0.833, 0.9]
    """
    return 1.0 - 0.5 / (1.0 + rarity) if rarity >= 0.0 else 0.5 / (1.0 - rarity)
