"""A thousand devices alarm within a minute, while DynamoDB throttles."""

import time
from typing import Any

from benchmarks.alerts.door import Door, Refused
from benchmarks.alerts.latency import alerts_of, load_history
from benchmarks.alerts.pumps import OUT, batches, reading
from benchmarks.alerts.told import Ears, compare, expected
from weir_local.aws import client
from weir_local.control import Control
from weir_local.status import StackStatus

DEVICES = 1_000
WITHIN_S = 45.0
_A_POST = 10
"""A gateway sends for so many devices at once."""

_FAULTS = {
    "dynamo_throttle@ingest": 0.05,
    "dynamo_throttle@score": 0.05,
    "dynamo_throttle@notify": 0.05,
    "seed": 5,
}


def measure(status: StackStatus, control: Control, ears: Ears) -> dict[str, float]:
    """Let them alarm, and count what is there and what was told when all is quiet again."""
    run = f"{time.time_ns() // 1_000_000:x}"
    devices = [f"storm-{run}-{at}" for at in range(DEVICES)]
    load_history(status, devices, control)
    ears.listen_until_quiet(control, 240)
    ears.forget()
    before = control.counts()
    control.set_faults(_FAULTS)
    begun = time.monotonic()
    refused = 0
    with Door(status) as door:
        posts = list(batches([reading(device, 0, OUT) for device in devices], _A_POST))
        for at, post in enumerate(posts):
            time.sleep(max(0.0, begun + at * WITHIN_S / len(posts) - time.monotonic()))
            now = time.time_ns() // 1_000_000
            try:
                door.post([{**one, "ts": now} for one in post])
            except Refused:
                refused += 1
    seconds = time.monotonic() - begun
    ears.listen_until_quiet(control, 300)
    control.clear_faults()
    after = control.counts()
    alerts = alerts_of(status, devices)
    bus = compare(expected(alerts), ears.on_bus())
    discarded = sum(
        after[stream]["records_discarded"] - before[stream]["records_discarded"]
        for stream in ("stream", "alerts_stream")
    )
    struck = after["struck"].get("dynamo_throttle", 0) - before["struck"].get("dynamo_throttle", 0)
    return {
        "storm_devices": DEVICES,
        "storm_seconds": seconds,
        "storm_alerts": len({alert.device_id for alert in alerts}),
        "storm_notices": len(expected(alerts)),
        "storm_messages": len(ears.messages),
        "storm_told_in_messages": sum(_notices_in(one) for one in ears.messages),
        "storm_events_missing": bus.missing,
        "storm_events_doubled": bus.doubled,
        "storm_throttled": struck,
        "storm_throttled_unhandled": refused + discarded + bus.missing + _dead_letters(status),
    }


def _notices_in(document: Any) -> int:
    return 1 if document["type"] == "notice" else int(document["notices"])


def _dead_letters(status: StackStatus) -> int:
    found = client(status, "sqs").get_queue_attributes(
        QueueUrl=status.notice_dead_letters_url, AttributeNames=["ApproximateNumberOfMessages"]
    )
    return int(found["Attributes"]["ApproximateNumberOfMessages"])
