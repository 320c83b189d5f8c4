"""`weir alerts` and what is done about them, through the `api` function itself, on moto.

The function is invoked as `weir` does in AWS without a token; each answer is held to the OpenAPI
document.
"""

import io
import json
from collections.abc import Iterator
from threading import Event
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.contract import check_answer
from tests.handlers import Context
from tests.integration.read_api import HOUR, T0, World, a_world, now
from tests.targets import a_target
from weir.controls import Control
from weir.readings import Reading
from weir.scoring.hearing import Heard
from weir_cli import target
from weir_cli.alert_watch import Wanted, Watch
from weir_cli.api_client import Api, api_of
from weir_cli.commands.tail import follow
from weir_cli.main import app
from weir_cli.tail import Tail

ARN = "arn:aws:iam::123456789012:user/ada"


class Clients:
    """Lambda and STS, as far as they are needed."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.asked: list[str] = []

    def __call__(self, service: str) -> "Clients":
        assert service in {"lambda", "sts"}
        return self

    def get_caller_identity(self) -> dict[str, str]:
        return {"Arn": ARN}

    def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        assert FunctionName == "weir-api"
        event = json.loads(Payload)
        self.asked.append(event["routeKey"])
        answer = self._world.api.lambda_handler(event, Context(20))
        check_answer(event["routeKey"], answer)
        return {"Payload": io.BytesIO(json.dumps(answer).encode())}


@pytest.fixture
def world() -> Iterator[World]:
    with a_world() as made:
        yield made


@pytest.fixture
def clients(world: World, monkeypatch: pytest.MonkeyPatch) -> Clients:
    monkeypatch.delenv("WEIR_OPERATOR_TOKEN", raising=False)
    made = Clients(world)
    here = a_target(name="weir", api_function="weir-api", client=made)
    monkeypatch.setattr(target, "resolve", lambda stack_name: here)
    return made


@pytest.fixture
def api(clients: Clients) -> Api:
    return api_of(target.resolve("weir"))


def weir(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, [*arguments, "--stack-name", "weir"])
    assert result.exit_code == code, result.output
    return result


def documents(*arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in weir(*arguments, "--json").stdout.splitlines()]


def test_alerts_are_listed_as_they_are_asked_for(world: World, clients: Clients) -> None:
    recent = now() - HOUR
    world.alert("pump-7", recent, "flow", 0.95)
    world.alert("pump-7", recent + 1, "heat", 0.81, ended_at=recent + 9)
    world.alert("pump-8", T0, "a,b")
    world.alert("pump-8", T0 + 1, "flow", ended_at=T0 + 9)
    open_or_of_today = [("pump-8", "a,b"), ("pump-7", "flow"), ("pump-7", "heat")]
    assert [(a["device_id"], a["metric"]) for a in documents("alerts")] == open_or_of_today
    assert len(documents("alerts", "--since", "all")) == 4
    assert [a["metric"] for a in documents("alerts", "--since", "2h")] == ["flow", "heat"]
    assert [a["metric"] for a in documents("alerts", "--cleared")] == ["heat"]
    assert [a["metric"] for a in documents("alerts", "--severity", "critical")] == ["flow"]
    assert [a["metric"] for a in documents("alerts", "--metric", "a,b")] == ["a,b"]
    assert len(documents("alerts", "--all", "--device", "pump-8", "--since", "all")) == 2
    refused = weir("alerts", "--device", "no device", code=1)
    assert "The API refused (400 invalid_field): device_id is a string" in refused.stderr


def test_what_people_do_is_kept_with_who_did_it(world: World, clients: Clients) -> None:
    flow = world.alert("pump-7", T0)
    weir("ack", flow, "--note", "on it")
    weir("snooze", flow, "--for", "2h")
    weir("snooze", flow, "--end")
    weir("feedback", flow, "benign", "--note", "a test")
    (alert,) = documents("alert", flow)
    assert [entry["kind"] for entry in alert["history"]] == [
        "opened", "acknowledged", "snoozed", "unsnoozed", "feedback",
    ]  # fmt: skip
    assert {entry["by"] for entry in alert["history"][1:]} == {ARN}
    assert alert["history"][1]["note"] == "on it"
    shown = weir("alert", flow).stdout
    assert f"acknowledged  {ARN}" in shown
    assert f"feedback      benign, {ARN}: a test" in shown


def test_an_alert_of_any_metric_can_be_named(world: World, clients: Clients) -> None:
    world.alert("gw:1", T0, "früh, spät/%")
    (alert,) = documents("alerts")
    assert "acknowledged: OPEN" in weir("ack", alert["alert_id"]).stdout
    assert "There is no alert pump-7~0~x" in weir("ack", "pump-7~0~x", code=1).stderr


def test_a_device_is_acknowledged_and_snoozed_as_one(world: World, clients: Clients) -> None:
    for metric in ("flow", "heat"):
        world.alert("pump-7", T0, metric)
    assert len(documents("ack", "--device", "pump-7")) == 2
    assert weir("ack", "--device", "pump-7").stderr.startswith("nothing of pump-7 is open")
    said = weir("snooze", "--device", "pump-7", "--metric", "flow", "--for", "8h").stdout
    assert said.startswith("flow of pump-7 is snoozed until 20")
    own, metrics = world.controls.get("pump-7")
    assert own == Control()
    assert metrics["flow"].snoozed_until == pytest.approx(now() + 8 * HOUR, abs=60_000)
    said = weir("snooze", "--device", "pump-7", "--metric", "flow", "--end").stdout
    assert said == "flow of pump-7 is snoozed no more; in force within a minute\n"


def test_devices_are_listed_and_one_is_shown(world: World, clients: Clients) -> None:
    recent = now() - 10_000
    world.store([Reading("pump-7", recent, {"flow": 1.5, "heat": 40.0})])
    world.device("pump-7", Heard(recent, 30, 10.0, pace=1.0))
    world.device("valve-1", silent_since=T0)
    world.alert("pump-7", T0)
    assert [d["state"] for d in documents("devices")] == ["alerting", "silent"]
    assert "valve-1  silent" in weir("devices", "--prefix", "valve").stdout
    assert weir("devices", "--state", "reporting").stderr == "no such devices\n"
    world.controls.put("pump-7", None, Control(silent_after_s=60.0))
    shown = weir("devices", "show", "pump-7").stdout
    assert shown.startswith("pump-7: alerting\n")
    assert "every         10 s\n" in shown
    assert "set for all its metrics: silent_after_s 60.0\n" in shown
    assert {line.split()[0] for line in shown.splitlines() if line} >= {"flow", "heat"}
    assert "Nothing is known of the device x" in weir("devices", "show", "x", code=1).stderr


def test_a_watch_tells_what_happens_to_an_alert(world: World, api: Api) -> None:
    flow = world.alert("pump-7", now() - HOUR)
    watch = Watch(api, Wanted(), cleared_every_s=0)
    assert [(before, a["state"]) for before, a in watch.look()] == [(None, "OPEN")]
    assert list(watch.look()) == []
    api.acknowledge(flow)
    world.alert("pump-7", int(flow.split("~")[1]), ended_at=now())
    ((before, after),) = watch.look()
    assert before is not None
    assert (before["acknowledged"], after["acknowledged"], after["state"]) == (
        False,
        True,
        "CLEARED",
    )


def test_a_device_is_followed(
    world: World, api: Api, clients: Clients, capsys: pytest.CaptureFixture[str]
) -> None:
    start = now() - 60_000
    world.store([Reading("pump-7", start + 1000 * n, {"flow": float(n)}) for n in range(50)])
    world.alert("pump-7", start)
    tail = Tail(api, "pump-7")
    assert len(tail.look().readings) == 50
    asked = len(clients.asked)
    assert tail.look().readings == []
    assert clients.asked[asked:] == ["GET /v1/devices/{device_id}/latest"]
    tail.refresh_band(60)
    assert set(tail.bands) == {"flow"}
    world.store([Reading("pump-7", start + 55_000, {"flow": 7.0, "heat": 1.0})])
    stop = Event()
    look = tail.look

    def once() -> Any:
        stop.set()
        return look()

    tail.look = once  # type: ignore[method-assign]
    capsys.readouterr()
    follow(tail, stop)
    lines = [line for line in capsys.readouterr().out.splitlines() if not line.startswith("{")]
    assert [line.partition("  ")[2] for line in lines] == ["flow 7  heat 1"]


def test_how_long_a_device_may_be_silent_can_be_set(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = a_target(
        controls_table="controls", states_table="states", client=lambda service: world.dynamodb
    )
    monkeypatch.setattr(target, "resolve", lambda stack_name: here)
    for given, kept in (("10m", 600.0), ("never", 0.0)):
        weir("controls", "set", "pump-7", "--silent-after", given)
        assert world.controls.get("pump-7")[0] == Control(silent_after_s=kept)
