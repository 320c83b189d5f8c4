"""The detector of one metric: a fold that loses nothing at a checkpoint and sees no future."""

import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weir.detection.coarse import coarse, pack_coarse, unpack_coarse
from weir.detection.layout import SIZE
from weir.detection.rhythm import HOURS, UNKNOWN, level_at
from weir.detection.surprise import of_rarity, threshold_of
from weir.detection.univariate import BLOCK_CHANNELS, SEEN, State, UnivariateDetector

DETECTOR = UnivariateDetector()
STEP = 300_000
DAY = 288
ALERT = threshold_of(0.1)

finite = st.floats(allow_nan=False, allow_infinity=False)


def times(count: int) -> list[int]:
    return [STEP * at for at in range(count)]


def fold(values: Sequence[float], state: State | None = None, first: int = 0) -> list[float]:
    """The weekly scores of values that come every five minutes."""
    at = [STEP * (first + n) for n in range(len(values))]
    return list(DETECTOR.fold(state or DETECTOR.initial(), at, values).weekly)


def noise(count: int, seed: int = 0, size: float = 1.0) -> list[float]:
    rng = random.Random(seed)
    return [size * rng.gauss(0.0, 1.0) for _ in range(count)]


def daily(count: int, seed: int = 0) -> list[float]:
    return [
        50.0 + 30.0 * (8 <= at % DAY / 12 < 18) + jitter
        for at, jitter in enumerate(noise(count, seed))
    ]


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[int], list[float]]:
    """Noise with surprises, at times that repeat, and leave gaps."""
    values = noise(draw(st.integers(150, 400)), draw(st.integers(0, 99)))
    for _ in range(draw(st.integers(0, 5))):
        values[draw(st.integers(0, len(values) - 1))] = draw(finite)
    at, stamps = 0, []
    for _ in values:
        at += draw(st.sampled_from([0, STEP, STEP, STEP, 40 * STEP]))
        stamps.append(at)
    return stamps, values


@settings(max_examples=25, deadline=None)
@given(histories(), st.data())
def test_any_split_gives_the_same_and_the_future_changes_nothing(
    history: tuple[list[int], list[float]], data: st.DataObject
) -> None:
    stamps, values = history
    whole = DETECTOR.fold(DETECTOR.initial(), stamps, values)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(values)), max_size=5)))
    state = DETECTOR.initial()
    scores: list[float] = []
    weekly: list[float] = []
    for first, end in zip([0, *cuts], [*cuts, len(values)], strict=True):
        part = DETECTOR.fold(state, stamps[first:end], values[first:end])
        state = part.state
        scores += part.scores
        weekly += part.weekly
    assert (scores, weekly) == (list(whole.scores), list(whole.weekly))
    assert DETECTOR.pack(state) == DETECTOR.pack(whole.state)


@settings(max_examples=15, deadline=None)
@given(histories())
def test_a_state_that_is_packed_after_each_value_goes_on_bit_for_bit(
    history: tuple[list[int], list[float]],
) -> None:
    stamps, values = history
    whole = DETECTOR.fold(DETECTOR.initial(), stamps, values)
    state = DETECTOR.initial()
    for ts, value, expected in zip(stamps, values, whole.scores, strict=True):
        state, score = DETECTOR.step(DETECTOR.unpack(DETECTOR.pack(state)), ts, value)
        assert score == expected
    assert DETECTOR.pack(state) == DETECTOR.pack(whole.state)


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 99),
    st.floats(1e-3, 1e3) | st.floats(-1e3, -1e-3),
    st.floats(-1e3, 1e3),
)
def test_the_unit_of_a_metric_does_not_matter(seed: int, scale: float, offset: float) -> None:
    values = noise(700, seed)
    values[600] = 9.0
    moved = [scale * value + offset for value in values]
    assert fold(moved) == pytest.approx(fold(values), abs=1e-4)


@settings(max_examples=50, deadline=None)
@given(st.lists(finite | st.sampled_from([1e300, -1e300, 1e-300, 5e-324, 1.7e308]), max_size=300))
def test_any_finite_values_score_from_0_to_below_1(values: list[float]) -> None:
    folded = DETECTOR.fold(DETECTOR.initial(), [0] * len(values), values)
    assert all(0.0 <= score < 1.0 for score in (*folded.scores, *folded.weekly))
    assert DETECTOR.pack(DETECTOR.unpack(DETECTOR.pack(folded.state))) == DETECTOR.pack(
        folded.state
    )


def test_the_state_before_is_left_as_it_was() -> None:
    state = DETECTOR.fold(DETECTOR.initial(), times(300), noise(300)).state
    before = DETECTOR.pack(state)
    DETECTOR.step(state, STEP * 300, 50.0)
    assert DETECTOR.pack(state) == before


def test_a_constant_series_is_never_unusual_but_a_spike_in_it_is() -> None:
    assert max(fold([5.0] * 3000)) == 0.0
    scores = fold([5.0] * 300 + [9.0] + [5.0] * 300)
    assert scores[300] >= ALERT
    assert max(scores[400:]) < ALERT


def test_a_state_has_its_size_and_nothing_else_is_one() -> None:
    packed = DETECTOR.pack(DETECTOR.fold(DETECTOR.initial(), times(500), noise(500)).state)
    assert len(packed) == SIZE < 700
    for wrong in (b"", packed[:-1], packed + b"\0", b"\xff" * SIZE):
        with pytest.raises(ValueError, match="the state"):
            DETECTOR.unpack(wrong)


