"""A device that falls silent is found, and heard again."""

import json
import time

import pytest
from benchmarks.alerts.pumps import calm, reading
from benchmarks.alerts.told import Ears

from tests.e2e.alerting import alert, alerts, kinds, now_ms, post
from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e

DEVICE = "pump-silent"


def test_a_device_that_falls_silent_is_found_once_and_clears_when_it_is_heard_again(
    stack: Stack, ears: Ears
) -> None:
    path = f"/v1/devices/{DEVICE}/controls"
    answer = stack.operate("PUT", path, {"silent_after_s": 30})
    assert answer.status_code == 200, answer.text
    post(stack, calm(DEVICE, now_ms() - 120_000, 60))
    stack.settle()
    stack.control.tick_watchdog()
    assert alerts(stack, device_id=DEVICE) == []
    let_a_minute_pass(stack)
    stack.control.tick_watchdog()
    stack.control.tick_watchdog()
    ears.listen_until_quiet(stack.control, 90)
    [silence] = alerts(stack, device_id=DEVICE, state="open")
    assert (silence["kind"], silence["metric"], silence["severity"]) == ("silence", "*", "major")
    device = stack.operate("GET", f"/v1/devices/{DEVICE}").json()["device"]
    assert device["state"] == "silent"

    post(stack, [reading(DEVICE, now_ms(), 20.0)])
    stack.settle()
    deadline = time.monotonic() + 30
    while alert(stack, silence["alert_id"])["state"] == "OPEN":
        assert time.monotonic() < deadline
        stack.control.tick_watchdog()
    ears.listen_until_quiet(stack.control, 90)
    found = alert(stack, silence["alert_id"])
    assert (found["state"], kinds(found)) == ("CLEARED", ["opened", "cleared"])
    device = stack.operate("GET", f"/v1/devices/{DEVICE}").json()["device"]
    assert device["state"] == "reporting"
    for told in (ears.on_bus(), ears.on_topic()):
        mine = {name: count for name, count in told.items() if name.startswith(silence["alert_id"])}
        assert mine == {f"{silence['alert_id']}#{n}": 1 for n in (1, 2)}


def let_a_minute_pass(stack: Stack) -> None:
    """Put back by a minute when the device was heard: nobody waits for clocks here."""
    table, key = stack.status.states_table, {"pk": {"S": DEVICE}}
    item = stack.dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"]
    heard = json.loads(item["heard"]["S"])
    earlier = {**heard, "last": heard["last"] - 60_000, "lag_s": heard["lag_s"] - 60}
    stack.dynamodb.update_item(
        TableName=table,
        Key=key,
        UpdateExpression="SET heard = :heard, expected_by = expected_by - :minute",
        ExpressionAttributeValues={
            ":heard": {"S": json.dumps(earlier)},
            ":minute": {"N": "60000"},
        },
    )
