"""`weir logs`: lines of several functions, in the order of time."""

from typing import Any

from tests.handlers import FUNCTIONS
from weir_cli.commands.logs import Function, _events


class FakeLogs:
    """A CloudWatch Logs client with pages of events."""

    def __init__(self, *pages: list[tuple[int, str]]) -> None:
        self._pages = pages
        self.asked: dict[str, Any] = {}

    def get_paginator(self, _: str) -> "FakeLogs":
        return self

    def paginate(self, **request: Any) -> list[dict[str, Any]]:
        self.asked = request
        return [
            {"events": [{"timestamp": ts, "message": text} for ts, text in page]}
            for page in self._pages
        ]


def test_lines_come_in_the_order_of_time_and_of_one_time_as_they_were_written() -> None:
    client = FakeLogs([(2, "START\n"), (2, "END\n")], [(1, "first"), (3, " \n")])
    assert _events(client, "weir-local-ingest", 5) == [
        (1, "ingest", "first"),
        (2, "ingest", "START"),
        (2, "ingest", "END"),
    ]
    assert client.asked == {"logGroupName": "/aws/lambda/weir-local-ingest", "startTime": 5}


def test_every_function_has_a_log_to_show() -> None:
    assert {function.value for function in Function} == {
        path.parent.name for path in FUNCTIONS.glob("*/app.py")
    }
