"""What the end-to-end tests of alerts do over and over."""

import time
from typing import Any

from benchmarks.alerts.pumps import history

from tests.e2e.stack import Stack


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def post(stack: Stack, readings: list[dict[str, Any]]) -> None:
    answer = stack.post_json(readings)
    assert (answer.status_code, answer.json()["rejected"]) == (202, [])


def known(stack: Stack, *devices: str, ago_ms: int = 60_000) -> int:
    """Let devices have a history; return the time of their next reading."""
    until = now_ms() - ago_ms
    for device in devices:
        post(stack, history(device, until))
    stack.settle()
    return until


def alerts(stack: Stack, **query: str) -> list[Any]:
    answer = stack.operate("GET", "/v1/alerts", **query)
    assert answer.status_code == 200, answer.text
    found: list[Any] = answer.json()["alerts"]
    return found


def alert(stack: Stack, alert_id: str) -> Any:
    answer = stack.operate("GET", f"/v1/alerts/{alert_id}")
    assert answer.status_code == 200, answer.text
    return answer.json()["alert"]


def kinds(found: Any) -> list[str]:
    return [entry["kind"] for entry in found["history"]]
