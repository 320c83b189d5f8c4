"""The watchdog's function and the scorer's, on one set of tables."""

import base64
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from msgspec.structs import replace

from tests.fakes.aws import client_error
from tests.handlers import Context, load_handler
from tests.tables import create_tables
from weir.alerts.alert import Alert
from weir.alerts.lifecycle import silence_opened, snooze
from weir.chunks import Chunk, pack
from weir.controls import Control
from weir.detection import IN_USE
from weir.readings import Reading
from weir.scoring.hearing import Heard
from weir.scoring.state import Checkpoint, DeviceState, MetricState
from weir.storage.alert_store import AlertStore
from weir.storage.checkpoint_store import CheckpointStore
from weir.storage.control_store import ControlStore
from weir.storage.reading_store import ReadingStore
from weir.storage.retry import Deadline
from weir_local.sample_events import load_event

EVENTS = Path(__file__).parents[2] / "events" / "watchdog"
MINUTE = 60_000
HEARD = Heard(gaps=100, mean_s=30.0, longest_s=32.0, second_s=31.0, pace=1.0, lag_s=2.0)


@dataclass(frozen=True)
class Watched:
    """What the sample events come to for one silent device, one that is not, and one snooze."""

    due: int = 2
    silent: int = 1
    alive: int = 1
    snoozes_ended: int = 1


WATCHDOG = {"each_minute": Watched(), "by_hand": Watched()}
"""Nothing in the clock's event matters, so that a person can call the function with any."""


