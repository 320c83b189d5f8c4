"""Rhythm: the level of a metric at each hour of the day, and of each day of the week.

The profile has one level an hour (UTC), an exponentially weighted mean of the values that came in
it; between the middles of two hours it is interpolated. A day of the week has an offset from the
profile, learned within the day and kept for its return. One strange day moves the profile little.
"""

from collections.abc import Sequence
from math import nan
from typing import Final

HOURS: Final = 24
DAYS: Final = 7
MOST_VISITS: Final = 255
UNKNOWN: Final = nan
"""The level of an hour that was never seen; it is its visits that tell."""

_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 86_400_000


def known_level(left: float, right: float, otherwise: float) -> float:
    """The level between two hours of which at least one is unknown."""
    if left == left:
        return left
    return right if right == right else otherwise


def level_at(profile: Sequence[float], ts: int, otherwise: float) -> float:
    """The level of the `profile` at `ts` (epoch ms, UTC), or `otherwise` where it knows none."""
    position = ts % _DAY_MS / _HOUR_MS + (HOURS - 0.5)
    hour = int(position)
    left, right = profile[hour % HOURS], profile[(hour + 1) % HOURS]
    level = left + (position - hour) * (right - left)
    return level if level == level else known_level(left, right, otherwise)


def around(profile: Sequence[float], visits: Sequence[int], hour: int) -> tuple[float, float]:
    """The least and the greatest known level of `hour` and its neighbours; `hour` is known."""
    known = [profile[at] for at in (hour - 2, hour - 1, hour, (hour + 1) % HOURS) if visits[at]]
    return min(known), max(known)
