"""NAB's score, written from the paper, and the one threshold that is best for all files.

Lavin & Ahmad, "Evaluating Real-Time Anomaly Detection Algorithms: the Numenta Anomaly Benchmark",
ICMLA 2015, arXiv:1510.03336. Where the paper leaves a detail open (what the position is counted
from, which points the probation covers), this follows what NAB's published results were made with.

A file gets, for each of its windows in which the detector gave alarm, a credit by how early the
earliest alarm came; each alarm outside a window costs by how far behind the last window it is; a
window without an alarm costs one miss. A profile weights the three. The sum over the files is
normalised: 0 is a detector that never gives alarm, 100 one that does so at the beginning of each
window and nowhere else.

    python -m benchmarks.detector.nab RESULTS WINDOWS.json [--threshold T]

scores stored results: one CSV a file with the columns timestamp and anomaly_score, as
`weir backtest` writes them and NAB stores them.
"""

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import exp, inf
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks.detector.labelled import Labels, read_results

type Floats = npt.NDArray[np.float64]
type Rows = npt.NDArray[np.int64]


class Profile(NamedTuple):
    """What a detected window earns, and what a false alarm and a missed window cost."""

    name: str
    detected: float
    false_alarm: float
    missed: float


STANDARD: Final = Profile("standard", 1.0, 0.11, 1.0)
LOW_FP: Final = Profile("reward_low_FP_rate", 1.0, 0.22, 1.0)
LOW_FN: Final = Profile("reward_low_FN_rate", 1.0, 0.11, 2.0)
PROFILES: Final = (STANDARD, LOW_FP, LOW_FN)

_STEEPNESS: Final = 5.0
_FAR: Final = 3.0
"""So many window widths behind a window, a false alarm costs all it can."""
_PROBATION: Final = 0.15
_PROBATION_ROWS: Final = 750


def sigmoid(position: float) -> float:
    """What an alarm is worth at `position`, in window widths behind the window's right edge.

    Positive within the window (-1 is its left edge), 0 at its right edge, -1 far behind it.

    >>> round(sigmoid(-1.0), 5), sigmoid(0.0), sigmoid(3.0)
    (0.98661, 0.0, -1.0)
    """
    if position >= _FAR:
        return -1.0
    return 2.0 / (1.0 + exp(_STEEPNESS * position)) - 1.0


def probation(rows: int) -> int:
    """How many rows at the beginning of a file are not scored."""
    return min(int(_PROBATION * rows), _PROBATION_ROWS)


@dataclass(frozen=True, slots=True)
class Field:
    """What an alarm is worth at each row of one file, before a profile weights it.

    Parameters
    ----------
    windows
        The rows of each window that are scored, in order; windows within the probation are gone.
    credits
        For each window, what an alarm at each of its rows earns; 1 is the best, at the left edge.
    outside
        The scored rows outside all windows.
    costs
        For each of them, what an alarm there costs, as a number in [-1, 0].
    rows
        The rows of the file.
    """

    windows: tuple[Rows, ...]
    credits: tuple[Floats, ...]
    outside: Rows
    costs: Floats
    rows: int


def field_of(rows: int, windows: Sequence[tuple[int, int]]) -> Field:
    """Lay out a file of `rows` rows whose windows are pairs of first and last row, in order."""
    learned = probation(rows)
    best = sigmoid(-1.0)
    spans: list[Rows] = []
    credit: list[Floats] = []
    free = np.ones(rows, dtype=bool)
    cost = np.full(rows, -1.0)
    for first, last in windows:
        width = last - first + 1
        span = np.arange(max(first, learned), last + 1)
        if len(span):
            spans.append(span)
            credit.append(np.array([sigmoid(-(last - row + 1) / width) for row in span]) / best)
        free[first : last + 1] = False
        # Behind a window of one row, every distance is far.
        near = range(last + 1, min(rows, last + 1 + int(_FAR * width)))
        cost[last + 1 :] = -1.0
        for row in near:
            cost[row] = sigmoid((row - last) / (width - 1)) if width > 1 else -1.0
    free[:learned] = False
    outside = np.flatnonzero(free)
    return Field(tuple(spans), tuple(credit), outside, cost[outside], rows)


@dataclass(frozen=True, slots=True)
class Tally:
    """What a detector earned before a profile weights it; tallies of files can be added up."""

    windows: int = 0
    detected: int = 0
    credit: float = 0.0
    cost: float = 0.0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.windows + other.windows,
            self.detected + other.detected,
            self.credit + other.credit,
            self.cost + other.cost,
        )

    def raw(self, profile: Profile) -> float:
        """The sum of credits and costs."""
        return (
            profile.detected * self.credit
            + profile.false_alarm * self.cost
            - profile.missed * (self.windows - self.detected)
        )

    def normalised(self, profile: Profile) -> float:
        """0 for a detector that never gives alarm, 100 for the perfect one.

        Raises `ZeroDivisionError` where there is no window to detect.
        """
        silent = -profile.missed * self.windows
        perfect = profile.detected * self.windows
        return 100.0 * (self.raw(profile) - silent) / (perfect - silent)


