"""The request that everything is measured on: 100 readings of 5 metrics of one device."""

import json
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from os import devnull
from pathlib import Path
from typing import Any
from unittest.mock import patch

from weir.readings import format_ts

READINGS = 100
METRICS = ("temperature", "pressure", "flow", "vibration", "current")
VALUES = READINGS * len(METRICS)
DEVICE = "pump-7"

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "benchmark",
    "AWS_SECRET_ACCESS_KEY": "benchmark",  # pragma: allowlist secret
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_REGION": "eu-west-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": devnull,
    "AWS_SHARED_CREDENTIALS_FILE": devnull,
}


def start_of_a_past_hour() -> int:
    """A full hour of today's, in epoch ms: 100 seconds from there stay within the hour."""
    hour = 3_600_000
    return (time.time_ns() // 1_000_000 // hour - 5) * hour


def readings(*, rfc3339: bool = True, count: int = READINGS, seed: int = 7) -> list[dict[str, Any]]:
    """Readings a second apart, values around a level with six significant digits."""
    draw = random.Random(seed)
    t0 = start_of_a_past_hour()
    return [
        {
            "device_id": DEVICE,
            "ts": format_ts(t0 + place * 1000) if rfc3339 else t0 + place * 1000,
            "metrics": {name: float(f"{draw.gauss(50, 10):.6g}") for name in METRICS},
        }
        for place in range(count)
    ]


def body(*, rfc3339: bool = True) -> str:
    """The body of the POST: an array, as most clients write it."""
    return json.dumps(readings(rfc3339=rfc3339))


@contextmanager
def as_in_lambda() -> Iterator[None]:
    """One core, credentials in the environment, and a standard output that nobody sees.

    A function of 1,024 MB has 0.6 of a core. Log lines and metrics go through a real file
    descriptor, line by line, as they do in Lambda.
    """
    with (
        _one_core(),
        patch.dict("os.environ", ENVIRONMENT),
        Path(devnull).open("w", buffering=1, encoding="utf-8") as sink,
        redirect_stdout(sink),
    ):
        yield


@contextmanager
def _one_core() -> Iterator[None]:
    """Keep this thread, and those that it starts, on one core where the system lets us."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)
