"""What fails, when: phases of a few seconds, each with faults of its own, over and over.

A fraction strikes so many of all times; 1.0 is an outage, which has to last for longer than the
four seconds in which a sink is tried. An outage is short against the rewind
horizon (docs/scoring.md): readings that are later than that are not scored, by design, and this
is no test of it.
"""

import random
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

FEWEST_KINDS: Final = 20
"""A soak in which fewer kinds of faults struck has not shown much."""


@dataclass(frozen=True, slots=True)
class Phase:
    """Some faults for some seconds; `uploads` devices send all that they have at once meanwhile."""

    name: str
    seconds: float
    faults: Mapping[str, Any] = field(default_factory=dict)
    uploads: int = 0


_TABLE_OUT: Final = {"dynamo_refuse@ingest": 1.0, "dynamo_refuse@respill": 1.0}
_LAKE_OUT: Final = {"refuse_calls": 1.0}

PHASES: Final = (
    Phase("nothing fails", 3),
    Phase("Firehose refuses records", 4, {"fail_records": 0.5, "duplicate": 0.3}),
    Phase("Firehose refuses calls", 4, {"refuse_calls": 0.4, "throttle": 0.4}),
    Phase("Firehose takes records, and doesn't say so", 4, {"firehose_lose_answers": 0.5}),
    Phase("Firehose is slow", 4, {"firehose_slow": 0.3, "slow_seconds": 1.0}),
    Phase("Firehose is out", 7, _LAKE_OUT),
    Phase("the table refuses and throttles", 4, {"dynamo_refuse": 0.2, "dynamo_throttle": 0.2}),
    Phase("the table takes batches in part", 4, {"dynamo_unprocessed": 0.6}),
    Phase("the table takes items, and doesn't say so", 4, {"dynamo_lose_answers": 0.2}),
    Phase("the table is slow", 4, {"dynamo_slow": 0.1, "slow_seconds": 1.0}),
    Phase("the table is out", 7, _TABLE_OUT),
    Phase("the table throttles all", 5, {"dynamo_throttle@ingest": 1.0}),
    Phase("both sinks are out", 7, {**_LAKE_OUT, **_TABLE_OUT}, uploads=1),
    Phase("the spill is out too", 10, {**_TABLE_OUT, "sqs_refuse@ingest": 1.0}),
    Phase("the spill throttles too", 10, {"dynamo_throttle@ingest": 1.0, "sqs_throttle": 1.0}),
    Phase(
        "the spill fails in part",
        7,
        {
            **_TABLE_OUT,
            "sqs_fail_entries": 0.5,
            "sqs_lose_answers": 0.3,
            "sqs_slow": 0.2,
            "slow_seconds": 0.5,
        },
    ),
    Phase(
        "the spill's bucket fails",
        9,
        {
            **_LAKE_OUT,
            "s3_refuse": 0.25,
            "s3_throttle": 0.25,
            "s3_lose_answers": 0.25,
            "s3_slow": 0.25,
            "slow_seconds": 0.5,
        },
        uploads=4,
    ),
    Phase("ingest is killed", 4, {"kill_ingest": 0.2}),
    Phase("score is killed", 4, {"kill_score": 0.1}),
    Phase("respill is killed", 8, {"refuse_calls@ingest": 1.0, "kill_respill": 0.2}),
    Phase("authorize is killed", 4, {"kill_authorize": 0.3, "dynamo_refuse@authorize": 0.3}),
    Phase(
        "the transform fails and is killed",
        8,
        {"fail_transform": 0.3, "kill_transform": 0.3, "kill_transform_process": 0.3},
    ),
    Phase("S3 refuses the lake's objects", 4, {"fail_deliveries": 0.6}),
    Phase(
        "the stream delivers twice",
        4,
        {"duplicate_batches": 0.4, "kill_score@PutItem": 0.05, "redeliver_after_partial": 0.5},
    ),
    Phase("the stream's deliveries fail", 4, {"fail_invocations": 0.3, "kill_mid_batch": 0.3}),
    Phase(
        "the stream comes over several shards, out of order",
        4,
        {"split_shards": 4, "reorder_batches": 0.5, "kill_mid_batch": 0.1},
    ),
    Phase(
        "everything fails a little",
        6,
        {
            "fail_records": 0.1,
            "firehose_lose_answers": 0.05,
            "dynamo_refuse": 0.03,
            "dynamo_unprocessed": 0.1,
            "dynamo_lose_answers": 0.03,
            "sqs_lose_answers": 0.1,
            "kill_ingest": 0.03,
            "kill_score": 0.02,
            "kill_respill": 0.02,
            "kill_transform": 0.1,
            "duplicate": 0.1,
            "duplicate_batches": 0.1,
            "kill_mid_batch": 0.1,
            "split_shards": 3,
            "reorder_batches": 0.2,
        },
        uploads=1,
    ),
)


def rounds(seed: int, scale: float = 1.0) -> Iterator[Phase]:
    """The phases without end: all of them in each round, in an order of its own."""
    dice = random.Random(f"{seed}/schedule")
    number = 0
    while True:
        for phase in dice.sample(PHASES, len(PHASES)):
            number += 1
            faults = {**phase.faults, "seed": seed * 1000 + number} if phase.faults else {}
            yield Phase(phase.name, phase.seconds * scale, faults, phase.uploads)


def run(
    phases: Iterator[Phase],
    set_faults: Callable[[Mapping[str, Any]], None],
    upload: Callable[[], None],
    done: threading.Event,
    stopped: threading.Event,
    say: Callable[[str], None],
) -> int:
    """Let phase after phase come until `done`, each of them once at least.

    Once it is `stopped` it ends at once. Returns how many there were.
    """
    count = 0
    for phase in phases:
        set_faults(phase.faults)
        say(phase.name)
        count += 1
        for _ in range(phase.uploads):
            upload()
        if count < len(PHASES):
            stopped.wait(phase.seconds)
        else:
            done.wait(phase.seconds)
        if stopped.is_set() or (count >= len(PHASES) and done.is_set()):
            break
    return count
