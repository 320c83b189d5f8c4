"""Readings a second through the whole local stack, from the POST to the score and the lake.

Devices post 100 readings at a time over a few connections. The clock stops when nothing is under
way any more: every reading is scored and its row lies in the lake's bucket. One machine is all of
it: the client, the emulator with API Gateway, DynamoDB and S3, the stand-ins for Firehose and the
stream mapping, and the functions; the remark below the table says who took the CPU.
"""

import json
import os
import random
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from benchmarks.figures import Figure, Findings
from benchmarks.sample import METRICS, READINGS, start_of_a_past_hour
from weir_local.control import Control
from weir_local.stack import StackOptions, down, up
from weir_local.status import StackStatus, load_status

TARGET = 5_000
POSTS = 400
DEVICES = 40
CONNECTIONS = 4
_TICKS = os.sysconf("SC_CLK_TCK")


def run() -> Findings:
    """Post, wait until all is scored and delivered, and divide."""
    with _stack() as status, Control(status.control_url) as control:
        _post_all(status, _bodies("warm-up", CONNECTIONS * 2))
        control.flush()
        control.wait_idle(30)
        bodies = _bodies("pump", POSTS)
        before, begun = _cpu_seconds(status), time.perf_counter()
        _post_all(status, bodies)
        answered = time.perf_counter() - begun
        control.flush()
        control.wait_idle(60)
        seconds = time.perf_counter() - begun
        after = _cpu_seconds(status)
    readings = POSTS * READINGS
    rate = readings / seconds
    shares = ", ".join(
        f"{who} {(after[who] - before.get(who, 0.0)) / seconds:.0%}"
        for who in sorted(after, key=lambda who: before.get(who, 0.0) - after[who])
    )
    return Findings(
        [
            Figure(
                f"the local stack, {READINGS} readings a POST",
                f"{rate:,.0f} readings/s",
                f"{readings / answered:,.0f} readings/s",
                f"{readings:,} readings until answered; Weir's is until scored and delivered",
                "",
                f"≥ {TARGET:,}",
                rate >= TARGET,
            )
        ],
        {
            "stack_readings_per_s": rate,
            "stack_answered_readings_per_s": readings / answered,
        },
        [f"CPU in the local stack's run, of one core: {shares}."],
    )


@contextmanager
def _stack() -> Iterator[StackStatus]:
    """The local stack that runs, or one of our own for as long as it takes."""
    running = load_status()
    if running is not None:
        yield running
        return
    with TemporaryDirectory() as scratch:
        directory = Path(scratch)
        status = up(StackOptions(directory=directory), lambda _: None)
        try:
            yield status
        finally:
            down(directory, lambda _: None)


def _bodies(name: str, posts: int) -> list[bytes]:
    """Bodies of 100 readings each; every device's follow one another in time."""
    draw = random.Random(11)
    t0 = start_of_a_past_hour()
    # Devices of their own for each run: what an earlier one sent is not sent again.
    run_id = f"{name}-{time.time_ns() // 1_000_000:x}"
    bodies = []
    for post in range(posts):
        turn, device = divmod(post, DEVICES)
        bodies.append(
            json.dumps(
                {
                    "device_id": f"{run_id}-{device}",
                    "readings": [
                        {
                            "ts": t0 + (turn * READINGS + at) * 1000,
                            "metrics": {
                                metric: float(f"{draw.gauss(50, 1):.6g}") for metric in METRICS
                            },
                        }
                        for at in range(READINGS)
                    ],
                }
            ).encode()
        )
    return bodies


def _post_all(status: StackStatus, bodies: list[bytes]) -> None:
    """Post over several connections; each device's posts go over one, in order."""
    url = f"{status.api_url}/v1/readings"
    headers = {
        "content-type": "application/json",
        "authorization": f"Bearer {status.device_key}",
    }

    def post(lane: int) -> None:
        with httpx.Client(timeout=60, trust_env=False) as client:
            for at in range(lane, len(bodies), CONNECTIONS):
                answer = client.post(url, content=bodies[at], headers=headers)
                answered: Any = answer.json()
                assert answered.get("accepted") == READINGS, answer.text

    with ThreadPoolExecutor(CONNECTIONS) as lanes:
        list(lanes.map(post, range(CONNECTIONS)))


def _cpu_seconds(status: StackStatus) -> Mapping[str, float]:
    """CPU seconds so far of the stack's processes and of this one, where /proc tells."""
    spent = {"the client": time.process_time()}
    parents: dict[int, int] = {}
    seconds: dict[int, float] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        pid = int(stat.parent.name)
        parents[pid] = int(fields[1])
        seconds[pid] = (int(fields[11]) + int(fields[12])) / _TICKS
    named = {status.emulator_pid: "the emulator", status.standins_pid: "the stand-ins"}
    for pid, spent_there in seconds.items():
        if pid in named:
            spent[named[pid]] = spent_there
        elif parents.get(pid) in named:
            function = _function(pid)
            spent[function] = spent.get(function, 0.0) + spent_there
    return spent


def _function(pid: int) -> str:
    """The function that a worker process of the emulator runs, by its environment."""
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return "a process that ended"
    named = dict(variable.partition(b"=")[::2] for variable in variables)
    return named.get(b"POWERTOOLS_SERVICE_NAME", b"other processes").decode()
