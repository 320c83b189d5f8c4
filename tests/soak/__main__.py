"""`python -m tests.soak [--readings N] [--seed N] [--json PATH]`: the soak, on a stack of its own.

Exit code 1 if anything was lost, doubled or falsely alerted, or too little failed on the way.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from tests.soak.bodies import WrongAnswer
from tests.soak.report import document, problems, show
from tests.soak.soak import Plan, SoakFailed, soak
from weir_local.stack import StackError, StackOptions, down, up

DEVICES = 200
PACE = 2.5
"""Readings a second of each device."""


def main() -> int:
    """Run the soak that the arguments ask for."""
    options = _options()
    console = Console(stderr=True)
    begun = time.monotonic()

    def say(text: str) -> None:
        console.print(f"{time.monotonic() - begun:6.1f} s  {text}", highlight=False, markup=False)

    # Of a short soak fewer devices, so that each has readings enough to be odd.
    devices = max(10, min(DEVICES, options.readings // 250 // 5 * 5))
    plan = Plan(options.readings, devices, PACE, options.seed, limit_s=options.limit)
    with TemporaryDirectory() as scratch:
        directory = Path(options.directory or scratch)
        try:
            # The watchdog's alerts are about silence; the ledger knows those of the readings.
            options_of_stack = StackOptions(
                directory=directory, auth=True, breakable=True, watchdog=False
            )
            status = up(options_of_stack, say)
            try:
                result = soak(status, plan, say)
            finally:
                if not options.keep:
                    down(directory, say)
        except (SoakFailed, StackError, WrongAnswer) as error:
            say(f"soak: {error}")
            return 1
    show(result, Console())
    if options.json is not None:
        options.json.write_text(json.dumps(document(result), indent=2) + "\n", encoding="utf-8")
    found = problems(result)
    for problem in found:
        say(f"soak: {problem}")
    return 1 if found else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--readings", type=int, default=100_000, help="how many to acknowledge")
    parser.add_argument("--seed", type=int, default=1, help="of the fleet, the faults, the order")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the report there")
    parser.add_argument("--limit", type=float, default=900.0, help="seconds, then it has failed")
    parser.add_argument("--directory", type=Path, help="where the stack keeps its logs")
    parser.add_argument("--keep", action="store_true", help="leave the stack running")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
