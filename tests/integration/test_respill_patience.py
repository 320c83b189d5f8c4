"""How long `respill` stays with a sink that is down, while messages for the other one wait."""

import time

from moto import mock_aws

from tests.fakes.aws import FlakyFirehose, client_error
from tests.handlers import load_handler
from tests.integration.spill_stack import Stack, reading

DEVICES = 10
DOWN = client_error("ServiceUnavailableException", 503)


@mock_aws
def test_messages_for_a_dead_sink_keep_others_back_for_no_more_than_a_second_or_two() -> None:
    stack = Stack()
    stack.app.PATIENCE_S = load_handler("respill").PATIENCE_S
    for device in range(DEVICES):
        stack.spill([reading(f"pump-{device}")], "lake")
    stack.use(firehose=FlakyFirehose(*[DOWN] * 10_000))
    begun = time.monotonic()
    failed = stack.mapping.deliver()
    assert time.monotonic() - begun < 2.5
    assert failed is not None
    assert len(failed) == DEVICES
    assert len(stack.firehose.calls) > DEVICES, "each is tried more than once"
