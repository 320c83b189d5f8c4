"""What is learned of how often a device is heard, and when one that goes on counts as silent."""

import random
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weir.controls import Control, Controls
from weir.scoring.hearing import (
    LEASE_READINGS,
    LEASE_S,
    LEAST_ALLOWANCE_S,
    LEAST_GAPS,
    NOTHING_HEARD,
    Heard,
    silent_after,
)

START = 1_767_225_600_000
HOUR_S = 3600.0
DAY_MS = 86_400_000


def heard_at(*arrivals_s: float) -> Heard:
    heard = NOTHING_HEARD
    for at in arrivals_s:
        heard = heard.ring([START + round(at * 1000)])
    return heard


def regular(gap_s: float, gaps: int = 100) -> Heard:
    return heard_at(*(n * gap_s for n in range(gaps + 1)))


# ------------------------------------------------------------------ learning


def test_a_regular_device_is_allowed_four_of_its_gaps() -> None:
    heard = regular(30)
    assert heard.mean_s == pytest.approx(30)
    assert heard.allowance_s() == pytest.approx(120)


def test_a_fast_device_is_allowed_a_minute() -> None:
    assert regular(1).allowance_s() == LEAST_ALLOWANCE_S


def test_a_device_of_which_little_is_known_is_not_expected() -> None:
    heard = regular(30, LEAST_GAPS - 1)
    assert heard.expected_by() is None
    assert heard.ring([heard.last + 30_000]).expected_by() is not None


def test_a_device_that_was_never_heard_is_not_expected_whatever_is_set() -> None:
    assert NOTHING_HEARD.expected_by(60) is None


def test_what_rings_again_or_is_older_changes_nothing() -> None:
    heard = regular(30)
    assert heard.ring([heard.last]) == heard
    assert heard.ring([heard.last - 30_000, START, heard.last - 1]) == heard
    assert heard.ring([]) == heard


def test_chunks_written_in_the_same_second_were_heard_once() -> None:
    assert heard_at(0, 30).ring([START + 60_000] * 5) == heard_at(0, 30, 60)


@given(st.lists(st.integers(0, 10**7), min_size=1), st.randoms(use_true_random=False))
def test_in_one_batch_the_order_of_arrivals_does_not_matter(
    arrivals: list[int], rng: random.Random
) -> None:
    shuffled = rng.sample(arrivals, len(arrivals))
    assert regular(30).ring(arrivals) == regular(30).ring(shuffled)


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=60))
def test_whatever_comes_the_figures_stay_within_the_gaps_that_came(gaps: list[int]) -> None:
    heard = Heard(START)
    for gap in gaps:
        heard = heard.ring([heard.last + gap * 1000])
    assert heard.gaps == len(gaps)
    assert min(gaps) - 1e-6 <= heard.mean_s <= max(gaps) + 1e-6
    assert heard.second_s <= heard.longest_s <= max(gaps)
    assert heard.last == START + sum(gaps) * 1000


def test_one_outage_teaches_nothing_a_second_does() -> None:
    before = regular(60, 500)
    once = before.ring([before.last + 8 * 3_600_000])
    for _ in range(100):
        once = once.ring([once.last + 60_000])
    assert once.allowance_s() == pytest.approx(240, rel=0.05)
    twice = once.ring([once.last + 8 * 3_600_000])
    assert twice.allowance_s() == pytest.approx(1.5 * 8 * HOUR_S, rel=0.05)


def test_what_was_learned_of_pauses_fades_by_half_in_four_weeks() -> None:
    heard = Heard(START, 100, 60.0, longest_s=8 * HOUR_S, second_s=8 * HOUR_S)
    for _ in range(28 * 24):
        heard = heard.ring([heard.last + 3_600_000])
    assert heard.longest_s == pytest.approx(4 * HOUR_S)
    assert heard.second_s == pytest.approx(4 * HOUR_S)


