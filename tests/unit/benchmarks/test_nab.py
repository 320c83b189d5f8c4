"""NAB's score: the paper's rules by hand, the sweep by brute force, and the published results."""

import os
from collections.abc import Sequence
from math import inf
from pathlib import Path

import numpy as np
import pytest
from benchmarks.detector import nab, peers
from benchmarks.detector.labelled import Labels, load, read_results
from benchmarks.detector.nab import (
    LOW_FN,
    LOW_FP,
    PROFILES,
    STANDARD,
    Field,
    Floats,
    Profile,
    Tally,
    field_of,
    judge,
    probation,
    sigmoid,
    sweep,
    tally,
    total,
)
from benchmarks.detector.published import largest_difference
from hypothesis import given
from hypothesis import strategies as st

SHARED = Path(os.environ.get("WEIR_SHARED", Path(__file__).parents[4] / "shared"))
DATA = SHARED / "data" / "nab"

type Windows = Sequence[tuple[int, int]]


def alarms(rows: int, *at: int) -> Floats:
    scores = np.zeros(rows)
    scores[list(at)] = 1.0
    return scores


@pytest.mark.parametrize(
    ("position", "worth"),
    [
        (-1.0, 0.986614298151430),  # 2 / (1 + e^-5) - 1
        (-0.5, 0.848283639957513),
        (0.0, 0.0),
        (0.5, -0.848283639957513),
        (2.99, -0.999999357),
        (3.0, -1.0),
        (700.0, -1.0),
    ],
)
def test_the_sigmoid_by_hand(position: float, worth: float) -> None:
    assert sigmoid(position) == pytest.approx(worth, abs=1e-9)


@pytest.mark.parametrize(
    ("rows", "learned"), [(0, 0), (7, 1), (100, 15), (5000, 750), (22695, 750)]
)
def test_the_probation_is_15_percent_up_to_750_rows(rows: int, learned: int) -> None:
    assert probation(rows) == learned


def test_a_file_by_hand() -> None:
    field = field_of(20, [(10, 13)])
    found = tally(field, alarms(20, 1, 5, 11, 12, 14, 19), 1.0)
    early = 0.954045 / 0.986614  # position -3/4, and the best one, -1
    behind = -0.682262 - 0.999909  # one and six rows, of a width of three steps
    assert found.windows == found.detected == 1
    assert found.credit == pytest.approx(early, abs=1e-5)
    assert found.cost == pytest.approx(-1.0 + behind, abs=1e-5)  # the one at row 1 is in probation
    assert found.raw(STANDARD) == pytest.approx(early - 0.11 * (1.0 - behind), abs=1e-5)
    assert found.raw(LOW_FP) == pytest.approx(early - 0.22 * (1.0 - behind), abs=1e-5)
    assert found.normalised(STANDARD) == pytest.approx(50 * (found.raw(STANDARD) + 1), abs=1e-9)


def test_a_missed_window_costs_twice_where_misses_are_dear() -> None:
    found = tally(field_of(40, [(10, 13), (30, 33)]), alarms(40, 10), 1.0)
    assert found.raw(STANDARD) == pytest.approx(0.0)
    assert found.raw(LOW_FN) == pytest.approx(-1.0)
    assert found.normalised(LOW_FN) == pytest.approx(50.0)


@pytest.mark.parametrize("profile", PROFILES)
def test_the_perfect_detector_has_100_and_the_silent_one_0(profile: Profile) -> None:
    fields = {"a": field_of(200, [(50, 59), (100, 149)]), "b": field_of(90, [(40, 40)])}
    perfect = {"a": alarms(200, 50, 100), "b": alarms(90, 40)}
    assert judge(fields, perfect, profile).normalised == pytest.approx(100.0)
    silent = {"a": np.zeros(200), "b": np.zeros(90)}
    assert total(fields, silent, 1.0).normalised(profile) == 0.0
    assert judge(fields, silent, profile) == (inf, 0.0, Tally(windows=3))


def test_only_the_earliest_alarm_of_a_window_counts() -> None:
    field = field_of(40, [(20, 29)])
    assert tally(field, alarms(40, 22, 25, 29), 1.0) == tally(field, alarms(40, 22), 1.0)


def test_an_alarm_before_any_window_costs_all_it_can() -> None:
    assert tally(field_of(40, [(30, 33)]), alarms(40, 29), 1.0).cost == -1.0


def test_a_window_within_the_probation_is_none_but_its_edge_still_is() -> None:
    field = field_of(100, [(2, 11)])
    assert tally(field, alarms(100, 3), 1.0) == Tally()
    assert tally(field, alarms(100, 16), 1.0).cost == pytest.approx(sigmoid(5 / 9))


def test_a_window_that_begins_in_the_probation_can_be_detected_behind_it() -> None:
    found = tally(field_of(100, [(10, 19)]), alarms(100, 12, 15), 1.0)
    assert found == Tally(1, 1, sigmoid(-0.5) / sigmoid(-1.0), 0.0)


def test_the_distance_counts_from_the_last_window_in_its_own_widths() -> None:
    field = field_of(200, [(50, 59), (100, 149)])
    assert tally(field, alarms(200, 61), 1.0).cost == pytest.approx(sigmoid(2 / 9))
    assert tally(field, alarms(200, 99), 1.0).cost == -1.0
    assert tally(field, alarms(200, 151), 1.0).cost == pytest.approx(sigmoid(2 / 49))


def test_a_score_at_the_threshold_gives_alarm() -> None:
    fields = {"a": field_of(40, [(20, 29)])}
    scores = {"a": alarms(40, 20) * 0.7}
    assert judge(fields, scores).threshold == 0.7
    assert total(fields, scores, 0.7).detected == 1
    assert total(fields, scores, 0.7000001).detected == 0


