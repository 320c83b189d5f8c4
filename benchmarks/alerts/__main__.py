"""`python -m benchmarks.alerts [--json PATH] [--only NAME ...]`: measure on a stack of its own.

The stack's time is not scaled: a minute of notices is a minute.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.alerts import chart, latency, storm
from benchmarks.alerts.told import Ears
from weir_local.control import Control
from weir_local.stack import StackOptions, down, up
from weir_local.status import StackStatus

type Numbers = dict[str, float]

PARTS: dict[str, Callable[[StackStatus, Control, Ears], Numbers]] = {
    "latency": latency.measure,
    "storm": storm.measure,
    "chart": lambda status, control, _: chart.measure(status, control),
}

TARGETS: dict[str, tuple[str, Callable[[float], bool]]] = {
    "p50_s": ("< 1", lambda found: found < 1),
    "p95_s": ("< 2", lambda found: found < 2),
    "alerts_seen": (f"= {latency.ANOMALIES}", lambda found: found == latency.ANOMALIES),
    "notifications_missing": ("= 0", lambda found: found == 0),
    "notifications_doubled": ("= 0", lambda found: found == 0),
    "notifications_unknown": ("= 0", lambda found: found == 0),
    "storm_alerts": (f"= {storm.DEVICES:,}", lambda found: found == storm.DEVICES),
    "storm_messages": ("<= 8", lambda found: found <= 8),
    "storm_events_doubled": ("= 0", lambda found: found == 0),
    "storm_throttled_unhandled": ("= 0", lambda found: found == 0),
    "chart_readings": (f"= {chart.READINGS:,}", lambda found: found == chart.READINGS),
    "chart_s": ("< 2", lambda found: found < 2),
}


def main() -> int:
    """Measure what was asked for and print it; 1 if a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.alerts", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the numbers there")
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="NAME", help="only these")
    options = parser.parse_args()
    numbers: Numbers = {}
    with TemporaryDirectory() as scratch:
        # The watchdog would find that the devices fall silent once they have had their say.
        stack = StackOptions(Path(scratch), breakable=True, time_scale=1.0, watchdog=False)
        status = up(stack, _say)
        try:
            with Control(status.control_url) as control:
                ears = Ears(status, "bench")
                for name in options.only or PARTS:
                    begun = time.monotonic()
                    numbers |= PARTS[name](status, control, ears)
                    _say(f"{name}: {time.monotonic() - begun:.0f} s")
        finally:
            down(stack.directory, _say)
    missed = _show(numbers)
    if options.json:
        options.json.write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")
    return int(missed)


def _show(numbers: Numbers) -> bool:
    """Print the numbers beside their targets; return whether one is missed."""
    missed = False
    for name, value in numbers.items():
        shown = f"{value:,.3f}" if name.endswith("_s") else f"{value:,.0f}"
        target = ""
        if name in TARGETS:
            wanted, meets = TARGETS[name]
            missed = missed or not meets(value)
            target = f"{wanted:<12}{'met' if meets(value) else 'MISSED'}"
        print(f"{name:<28}{shown:>12}  {target}".rstrip())
    return missed


def _say(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
