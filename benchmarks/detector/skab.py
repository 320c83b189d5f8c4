"""SKAB's labelled runs, cropped at random: how well a device's anomalies are ranked.

Katser & Kozitsin, "Skoltech Anomaly Benchmark (SKAB)", 2020: a water circuit, 8 sensors, 1 Hz.
The anomaly lies in the middle of every run, so that a score which knows nothing but the row's
number does well. Crops that begin at a random row make that harder, and the best such score is
printed as the control: what does not beat it has shown nothing.
"""

import csv
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Final, NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.detector.joint_peers import HALF_SPACE_TREES, JOINT, ROBUST, ROW_WAYS, SHUFFLED
from benchmarks.detector.processes import each
from benchmarks.detector.vus import STEP, WIDEST, auc_pr, vus_pr
from weir.detection.joint import JointDetector

CROPS: Final = 10
"""Crops of each run."""
MOST_DROPPED: Final = 300
"""The most leading rows that a crop lacks."""
SILENT: Final = 30
"""The first rows of a crop, in which all score 0: nobody can know anything yet."""
SEED: Final = 20260101


@dataclass(frozen=True, slots=True)
class Run:
    """A run or a crop of one: epoch ms, the sensors' values, and which rows are anomalous."""

    name: str
    times: Sequence[int]
    rows: Sequence[tuple[float, ...]]
    labels: Sequence[bool]

    def without(self, dropped: int) -> "Run":
        """The run without its first `dropped` rows."""
        return Run(self.name, self.times[dropped:], self.rows[dropped:], self.labels[dropped:])


class Quality(NamedTuple):
    """How well a score ranks the anomalous rows of a crop, or the mean of many."""

    vus_pr: float
    auc_pr: float


def load(folder: Path) -> list[Run]:
    """Every run below `folder`, by name; raises `FileNotFoundError` if there is none."""
    paths = sorted(folder.glob("*.csv"), key=lambda path: (len(path.name), path.name))
    if not paths:
        raise FileNotFoundError(f"there is no run in {folder}")
    return [_read(path) for path in paths]


def _read(path: Path) -> Run:
    with path.open(encoding="utf-8", newline="") as text:
        header, *lines = csv.reader(text, delimiter=";")
    anomaly = header.index("anomaly")
    times = [datetime.fromisoformat(line[0]).replace(tzinfo=UTC) for line in lines]
    return Run(
        path.stem,
        [round(moment.timestamp() * 1000) for moment in times],
        [tuple(map(float, line[1:anomaly])) for line in lines],
        [float(line[anomaly]) > 0.0 for line in lines],
    )


def crops_of(runs: Iterable[Run]) -> list[Run]:
    """The same crops of `runs` each time: a random one from each of `CROPS` equal ranges.

    A run whose anomaly ends before the row `MOST_DROPPED` would give crops without one; SKAB has
    none such.
    """
    random = Random(SEED)
    each_range = MOST_DROPPED // CROPS
    return [
        run.without(random.randrange(start, start + each_range))
        for run in runs
        for start in range(0, MOST_DROPPED, each_range)
    ]


def blind_scores(crop: Run, crops: Sequence[Run]) -> Mapping[str, list[float]]:
    """Scores of a crop's rows by their numbers alone, learned from the crops of other runs."""
    others = [other.labels for other in crops if other.name != crop.name]
    middle = fmean(row for labels in others for row, label in enumerate(labels) if label)
    rows = range(len(crop.labels))
    return {
        "blind: the row's number": [float(row) for row in rows],
        "blind: nearness to the usual middle": [-abs(row - middle) for row in rows],
        "blind: share of others' anomalies": [_share_at(row, others) for row in rows],
    }


def _share_at(row: int, others: Sequence[Sequence[bool]]) -> float:
    there = [labels[row] for labels in others if row < len(labels)]
    return fmean(there) if there else 0.0


def _judge_ways(crop: Run) -> dict[str, Quality]:
    found = {}
    for name, way in ROW_WAYS.items():
        scores = way(crop.times, crop.rows)
        silent = min(0.0, *scores)
        found[name] = _judge(crop, [silent] * SILENT + list(scores[SILENT:]))
    return found


def _judge(crop: Run, scores: Sequence[float]) -> Quality:
    return Quality(vus_pr(crop.labels, scores), auc_pr(crop.labels, scores))


def run(data: Path) -> Mapping[str, float]:
    """Score crops of the runs in `data`/skab/other, print a table, and return the figures."""
    begun = time.monotonic()
    runs = load(data / "skab" / "other")
    crops = crops_of(runs)
    by_crop = each(_judge_ways, [(crop,) for crop in crops])
    for crop, found in zip(crops, by_crop, strict=True):
        for name, scores in blind_scores(crop, crops).items():
            found[name] = _judge(crop, scores)
    qualities = {name: [found[name] for found in by_crop] for name in by_crop[0]}
    means = {name: _mean(found) for name, found in qualities.items()}
    control = max((name for name in means if name.startswith("blind")), key=means.__getitem__)

    detector = JointDetector()
    state_bytes = len(detector.pack(detector.initial(len(runs[0].rows[0]))))
    table = Table(
        title=f"SKAB, {len(runs)} runs, {CROPS} crops of each without up to {MOST_DROPPED} leading "
        f"rows; VUS-PR over buffers of 0 to {WIDEST} rows by {STEP}, mean of the crops",
        title_justify="left",
    )
    table.add_column("score")
    for heading in ("VUS-PR", "AUC-PR", "runs above the control"):
        table.add_column(heading, justify="right")
    for name, mean in means.items():
        above = _runs_above(crops, qualities[name], qualities[control])
        table.add_row(
            name + (" (the control)" if name == control else ""),
            f"{mean.vus_pr:.3f}",
            f"{mean.auc_pr:.3f}",
            "" if name == control else str(above),
        )
    console = Console(width=160)
    console.print(table)
    console.print(
        f"Joint state: {state_bytes} bytes for {len(runs[0].rows[0])} metrics. "
        f"Took {time.monotonic() - begun:.0f} s.",
        highlight=False,
    )
    return {
        "skab_vus_pr": means[JOINT].vus_pr,
        "skab_auc_pr": means[JOINT].auc_pr,
        "skab_blind_vus_pr": means[control].vus_pr,
        "skab_blind_auc_pr": means[control].auc_pr,
        "skab_shuffled_vus_pr": means[SHUFFLED].vus_pr,
        "skab_hst_vus_pr": means[HALF_SPACE_TREES].vus_pr,
        "skab_robust_z_vus_pr": means[ROBUST].vus_pr,
        "joint_state_bytes": state_bytes,
    }


def _mean(found: Sequence[Quality]) -> Quality:
    return Quality(fmean(one.vus_pr for one in found), fmean(one.auc_pr for one in found))


def _runs_above(crops: Sequence[Run], found: Sequence[Quality], control: Sequence[Quality]) -> int:
    """The runs in which the mean VUS-PR of the crops is above that of the control."""
    ahead: dict[str, float] = {}
    for crop, mine, blind in zip(crops, found, control, strict=True):
        ahead[crop.name] = ahead.get(crop.name, 0.0) + mine.vus_pr - blind.vus_pr
    return sum(difference > 0.0 for difference in ahead.values())
