"""What the local stack has for alerts: their stream, the notices' queue, the clock, the console."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.local.stack import Stack
from weir_local.aws import client
from weir_local.taps import Tap


@pytest.fixture(scope="module")
def taps(deployed: Stack) -> tuple[Tap, Tap]:
    return Tap.at_topic(deployed.status, "topic-tap"), Tap.on_bus(deployed.status, "bus-tap")


@pytest.fixture(autouse=True)
def quiet(stack: Stack, taps: tuple[Tap, Tap]) -> Iterator[None]:
    """Nothing of one test is told in the next."""
    yield
    stack.control.clear_faults()
    deadline = time.monotonic() + 10
    while (pending := stack.control.pending()) or pending.notices_delayed:
        assert time.monotonic() < deadline, pending
        time.sleep(0.05)
    for tap in taps:
        tap.drain()


def alarm(stack: Stack, device: str, **more: str) -> None:
    """Write an item of the Alerts table."""
    item = {"pk": {"S": device}, "sk": {"S": "1"}, **{key: {"S": one} for key, one in more.items()}}
    client(stack.status, "dynamodb").put_item(TableName=stack.status.alerts_table, Item=item)


def noted(stack: Stack, device: str) -> list[str]:
    found = client(stack.status, "dynamodb").query(
        TableName=stack.status.notices_table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": device}},
    )
    return [item["event"]["S"] for item in found["Items"]]


def test_a_change_of_an_alert_reaches_notify_and_what_it_tells_comes_to_topic_and_bus(
    stack: Stack, taps: tuple[Tap, Tap]
) -> None:
    topic, bus = taps
    before = stack.control.counts()["alerts_stream"]["records_succeeded"]
    alarm(stack, "pump-1")
    alarm(stack, "pump-1", state="OPEN")
    stack.control.wait_idle(20)
    assert noted(stack, "pump-1") == ["INSERT", "MODIFY"]
    assert stack.control.counts()["alerts_stream"]["records_succeeded"] == before + 2
    assert [one.json() for one in topic.drain()] == [{"device": "pump-1"}] * 2
    events = [one.json() for one in bus.drain()]
    assert [event["detail"] for event in events] == [{"device": "pump-1"}] * 2


def test_a_minute_s_delay_is_scaled_and_what_waits_is_not_under_way(
    stack: Stack, taps: tuple[Tap, Tap]
) -> None:
    started = time.monotonic()
    alarm(stack, "pump-2")
    stack.control.wait_idle(20)
    assert stack.control.pending().notices_delayed == 1
    heard = [one.json() for one in taps[0].wait_for(2, timeout_s=20)]
    assert heard == [{"device": "pump-2"}, {"waited": "pump-2"}]
    assert time.monotonic() - started < 20


def test_a_fault_of_a_stream_strikes_the_function_that_it_is_narrowed_to(stack: Stack) -> None:
    stack.control.set_faults({"fail_invocations@notify": 1, "duplicate_batches@score": 1})
    alarm(stack, "pump-3")
    stack.post("pump-3")
    stack.settle()
    struck = stack.control.counts()["struck"]
    assert struck["fail_invocations@notify"] == 1
    assert struck["duplicate_batches@score"] == 1
    assert "duplicate_batches@notify" not in struck
    assert noted(stack, "pump-3") == ["INSERT"]


@pytest.mark.parametrize(
    ("fault", "where"),
    [
        ("sns_refuse", "notify.Publish"),
        ("sns_throttle", "notify.Publish"),
        ("events_refuse", "notify.PutEvents"),
        ("events_throttle", "notify.PutEvents"),
        ("kill_notify", "notify.PutItem"),
    ],
)
def test_a_call_of_notify_s_that_fails_is_made_again(stack: Stack, fault: str, where: str) -> None:
    before = stack.struck(f"{fault}@{where}")
    stack.control.set_faults({f"{fault}@{where.partition('.')[2]}": 1})
    alarm(stack, fault)
    stack.control.wait_idle(20)
    assert stack.struck(f"{fault}@{where}") == before + 1
    assert noted(stack, fault) == ["INSERT"]


def test_the_watchdog_looks_when_it_is_let_and_gets_what_a_schedule_sends(stack: Stack) -> None:
    before = stack.control.counts()["watchdog"]
    event = stack.control.tick_watchdog()
    assert (event["source"], event["detail-type"]) == ("aws.events", "Scheduled Event")
    [arn] = event["resources"]
    assert arn.startswith("arn:aws:events:us-east-1:000000000000:rule/")
    after = stack.control.counts()["watchdog"]
    assert (after["ticks"], after["failures"]) == (before["ticks"] + 1, before["failures"])


def test_the_emulator_s_own_clock_leaves_the_watchdog_alone(stack: Stack) -> None:
    events = client(stack.status, "events")
    function = client(stack.status, "lambda").get_function_configuration(
        FunctionName=stack.status.watchdog_function
    )
    [name] = events.list_rule_names_by_target(TargetArn=function["FunctionArn"])["RuleNames"]
    assert events.describe_rule(Name=name)["State"] == "DISABLED"


def ask(stack: Stack, path: str, method: str = "GET", **headers: str) -> Any:
    named = {"authorization": f"Bearer {stack.status.operator_token}", **headers}
    return stack.call(method, path, headers=named)


@pytest.mark.parametrize("file", ["app.js", "parts/chart.js"])
def test_the_console_and_its_files_are_there_for_everybody(stack: Stack, file: str) -> None:
    assert stack.status.console_url == f"{stack.status.api_url}/"
    assert stack.call("GET", "/").json()["route"] == "GET /"
    answer = stack.call("GET", f"/console/{file}").json()
    assert (answer["route"], answer["parameters"]) == ("GET /console/{file+}", {"file": file})


def test_a_query_comes_as_it_was_sent_and_a_path_without_its_escapes(stack: Stack) -> None:
    query = "metric=a&metric=b%2Cc&state=all"
    answer = ask(stack, f"/v1/alerts?{query}").json()
    assert (answer["query"], answer["route"]) == (query, "GET /v1/alerts")
    answer = ask(stack, "/v1/alerts/pump%3A7~1767225600000~%3DYQ").json()
    assert answer["parameters"] == {"alert_id": "pump:7~1767225600000~=YQ"}


def test_what_has_not_changed_is_not_sent_again(stack: Stack) -> None:
    first = ask(stack, "/v1/devices/pump-7/latest")
    assert (first.status_code, first.headers["etag"]) == (200, '"one"')
    again = ask(stack, "/v1/devices/pump-7/latest", **{"if-none-match": '"one"'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", '"one"')


def test_notify_s_role_may_tell_and_nobody_else_s_may(stack: Stack) -> None:
    policies = json.dumps(
        {name: role_policies(stack, name) for name in ("score", "watchdog", "api", "ingest")}
    )
    assert "sns:Publish" not in policies
    assert "events:PutEvents" not in policies


def role_policies(stack: Stack, function: str) -> list[Any]:
    iam = client(stack.status, "iam")
    name = f"weir-local-{function}"
    configuration = client(stack.status, "lambda").get_function_configuration(FunctionName=name)
    role = configuration["Role"].rpartition("/")[2]
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    assert names
    return [iam.get_role_policy(RoleName=role, PolicyName=one)["PolicyDocument"] for one in names]
