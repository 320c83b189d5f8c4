"""Tails: how rare a residual is among those of its channel, learned on line.

Peaks over threshold, after Siffer, Fouque, Termier & Largouet, "Anomaly detection in streams with
extreme value theory" (KDD 2017): what lies beyond a high quantile follows a generalised Pareto
distribution (Pickands 1975). Here the quantile is tracked by stochastic approximation (Robbins &
Monro 1951), the mean excess beyond it with exponential forgetting, and the shape is fixed: one
fitted to the few peaks of a short history differs more between series than it tells of them.

A channel's two tails are five coarse floats in a list that several channels share, in the unit of
the residual:

    scale, upper quantile, upper mean excess, lower quantile (negative), lower mean excess

The scale is the mean distance from 0, either way.
"""

from math import log10
from typing import Final

import msgspec

from weir.detection.coarse import coarse

FLOATS: Final = 5
"""So many floats a channel."""

_HUGE: Final = 1e300
_NEVER_SEEN: Final = 40.0
"""The evidence of a residual in a channel that was constant."""
_SETTLING: Final = 20
"""For so many values the scale is a plain mean, without a bound on what one adds."""
_FIRST: Final = 3.0
"""A tail begins at so many scales, before its quantile was learned."""


class TailModel(msgspec.Struct, frozen=True):
    """How the tails of a set of channels are learned."""

    quantile: float
    """A tail begins at this quantile of its side."""
    shape: float
    """Of the generalised Pareto distribution; more than 0: a tail heavier than exponential."""
    forget: float
    """The share of the scale that is forgotten with each value."""
    gain: float
    """How fast the quantile moves, in tenths of a scale a value."""
    peak_rate: float
    """The weight of a new peak in the mean excess."""
    floor: float
    """A tail begins at so many scales at the least."""

    def peak(
        self,
        tails: list[float],
        channel: int,
        residual: float,
        n: int,
        seen: list[tuple[int, float]] | None = None,
    ) -> tuple[float, float]:
        """Learn the `n`-th `residual`, which lies beyond a quantile.

        Returns its evidence, which is -log10 of the probability of its tail, and the distance that
        its scale shall learn from it: that of the quantile, so that one strange value doesn't hide
        the next. `seen`, if given, gets the channel and the evidence.
        """
        at = channel * FLOATS
        scale = tails[at]
        side = at + 1 if residual > 0.0 else at + 3
        limit = tails[side]
        excess = abs(residual - limit)
        mean = tails[side + 1]
        if mean <= 0.0:
            mean = scale
        tails[side + 1] = coarse(mean + self.peak_rate * (excess - mean))
        climb = 0.1 * max(self.gain, 1.0 / n) * self.quantile / (1.0 - self.quantile) * scale
        tails[side] = coarse(limit + (climb if residual > 0.0 else -climb))
        if mean > 0.0:
            ratio = min(excess / (mean * (1.0 - self.shape)), _HUGE)
            evidence = log10(1.0 + self.shape * ratio) / self.shape - log10(1.0 - self.quantile)
        else:
            evidence = _NEVER_SEEN
        if seen is not None:
            seen.append((channel, evidence))
        return evidence, abs(limit if n > _SETTLING and limit else residual)

    def learn(self, tails: list[float], channel: int, distance: float, n: int, count: int) -> None:
        """Learn the mean `distance` of the last `count` residuals, the `n`-th the last of them."""
        at = channel * FLOATS
        if n == count:
            tails[at : at + FLOATS] = first = [coarse(distance)] * FLOATS
            first[1] = tails[at + 1] = coarse(_FIRST * distance)
            tails[at + 3] = -first[1]
            tails[at + 2] = tails[at + 4] = 0.0
            return
        scale = tails[at]
        sink = 0.1 * max(self.gain, 1.0 / n) * count * scale
        least = self.floor * scale
        tails[at + 1] = coarse(max(least, tails[at + 1] - sink))
        tails[at + 3] = coarse(min(-least, tails[at + 3] + sink))
        rate = max(self.forget * count, count / n)
        tails[at] = coarse(scale + rate * (distance - scale))
