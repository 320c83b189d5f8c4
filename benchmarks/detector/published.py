"""The scorer against NAB's own published results.

`windowed_gaussian.csv` holds the scores that NAB published for its detector windowedGaussian, by
file and profile, before normalisation (github.com/numenta/NAB, results/windowedGaussian/
windowedGaussian_<profile>_scores.csv at de8e91a and bf2de21), of the files in the development data.
That detector needs no more than arithmetic, so our own of its description gives the same scores,
and the scorer must come to the published results. NAB stored scores with 12 significant digits,
and scored what it had stored: with its threshold of 1.0, that decides some alarms.
"""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.detector.nab import PROFILES, Field, Floats, Profile, tally

_STORED: Final = Path(__file__).with_name("windowed_gaussian.csv")
_THRESHOLD: Final = 1.0
_DIGITS: Final = 12


def as_stored(scores: Iterable[float]) -> Floats:
    """Scores as they read once they were written to NAB's files.

    >>> as_stored([0.12345678901234, 1 - 1e-14]).tolist()
    [0.123456789012, 1.0]
    """
    return np.array([float(f"{score:.{_DIGITS}g}") for score in scores])


def published() -> Mapping[str, Mapping[Profile, float]]:
    """The published raw score of each file by each profile."""
    with _STORED.open(encoding="utf-8", newline="") as text:
        return {
            row["file"]: {profile: float(row[profile.name]) for profile in PROFILES}
            for row in csv.DictReader(text)
        }


def largest_difference(fields: Mapping[str, Field], scores: Mapping[str, Iterable[float]]) -> float:
    """How far our score of any of `fields` by any profile is from the published one.

    `scores` are those of `peers.windowed_gaussian`.
    """
    return max(
        abs(found.raw(profile) - expected)
        for name, by_profile in published().items()
        if name in fields
        for found in (tally(fields[name], as_stored(scores[name]), _THRESHOLD),)
        for profile, expected in by_profile.items()
    )