def tally(field: Field, scores: Floats, threshold: float) -> Tally:
    """What a detector earns in one file by giving alarm at scores of at least `threshold`."""
    alarms = scores >= threshold
    credit, detected = 0.0, 0
    for span, worth in zip(field.windows, field.credits, strict=True):
        within = np.flatnonzero(alarms[span])
        if len(within):
            credit += float(worth[within[0]])
            detected += 1
    cost = float(field.costs[alarms[field.outside]].sum())
    return Tally(len(field.windows), detected, credit, cost)


@dataclass(frozen=True, slots=True)
class Sweep:
    """The tallies at every threshold that makes a difference, from the highest down.

    The first threshold is infinite: no alarm at all.
    """

    thresholds: Floats
    detected: Floats
    credit: Floats
    cost: Floats
    windows: int

    def best(self, profile: Profile) -> tuple[float, Tally]:
        """The threshold with the highest score, the highest of those that tie; and its tally."""
        raw = (
            profile.detected * self.credit
            + profile.false_alarm * self.cost
            + profile.missed * self.detected
        )
        at = int(np.argmax(raw))
        found = Tally(
            self.windows, int(self.detected[at]), float(self.credit[at]), float(self.cost[at])
        )
        return float(self.thresholds[at]), found


def sweep(files: Iterable[tuple[Field, Floats]]) -> Sweep:
    """Try every distinct score as the threshold of all files.

    Going down through the scores, each row adds what its alarm changes: outside windows its cost,
    within a window what it is earlier than the alarms before it. So one sort and one running sum
    give every threshold's result.
    """
    at: list[Floats] = []
    changes: list[npt.NDArray[np.float64]] = []  # columns: detected, credit, cost
    windows = 0
    for field, scores in files:
        if len(scores) != field.rows:
            raise ValueError(f"{len(scores)} scores for {field.rows} rows")
        if np.isnan(scores).any():
            raise ValueError("a score is not a number")
        outside = np.zeros((len(field.outside), 3))
        outside[:, 2] = field.costs
        at.append(scores[field.outside])
        changes.append(outside)
        for span, worth in zip(field.windows, field.credits, strict=True):
            windows += 1
            order = np.argsort(-scores[span], kind="stable")
            earliest = np.maximum.accumulate(worth[order])
            within = np.zeros((len(span), 3))
            within[0, 0] = 1.0
            within[:, 1] = np.diff(earliest, prepend=0.0)
            at.append(scores[span][order])
            changes.append(within)
    if not at:
        raise ValueError("there are no files")
    all_scores = np.concatenate(at)
    order = np.argsort(-all_scores, kind="stable")
    descending = all_scores[order]
    totals = np.cumsum(np.concatenate(changes)[order], axis=0)
    # Rows of one score give alarm together: only the last of them is a threshold's result.
    last = np.flatnonzero(np.append(np.diff(descending) != 0.0, True)[: len(descending)])
    totals = np.concatenate([np.zeros((1, 3)), totals[last]])
    thresholds = np.concatenate([[inf], descending[last]])
    return Sweep(thresholds, totals[:, 0], totals[:, 1], totals[:, 2], windows)


class Verdict(NamedTuple):
    """How a detector does by one profile with its best threshold."""

    threshold: float
    normalised: float
    tally: Tally


def judge(
    fields: Mapping[str, Field], scores: Mapping[str, Floats], profile: Profile = STANDARD
) -> Verdict:
    """The best that one threshold for all files can do."""
    threshold, found = sweep((fields[name], scores[name]) for name in fields).best(profile)
    return Verdict(threshold, found.normalised(profile), found)


def total(fields: Mapping[str, Field], scores: Mapping[str, Floats], threshold: float) -> Tally:
    """What a detector earns in all `fields` with a threshold that was chosen before."""
    found = Tally()
    for name, field in fields.items():
        found += tally(field, scores[name], threshold)
    return found


def main() -> int:
    """Score the stored results that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detector.nab")
    parser.add_argument("results", type=Path, help="a folder with a CSV for each file")
    parser.add_argument("windows", type=Path, help="NAB's windows by file, JSON")
    parser.add_argument("--threshold", type=float, help="instead of the best one")
    options = parser.parse_args()
    return run(options.results, options.windows, options.threshold)


def run(results: Path, windows: Path, threshold: float | None) -> int:
    """Score stored results and print the three profiles; 1 if there are none."""
    fields: dict[str, Field] = {}
    scores: dict[str, Floats] = {}
    for result in read_results(results, Labels.read(windows)):
        fields[result.name] = field_of(len(result.scores), result.windows)
        scores[result.name] = np.array(result.scores)
    if not fields:
        print(f"{results} holds no results of a labelled file.", file=sys.stderr)
        return 1
    print(f"{len(fields)} files, {sum(len(field.windows) for field in fields.values())} windows")
    for profile in PROFILES:
        if threshold is None:
            at, _, found = judge(fields, scores, profile)
        else:
            at, found = threshold, total(fields, scores, threshold)
        print(
            f"{profile.name:20} {found.normalised(profile):7.2f}  raw {found.raw(profile):9.4f}  "
            f"threshold {at!r}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
