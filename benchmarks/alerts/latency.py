"""From the POST of a reading to the alert in the answer of the read API."""

import math
import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.alerts.door import Door
from benchmarks.alerts.pumps import CALM, METRIC, OUT, batches, calm, history, reading
from benchmarks.alerts.told import Ears, compare, expected, of_event
from weir.alerts.alert import Alert
from weir.readings import format_ts
from weir.storage.alert_store import AlertStore
from weir_local.aws import client
from weir_local.control import Control
from weir_local.status import StackStatus

ANOMALIES = 200
PER_SECOND = 4
_WARM_UP = 6
_PAUSE_S = 0.03
_PATIENCE_S = 30.0


@dataclass
class Seen:
    """When each device's anomaly was sent and taken, and its alert in an answer; monotonic s."""

    sent: dict[str, float]
    seen: dict[str, float]
    answered: dict[str, float]
    polls: int = 0

    def seconds(self) -> list[float]:
        """How long each took that was seen, in order of sending."""
        return [self.seen[one] - at for one, at in self.sent.items() if one in self.seen]


def measure(status: StackStatus, control: Control, ears: Ears) -> dict[str, float]:
    """Let 200 devices misbehave, four a second, and see how soon which alerts are there.

    They calm down after, so that there are two transitions each to tell of.
    """
    run = f"{time.time_ns() // 1_000_000:x}"
    devices = [f"pump-{run}-{at}" for at in range(ANOMALIES)]
    warm = [f"warm-{run}-{at}" for at in range(_WARM_UP)]
    load_history(status, [*warm, *devices], control)
    first = _let_misbehave(status, warm).seconds()
    ears.listen_until_quiet(control, 240)
    ears.forget()
    clock = time.time() - time.monotonic()
    found = _let_misbehave(status, devices)
    with Door(status) as door:
        for batch in batches(devices, 20):
            now = time.time_ns() // 1_000_000
            door.post([one for device in batch for one in calm(device, now, CALM)])
    ears.listen_until_quiet(control, 240)
    alerts = alerts_of(status, devices)
    wanted = expected(alerts)
    topic, bus = compare(wanted, ears.on_topic()), compare(wanted, ears.on_bus())
    told = _seconds_until_told(ears, found, clock)
    return {
        "anomalies": len(found.sent),
        "alerts_seen": len(found.seen),
        "alerts_in_table": len(alerts),
        "first_s": first[0] if first else float("nan"),
        "p50_s": statistics.median(found.seconds()),
        "p95_s": at_share(found.seconds(), 0.95),
        "max_s": max(found.seconds()),
        "post_p50_s": statistics.median(found.answered[one] - at for one, at in found.sent.items()),
        "polls": found.polls,
        "event_p50_s": statistics.median(told),
        "event_p95_s": at_share(told, 0.95),
        "notices": len(wanted),
        "notifications_missing": topic.missing + bus.missing,
        "notifications_doubled": topic.doubled + bus.doubled,
        "notifications_unknown": topic.unknown + bus.unknown,
        "messages": len(ears.messages),
    }


def load_history(status: StackStatus, devices: Sequence[str], control: Control) -> None:
    """Post what the devices have sent so far, and wait until it is scored."""
    now = time.time_ns() // 1_000_000
    readings = [one for device in devices for one in history(device, now - 5_000)]
    with Door(status) as door:
        for batch in batches(readings, 3_000):
            door.post(batch)
    control.flush()
    control.wait_idle(300)


def alerts_of(status: StackStatus, devices: Sequence[str]) -> list[Alert]:
    """All alerts of these devices, out of the table."""
    store = AlertStore(client(status, "dynamodb"), status.alerts_table)
    wanted = set(devices)
    both = (*store.of_state("OPEN"), *store.of_state("CLEARED"))
    return [alert for alert in both if alert.device_id in wanted]


def at_share(values: Sequence[float], share: float) -> float:
    """The value that so great a share of all is at or below."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def _let_misbehave(status: StackStatus, devices: Sequence[str]) -> Seen:
    found = Seen({}, {}, {})
    done = threading.Event()
    watching = threading.Thread(target=_watch, args=(status, found, len(devices), done))
    watching.start()
    try:
        begun = time.monotonic()
        with Door(status) as door:
            for at, device in enumerate(devices):
                time.sleep(max(0.0, begun + at / PER_SECOND - time.monotonic()))
                found.sent[device] = time.monotonic()
                door.post([reading(device, time.time_ns() // 1_000_000, OUT)])
                found.answered[device] = time.monotonic()
        done.wait(_PATIENCE_S)
    finally:
        done.set()
        watching.join()
    return found


def _watch(status: StackStatus, found: Seen, count: int, done: threading.Event) -> None:
    """Ask for the open alerts of this run, over and over, and note when each is first there."""
    query: dict[str, str | int] = {
        "state": "open",
        "since": format_ts(time.time_ns() // 1_000_000 - 1000),
        "limit": 50,
    }
    with Door(status) as door:
        while not done.is_set():
            alerts: list[Any] = door.get("/v1/alerts", query)["alerts"]
            now = time.monotonic()
            found.polls += 1
            for alert in alerts:
                if alert["metric"] == METRIC:
                    found.seen.setdefault(alert["device_id"], now)
            if len(found.seen) >= count:
                done.set()
            done.wait(_PAUSE_S)


def _seconds_until_told(ears: Ears, found: Seen, clock: float) -> list[float]:
    """From each POST to its alert's event on the bus; `clock` makes epoch s of monotonic ones."""
    openings = {
        event.json()["detail"]["device_id"]: event.sent
        for event in ears.events
        if of_event(event.json()).endswith("#1")
    }
    return [openings[one] - clock - at for one, at in found.sent.items() if one in openings]
