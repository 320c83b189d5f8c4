"""The `api` function: the sample events of the console and the read API, and what they come to."""

import json
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from cfnlint.decode.cfn_yaml import load
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contract import check_answer, operations
from tests.handlers import Context
from tests.integration.api import answered, event, sample
from tests.integration.read_api import T0, World, a_world, furnish
from tests.tables import TEMPLATE

READ: dict[str, int | tuple[int, str]] = {
    "overview": 200,
    "list_devices": 200,
    "list_silent_devices": 200,
    "get_device": 200,
    "no_such_device": (404, "no_such_device"),
    "latest": 200,
    "readings": 200,
    "readings_in_buckets": 200,
    "readings_backwards": (400, "invalid_field"),
    "readings_unknown_parameter": (400, "invalid_field"),
    "readings_foreign_cursor": (400, "invalid_field"),
    "expected": 200,
    "expected_of_no_metric": (400, "invalid_field"),
    "snooze_device": 200,
    "snooze_metric": 200,
    "get_controls": 200,
    "put_controls": 200,
    "put_controls_negative_minimum": (400, "invalid_field"),
    "delete_controls": 200,
    "get_fleet_controls": 200,
    "put_fleet_controls": 200,
    "delete_fleet_controls": 200,
    "list_alerts": 200,
    "list_critical_alerts_of_device": 200,
    "bad_severity": (400, "invalid_field"),
    "get_alert": 200,
    "no_such_alert": (404, "no_such_alert"),
    "acknowledge_alert": 200,
    "acknowledge_alert_without_body": 200,
    "snooze_alert": 200,
    "snooze_alert_twice_over": (400, "invalid_field"),
    "judge_alert": 200,
    "judge_alert_wrongly": (400, "invalid_field"),
    "console": 200,
    "console_config": 200,
    "console_no_such_file": (404, "no_such_file"),
}
"""What each sample event comes to: the status, and of a refusal the code."""


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with a_world() as world:
        furnish(world)
        yield world


@pytest.mark.parametrize("case", READ)
def test_a_sample_event_comes_to_what_is_declared(case: str, world: World) -> None:
    expected = READ[case]
    status, answer = answered(world.api, sample(case))
    assert status == (expected if isinstance(expected, int) else expected[0]), answer
    if not isinstance(expected, int):
        assert answer["code"] == expected[1]
        assert answer["request_id"] == "JKJaXmPLvHcESHA="


def test_every_route_of_the_template_is_served(world: World) -> None:
    resources = load(str(TEMPLATE))["Resources"].values()
    routes = [
        resource["Properties"]["RouteKey"]
        for resource in resources
        if resource["Type"] == "AWS::ApiGatewayV2::Route"
        and "ApiIntegration" in str(resource["Properties"]["Target"])
    ]
    assert len(routes) >= 28
    for route in routes:
        answer = world.api.lambda_handler(event(route), Context(20))
        check_answer(route, answer)
        assert route == "GET /openapi.json" or "no_such_route" not in answer.get("body", "")
        assert answer["statusCode"] < 500
    answer = world.api.lambda_handler(event("$default"), Context(20))
    assert (answer["statusCode"], json.loads(answer["body"])["code"]) == (404, "no_such_route")


OPERATORS = [
    route
    for route, operation in operations()
    if {"operator": []} in operation["security"] and "/device-keys" not in route
]
names = st.sampled_from(
    [
        *("state", "severity", "device_id", "metric", "acknowledged", "since", "until", "limit"),
        *("cursor", "prefix", "from", "to", "buckets", "other"),
    ]
)
texts = st.sampled_from(["pump-7", "flow", "all", "7", "true", "minor", str(T0), "*"]) | st.text(
    st.characters(codec="utf-8"), max_size=12
)
bodies = st.dictionaries(
    st.sampled_from(["note", "until", "for_seconds", "verdict", "metric", "minimum", "direction"]),
    texts | st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False),
    max_size=3,
)


@settings(max_examples=150)
@given(
    st.sampled_from(OPERATORS),
    st.lists(st.tuples(names, texts), max_size=4).map(urlencode) | st.text(max_size=20),
    bodies.map(lambda fields: json.dumps(fields)) | st.text(max_size=20),
    texts | st.just("pump-7"),
    texts | st.just(f"pump-7~{T0}~flow"),
)
def test_whatever_is_asked_is_answered_as_the_document_says(
    world: World, route: str, query: str, body: str, device_id: str, alert_id: str
) -> None:
    request = world.request(route, query, device_id=device_id, alert_id=alert_id)
    request["headers"]["content-type"] = "application/json"
    status, _ = answered(world.api, {**request, "body": body})
    assert status < 500
