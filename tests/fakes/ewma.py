"""A plain detector for tests of what surrounds one: quick to learn, and easy to reason about."""

import struct
from collections.abc import Sequence
from math import inf, isfinite
from typing import Final, NamedTuple

from weir.detection import Explanation, Folded


class EwmaState(NamedTuple):
    """Values seen, the exponentially weighted level, deviation from it, and magnitude."""

    n: int
    level: float
    deviation: float
    magnitude: float


class Ewma:
    """Distance from an exponentially weighted mean, in its own mean absolute deviations.

    Roberts, "Control chart tests based on geometric moving averages", Technometrics 1 (1959).
    Forgetting: the level remembers some 5 values, the deviation some 50. Until then both are
    plain means, and the first `WARM_UP` values score 0. A surprise moves the deviation only as
    far as `CLIP` deviations would, so that one spike doesn't hide the next, while a level that
    has moved for good becomes the new normal.

    >>> ewma = Ewma()
    >>> state = ewma.initial()
    >>> for ts in range(60):
    ...     state, score = ewma.step(state, ts, 20.0 + 0.1 * (ts % 3))
    >>> score < 0.1
    True
    >>> ewma.step(state, 60, 35.0)[1] > 0.9
    True
    """

    version = 1

    LEVEL_RATE: Final = 0.2
    DEVIATION_RATE: Final = 0.02
    CLIP: Final = 5.0
    WARM_UP: Final = 30
    HALF: Final = 10.0
    """The distance, in deviations, that scores one half."""
    FLOOR: Final = 1e-3
    """The smallest deviation that is believed, as a share of the values' magnitude."""

    _LAYOUT: Final = struct.Struct("<Iddd")
    _TINY: Final = 1e-300

    def initial(self) -> EwmaState:
        """The state before the first value."""
        return EwmaState(0, 0.0, 0.0, 0.0)

    def step(self, state: EwmaState, ts: int, value: float) -> tuple[EwmaState, float]:
        """Score `value`, then learn it."""
        n, level, deviation, magnitude = state
        n += 1
        if n == 1:
            return EwmaState(1, value, 0.0, abs(value)), 0.0
        distance = abs(value - level)
        if distance == inf:  # two values of opposite sign near the end of the range
            distance = 1.7e308
        # Comparisons instead of min() and max(), and no more of them than needed: this is the
        # innermost loop of all scoring, and so takes two thirds of the time.
        level_rate, deviation_rate = self.LEVEL_RATE, self.DEVIATION_RATE
        if n * deviation_rate < 1.0:
            deviation_rate = 1.0 / n
            if deviation_rate > level_rate:
                level_rate = deviation_rate
        scale = self.FLOOR * magnitude
        if deviation > scale:
            scale = deviation
        if scale < self._TINY:
            scale = self._TINY
        score = 0.0
        learned = distance
        if n > self.WARM_UP:
            if distance > 0.0:
                ratio = self.HALF * (scale / distance)
                if ratio < 1e100:
                    score = 1.0 / (1.0 + ratio * ratio)
            if distance > self.CLIP * scale:
                learned = self.CLIP * scale
        keep = 1.0 - deviation_rate
        return (
            EwmaState(
                n if n < 0xFFFFFFFF else 0xFFFFFFFF,
                level * (1.0 - level_rate) + value * level_rate,
                deviation * keep + learned * deviation_rate,
                magnitude * keep + abs(value) * deviation_rate,
            ),
            score,
        )

    def fold(
        self, state: EwmaState, times: Sequence[int], values: Sequence[float]
    ) -> Folded[EwmaState]:
        """Step through `values`; nothing is held back, so weekly scores are the scores."""
        scores: list[float] = []
        for ts, value in zip(times, values, strict=True):
            state, score = self.step(state, ts, value)
            scores.append(score)
        return Folded(state, scores, scores)

    def explain(self, state: EwmaState, ts: int, value: float) -> Explanation:
        """A band of five deviations around the level."""
        band = 5.0 * state.deviation
        return Explanation(state.level, state.level - band, state.level + band, "level")

    def pack(self, state: EwmaState) -> bytes:
        """28 bytes, little-endian: n (u32), level, deviation, magnitude (f64)."""
        return self._LAYOUT.pack(*state)

    def unpack(self, data: bytes) -> EwmaState:
        """The state that was packed; raises `ValueError` otherwise."""
        if len(data) != self._LAYOUT.size:
            raise ValueError(f"the state has {len(data)} bytes; it must have {self._LAYOUT.size}")
        state = EwmaState(*self._LAYOUT.unpack(data))
        if not all(map(isfinite, state[1:])):
            raise ValueError("the state holds a number that is not finite")
        return state
