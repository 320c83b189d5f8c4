"""What `notify` gave up goes to `notify` again, and not to `score`."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from tests.fakes.notices import an_alert
from tests.handlers import Context
from tests.integration import notice_stack
from tests.integration.notice_stack import Stack
from tests.integration.replaying import World
from weir_cli.replay_places import Places
from weir_cli.replay_report import Place

ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/alerts/stream/2026-01-01T00:00:00.000"


class Functions:
    """Lambda with the real handler of `notify` behind it."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    def invoke(self, **request: Any) -> dict[str, Any]:
        assert request["FunctionName"] == "notify"
        answer = self.stack.app.lambda_handler(json.loads(request["Payload"]), Context(60))
        return {"Payload": io.BytesIO(json.dumps(answer).encode())}


@pytest.fixture
def stack() -> Iterator[Stack]:
    with mock_aws():
        yield Stack()


def test_notices_that_were_given_up_are_told_once(stack: Stack) -> None:
    world = World()
    world.clients["lambda"] = Functions(stack)
    world.places = Places(
        "lake", "weir-lake", "failures", "score", world.spill, world.dead_letters, world.client,
        "alerts", "notify",
    )  # fmt: skip
    records = [notice_stack.record(an_alert(f"pump-{at}"), number=at) for at in range(3)]
    poison = notice_stack.record(an_alert("pump-9"), number=9)
    del poison["dynamodb"]["NewImage"]["history"]
    stack.deliver(records[:1])
    key = world.discard([{**each, "eventSourceARN": ARN} for each in [*records, poison]])
    found = world.replay(Place.STREAM)
    assert (found.found, found.replayed, found.left) == (4, 3, 1)
    assert sorted(stack.told().values()) == [1, 1, 1]
    assert len(stack.events()) == 3
    assert list(world.objects("failures")) == [key, f"replayed/{key}"]
