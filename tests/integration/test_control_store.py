"""The Controls table, as operators write it and score reads it."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from typer.testing import CliRunner

from tests.tables import create_tables
from tests.targets import a_target
from weir.controls import FLEET, Control, Controls
from weir.storage import control_store
from weir.storage.control_store import ControlStore
from weir.storage.retry import Deadline
from weir_cli import target
from weir_cli.main import app


@pytest.fixture
def dynamodb() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("dynamodb", region_name="eu-west-1")
        create_tables(client)
        yield client


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Counting:
    """A client that counts its batch reads, and can be away."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.reads = 0
        self.away = False

    def batch_get_item(self, **arguments: Any) -> Any:
        self.reads += 1
        table = "missing" if self.away else "controls"
        keys = arguments["RequestItems"]["controls"]
        return self._client.batch_get_item(RequestItems={table: keys})

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def soon() -> Deadline:
    return Deadline(5.0)


def test_what_is_set_for_fleet_device_and_metric_is_read_together(dynamodb: Any) -> None:
    store = ControlStore(dynamodb, "controls")
    store.put(FLEET, None, Control(direction="above"))
    store.put("a", None, Control(minimum=2.0))
    store.put("a", "flow", Control(ignore=True))
    store.put("a", "heat", Control(minimum=9.0))
    assert store.get_all(["a", "b"], soon()) == {
        "a": Controls(
            Control(direction="above"),
            Control(minimum=2.0),
            {"flow": Control(ignore=True), "heat": Control(minimum=9.0)},
        ),
        "b": Controls(Control(direction="above")),
    }
    store.remove("a", "flow")
    assert store.get("a") == (Control(minimum=2.0), {"heat": Control(minimum=9.0)})
    store.remove("a", None)
    assert [key for key, *_ in store.all()] == [FLEET]


def test_a_worker_reads_what_is_set_or_not_once_a_minute(dynamodb: Any) -> None:
    client, clock = Counting(dynamodb), Clock()
    store = ControlStore(client, "controls", clock=clock)
    assert store.get_all(["a"], soon()) == {"a": Controls()}
    store.put("a", "m", Control(ignore=True))
    assert store.get_all(["a"], soon()) == {"a": Controls()}
    assert client.reads == 1
    clock.now = 61.0
    assert store.get_all(["a"], soon())["a"].metrics == {"m": Control(ignore=True)}
    assert client.reads == 2


def test_more_devices_than_a_call_takes_are_read_in_parts(dynamodb: Any) -> None:
    client = Counting(dynamodb)
    found = ControlStore(client, "controls").get_all([f"d{at}" for at in range(250)], soon())
    assert len(found) == 250
    assert client.reads == 3


def test_what_was_known_holds_while_the_table_is_away(dynamodb: Any) -> None:
    client, clock, told = Counting(dynamodb), Clock(), list[str]()
    store = ControlStore(client, "controls", lambda key, why: told.append(why), clock=clock)
    store.put("a", None, Control(ignore=True))
    before = store.get_all(["a"], soon())
    clock.now, client.away = 61.0, True
    assert store.get_all(["a"], soon()) == before
    assert len(told) == 1


class Throttled:
    """A client whose batch reads are all throttled."""

    def batch_get_item(self, **_: Any) -> Any:
        answer: Any = {"Error": {"Code": "ThrottlingException"}}
        raise ClientError(answer, "BatchGetItem")


def test_scoring_keeps_its_time_when_controls_are_throttled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(control_store, "_PATIENCE_S", 0.2)
    told: list[str] = []
    store = ControlStore(Throttled(), "controls", lambda key, why: told.append(why))
    deadline = Deadline(30.0)
    assert store.get_all(["a"], deadline) == {"a": Controls()}
    assert deadline.left > 28.0
    assert len(told) == 1


def test_the_fleet_s_controls_hold_when_what_is_kept_is_thinned_out(
    dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_store, "_MOST_KEPT", 5)
    store = ControlStore(dynamodb, "controls")
    store.put(FLEET, None, Control(ignore=True))
    for batch in range(4):
        devices = [f"d{batch}-{at}" for at in range(4)]
        found = store.get_all(devices, soon())
        assert all(found[device].fleet.ignore for device in devices)
        assert len(store._kept) <= 5


def test_a_control_that_cannot_be_read_is_reported_and_holds_for_nothing(dynamodb: Any) -> None:
    told: list[tuple[str, str]] = []
    store = ControlStore(dynamodb, "controls", lambda key, why: told.append((key, why)))
    dynamodb.put_item(
        TableName="controls",
        Item={
            "pk": {"S": "a"},
            "own": {"S": '{"minimum": "much"}'},
            "by_metric": {"M": {"m": {"S": '{"ignore": true}'}, "n": {"S": "{"}, "o": {"N": "1"}}},
        },
    )
    assert store.get_all(["a"], soon())["a"].of("m", 0.1).ignore
    assert [key for key, _ in told] == ["a", "a", "a"]


def test_the_command_sets_lists_and_clears(dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    here = a_target(
        controls_table="controls", states_table="states", client=lambda service: dynamodb
    )
    monkeypatch.setattr(target, "resolve", lambda stack_name: here)
    dynamodb.put_item(TableName="states", Item={"pk": {"S": "pump-7"}})

    def weir(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["controls", *arguments])
        assert result.exit_code == 0, result.output
        return result.output

    said = weir("set", "pump-7", "flow", "--direction", "above", "--minimum", "2.5")
    assert said == "set; in force within a minute\n"
    weir("set", "pump-7", "flow", "--ignore")
    assert "note" not in weir("set", "--fleet", "--false-alerts", "0.25")
    weir("set", "*", "--false-alerts", "0.5")
    assert sorted(weir("list").splitlines()) == [
        "*  (all metrics)  false_alerts_per_week 0.5",
        "pump-7  flow  direction above, minimum 2.5, ignore True",
    ]
    assert json.loads(weir("list", "--device", "pump-7", "--json")) == {
        "device_id": "pump-7",
        "metric": "flow",
        "direction": "above",
        "minimum": 2.5,
        "ignore": True,
    }
    weir("clear", "pump-7", "flow")
    assert "in force within a minute" in weir("clear", "--fleet")
    assert "no controls are set" in weir("list")
    refused = CliRunner().invoke(app, ["controls", "set", "pump-7", "--minimum", "-1"])
    assert refused.exit_code == 1
    assert "--minimum -1; it must be finite" in str(refused.output)
    said = weir("set", "pmup-7", "--ignore")
    assert "note: nothing has been heard of pmup-7 yet; is the name right?" in said
    assert "pmup-7" in weir("list")