def test_a_level_that_moved_for_good_becomes_normal() -> None:
    scores = fold([*noise(3000), *(20.0 + value for value in noise(2000, 1))])
    assert max(scores[3000:3020]) >= ALERT
    assert max(scores[4500:]) < ALERT


def test_a_rhythm_is_learned_and_a_day_without_it_is_found() -> None:
    values = daily(14 * DAY)
    assert max(fold(values)[6 * DAY :]) < ALERT
    values[12 * DAY : 13 * DAY] = [50.0 + jitter for jitter in noise(DAY, 5)]
    assert max(fold(values)[12 * DAY : 13 * DAY]) >= ALERT


def first_day(seed: int) -> list[float]:
    """A reading a minute of a load that rises by day and falls by night, from midnight on."""
    return [
        20.0 + 8.0 * math.sin(2 * math.pi * (at / 1440 - 0.3)) + jitter
        for at, jitter in enumerate(noise(1440, seed, 0.4))
    ]


def test_the_first_day_of_a_rhythm_opens_no_alerts() -> None:
    minutes = [60_000 * at for at in range(1440)]
    for seed in range(10):
        folded = DETECTOR.fold(DETECTOR.initial(), minutes, first_day(seed))
        assert max(folded.weekly) < ALERT


def test_a_jump_on_the_first_day_is_as_much_of_an_alert_as_on_others() -> None:
    minutes = [60_000 * at for at in range(1440)]
    bold = UnivariateDetector(young_caution=1.0)
    found = [0, 0]
    for seed in range(10):
        values = first_day(seed)
        values[1200] += 12.0
        for at, detector in enumerate((DETECTOR, bold)):
            weekly = detector.fold(detector.initial(), minutes, values).weekly[1200]
            found[at] += weekly >= ALERT
    assert found[0] == found[1] > 0


def test_a_level_that_has_moved_after_a_short_gap_is_an_alert_on_the_first_day_too() -> None:
    minutes = [60_000 * at for at in (*range(300), 330)]
    values = [20.0 + jitter for jitter in noise(300, 1, 0.4)]
    assert DETECTOR.fold(DETECTOR.initial(), minutes, [*values, 60.0]).weekly[-1] >= ALERT


def test_a_spike_is_found_and_explained_with_what_was_expected() -> None:
    values = noise(3000)
    state = DETECTOR.fold(DETECTOR.initial(), times(3000), values).state
    assert DETECTOR.fold(state, (STEP * 3000,), (15.0,)).weekly[0] >= ALERT
    why = DETECTOR.explain(state, STEP * 3000, 15.0)
    assert -5.0 < why.low < why.expected < why.high < 5.0
    assert why.channel in (*SEEN, *BLOCK_CHANNELS)


def test_the_band_holds_most_healthy_values() -> None:
    values = daily(10 * DAY)
    state = DETECTOR.fold(DETECTOR.initial(), times(8 * DAY), values[: 8 * DAY]).state
    inside = 0
    for at in range(8 * DAY, 10 * DAY):
        why = DETECTOR.explain(state, STEP * at, values[at])
        inside += why.low <= values[at] <= why.high
        state, _ = DETECTOR.step(state, STEP * at, values[at])
    assert inside > 0.95 * 2 * DAY


def test_more_noise_is_found() -> None:
    scores = fold([*noise(4000), *noise(300, 1, size=4.0)])
    assert max(scores[4000:]) >= threshold_of(1.0)


def test_a_stuck_sensor_is_found_and_named() -> None:
    values = [*noise(3000), *[0.25] * 100]
    scores = fold(values)
    assert max(scores[3000:]) >= ALERT
    state = DETECTOR.fold(DETECTOR.initial(), times(3050), values[:3050]).state
    assert DETECTOR.explain(state, STEP * 3050, 0.25).channel == "stuck"


def test_a_repeating_value_is_no_stuck_sensor_where_values_repeat() -> None:
    coarse_readings = [float(round(math.sin(at / 60.0) * 3)) for at in range(4000)]
    assert max(fold(coarse_readings)[1000:]) < ALERT


def test_scores_say_how_often_a_healthy_metric_shows_as_much() -> None:
    assert [threshold_of(rate) for rate in (1.0, 0.1)] == [0.5, 0.75]
    rarities = [of_rarity(rarity / 4) for rarity in range(-40, 200)]
    assert rarities == sorted(rarities)
    assert 0.0 < rarities[0] < rarities[-1] < 1.0


@given(st.lists(st.floats(-1e290, 1e290), max_size=20))
def test_coarse_floats_pack_to_five_bytes_and_back(values: list[float]) -> None:
    kept = tuple(coarse(value) for value in values)
    assert kept == tuple(coarse(value) for value in kept)
    packed = pack_coarse(kept)
    assert len(packed) == 5 * len(kept)
    assert unpack_coarse(packed, len(kept)) == kept
    for value, rough in zip(values, kept, strict=True):
        assert rough == pytest.approx(value, rel=2**-28, abs=1e-290)


def test_the_profile_is_interpolated_around_the_clock_and_between_what_is_known() -> None:
    hour = 3_600_000
    profile = [float(at) for at in range(HOURS)]
    assert level_at(profile, 10 * hour + hour // 2, 99.0) == 10.0
    assert level_at(profile, 11 * hour, 99.0) == 10.5
    assert level_at(profile, 0, 99.0) == 11.5  # midway from 23 to 0
    profile[11] = UNKNOWN
    assert level_at(profile, 11 * hour, 99.0) == 10.0
    assert level_at([UNKNOWN] * HOURS, 11 * hour, 99.0) == 99.0
