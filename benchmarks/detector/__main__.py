"""`python -m benchmarks.detector DATA [--json PATH]`: how well it detects, and what it costs."""

import argparse
import importlib
import importlib.util
import json
import os
import platform
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from rich.console import Console

from benchmarks.detector import fleet, report
from benchmarks.detector.cost import costs
from benchmarks.detector.cross_validation import cross_validated
from benchmarks.detector.import_cost import import_ms
from benchmarks.detector.labelled import load
from benchmarks.detector.nab import LOW_FN, LOW_FP, PROFILES, STANDARD, field_of, judge
from benchmarks.detector.ours import GRID, make
from benchmarks.detector.published import largest_difference
from benchmarks.detector.runs import HALF_SPACE_TREES, WAYS, WEIR, WINDOWED_GAUSSIAN, run_all

_SKAB: Final = "benchmarks.detector.skab"
"""Several metrics at once: its `run(data)` prints a table of its own and returns figures."""


def main() -> int:
    """Run all, print the tables, write the figures; 1 if the data is absent."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detector", description=__doc__)
    parser.add_argument("data", type=Path, help="the folder that holds nab/ and skab/")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the figures there")
    options = parser.parse_args()
    if not (options.data / "nab" / "windows.json").is_file():
        print(
            f"There is no labelled data at {options.data} (nab/windows.json is missing): "
            "say where it is with DATA=path.",
            file=sys.stderr,
        )
        return 1
    console = Console() if sys.stdout.isatty() else Console(width=160)
    figures = dict(_nab(options.data / "nab", console))
    if importlib.util.find_spec(_SKAB) is not None:
        skab: Mapping[str, float] = importlib.import_module(_SKAB).run(options.data)
        figures |= skab
    figures |= fleet.run()
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0


def _nab(folder: Path, console: Console) -> Mapping[str, float]:
    begun = time.monotonic()
    series = load(folder)
    fields = {one.name: field_of(len(one.times), one.windows) for one in series}
    with console.status("scoring every file"):
        runs = run_all(series)
    verdicts = {
        name: {profile: judge(fields, runs.scores[name], profile) for profile in PROFILES}
        for name in WAYS
    }
    _progress("scored", begun)
    with console.status("cross-validating"):
        validated = cross_validated(make, GRID, series)
    _progress("cross-validated", begun)
    with console.status("measuring the cost of a point"):
        cost = costs(series)
        importing = import_ms()
    _progress("measured", begun)
    ratio = cost.ratio(HALF_SPACE_TREES, WEIR)
    weir = verdicts[WEIR]
    console.print(report.detectors(verdicts, cost, _title(len(series))))
    console.print(report.categories(fields, runs.scores[WEIR], weir[STANDARD]))
    console.print(report.validation(validated, weir[STANDARD].normalised))
    away = largest_difference(fields, runs.scores[WINDOWED_GAUSSIAN])
    for line in (
        f"The scorer: NAB's published scores of its windowed Gaussian on these files are met to "
        f"{away:.0e} (largest difference of a file and profile).",
        f"Cost: CPU of one core over the same {cost.points:,} points in turn, the best of "
        f"{len(cost.rounds[WEIR])} rounds; HalfSpaceTrees takes {ratio:.1f} times Weir's.",
        f"State: at most {runs.state_bytes:,} bytes packed. Import: {importing:.2f} ms beyond what "
        "score imports anyway.",
    ):
        console.print(line, highlight=False)
    return {
        "nab_standard": weir[STANDARD].normalised,
        "nab_low_fp": weir[LOW_FP].normalised,
        "nab_low_fn": weir[LOW_FN].normalised,
        "nab_cross_validated": validated.normalised,
        "nab_threshold": weir[STANDARD].threshold,
        "us_per_point": cost.us(WEIR),
        "hst_over_weir": ratio,
        "hst_nab_standard": verdicts[HALF_SPACE_TREES][STANDARD].normalised,
        "state_bytes": runs.state_bytes,
        "import_ms": importing,
    }


def _title(files: int) -> str:
    return (
        f"NAB, {files} files, strictly streaming, one threshold a profile and detector; "
        f"Python {platform.python_version()}, {os.process_cpu_count()} cores"
    )


def _progress(what: str, begun: float) -> None:
    print(f"{what}: {time.monotonic() - begun:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
