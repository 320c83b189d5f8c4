"""The joint detector: a pure fold over a device's rows that says how surprising the device is.

One score for all the metrics of a device, beside those of each by itself: a small
shift of several metrics at once counts for more than that of one, and the score stays up for as
long as the device is away from its usual state, not only at the onset.

The statistic is a Hotelling T² over exponentially weighted means (Lowry et al., "A multivariate
exponentially weighted moving average control chart", Technometrics 34, 1992) with four changes:
the covariance is diagonal; deviations are absolute, so that any finite value is taken; each metric
counts by the logarithm of its squared distance, as under a Student's t (Lange et al., "Robust
statistical modeling using the t distribution", JASA 84, 1989), so that no single one decides; and
what is surprising is measured against the surprise that this device has shown so far.
"""

import struct
from collections.abc import Sequence
from math import isfinite, log1p, sqrt
from typing import Final, NamedTuple


class JointState(NamedTuple):
    """What was learned: of each metric, in the order of the row's columns, and of the device."""

    seen: tuple[int, ...]
    """The values that each metric has had."""
    recent: tuple[float, ...]
    usual: tuple[float, ...]
    deviation: tuple[float, ...]
    """Each metric's recent and usual level, and the usual distance between the two."""
    rows: int
    """The rows that were scored."""
    held: float
    calm: float
    """The surprise that holds, and its mean."""


class Share(NamedTuple):
    """The metric of `column` makes `share` (in (0, 1]) of a row's surprise."""

    column: int
    share: float