def test_what_cannot_be_scored_is_refused() -> None:
    with pytest.raises(ValueError, match="not a number"):
        sweep([(field_of(3, []), np.array([0.0, np.nan, 0.0]))])
    with pytest.raises(ValueError, match="2 scores for 3 rows"):
        sweep([(field_of(3, []), np.zeros(2))])


# ------------------------------------------------------------------ against brute force


def brute(rows: int, windows: Windows, scores: Floats, threshold: float, profile: Profile) -> float:
    """Row by row, as the rules read."""
    score, last, hit = 0.0, None, set[int]()
    for row in range(rows):
        inside = next((w for w in windows if w[0] <= row <= w[1]), None)
        if row >= probation(rows) and scores[row] >= threshold:
            if inside is not None:
                if inside[0] not in hit:
                    width = inside[1] - inside[0] + 1
                    worth = sigmoid(-(inside[1] - row + 1) / width) / sigmoid(-1.0)
                    score += profile.detected * worth
                hit.add(inside[0])
            elif last is None or last[0] == last[1]:
                score -= profile.false_alarm
            else:
                score += profile.false_alarm * sigmoid((row - last[1]) / (last[1] - last[0]))
        if inside is not None and row == inside[1]:
            last = inside
    for begin, end in windows:
        score -= profile.missed * (end >= probation(rows) and begin not in hit)
    return score


@st.composite
def labelled(draw: st.DrawFn) -> tuple[int, Windows, Floats]:
    rows = draw(st.integers(1, 60))
    edges = sorted(draw(st.sets(st.integers(0, rows - 1), max_size=8)))
    windows = list(zip(edges[::2], edges[1::2], strict=False))
    few = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0, 7.0])  # so that there are ties
    return rows, windows, np.array(draw(st.lists(few, min_size=rows, max_size=rows)))


@given(st.lists(labelled(), min_size=1, max_size=4), st.sampled_from(PROFILES))
def test_the_sweep_is_brute_force_at_every_threshold(
    files: list[tuple[int, Windows, Floats]], profile: Profile
) -> None:
    def by_hand(threshold: float) -> float:
        return sum(brute(*file, threshold, profile) for file in files)

    fields: list[tuple[Field, Floats]] = [
        (field_of(rows, windows), scores) for rows, windows, scores in files
    ]
    swept = sweep(fields)
    scored = {float(s) for rows, _, scores in files for s in scores[probation(rows) :]}
    assert list(swept.thresholds) == [inf, *sorted(scored, reverse=True)]
    for at, threshold in enumerate(swept.thresholds):
        there = Tally(
            swept.windows,
            int(swept.detected[at]),
            float(swept.credit[at]),
            float(swept.cost[at]),
        )
        assert there.raw(profile) == pytest.approx(by_hand(threshold), abs=1e-9)
    threshold, found = swept.best(profile)
    best = max(by_hand(t) for t in (inf, *scored))
    assert found.raw(profile) == pytest.approx(best, abs=1e-9)
    assert by_hand(threshold) == pytest.approx(best, abs=1e-9)
    again = sum((tally(field, scores, threshold) for field, scores in fields), start=Tally())
    assert again.raw(profile) == pytest.approx(best, abs=1e-9)


# ------------------------------------------------------------------ files


def test_stored_results_are_scored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"2020-01-01 00:{minute:02}:00" for minute in range(40)]
    result = tmp_path / "results" / "pumps" / "mine_a.csv"
    result.parent.mkdir(parents=True)
    result.write_text(
        "timestamp,value,anomaly_score\n"
        + "".join(f"{time},1.0,{0.9 if at == 20 else 0.1}\n" for at, time in enumerate(rows)),
        encoding="utf-8",
    )
    windows = tmp_path / "windows.json"
    windows.write_text(
        f'{{"pumps/a.csv": [["{rows[20]}.000000", "{rows[29]}.000000"]], "pumps/b.csv": []}}',
        encoding="utf-8",
    )
    (found,) = read_results(tmp_path / "results", Labels.read(windows))
    assert (found.name, found.windows, len(found.scores)) == ("pumps/a.csv", ((20, 29),), 40)
    assert nab.run(tmp_path / "results", windows, None) == 0
    out = capsys.readouterr().out
    assert "1 files, 1 windows" in out
    assert out.count(" 100.00 ") == 3
    assert nab.run(tmp_path / "results", windows, 0.95) == 0
    assert capsys.readouterr().out.count(" 0.00 ") == 3
    assert nab.run(tmp_path / "windows", windows, None) == 1


def test_of_rows_with_one_time_the_first_is_a_window_s_edge() -> None:
    labels = Labels({"a": [(2, 3)]})
    assert labels.rows("a", [1, 2, 2, 3, 3, 4]) == ((1, 3),)
    with pytest.raises(ValueError, match="not in"):
        labels.rows("a", [1, 2, 4])


# ------------------------------------------------------------------ against NAB itself


@pytest.mark.skipif(not DATA.exists(), reason=f"no shared data at {SHARED}")
def test_the_published_results_of_windowed_gaussian_are_met_in_every_file_and_profile() -> None:
    series = load(DATA)
    fields = {one.name: field_of(len(one.times), one.windows) for one in series}
    assert len(fields) == 29
    # Half of the files, to be quick; `make bench-detector` holds all to the same.
    some = {one.name: one for one in series if len(one.times) < 5000}
    scores = {name: peers.windowed_gaussian(one.times, one.values) for name, one in some.items()}
    assert len(some) == 21
    assert largest_difference({name: fields[name] for name in some}, scores) < 1e-9
