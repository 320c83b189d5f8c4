"""The read API's routes for controls and snoozes, on tables."""

import io
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes.aws import FlakyDynamo, client_error
from tests.handlers import Context
from tests.integration.api import logged
from tests.integration.read_api import OneAtATime, World, a_world, now
from weir.controls import FLEET, Control
from weir.readings import format_ts
from weir.storage import control_store
from weir.storage.control_store import ControlStore

OF_DEVICE = "/v1/devices/{device_id}/controls"
OF_FLEET = "/v1/controls"
SNOOZE = "POST /v1/devices/{device_id}/snooze"


@pytest.fixture
def world() -> Iterator[World]:
    with a_world() as world:
        yield world


@pytest.fixture
def log(world: World) -> Iterator[io.StringIO]:
    with logged(world.api) as written:
        yield written


def put(world: World, body: object, query: str = "", device_id: str = "a") -> Any:
    status, document = world.ask(f"PUT {OF_DEVICE}", query, body, device_id=device_id)
    assert status == 200, document
    return document


def test_controls_are_set_replaced_and_taken_back(world: World) -> None:
    assert world.get(f"GET {OF_DEVICE}", device_id="a") == {"control": {}, "metrics": {}}
    put(world, {"direction": "above", "silent_after_s": 600})
    put(world, {"minimum": 0.5, "ignore": None}, "metric=flow")
    put(world, {"ignore": True}, "metric=*")
    assert put(world, {"silent_after_s": 0}) == {  # it replaces
        "control": {"silent_after_s": 0.0},
        "metrics": {"*": {"ignore": True}, "flow": {"minimum": 0.5}},
    }
    one = world.get(f"GET {OF_DEVICE}", "metric=flow", device_id="a")
    assert one == {"control": {"silent_after_s": 0.0}, "metrics": {"flow": {"minimum": 0.5}}}
    status, left = world.ask(f"DELETE {OF_DEVICE}", "metric=flow", device_id="a")
    assert (status, left["metrics"]) == (200, {"*": {"ignore": True}})
    assert world.ask(f"DELETE {OF_DEVICE}", "metric=flow", device_id="a")[0] == 200
    assert world.ask(f"DELETE {OF_DEVICE}", device_id="a") == (200, {"control": {}, "metrics": {}})
    assert world.controls.get("a") == (Control(), {})


def test_the_fleet_has_controls_of_its_own(world: World) -> None:
    status, document = world.ask(f"PUT {OF_FLEET}", "", {"false_alerts_per_week": 0.5})
    assert (status, document["control"]) == (200, {"false_alerts_per_week": 0.5})
    assert world.get(f"GET {OF_FLEET}")["control"] == {"false_alerts_per_week": 0.5}
    assert world.controls.get(FLEET)[0] == Control(false_alerts_per_week=0.5)
    assert world.ask(f"DELETE {OF_FLEET}") == (200, {"control": {}, "metrics": {}})


def test_a_time_is_shown_as_it_is_sent(world: World) -> None:
    for sent in ("2030-01-01T01:00:00+01:00", 1_893_456_000_000):
        document = put(world, {"snoozed_until": sent})
        assert document["control"] == {"snoozed_until": "2030-01-01T00:00:00.000Z"}
    assert world.controls.get("a")[0].snoozed_until == 1_893_456_000_000


@pytest.mark.parametrize(
    ("query", "body", "detail"),
    [
        ("", {"minimum": -1}, "minimum is the number -1; it must be finite, and at least 0"),
        ("", {"minimum": "1"}, "minimum is the string '1'; it must be a finite number"),
        ("", {"direction": "up"}, "direction is the string 'up'; it must be both, above or below"),
        ("", {"ignored": True}, "a control has no field 'ignored'; it has direction, minimum"),
        ("", {"silent_after_s": 5}, "silent_after_s is the number 5; it must be 0 (never), or"),
        ("", {"false_alerts_per_week": 0}, "false_alerts_per_week is the number 0; it must lie"),
        ("", {"snoozed_until": "soon"}, "snoozed_until is a string that is no RFC 3339 time"),
        ("", {"snoozed_until": 1.5}, "snoozed_until is a number; it must be an RFC 3339 time"),
        ("metric=flow", {"silent_after_s": 60}, "silent_after_s is no control of a metric"),
        ("metric=*", {"minimum": 1}, "minimum is no control of the device as a whole; it has"),
        ("metric=", {}, "metric is '', a string of 0 characters; it must be 1 to 128"),
        ("metrics=flow", {}, "the query has a parameter metrics; it may have: metric"),
    ],
)
def test_what_breaks_a_rule_is_named_and_sets_nothing(
    world: World, query: str, body: object, detail: str
) -> None:
    status, problem = world.ask(f"PUT {OF_DEVICE}", query, body, device_id="a")
    assert (status, problem["code"]) == (400, "invalid_field")
    assert detail in problem["detail"]
    assert world.controls.get("a") == (Control(), {})


def test_the_fleet_has_no_metrics(world: World) -> None:
    for method, body in (("GET", None), ("PUT", {}), ("DELETE", None)):
        status, problem = world.ask(f"{method} {OF_FLEET}", "metric=flow", body)
        assert (status, problem["code"]) == (400, "invalid_field")


