"""An alert from the reading that opens it to the people who act on it."""

from collections import Counter

import pytest
from benchmarks.alerts.pumps import FURTHER_OUT, OUT, STEP_MS, calm, history, reading
from benchmarks.alerts.told import Ears, compare, expected

from tests.e2e.alerting import alert, alerts, kinds, known, now_ms, post
from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e


def test_an_alert_is_told_once_acknowledged_cleared_and_opened_again_as_the_same(
    stack: Stack, ears: Ears
) -> None:
    device = "pump-of-people"
    onset = known(stack, device)
    post(stack, [reading(device, onset, OUT)])
    stack.settle()
    [opened] = alerts(stack, device_id=device)
    assert (opened["state"], opened["acknowledged"], opened["metric"]) == ("OPEN", False, "flow")
    assert (opened["value"], opened["because"] != "") == (OUT, True)
    alert_id = opened["alert_id"]

    path = f"/v1/alerts/{alert_id}/acknowledge"
    answer = stack.operate("POST", path, {"note": "on my way"})
    assert answer.status_code == 200, answer.text
    seen = answer.json()["alert"]
    assert (seen["acknowledged"], seen["acknowledged_by"]) == (True, "developer")

    post(stack, calm(device, onset + STEP_MS, 14))
    stack.settle()
    cleared = alert(stack, alert_id)
    assert (cleared["state"], cleared["acknowledged"]) == ("CLEARED", True)
    assert alerts(stack, device_id=device, state="open") == []

    post(stack, [reading(device, onset + 15 * STEP_MS, FURTHER_OUT)])
    stack.settle()
    [again] = alerts(stack, device_id=device, state="all")
    assert (again["alert_id"], again["state"], again["acknowledged"]) == (alert_id, "OPEN", False)
    assert kinds(alert(stack, alert_id)) == ["opened", "acknowledged", "cleared", "reopened"]

    ears.listen_until_quiet(stack.control, 60)
    told = Counter({f"{alert_id}#{n}": 1 for n in (1, 3, 4)})
    assert ears.on_bus() == told
    assert ears.on_topic() == told


def test_feedback_stays_on_the_alert_with_its_note(stack: Stack) -> None:
    device = "pump-of-verdicts"
    onset = known(stack, device)
    post(stack, [reading(device, onset, OUT)])
    stack.settle()
    [opened] = alerts(stack, device_id=device)
    path = f"/v1/alerts/{opened['alert_id']}/feedback"
    assert stack.operate("POST", path, {"verdict": "perhaps"}).status_code == 400
    answer = stack.operate("POST", path, {"verdict": "benign", "note": "a test run"})
    assert answer.status_code == 200, answer.text
    found = alert(stack, opened["alert_id"])["feedback"]
    assert (found["verdict"], found["note"], found["by"]) == ("benign", "a test run", "developer")


def test_nobody_is_told_of_a_snoozed_device_and_its_alert_is_there_all_the_same(
    stack: Stack, ears: Ears
) -> None:
    device = "pump-asleep"
    answer = stack.operate("POST", f"/v1/devices/{device}/snooze", {"for_seconds": 3600})
    assert answer.status_code == 200, answer.text
    onset = known(stack, device)
    post(stack, [reading(device, onset, OUT)])
    ears.listen_until_quiet(stack.control, 60)
    assert [found["state"] for found in alerts(stack, device_id=device)] == ["OPEN"]
    assert (ears.messages, ears.events) == ([], [])


def test_batches_that_fail_and_come_again_tell_nothing_twice_and_lose_nothing(
    stack: Stack, ears: Ears
) -> None:
    devices = [f"pump-again-{at}" for at in range(12)]
    onset = known(stack, *devices)
    stack.control.set_faults(
        {
            "duplicate_batches@notify": 4,
            "kill_mid_batch@notify": 3,
            "fail_invocations@notify": 2,
            "redeliver_after_partial@notify": 2,
            "dynamo_refuse@notify": 2,
            "dynamo_throttle@notify": 2,
            "sns_refuse@notify": 2,
            "events_throttle@notify": 1,
            "events_fail_entries@notify": 2,
            "sqs_refuse@notify": 1,
            "seed": 11,
        }
    )
    for device in devices:
        post(stack, [reading(device, onset, OUT)])
    ears.listen_until_quiet(stack.control, 90)
    wanted = expected(found for device in devices for found in stack.alerts.of_device(device))
    assert len(wanted) >= len(devices)
    for told in (ears.on_bus(), ears.on_topic()):
        difference = compare(wanted, told)
        assert (difference.missing, difference.doubled, difference.unknown) == (0, 0, 0)
    struck = stack.control.counts()["struck"]
    assert struck["duplicate_batches@notify"]
    assert struck["kill_mid_batch@notify"]


def test_a_notify_that_is_killed_loses_nothing(stack: Stack, ears: Ears) -> None:
    device = "pump-killed"
    onset = known(stack, device)
    stack.control.set_faults({"kill_notify@BatchGetItem": 2, "seed": 3})
    post(stack, [reading(device, onset, OUT)])
    ears.listen_until_quiet(stack.control, 90)
    wanted = expected(stack.alerts.of_device(device))
    # Who is killed later on leaves a claim, which others wait for longer than a test should.
    assert ears.on_bus() == ears.on_topic() == Counter(dict.fromkeys(wanted, 1))


def test_a_storm_makes_a_handful_of_messages_and_an_event_each(stack: Stack, ears: Ears) -> None:
    devices = [f"storm-{at}" for at in range(150)]
    onset = now_ms() - 60_000
    for first in range(0, len(devices), 50):
        post(
            stack, [one for device in devices[first : first + 50] for one in history(device, onset)]
        )
    stack.settle()
    for first in range(0, len(devices), 20):
        post(stack, [reading(device, onset, OUT) for device in devices[first : first + 20]])
    ears.listen_until_quiet(stack.control, 120)
    wanted = expected(found for device in devices for found in stack.alerts.of_device(device))
    assert len({notice_id.partition("~")[0] for notice_id in wanted}) == len(devices)
    assert ears.on_bus() == Counter(dict.fromkeys(wanted, 1))
    assert ears.on_topic() == Counter(dict.fromkeys(wanted, 1))
    assert len(ears.messages) <= 10
    digests = [one for one in ears.messages if one["type"] == "digest"]
    assert max(digest["devices"] for digest in digests) > 20
    assert all(len(digest["worst"]) <= 10 for digest in digests)