def test_a_cold_worker_does_not_take_the_age_of_its_checkpoint_for_a_gap() -> None:
    checkpoint = regular(30).lagging(START + 100 * 30_000 - 2_000)
    assert checkpoint.lag_s < 0.5 * 30
    readings = [checkpoint.last + n * 30_000 - 2_000 for n in range(1, 40)]
    cold = checkpoint.ring([checkpoint.last + 40 * 30_000], readings)
    assert cold.gaps == checkpoint.gaps + 40
    assert cold.mean_s == pytest.approx(30, rel=0.1)
    assert cold.longest_s < 60


def test_readings_from_ahead_of_what_rang_are_not_taken_for_arrivals() -> None:
    heard = regular(30)
    assert heard.ring([heard.last + 30_000], [heard.last + 50_000]).last == heard.last + 30_000


def test_the_lag_falls_at_once_when_a_device_has_sent_its_history_and_goes_on_live() -> None:
    sending = regular(30)
    for _ in range(10):
        sending = sending.lagging(sending.last - 1_500_000)
    live = sending.lagging(sending.last - 1_000)
    assert live.lag_s == pytest.approx(1.0)
    assert live.caught_up(sending)
    assert not live.lagging(live.last - 2_000).caught_up(live)


def test_the_lag_of_a_device_follows_its_clock() -> None:
    heard = regular(60)
    for _ in range(100):
        heard = heard.ring([heard.last + 60_000])
        heard = heard.lagging(heard.last - 36_000_000)
    assert heard.lag_s == pytest.approx(36_000, rel=0.01)
    newest = heard.last - 36_000_000 + 600_000
    assert heard.heard_at(newest) == pytest.approx(heard.last + 600_000, abs=100_000)
    assert heard.heard_at(None) == heard.last


# ------------------------------------------------------------------ what follows


def test_a_device_is_looked_for_when_its_next_checkpoint_is_overdue() -> None:
    start = regular(30)
    heard = regular(30, 200).paced(100, start)
    assert heard.lease_s() == pytest.approx(LEASE_READINGS * 30)
    assert heard.expected_by() == heard.last + (64 * 30 + 120) * 1000


def test_readings_that_come_together_make_the_next_checkpoint_come_sooner() -> None:
    heard = regular(30, 200).paced(100 * 16, regular(30))
    assert heard.lease_s() == pytest.approx(LEASE_READINGS / 16 * 30)


def test_no_checkpoint_is_waited_for_longer_than_an_hour() -> None:
    assert regular(300).lease_s() == LEASE_S
    assert regular(300, 200).paced(100, regular(300)).lease_s() == LEASE_S


def test_what_is_set_takes_the_place_of_what_was_learned() -> None:
    heard = regular(30)
    assert heard.expected_by(600) == heard.last + 600_000
    assert heard.expected_by(0) is None
    assert heard_at(0).expected_by(600) == START + 600_000


def test_what_is_set_for_a_device_comes_before_what_is_set_for_the_fleet() -> None:
    fleet = Control(silent_after_s=600)
    assert silent_after(Controls(fleet)) == 600
    assert silent_after(Controls(fleet, Control(silent_after_s=0))) == 0
    assert silent_after(Controls()) is None


def test_a_device_whose_alerts_are_ignored_is_never_silent() -> None:
    ignored = Control(ignore=True)
    assert silent_after(Controls(ignored)) == 0
    assert silent_after(Controls(device=ignored)) == 0
    assert silent_after(Controls(ignored, Control(ignore=False))) is None
    assert silent_after(Controls(metrics={"flow": ignored, "*": ignored})) is None


# ------------------------------------------------------------------ as text


