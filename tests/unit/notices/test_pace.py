"""How many notices of a minute go singly."""

from hypothesis import given
from hypothesis import strategies as st

from weir.notices import pace

MINUTE = 1_767_225_600_000


def test_a_minute_begins_on_the_minute() -> None:
    assert pace.minute_of(MINUTE + 59_999) == MINUTE
    assert pace.minute_of(MINUTE + 60_000) == MINUTE + 60_000
    assert pace.before(MINUTE + 60_000) == MINUTE


def test_a_digest_is_due_a_moment_after_the_minute() -> None:
    assert pace.seconds_to_end(MINUTE, MINUTE) == 62
    assert pace.seconds_to_end(MINUTE, MINUTE + 61_001) == 1
    assert pace.seconds_to_end(MINUTE, MINUTE + 62_000) == 0
    assert pace.seconds_to_end(MINUTE, MINUTE + 900_000) == 0


@given(
    batches=st.lists(st.integers(1, 50), max_size=12),
    limit=st.integers(1, 100),
    storm=st.booleans(),
)
def test_a_minute_has_no_more_single_messages_than_its_share(
    batches: list[int], limit: int, storm: bool
) -> None:
    told = free = 0
    for more in batches:
        free += pace.singles(told, more, limit, storm_before=storm)
        told += more
    assert free == (0 if storm else min(told, limit))
    assert pace.is_storm(told, limit) == (told > limit)
