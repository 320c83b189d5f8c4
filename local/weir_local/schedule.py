"""The stand-in for EventBridge's clock: invokes a rule's function as often as the rule says."""

import asyncio
import json
import logging
import re
import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from weir_local.aws import ACCOUNT
from weir_local.paths import REGION
from weir_local.wire import Invocation, Wire, WireError

_log = logging.getLogger(__name__)

_TARGET = "AWSEvents."
_RATE = re.compile(r"rate\((\d+) (second|minute|hour|day)s?\)")
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}


@dataclass(frozen=True, slots=True)
class Rule:
    """A scheduled rule with one function for a target; `interval` in seconds."""

    arn: str
    function: str
    interval: float


async def read_rule(name: str, wire: Wire) -> Rule:
    """Read a rule from the emulator.

    Raises
    ------
    ValueError
        When the emulator's own clock would run it too, or it is of another kind than is done here.
    """
    found = await wire.json("events", _TARGET + "DescribeRule", {"Name": name})
    if found["State"] != "DISABLED":
        raise ValueError(f"the rule {name} is enabled: the emulator would run it, too")
    rate = _RATE.fullmatch(found["ScheduleExpression"])
    if rate is None:
        raise ValueError(f"the schedule {found['ScheduleExpression']!r} is no rate")
    listed = await wire.json("events", _TARGET + "ListTargetsByRule", {"Rule": name})
    [target] = listed["Targets"]
    return Rule(found["Arn"], target["Arn"], float(rate[1]) * _SECONDS[rate[2]])


def scheduled_event(rule_arn: str, now: float) -> dict[str, Any]:
    """Return what EventBridge sends a function at `now`, in epoch seconds.

    Source: EventBridge user guide, "Scheduled events".
    """
    moment = datetime.fromtimestamp(now, UTC)
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": ACCOUNT,
        "time": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
        "region": REGION,
        "resources": [rule_arn],
        "detail": {},
    }


class Schedule:
    """Invokes the function of `rule`, once at a time.

    Parameters
    ----------
    time_scale
        What the rule's interval is multiplied by.
    counts
        Counters to add to: ``ticks`` and ``failures``.
    """

    def __init__(self, rule: Rule, wire: Wire, time_scale: float, counts: Counter[str]) -> None:
        self._rule = rule
        self._wire = wire
        self._interval = rule.interval * time_scale
        self._counts = counts
        self._one_at_a_time = asyncio.Lock()

    def in_flight(self) -> int:
        """Return how many invocations are under way."""
        return int(self._one_at_a_time.locked())

    async def tick(self) -> Invocation:
        """Invoke the function now, and return what came of it."""
        async with self._one_at_a_time:
            self._counts["ticks"] += 1
            event = scheduled_event(self._rule.arn, datetime.now(UTC).timestamp())
            try:
                done = await self._wire.invoke(self._rule.function, json.dumps(event).encode())
            except WireError as error:
                done = Invocation("", 503, str(error).encode(), error.code)
        if done.error is not None:
            self._counts["failures"] += 1
            detail = done.payload[:300].decode(errors="replace")
            _log.warning("%s: %s: %s", self._rule.function, done.error, detail)
        return done

    async def run(self) -> None:
        """Invoke the function at every interval, for ever."""
        while True:
            await asyncio.sleep(self._interval)
            await self.tick()