@given(
    st.builds(
        Heard,
        st.integers(0, 10**13),
        st.integers(0, 10**9),
        *[st.floats(0, 1e7)] * 4,
        st.floats(-1e7, 1e7),
    )
)
def test_the_text_keeps_what_was_learned(heard: Heard) -> None:
    again = Heard.of_text(heard.text())
    assert (again.last, again.gaps) == (heard.last, heard.gaps)
    assert again.mean_s == pytest.approx(heard.mean_s, abs=1e-3)
    assert again.second_s == pytest.approx(heard.second_s, abs=0.1)
    assert again.text() == heard.text()
    assert len(heard.text()) < 200


@pytest.mark.parametrize("text", [None, "", "[]", "{", '{"last":"x"}', "\ud800"])
def test_what_cannot_be_read_is_learned_anew(text: str | None) -> None:
    assert Heard.of_text(text) == NOTHING_HEARD


# ------------------------------------------------------------------ devices of all kinds


def _regular(rng: random.Random, end: int) -> Iterator[int]:
    at = START
    while at < end:
        at += 30_000 + rng.randint(-1000, 1000)
        yield at


def _at_random(rng: random.Random, end: int) -> Iterator[int]:
    at = START
    while at < end:
        at += 1 + int(rng.expovariate(1 / 60_000))
        yield at


def _lossy(rng: random.Random, end: int) -> Iterator[int]:
    for at in range(START, end, 60_000):
        if rng.random() > 0.1:
            yield at


def _hourly(rng: random.Random, end: int) -> Iterator[int]:
    for at in range(START, end, 3_600_000):
        yield at + rng.randint(0, 300_000)


def _in_bursts(rng: random.Random, end: int) -> Iterator[int]:
    for at in range(START, end, 3_600_000):
        begin = at + rng.randint(0, 120_000)
        yield from range(begin, begin + 100_000, 1000)


def _by_day(rng: random.Random, end: int) -> Iterator[int]:
    for day in range(START, end, DAY_MS):
        begin = day + 6 * 3_600_000 + rng.randint(0, 600_000)
        yield from range(begin, day + 22 * 3_600_000, 60_000)


def _on_working_days(rng: random.Random, end: int) -> Iterator[int]:
    for day in range(START, end, DAY_MS):
        if (day // DAY_MS + 3) % 7 < 5:
            begin = day + 8 * 3_600_000 + rng.randint(0, 600_000)
            yield from range(begin, day + 17 * 3_600_000, 60_000)


@pytest.mark.parametrize(
    ("arrivals", "most", "settled_in"),
    [
        (_regular, 0, 0),
        (_at_random, 0, 0),
        (_lossy, 0, 0),
        (_hourly, 0, 0),
        (_in_bursts, 2, 1),
        (_by_day, 2, 3),
        (_on_working_days, 3, 12),
    ],
)
def test_a_healthy_device_is_hardly_ever_taken_for_silent(
    arrivals: type[Iterator[int]], most: int, settled_in: int
) -> None:
    """`most`: silences in 60 days while its habits are learned, within `settled_in` days."""
    silences = [
        (at - START) // DAY_MS
        for seed in range(3)
        for at in _silences(list(arrivals(random.Random(seed), START + 60 * DAY_MS)))  # type: ignore[call-arg]
    ]
    assert len(silences) <= most * 3
    assert all(day < settled_in for day in silences)


def _silences(arrivals: list[int]) -> Iterator[int]:
    """When the watchdog, if it looked at any moment, would have found the device silent."""
    heard = checkpoint = NOTHING_HEARD.ring(arrivals[:1])
    readings = 0
    for before, at in pairwise(arrivals):
        due, allowance = checkpoint.expected_by(), heard.allowance_s()
        if due is not None and allowance is not None:
            silent_from = max(due, before + round(allowance * 1000))
            if silent_from < at:
                yield silent_from
        heard = heard.ring([at])
        readings += 1
        if readings == LEASE_READINGS or at - checkpoint.last >= LEASE_S * 1000:
            heard = heard.paced(readings, checkpoint)
            checkpoint, readings = heard, 0
