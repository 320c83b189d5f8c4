"""How many messages a minute: the first few notices of a quiet minute go singly, the rest wait.

What is held goes as one digest once the minute is over. A minute that had more than its share is a
storm, and of the minute after it nothing goes singly. Minutes are those of the clock.
"""

from typing import Final

MINUTE_MS: Final = 60_000

GRACE_S: Final = 2
"""A minute is over so much later: clocks differ, and who holds a notice takes a moment."""


def minute_of(now: int) -> int:
    """When the minute of `now` began, both epoch ms."""
    return now - now % MINUTE_MS


def before(minute: int) -> int:
    """The minute before."""
    return minute - MINUTE_MS


def seconds_to_end(minute: int, now: int) -> int:
    """Whole seconds from `now` (epoch ms) until the digest of `minute` is due; at least 0."""
    left_ms = minute + MINUTE_MS + GRACE_S * 1000 - now
    return max(0, -(-left_ms // 1000))


def is_storm(told: int, limit: int) -> bool:
    """Whether a minute in which `told` notices came had more than go singly."""
    return told > limit


def singles(told: int, more: int, limit: int, *, storm_before: bool) -> int:
    """How many of `more` notices go singly in a minute that had `told` before them.

    >>> singles(1, 5, 3, storm_before=False)
    2
    >>> singles(0, 5, 3, storm_before=True)
    0
    """
    return 0 if storm_before else min(max(limit - told, 0), more)
