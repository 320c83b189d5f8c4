"""Devices that have behaved for long enough to be known, and then do not.

What they send is such that one reading opens an alert, 12 calm ones end it, and a second, further
out, opens it again.
"""

import random
from collections.abc import Iterator, Sequence
from typing import Any, Final

METRIC: Final = "flow"
HISTORY: Final = 150
"""So many readings a device sends before; a detector learns from 100."""

STEP_MS: Final = 1000
CALM: Final = 14
"""So many calm readings, and some to spare, end an alert."""

OUT: Final = 60.0
FURTHER_OUT: Final = 9_000.0

type Reading = dict[str, Any]


def reading(device_id: str, ts: int, value: float) -> Reading:
    """One reading; `ts` in epoch ms."""
    return {"device_id": device_id, "ts": ts, "metrics": {METRIC: value}}


def calm(device_id: str, start: int, count: int, step_ms: int = STEP_MS) -> list[Reading]:
    """Readings from `start` on (epoch ms) that are as they should be."""
    dice = random.Random(f"{device_id}/{start}")
    values = (float(f"{20.0 + at % 3 + dice.gauss(0, 0.1):.6g}") for at in range(count))
    return [reading(device_id, start + at * step_ms, value) for at, value in enumerate(values)]


def history(device_id: str, until: int) -> list[Reading]:
    """What the device sends before `until` (epoch ms)."""
    return calm(device_id, until - HISTORY * STEP_MS, HISTORY)


def batches[T](all_of_them: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Some at a time."""
    for start in range(0, len(all_of_them), size):
        yield all_of_them[start : start + size]