class JointDetector:
    """Distance of a device's recent levels from its usual ones, all metrics together.

    A metric's distance is that of its recent level (some 8 values) from its usual one (some 1000),
    in usual distances of that kind; so a rhythm, a drift or a coarse resolution is part of what is
    usual. The surprise of a row is the root mean square, over the metrics known so far, of
    ``log(1 + (distance / 7)²)``. It is held: it rises at once and falls off over some 500 rows.

    The score compares it with its own mean. If surprise has an exponential tail, one of h times
    the mean has probability p = exp(-h), and the score is ``e / (e + 3)`` with e = -log10 p: one
    half for 1 in 1000, and rising ever after. What is learned from a row is weighted with
    ``(1 - score)²``, so that an anomaly hardly becomes part of what is usual, unless it persists:
    a level that has moved for good is normal again after some 1000 rows.

    A missing cell teaches and says nothing. A metric counts from its 31st value on, and its
    distances count for less while it is young.

    >>> joint = JointDetector()
    >>> state = joint.initial(2)
    >>> for ts in range(200):
    ...     state, score = joint.step(state, ts, (20.0 + ts % 3, 5.0 - ts % 4))
    >>> score < 0.2
    True
    >>> shifted = (60.0, -20.0)
    >>> joint.explain(state, shifted)[0].column
    0
    >>> joint.step(state, 200, shifted)[1] > 0.5
    True
    """

    version = 1

    RECENT_RATE: Final = 1 / 8
    USUAL_RATE: Final = 1 / 1000
    """Rates of forgetting; a young metric's levels are plain means."""
    RELEASE: Final = 1 / 500
    """How fast a held surprise falls towards that of the row."""
    WARM_UP: Final = 30
    """The first values of a metric that say nothing."""
    YOUNG: Final = 100.0
    """With so many values, the usual distance is taken for twice what was learned."""
    TOLERANCE: Final = 7.0
    """The distance, in usual ones, from which on a metric's surprise is that of a tail."""
    CLIP: Final = 30.0
    """The largest distance that is believed."""
    PRIOR: Final = 0.2
    PRIOR_ROWS: Final = 200
    """The mean surprise that a device begins with, and how many rows that is worth."""
    LEAST: Final = 0.05
    """The smallest mean surprise that is believed: nothing moves in a device of constants."""
    HALF: Final = 7.0
    """The surprise, in means, that scores one half: exp(-7) is 1 in 1000."""

    _DEVICE: Final = struct.Struct("<Idd")
    _MOST: Final = 0xFFFFFFFF
    _LARGEST: Final = 8e307
    """Values are clipped here, so that the difference of two is finite."""
    _ROUNDING: Final = 1e-12
    """A distance of this share of the level is rounding, not a distance."""

    def initial(self, width: int) -> JointState:
        """The state before the first row, for rows of `width` cells."""
        return self.widen(JointState((), (), (), (), 0, 0.0, self.PRIOR), width)

    def widen(self, state: JointState, width: int) -> JointState:
        """The same state for rows of `width` cells, at least as many: new metrics come last."""
        more = width - len(state.seen)
        nothing = (0.0,) * more
        return state._replace(
            seen=state.seen + (0,) * more,
            recent=state.recent + nothing,
            usual=state.usual + nothing,
            deviation=state.deviation + nothing,
        )

    def step(
        self,
        state: JointState,
        ts_ms: int,  # noqa: ARG002
        row: Sequence[float | None],
    ) -> tuple[JointState, float]:
        """Score the finite values of `row` at `ts_ms` (epoch ms, not falling), then learn them.

        The score lies in [0, 1]: 0 is as expected, 1 is never seen. A row of another width than
        the state raises `ValueError`.
        """
        rows, held, calm = state[4:]
        keep = 1.0 - self._score(held, calm)
        weight = keep * keep
        # Locals and comparisons instead of attributes and min() or max(): the loop takes nine
        # tenths of the time.
        warm_up, largest, most = self.WARM_UP, self._LARGEST, self._MOST
        recent_rate, usual_rate, surprise_of = self.RECENT_RATE, self.USUAL_RATE, self._surprise
        seen: list[int] = []
        recents: list[float] = []
        usuals: list[float] = []
        deviations: list[float] = []
        total, known, heard = 0.0, 0, False
        for n, recent, usual, deviation, cell in zip(*state[:4], row, strict=True):
            if n >= warm_up:
                known += 1
            if cell is not None:
                value = cell if cell < largest else largest
                if value < -largest:
                    value = -largest
                if n:
                    rate = 1.0 / (n + 1)
                    recent += (rate if rate > recent_rate else recent_rate) * (value - recent)
                    distance = abs(recent - usual)
                    if n >= warm_up:
                        heard = True
                        surprise = surprise_of(n, distance, usual, deviation)
                        total += surprise * surprise
                    rate = (rate if rate > usual_rate else usual_rate) * weight
                    usual += rate * (value - usual)
                    deviation += rate * (distance - deviation)
                else:
                    recent = usual = value
                if n < most:
                    n += 1
            seen.append(n)
            recents.append(recent)
            usuals.append(usual)
            deviations.append(deviation)
        if heard:
            now = sqrt(total / known)
            held = now if now > held else held + self.RELEASE * (now - held)
            rate = max(self.USUAL_RATE, 1.0 / (rows + 1 + self.PRIOR_ROWS)) * weight
            keep = 1.0 - self._score(held, calm)
            calm += rate * (held - calm)
            rows = min(rows + 1, most)
        learned = tuple(seen), tuple(recents), tuple(usuals), tuple(deviations)
        return JointState(*learned, rows, held, calm), 1.0 - keep

    def explain(self, state: JointState, row: Sequence[float | None]) -> list[Share]:
        """Which metrics make `row` surprising to the `state` before it, the most so first.

        The shares add up to 1; the list is empty for a row in which nothing is surprising.
        """
        surprises: list[float] = []
        for n, recent, usual, deviation, cell in zip(*state[:4], row, strict=True):
            if cell is None or n < self.WARM_UP:
                surprises.append(0.0)
                continue
            value = max(-self._LARGEST, min(self._LARGEST, cell))
            moved = recent + max(self.RECENT_RATE, 1.0 / (n + 1)) * (value - recent)
            surprises.append(self._surprise(n, abs(moved - usual), usual, deviation))
        total = sum(surprise * surprise for surprise in surprises)
        shares = [
            Share(column, surprise * surprise / total)
            for column, surprise in enumerate(surprises)
            if surprise * surprise > 0.0
        ]
        return sorted(shares, key=lambda share: -share.share)

    def pack(self, state: JointState) -> bytes:
        """20 bytes and 28 a metric, little-endian: the device, then the metrics' columns.

        Rows (u32), held and mean surprise (f64); then for all metrics the values seen (u32), all
        recent levels, all usual ones, all deviations (f64).
        """
        seen, recent, usual, deviation, *device = state
        return self._DEVICE.pack(*device) + self._metrics(len(seen)).pack(
            *seen, *recent, *usual, *deviation
        )

    def unpack(self, data: bytes) -> JointState:
        """The state that was packed; raises `ValueError` otherwise."""
        width, rest = divmod(len(data) - self._DEVICE.size, self._metrics(1).size)
        if width < 0 or rest:
            raise ValueError(f"the state has {len(data)} bytes; it must have 20, and 28 a metric")
        rows, held, calm = self._DEVICE.unpack_from(data)
        columns = self._metrics(width).unpack_from(data, self._DEVICE.size)
        recent, usual, deviation = (columns[width * n : width * (n + 1)] for n in (1, 2, 3))
        if not all(map(isfinite, (held, calm, *recent, *usual, *deviation))):
            raise ValueError("the state holds a number that is not finite")
        if min(held, calm, *deviation) < 0.0:
            raise ValueError("the state holds a negative surprise or deviation")
        return JointState(columns[:width], recent, usual, deviation, rows, held, calm)

    @staticmethod
    def _metrics(width: int) -> struct.Struct:
        return struct.Struct(f"<{width}I{3 * width}d")

    def _score(self, held: float, calm: float) -> float:
        return held / (held + self.HALF * max(calm, self.LEAST))

    def _surprise(self, n: int, distance: float, usual: float, deviation: float) -> float:
        """What a metric's distance says, given `n` values before it."""
        scale = (deviation + self._ROUNDING * abs(usual)) * (1.0 + self.YOUNG / n)
        if distance < self.CLIP * scale:
            ratio = distance / (scale * self.TOLERANCE)
        elif distance > 0.0:
            ratio = self.CLIP / self.TOLERANCE
        else:  # of a metric that never moved
            return 0.0
        return log1p(ratio * ratio)
