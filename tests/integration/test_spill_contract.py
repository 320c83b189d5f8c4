"""The spill on SQS and S3 keeps what `ingest` and `respill` rely on, and so does the fake."""

from collections.abc import Callable, Iterator

import pytest
from moto import mock_aws

from tests.fakes.spill import FakeSpill
from tests.integration.spill_stack import LATER, QUEUE, RECEIVED, START, Stack, many, reading
from weir.chunks import pack
from weir.spill import encode, spill
from weir.storage.retry import Deadline, SinkUnavailable
from weir.storage.spill_queue import MAX_BODY_BYTES, SpillQueue

type Spill = tuple[SpillQueue | FakeSpill, Callable[[], list[tuple[str, str]]]]


@pytest.fixture(params=["fake", "real"])
def either(request: pytest.FixtureRequest) -> Iterator[Spill]:
    """A spill, and a way to take out of it what it holds: devices and bodies."""
    if request.param == "fake":
        fake = FakeSpill()
        yield fake, lambda: fake.bodies
        return

    def take() -> list[tuple[str, str]]:
        taken: list[tuple[str, str]] = []
        while messages := stack.sqs.receive_message(
            QueueUrl=QUEUE, MaxNumberOfMessages=10, AttributeNames=["All"]
        ).get("Messages"):
            for message in messages:
                taken.append((message["Attributes"]["MessageGroupId"], message["Body"]))
                stack.sqs.delete_message(QueueUrl=QUEUE, ReceiptHandle=message["ReceiptHandle"])
        return taken

    with mock_aws():
        stack = Stack()
        yield stack.queue, take


def test_a_spill_gives_back_what_was_put_in_order_for_each_device(either: Spill) -> None:
    queue, take = either
    put = [
        each
        for minute in range(5)
        for device in ("a", "b", "c")
        for each in spill(pack([reading(device, minute)]), ["lake"], RECEIVED)
    ]
    queue.put(put[:7], Deadline(5))
    queue.put(put[7:], Deadline(5))
    taken = [(device, queue.get(body)) for device, body in take()]
    for device in ("a", "b", "c"):
        assert [each for owner, each in taken if owner == device] == [
            each for each in put if each.device_id == device
        ]


def test_a_spill_takes_the_same_content_once_and_keeps_when_it_first_came(either: Spill) -> None:
    queue, take = either
    for at in (RECEIVED, LATER):
        queue.put(spill(pack([reading()]), ["lake"], at), Deadline(5))
    queue.put(spill(pack([reading()]), ["lake", "table"], LATER), Deadline(5))
    spilled = [queue.get(body) for _, body in take()]
    assert [(sorted(s.sinks), s.received_at) for s in spilled if s is not None] == [
        (["lake"], RECEIVED),
        (["lake", "table"], LATER),
    ]


def test_a_spill_takes_large_messages_and_forgets_them_once_they_are_discarded(
    either: Spill,
) -> None:
    queue, take = either
    put = spill(pack(many()), ["lake"], RECEIVED)
    assert max(len(encode(each)) for each in put) > MAX_BODY_BYTES
    queue.put(put, Deadline(5))
    bodies = [body for _, body in take()]
    assert max(map(len, bodies)) <= MAX_BODY_BYTES
    assert [queue.get(body) for body in bodies] == put
    large = bodies[max(range(len(put)), key=lambda at: len(encode(put[at])))]
    for _ in range(2):
        queue.discard(large)
        assert queue.get(large) is None


def test_discarding_a_small_message_changes_nothing(either: Spill) -> None:
    queue, take = either
    put = spill(pack([reading()]), ["lake"], RECEIVED)
    queue.put(put, Deadline(5))
    ((_, body),) = take()
    queue.discard(body)
    assert queue.get(body) == put[0]


def test_the_fake_tells_which_values_are_in_it_and_can_be_down() -> None:
    down = SinkUnavailable("SQS", 1, "InternalError", throttled=False)
    fake = FakeSpill(down, None)
    put = spill(pack([reading("a", 0, 2.5), reading("b", 1)]), ["lake"], RECEIVED)
    with pytest.raises(SinkUnavailable):
        fake.put(put, Deadline(5))
    assert fake.readings() == []
    fake.put(put, Deadline(5))
    assert fake.readings() == [("a", START, "flow", 2.5), ("b", START + 60_000, "flow", 1.5)]