def test_a_snooze_leaves_all_else_as_it_is(world: World, log: io.StringIO) -> None:
    put(world, {"direction": "above"}, "metric=flow")
    put(world, {"ignore": False})
    status, document = world.ask(SNOOZE, "", {"for_seconds": 3600, "metric": "flow"}, device_id="a")
    assert status == 200
    assert document["metrics"]["flow"]["direction"] == "above"
    assert document["metrics"]["flow"]["snoozed_until"] > format_ts(now() + 3_590_000)
    assert document["control"] == {"ignore": False}
    world.ask(SNOOZE, "", {"until": now() + 60_000}, device_id="a")
    _, woken = world.ask(SNOOZE, "", {"for_seconds": 0}, device_id="a")
    assert woken["control"] == {"ignore": False}
    lines = world.lines(log.getvalue(), "audit")
    assert [(it["action"], it["operator"]) for it in lines] == [
        ("controls_set", "ada@example.com"),
        ("controls_set", "ada@example.com"),
        ("device_snoozed", "ada@example.com"),
        ("device_snoozed", "ada@example.com"),
        ("device_snoozed", "ada@example.com"),
    ]
    assert (lines[2]["device_id"], lines[2]["metric"]) == ("a", "flow")


@pytest.mark.parametrize("metric", ["", "\x07", 7, ["flow"]])
def test_a_metric_that_is_none_is_not_snoozed(world: World, metric: object) -> None:
    status, problem = world.ask(SNOOZE, "", {"for_seconds": 1, "metric": metric}, device_id="a")
    assert (status, problem["code"]) == (400, "invalid_field")
    assert problem["detail"].startswith("metric is ")


def test_writers_at_once_lose_nothing_of_one_another(world: World) -> None:
    put(world, {"direction": "above"}, "metric=flow")
    world.api.stores.controls._dynamodb = OneAtATime(world.dynamodb)
    answers: list[int] = []

    def act(route: str, query: str, body: object) -> None:
        request = world.request(route, query, body, device_id="a")
        answers.append(world.api.lambda_handler(request, Context(20))["statusCode"])

    calls: list[tuple[str, str, object]] = [
        (f"PUT {OF_DEVICE}", f"metric=m{at}", {"minimum": float(at)}) for at in range(4)
    ]
    calls += [(SNOOZE, "", {"for_seconds": 60, "metric": "flow"})]
    threads = [threading.Thread(target=act, args=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 5
    _, metrics = world.controls.get("a")
    assert {f"m{at}": Control(minimum=float(at)) for at in range(4)}.items() <= metrics.items()
    assert metrics["flow"].direction == "above"
    assert metrics["flow"].snoozed_until is not None


def test_a_snooze_is_made_anew_from_what_another_wrote_first(world: World) -> None:
    put(world, {"direction": "above"}, "metric=flow")
    other = ControlStore(world.dynamodb, "controls")

    def interfere() -> None:
        other.put("a", "flow", Control(minimum=2.0))

    class Interfered(FlakyDynamo):
        def get_item(self, **request: Any) -> Any:
            answer = world.dynamodb.get_item(**request)
            if not self.calls:
                self.calls = 1
                interfere()
            return answer

    store = ControlStore(Interfered(world.dynamodb, "none"), "controls")
    _, metrics = store.change("a", "flow", lambda old: Control(old.direction, old.minimum, True))
    assert metrics == {"flow": Control(None, 2.0, True)}
    assert world.controls.get("a")[1] == metrics


def test_a_control_taken_back_meanwhile_is_set_all_the_same(world: World) -> None:
    put(world, {"direction": "above"}, "metric=flow")
    real = world.dynamodb

    class Interfered(FlakyDynamo):
        def get_item(self, **request: Any) -> Any:
            answer = real.get_item(**request)
            if not self.calls:
                self.calls = 1
                real.delete_item(TableName="controls", Key={"pk": {"S": "a"}})
            return answer

    store = ControlStore(Interfered(real, "none"), "controls")
    store.put("a", "heat", Control(ignore=True))
    assert world.controls.get("a") == (Control(), {"heat": Control(ignore=True)})


def test_a_device_has_controls_for_so_many_metrics(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_store, "MAX_CONTROLLED", 2)
    for metric in ("a", "b", "a"):
        put(world, {"ignore": True}, f"metric={metric}")
    status, problem = world.ask(f"PUT {OF_DEVICE}", "metric=c", {"ignore": True}, device_id="a")
    assert (status, problem["code"]) == (409, "too_many_controls")


def test_a_control_that_others_keep_changing_is_a_409(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ControlStore, "_update", lambda *_: False)
    status, problem = world.ask(SNOOZE, "", {"for_seconds": 1}, device_id="a")
    assert (status, problem["code"]) == (409, "changed_meanwhile")


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (client_error("ThrottlingException"), 503, "controls_unavailable"),
        (client_error("AccessDeniedException"), 500, "internal"),
    ],
    ids=repr,
)
def test_a_table_that_fails_is_a_503_if_it_may_pass_and_a_500_if_not(
    world: World, fault: Exception, status: int, code: str
) -> None:
    flaky = FlakyDynamo(world.dynamodb, "get_item", fault)
    world.api.stores.controls = ControlStore(flaky, "controls")
    found, problem = world.ask(f"GET {OF_DEVICE}", device_id="a")
    assert (found, problem["code"]) == (status, code)
    assert problem["detail"].startswith("The controls cannot be reached")
