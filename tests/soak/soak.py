"""A soak from its beginning to its end: post, break, settle, put through again, look, compare."""

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.soak import schedule
from tests.soak.expected import expected_alerts
from tests.soak.fleet import bulk_device, make_fleet
from tests.soak.found import Finder
from tests.soak.gateway import SIZES
from tests.soak.ledger import AlertLedger, Ledger, compare, compare_alerts
from tests.soak.sender import Sender, Tally
from weir.identity import NewKey, Scope
from weir.storage.device_key_store import DeviceKeyStore
from weir_local.aws import client
from weir_local.control import Control
from weir_local.status import StackStatus

type Say = Callable[[str], None]

_SETTLE_S: Final = 180.0


class SoakFailed(Exception):
    """The soak did not come to its end; the message says where it stood."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much to send and how fast.

    `pace` is in readings a second of each device, `sizes` are the fewest and the most readings of
    a request, `scale` is what the phases' lengths are multiplied by, `limit_s` what the whole may
    take.
    """

    readings: int
    devices: int
    pace: float
    seed: int
    sizes: tuple[int, int] = SIZES
    scale: float = 1.0
    limit_s: float = 900.0


@dataclass(frozen=True, slots=True)
class Result:
    """All that was counted."""

    plan: Plan
    tally: Tally
    ledger: Ledger
    alerts: AlertLedger
    struck: Mapping[str, int]
    metrics: Mapping[str, int]
    stranded: Mapping[str, int]
    replayed: int
    phases: int
    seconds: float

    @property
    def late(self) -> int:
        """Values not scored, as far as score itself said that so many readings came too late."""
        metrics = Counter(one.device_id for one in self.ledger.unscored)
        return min(
            self.ledger.not_scored,
            self.metrics.get("score.Late", 0) * max(metrics.values(), default=0),
        )

    @property
    def lost(self) -> int:
        """Acknowledged values missing from table or lake, or not scored though not late."""
        return len(self.ledger.missing) + self.ledger.not_scored - self.late

    @property
    def doubled(self) -> int:
        """What is there twice."""
        return self.ledger.doubled.total() + self.alerts.doubled


def soak(status: StackStatus, plan: Plan, say: Say) -> Result:
    """Run a soak on a stack that is breakable. Raises `SoakFailed`, and what a sender raises."""
    begun = time.monotonic()
    now_ms = time.time_ns() // 1_000_000
    run = f"{plan.seed}x{now_ms % 100_000_000:x}"
    each = plan.readings // plan.devices
    fleet = make_fleet(plan.devices, each, now_ms, plan.seed, run)
    store = DeviceKeyStore(client(status, "dynamodb"), status.devices_table)

    def make_key(prefix: str) -> str:
        made = NewKey.make(Scope(prefix=prefix), now_ms // 1000, label="soak")
        store.put(made.key)
        return made.secret

    sender = Sender(
        status.api_url, make_key, fleet, plan.pace, plan.readings, plan.seed, plan.sizes
    )
    finder = Finder(status, f"soak-{run}-", now_ms)
    limit = threading.Timer(plan.limit_s, sender.abandon)
    limit.start()
    with Control(status.control_url) as control:
        struck_before = control.counts()["struck"]
        try:
            sender.start()
            # Functions that start for the first time, all at once, take some seconds.
            sender.begun.wait()
            uploads = iter(range(1 << 30))

            def upload() -> None:
                sender.add(bulk_device(next(uploads), now_ms, plan.seed, run))

            phases = schedule.run(
                schedule.rounds(plan.seed, plan.scale),
                control.set_faults,
                upload,
                sender.enough,
                sender.abandoned,
                lambda name: say(f"{sender.tally.acknowledged:>9,} acknowledged; {name}"),
            )
            control.clear_faults()
            sender.finish()
            _check(sender, plan)
            say(f"{sender.tally.acknowledged:>9,} acknowledged; the faults are over")
            settle(control)
            stranded = finder.stranded()
            replayed = replay(status)
            settle(control)
            expected = expected_alerts(sender.devices)
            alerts = compare_alerts(expected, finder.alerts(), finder.arrivals())
            sender.close_fleet()
            _check(sender, plan)
            settle(control)
        finally:
            limit.cancel()
            sender.close()
            control.clear_faults()
        struck = control.counts()["struck"]
    say("the stack has settled; counting")
    scored = {device.device_id: finder.scored(device.device_id) for device in sender.devices}
    return Result(
        plan,
        sender.tally,
        compare(sender.devices, finder.table(), finder.lake(), scored),
        alerts,
        {
            kind: count - struck_before.get(kind, 0)
            for kind, count in struck.items()
            if "@" not in kind and count > struck_before.get(kind, 0)
        },
        finder.metrics(),
        stranded,
        replayed,
        phases,
        time.monotonic() - begun,
    )


def _check(sender: Sender, plan: Plan) -> None:
    if sender.abandoned.is_set():
        raise SoakFailed(
            f"the soak was not over after {plan.limit_s:.0f} s: "
            f"{sender.tally.acknowledged:,} of {plan.readings:,} readings were acknowledged"
        )


def settle(control: Control) -> None:
    """Return when all that is under way is delivered and scored. Raises `SoakFailed`."""
    deadline = time.monotonic() + _SETTLE_S
    while True:
        control.flush()  # again, since what leaves the spill goes into the stream
        try:
            control.wait_idle(5.0)
        except TimeoutError as error:
            if time.monotonic() > deadline:
                raise SoakFailed(f"the stack does not come to rest: {error}") from error
        else:
            return


def replay(status: StackStatus) -> int:
    """`weir replay`, as an operator does after faults; return how much it found."""
    weir = Path(sys.executable).parent / "weir"
    done = subprocess.run(  # noqa: S603
        [weir, "replay", "--json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=_SETTLE_S,
        env={**os.environ, "WEIR_LOCAL_DIR": str(Path(status.logs).parent)},
    )
    try:
        document: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise SoakFailed(f"weir replay: {done.stderr or done.stdout}") from None
    return sum(place["replayed"] for place in document["places"])
