"""How a detector does on files that it was not tuned on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

import numpy as np

from benchmarks.detector import ours
from benchmarks.detector.labelled import Series
from benchmarks.detector.nab import STANDARD, Floats, Profile, Tally, field_of, judge, total
from benchmarks.detector.processes import each
from weir.detection import Detector

FOLDS: Final = 5
SEED: Final = 0

type Parameters = Mapping[str, float]
type Make = Callable[..., Detector[Any]]


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen on all folds but one, and how it did on that one."""

    held_out: tuple[str, ...]
    parameters: Parameters
    threshold: float
    tally: Tally


@dataclass(frozen=True, slots=True)
class CrossValidated:
    """The choices, and the score of all files together, each held out once."""

    choices: tuple[Choice, ...]
    normalised: float


def folds(series: Sequence[Series], count: int = FOLDS, seed: int = SEED) -> list[list[str]]:
    """Deal the files out by name: each category spread evenly, within it as `seed` shuffles it."""
    dealt: list[list[str]] = [[] for _ in range(count)]
    at = 0
    for category in sorted({one.category for one in series}):
        names = sorted(one.name for one in series if one.category == category)
        Random(seed).shuffle(names)
        for name in names:
            dealt[at % count].append(name)
            at += 1
    return dealt


def cross_validated(
    make_detector: Make,
    grid: Sequence[Parameters],
    series: Sequence[Series],
    *,
    profile: Profile = STANDARD,
    count: int = FOLDS,
    seed: int = SEED,
    workers: int | None = None,
) -> CrossValidated:
    """Choose parameters and the threshold on all folds but one, and score that one; sum up.

    `make_detector` is called with each parameter set of `grid` as keywords, in other processes.
    Each set scores each file once. Of equally good sets the first counts.
    """
    fields = {one.name: field_of(len(one.times), one.windows) for one in series}
    scores = all_scores(make_detector, grid, series, workers)
    choices: list[Choice] = []
    for held_out in folds(series, count, seed):
        rest = {name: field for name, field in fields.items() if name not in held_out}
        verdicts = [judge(rest, given, profile) for given in scores]
        best = max(range(len(grid)), key=lambda at: verdicts[at].normalised)
        threshold = verdicts[best].threshold
        found = total({name: fields[name] for name in held_out}, scores[best], threshold)
        choices.append(Choice(tuple(held_out), grid[best], threshold, found))
    together = sum((choice.tally for choice in choices), start=Tally())
    return CrossValidated(tuple(choices), together.normalised(profile))


def all_scores(
    make_detector: Make,
    grid: Sequence[Parameters],
    series: Sequence[Series],
    workers: int | None = None,
) -> list[dict[str, Floats]]:
    """The scores of each file with each parameter set."""
    tasks = [(make_detector, parameters, one) for parameters in grid for one in series]
    scored = each(_score, tasks, workers)
    found: list[dict[str, Floats]] = [{} for _ in grid]
    for at, ((_, _, one), scores) in enumerate(zip(tasks, scored, strict=True)):
        found[at // len(series)][one.name] = scores
    return found


def _score(make_detector: Make, parameters: Parameters, series: Series) -> Floats:
    detector = make_detector(**parameters)
    return np.array(ours.score(detector, series.times, series.values))
