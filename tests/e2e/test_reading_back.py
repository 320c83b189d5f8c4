"""What operators read: devices, values, charts, the overview; and what has not changed."""

import pytest
from benchmarks.alerts import chart
from benchmarks.alerts.pumps import calm

from tests.e2e.alerting import now_ms, post
from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e


def test_a_chart_of_many_readings_comes_quickly_and_counts_each_of_them(stack: Stack) -> None:
    found = chart.measure(stack.status, stack.control, readings=60_480, rounds=1)
    assert found["chart_readings"] == 60_480
    assert found["chart_s"] < 2


def test_a_device_is_listed_with_its_latest_values(stack: Stack) -> None:
    device, start = "listed-1", now_ms() - 60_000
    readings = calm(device, start, 30)
    post(stack, readings)
    stack.settle()
    listed = stack.operate("GET", "/v1/devices", prefix="listed-").json()["devices"]
    assert [one["device_id"] for one in listed] == [device]
    answer = stack.operate("GET", f"/v1/devices/{device}/latest")
    assert answer.json()["values"]["flow"]["value"] == readings[-1]["metrics"]["flow"]
    raw = stack.operate("GET", f"/v1/devices/{device}/readings", metric="flow", limit="10")
    assert len(raw.json()["readings"]) == 10
    assert raw.json()["next_cursor"]


def test_the_overview_counts_the_fleet(stack: Stack) -> None:
    post(stack, calm("overview-1", now_ms() - 60_000, 5))
    stack.settle()
    found = stack.operate("GET", "/v1/overview").json()
    assert found["devices"]["total"] >= 1
    assert len(found["alerts"]["per_hour"]) == 24
