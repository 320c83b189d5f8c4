"""`python -m benchmarks [--json PATH] [--only NAME ...]`: measure, print one table."""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import (
    billing,
    chart,
    cold_start,
    front_door,
    ingest,
    score,
    stack,
    transform,
    watchdog,
)
from benchmarks.figures import Figure, Findings

BENCHMARKS: dict[str, Callable[[], Findings]] = {
    "ingest": ingest.run,
    "front_door": front_door.run,
    "billing": billing.run,
    "cold_start": cold_start.run,
    "transform": transform.run,
    "score": score.run,
    "chart": chart.run,
    "watchdog": watchdog.run,
    "stack": stack.run,
}


def main() -> int:
    """Run the benchmarks that were asked for; 1 if a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the numbers there")
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, metavar="NAME", help="only these")
    options = parser.parse_args()
    # Where no terminal says how wide it is, no line needs to break.
    console = Console() if sys.stdout.isatty() else Console(width=160)
    figures: list[Figure] = []
    numbers: dict[str, float] = {}
    remarks: list[str] = []
    for name in options.only or BENCHMARKS:
        begun = time.monotonic()
        with console.status(f"measuring {name}"):
            found = BENCHMARKS[name]()
        figures += found.figures
        numbers |= found.numbers
        remarks += found.remarks
        print(f"{name}: {time.monotonic() - begun:.0f} s", file=sys.stderr)
    console.print(table(figures))
    for remark in remarks:
        console.print(remark, highlight=False)
    if options.json:
        options.json.write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")
    return 0


def table(figures: list[Figure]) -> Table:
    """All figures of one run."""
    shown = Table(
        title=f"Weir, Python {platform.python_version()}, {os.cpu_count()} cores",
        caption="All measured in this run, each beside what it is compared with; medians. "
        "CPU is the time of all threads of the process.",
    )
    for heading in ("figure", "Weir", "compared with", "which is", "ratio", "target"):
        shown.add_column(heading, justify="right" if heading in {"ratio", "target"} else "left")
    for figure in figures:
        mark = {True: " [green]met[/]", False: " [red]missed[/]", None: ""}[figure.met]
        shown.add_row(
            figure.what,
            figure.weir,
            figure.other,
            figure.against,
            figure.ratio,
            figure.target + mark,
        )
    return shown


if __name__ == "__main__":
    sys.exit(main())