class Stack:
    """The tables, and devices in them that were last heard some minutes ago."""

    def __init__(self) -> None:
        self.dynamodb = boto3.client("dynamodb", region_name="eu-west-1")
        create_tables(self.dynamodb)
        self.now = time.time_ns() // 1_000_000
        self.readings = ReadingStore(self.dynamodb, "readings", retention_s=86_400)
        self.checkpoints = CheckpointStore(self.dynamodb, "states", IN_USE)
        self.alerts = AlertStore(self.dynamodb, "alerts", retention_s=86_400)

    def device(self, device_id: str, checkpoint_at: int, heard_at: int) -> None:
        """A checkpoint and a chunk written so many minutes ago."""
        last = self.now - checkpoint_at * MINUTE
        heard = replace(HEARD, last=last)
        state = DeviceState({"flow": MetricState(last - 2_000, scored=1000)})
        expected_by = heard.expected_by()
        self.checkpoints.put(
            Checkpoint(device_id, 1, state, state, heard=heard, expected_by=expected_by)
        )
        self.sends(device_id, self.now - heard_at * MINUTE)

    def sends(self, device_id: str, at: int) -> Chunk:
        (chunk,) = pack([Reading(device_id, at - 2_000, {"flow": 20.0})])
        self.readings.put([chunk], Deadline(5))
        return chunk

    def watch(self, seconds: float = 120, event: Any = None) -> Any:
        handler = load_handler("watchdog")
        handler.lambda_handler(event or {}, Context(seconds))
        return handler

    def score(self, chunk: Chunk, at: int) -> None:
        """The doorbell of a chunk that was written at `at`."""
        key = {"pk": {"S": chunk.device_id}, "sk": {"S": chunk.sk}}
        body = {"B": base64.b64encode(chunk.body).decode()}
        record = {
            "eventName": "INSERT",
            "dynamodb": {
                "Keys": key,
                "NewImage": {**key, "body": body},
                "SequenceNumber": "1",
                "ApproximateCreationDateTime": at // 1000,
            },
        }
        answer = load_handler("score").lambda_handler({"Records": [record]}, Context(60))
        assert answer == {"batchItemFailures": []}

    def silence(self, device_id: str) -> Alert:
        (alert,) = [a for a in self.alerts.of_device(device_id) if a.kind == "silence"]
        return alert

    def item(self, device_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.dynamodb.get_item(
            TableName="states", Key={"pk": {"S": device_id}}
        )["Item"]
        return found


@pytest.fixture
def stack() -> Iterator[Stack]:
    with mock_aws():
        yield Stack()


def metrics_of(printed: str) -> dict[str, int]:
    """The values of the metric line."""
    (line,) = [text for text in printed.splitlines() if "DevicesDue" in text]
    return {
        name: value[0]
        for name, value in json.loads(line).items()
        if isinstance(value, list) and name[0].isupper()
    }


@pytest.mark.parametrize("case", WATCHDOG)
def test_the_sample_events(case: str, stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.device("pump-7", checkpoint_at=60, heard_at=50)
    stack.device("pump-8", checkpoint_at=60, heard_at=1)
    stack.device("pump-9", checkpoint_at=10, heard_at=10)
    stack.alerts.tell("pump-9", [silence_opened(stack.now, "")], 1, "silence")
    key = stack.silence("pump-9").key
    stack.alerts.change(key, lambda alert: snooze(alert, stack.now - 1, "ada", stack.now - MINUTE))

    stack.watch(event=load_event(EVENTS / f"{case}.json", 0))

    expected = WATCHDOG[case]
    assert metrics_of(capsys.readouterr().out) == {
        "DevicesDue": expected.due,
        "DevicesSilent": expected.silent,
        "DevicesAlive": expected.alive,
        "SnoozesEnded": expected.snoozes_ended,
        "ItemsRead": expected.due * 2 + 1,
        "WatchFailures": 0,
    }
    assert stack.silence("pump-9").history[-1].kind == "snooze_ended"


def test_a_silence_is_found_once_and_ends_when_the_device_is_heard(stack: Stack) -> None:
    stack.device("pump-7", checkpoint_at=60, heard_at=50)
    stack.watch()
    opened = stack.silence("pump-7")
    assert (opened.state, opened.onset) == ("OPEN", stack.now - 50 * MINUTE - 2_000)
    assert opened.because == "no reading for 50 min; it reports every 30 s as a rule"
    item = stack.item("pump-7")
    assert item["silent_since"] == {"N": str(opened.onset)}
    assert "expected_by" not in item

    stack.watch()
    assert stack.silence("pump-7") == opened

    now = time.time_ns() // 1_000_000
    chunk = stack.sends("pump-7", now)
    stack.score(chunk, now)
    cleared = stack.silence("pump-7")
    assert (cleared.state, cleared.ended_at) == ("CLEARED", now // 1000 * 1000)
    item = stack.item("pump-7")
    assert "silent_since" not in item
    assert "marked_at" not in item
    assert int(item["expected_by"]["N"]) > now
    assert item["shard"] == {"S": "3"}


def test_a_time_that_is_set_is_kept_by_scorer_and_watchdog(stack: Stack) -> None:
    controls = ControlStore(stack.dynamodb, "controls")
    controls.put("pump-7", None, Control(silent_after_s=60))
    now = stack.now - 2 * MINUTE
    stack.score(stack.sends("pump-7", now), now)
    assert int(stack.item("pump-7")["expected_by"]["N"]) == now // 1000 * 1000 + MINUTE
    stack.watch()
    assert stack.silence("pump-7").because == "no reading for 2 min; 60 s are allowed"


def test_one_device_that_cannot_be_looked_at_stops_nobody(
    stack: Stack, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    for n in range(12):
        stack.device(f"pump-{n}", checkpoint_at=60, heard_at=50)
    handler = load_handler("watchdog")
    query = handler.dynamodb.query

    def broken(**request: Any) -> Any:
        if request["ExpressionAttributeValues"].get(":device") == {"S": "pump-3"}:
            raise client_error("ValidationException")
        return query(**request)

    handler.dynamodb.query = broken
    handler.lambda_handler({}, Context(120))

    found = metrics_of(capsys.readouterr().out)
    assert (found["DevicesSilent"], found["WatchFailures"]) == (11, 1)
    (record,) = [entry for entry in caplog.records if entry.message == "could not look"]
    assert vars(record)["what"] == "pump-3"
    stack.watch()
    assert stack.silence("pump-3").is_open


def test_without_time_nothing_is_done_and_said_so(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.device("pump-7", checkpoint_at=60, heard_at=50)
    stack.watch(seconds=4)
    found = metrics_of(capsys.readouterr().out)
    assert (found["DevicesDue"], found["SilentBacklog"]) == (0, 8)
