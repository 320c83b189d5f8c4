"""The clock that lets the watchdog look."""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from typing import Any, cast

import pytest

from tests.unit.local.local_fakes import FakeWire
from weir_local.schedule import Rule, Schedule, read_rule, scheduled_event
from weir_local.wire import Wire

RULE = Rule("arn:rule", "arn:watchdog", 60.0)
FOUND = {"Arn": "arn:rule", "State": "DISABLED", "ScheduleExpression": "rate(1 minute)"}


class RuleWire:
    """An EventBridge that has one rule with one target."""

    def __init__(self, **change: str) -> None:
        self.rule = {**FOUND, **change}

    async def json(self, _service: str, target: str, _arguments: Mapping[str, Any]) -> Any:
        if target.endswith("DescribeRule"):
            return self.rule
        return {"Targets": [{"Id": "watchdog", "Arn": "arn:watchdog"}]}


def read(**change: str) -> Rule:
    return asyncio.run(read_rule("name", cast("Wire", RuleWire(**change))))


def test_a_rule_says_what_is_invoked_and_how_often() -> None:
    assert read() == RULE
    assert read(ScheduleExpression="rate(2 hours)").interval == 7200


def test_a_rule_that_the_emulator_would_run_too_is_not_taken() -> None:
    with pytest.raises(ValueError, match="enabled"):
        read(State="ENABLED")


def test_a_schedule_that_is_no_rate_is_not_taken() -> None:
    with pytest.raises(ValueError, match="cron"):
        read(ScheduleExpression="cron(0 12 * * ? *)")


def test_the_event_is_as_eventbridge_sends_it() -> None:
    event = scheduled_event("arn:rule", 1_767_225_600.9)
    assert event["time"] == "2026-01-01T00:00:00Z"
    assert (event["source"], event["detail-type"], event["detail"]) == (
        "aws.events",
        "Scheduled Event",
        {},
    )
    assert event["resources"] == ["arn:rule"]


def test_the_function_is_invoked_at_each_interval_times_the_scale() -> None:
    wire = FakeWire(lambda event: event["source"])
    counts: Counter[str] = Counter()

    async def scenario() -> None:
        schedule = Schedule(RULE, cast("Wire", wire), 0.0001, counts)
        running = asyncio.create_task(schedule.run())
        while len(wire.events) < 3:
            await asyncio.sleep(0.001)
        running.cancel()

    asyncio.run(asyncio.wait_for(scenario(), 10))
    assert counts["ticks"] >= 3
    assert not counts["failures"]


def test_a_tick_tells_what_came_of_it_and_a_failure_is_counted() -> None:
    def fail(_event: Any) -> Any:
        raise RuntimeError("no table")

    counts: Counter[str] = Counter()
    working = Schedule(RULE, cast("Wire", FakeWire(lambda _: {"late": 2})), 1, counts)
    assert json.loads(asyncio.run(working.tick()).payload) == {"late": 2}
    failing = Schedule(RULE, cast("Wire", FakeWire(fail)), 1, counts)
    assert asyncio.run(failing.tick()).error == "Unhandled"
    assert counts == {"ticks": 2, "failures": 1}
