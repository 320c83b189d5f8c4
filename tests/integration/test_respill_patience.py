"""How long `respill` stays with a sink that is down, while messages for the other one wait."""

from collections.abc import Sequence

from moto import mock_aws

from tests.handlers import load_handler
from tests.integration.spill_stack import Stack, reading
from weir.storage.retry import Deadline, SinkUnavailable

DEVICES = 10


class Down:
    """A stream that is down; it notes how long it was given."""

    def __init__(self) -> None:
        self.given: list[float] = []

    def put(self, records: Sequence[bytes], deadline: Deadline) -> int:
        self.given.append(deadline.left)
        raise SinkUnavailable("Firehose", len(records), "ServiceUnavailable", throttled=False)


@mock_aws
def test_messages_for_a_dead_sink_keep_others_back_for_no_more_than_a_second() -> None:
    stack = Stack()
    stack.app.PATIENCE_S = load_handler("respill").PATIENCE_S
    for device in range(DEVICES):
        stack.spill([reading(f"pump-{device}")], "lake")
    stack.app.lake = down = Down()
    failed = stack.mapping.deliver()
    assert failed is not None
    assert len(failed) == DEVICES
    assert len(down.given) == DEVICES
    assert max(down.given) <= 1.0
