"""What a surprise is worth: how often a healthy metric shows one as great, and the score from it.

A surprise is the evidence of a value in units of the metric's own mean evidence. How rare one of
s is was measured on 29 real and artificial series of many kinds, outside their labelled anomalies
(`make bench-detector` prints it): about 10^-(0.8 + 1.38 √s) of the values show one that is new
and as great. Times the values of a week, that is the number of false alerts a week that a
threshold there would cost; and the score is a plain function of that number.

    false alerts a week     10      1       0.1      0.01     0.0001
    score                   0.25    0.5     0.75     0.833    0.9

The score never reaches 1, so that greater surprises still rank above great ones.
"""

from math import log10, sqrt
from typing import Final

WEEK_MS: Final = 604_800_000
NOMINAL_VALUES: Final = 2016
"""The values of a week, one every five minutes: what a score refers to."""

_RARITY: Final = 0.8
_RISE: Final = 1.38
_NOMINAL: Final = log10(NOMINAL_VALUES)


def rarity(surprise: float) -> float:
    """-log10 of the share of a healthy metric's values that show a new `surprise` as great."""
    return _RARITY + _RISE * sqrt(surprise)


def score_of(surprise: float) -> float:
    """The score of a `surprise` > 0 at the nominal rate of values."""
    return of_rarity(rarity(surprise) - _NOMINAL)


def weekly_score_of(surprise: float, interval: float) -> float:
    """The score of a `surprise` > 0 of a metric with a value every `interval` ms."""
    return of_rarity(rarity(surprise) - (log10(WEEK_MS / interval) if interval > 0.0 else _NOMINAL))


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
