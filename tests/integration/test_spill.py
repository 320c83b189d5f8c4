"""What is spilled comes to the sinks as if they had never been down: all of it, once, in order."""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moto import mock_aws

from tests.fakes.aws import FlakyDynamo, FlakyFirehose, client_error, timed_out
from tests.fakes.spill import FlakySqs, SpillMapping
from tests.handlers import Context
from tests.integration.spill_stack import (
    BUCKET,
    LATER,
    MAX_RECEIVES,
    QUEUE,
    RECEIVED,
    RETENTION_S,
    START,
    Stack,
    arrived,
    many,
    reading,
)
from weir.chunks import pack
from weir.readings import Reading, format_ts
from weir.spill import Sink, Spilled, encode, spill
from weir.storage.reading_store import ReadingStore
from weir.storage.retry import Deadline
from weir.storage.spill_queue import SpillQueue


class Killed(BaseException):
    """The function was stopped where it stood."""


@pytest.fixture
def stack() -> Iterator[Stack]:
    with mock_aws():
        yield Stack()


# ------------------------------------------------------------------ nothing is wrong


def test_what_is_respilled_is_what_the_request_would_have_written(stack: Stack) -> None:
    sent = [reading(device, minute) for device in ("a", "b") for minute in (0, 1, 59, 61, 300)]
    stack.spill(sent)
    stack.mapping.drain()
    respilled = stack.items()
    for key in respilled:
        stack.dynamodb.delete_item(
            TableName="readings", Key={"pk": {"S": key[0]}, "sk": {"S": key[1]}}
        )
    ReadingStore(stack.dynamodb, "readings", retention_s=RETENTION_S).put(pack(sent), Deadline(5))
    assert stack.items() == respilled
    assert sorted(stack.lake()) == sorted(
        row for device in ("a", "b") for row in arrived(device, 0, 1, 59, 61, 300)
    )


@pytest.mark.parametrize(("sink", "items", "lake_rows"), [("lake", 0, 1), ("table", 1, 0)])
def test_only_the_sink_that_did_not_take_it_gets_it(
    stack: Stack, sink: Sink, items: int, lake_rows: int
) -> None:
    stack.spill([reading()], sink)
    stack.mapping.drain()
    assert (len(stack.items()), len(stack.lake())) == (items, lake_rows)


def test_a_call_says_in_one_line_what_came_of_it(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.spill([reading("a", minute) for minute in range(3)])
    stack.send("b", "no message", "1")
    stack.mapping.deliver()
    (line,) = [json.loads(x) for x in capsys.readouterr().out.splitlines() if "_aws" in x]
    assert {name: line[name] for name in ("Respilled", "RespillFailed", "RespillUnreadable")} == {
        "Respilled": [3],
        "RespillFailed": [0],
        "RespillUnreadable": [1],
    }


# ------------------------------------------------------------------ a sink is down


def test_while_a_sink_is_down_messages_wait_and_a_devices_later_ones_wait_behind(
    stack: Stack,
) -> None:
    for minute in range(3):
        stack.spill([reading("a", minute)])
    stack.use(dynamodb=FlakyDynamo(stack.dynamodb, "batch_write_item", *[timed_out()] * 100))
    failed = stack.mapping.deliver()
    assert failed is not None
    assert len(failed) == 3
    assert stack.mapping.deliver() is None, "they are out of sight"
    assert not stack.lake(), "the lake is not written before the table"
    stack.use(dynamodb=stack.dynamodb)
    stack.mapping.let_time_pass()
    assert stack.mapping.deliver() == []
    assert stack.lake() == arrived("a", 0, 1, 2)
    assert len(stack.items()) == 3


def test_a_device_that_fails_holds_up_no_other(stack: Stack) -> None:
    class OneDeviceDown(FlakyDynamo):
        def _guarded(self, call: Any) -> Any:
            def guarded(**request: Any) -> Any:
                if request["RequestItems"]["readings"][0]["PutRequest"]["Item"]["pk"]["S"] == "b":
                    raise client_error("ThrottlingException")
                return call(**request)

            return guarded

    for minute in range(2):
        for device in ("a", "b", "c"):
            stack.spill([reading(device, minute)])
    stack.use(dynamodb=OneDeviceDown(stack.dynamodb, "batch_write_item"))
    failed = stack.mapping.deliver()
    assert failed is not None
    assert len(failed) == 2
    assert {device for device, _, _ in stack.lake()} == {"a", "c"}
    stack.use(dynamodb=stack.dynamodb)
    stack.mapping.drain()
    assert [row for row in stack.lake() if row[0] == "b"] == arrived("b", 0, 1)


@pytest.mark.parametrize("error", ["ResourceNotFoundException", "AccessDeniedException"])
def test_a_sink_that_refuses_for_good_is_waited_for_all_the_same(stack: Stack, error: str) -> None:
    stack.spill([reading()])
    stack.use(FlakyFirehose(client_error(error)))
    assert stack.mapping.deliver() != []
    stack.mapping.drain()
    assert stack.lake() == arrived("a", 0)


def test_the_wait_doubles_with_each_receive_and_is_one_for_a_devices_messages(
    stack: Stack,
) -> None:
    for minute in range(2):
        stack.spill([reading("a", minute)])
    sqs = FlakySqs(stack.sqs, operation="change_message_visibility_batch")
    stack.app.sqs = sqs
    stack.use(FlakyFirehose(*[[0]] * 10_000))
    for receives in range(1, MAX_RECEIVES + 1):
        stack.mapping.deliver()
        first, second = [entry["VisibilityTimeout"] for entry in sqs.calls[-1]["Entries"]]
        assert first == second
        assert 2**receives <= first <= 2 ** (receives + 1)
        stack.mapping.let_time_pass()
    assert {stack.app._wait(900) for _ in range(20)} <= set(range(450, 901))


def test_if_the_queue_does_not_take_the_wait_the_messages_fail_all_the_same(stack: Stack) -> None:
    stack.spill([reading()])
    stack.app.sqs = FlakySqs(stack.sqs, timed_out(), operation="change_message_visibility_batch")
    stack.use(FlakyFirehose(client_error("InternalFailure", 500), [0], [0], [0], [0], [0], [0]))
    failed = stack.mapping.deliver()
    assert failed is not None
    assert len(failed) == 1
    stack.mapping.drain()
    assert stack.lake() == arrived("a", 0)


def test_what_no_time_is_left_for_is_not_begun_and_stays(stack: Stack) -> None:
    stack.spill([reading("a"), reading("b")])
    failed = stack.mapping.deliver(seconds=stack.app.RESERVE_S)
    assert failed is not None
    assert len(failed) == 2
    assert not stack.items()
    assert not stack.firehose.calls


# ------------------------------------------------------------------ killed, and delivered twice


def test_a_call_that_was_carried_out_but_not_answered_doubles_nothing_in_the_table(
    stack: Stack,
) -> None:
    def lose_the_answer() -> None:
        raise timed_out()

    stack.spill([reading("a", 0), reading("a", 200)])
    stack.use(dynamodb=FlakyDynamo(stack.dynamodb, "batch_write_item", lose_the_answer))
    stack.mapping.drain()
    assert len(stack.items()) == 2
    assert stack.lake() == arrived("a", 0, 200)


def test_a_kill_between_the_sinks_is_made_good_by_redelivery(stack: Stack) -> None:
    class KillsFirehose(FlakyFirehose):
        def put_record_batch(self, **request: Any) -> dict[str, Any]:
            raise Killed

    for minute in range(2):
        stack.spill([reading("a", minute)])
    stack.use(KillsFirehose())
    with suppress(Killed):
        stack.mapping.deliver()
    assert len(stack.items()) == 1
    stack.use(FlakyFirehose())
    stack.mapping.let_time_pass()
    stack.mapping.drain()
    assert stack.lake() == arrived("a", 0, 1)
    assert len(stack.items()) == 2


@pytest.mark.parametrize("readings", [[reading()], many()], ids=["small", "large"])
def test_a_kill_after_all_was_written_is_made_good_by_redelivery(
    stack: Stack, readings: list[Reading]
) -> None:
    def handle_then_die(event: dict[str, Any], context: Context) -> dict[str, Any]:
        stack.app.lambda_handler(event, context)
        raise Killed

    stack.spill(readings)
    dying = SpillMapping(stack.sqs, QUEUE, handle_then_die)
    with suppress(Killed):
        dying.deliver()
    written = stack.items()
    assert written
    dying.let_time_pass()
    stack.mapping.drain()
    assert stack.items() == written
    assert not stack.dead_letters()


# ------------------------------------------------------------------ what cannot be read


def test_an_unreadable_message_fails_alone_and_ends_whole_with_the_dead_letters(
    stack: Stack,
) -> None:
    stack.send("a", '{"version":9,"of":"the future"}', "1")
    stack.spill([reading("a", 1), reading("b", 1)])
    failed = stack.mapping.deliver()
    assert failed is not None
    assert len(failed) == 1
    assert sorted(stack.lake()) == arrived("a", 1) + arrived("b", 1)
    for _ in range(MAX_RECEIVES - 1):
        assert stack.mapping.deliver() == failed, "it comes again at once"
    assert stack.mapping.deliver() is None
    assert stack.dead_letters() == ['{"version":9,"of":"the future"}']


def test_a_message_whose_object_is_gone_fails_and_one_whose_object_is_another_too(
    stack: Stack,
) -> None:
    (large, *_) = [s for s in spill(pack(many()), ["lake"], RECEIVED) if len(s.documents) > 1]
    stack.queue.put([large], Deadline(5))
    (found,) = stack.s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    small: Spilled = spill(pack([reading()]), ["lake"], RECEIVED)[0]
    for content in (encode(small).encode(), b"\xff", b"x" * (8 * 1024 * 1024 + 1), None):
        if content is None:
            stack.s3.delete_object(Bucket=BUCKET, Key=found["Key"])
        else:
            stack.s3.put_object(Bucket=BUCKET, Key=found["Key"], Body=content)
        assert stack.mapping.deliver() not in ([], None)
    assert not stack.lake()


# ------------------------------------------------------------------ large messages


def test_a_large_message_comes_by_reference_and_its_object_is_emptied(stack: Stack) -> None:
    stack.spill(many())
    stack.mapping.drain()
    assert sum(int(item["n"]["N"]) for item in stack.items().values()) == 600
    assert len(stack.lake()) == 600
    sizes = [found["Size"] for found in stack.s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert sizes
    assert not any(sizes)


def test_one_content_that_was_spilled_twice_is_written_once_and_fails_nothing(
    stack: Stack,
) -> None:
    stack.spill(many())
    (message, *_) = stack.sqs.receive_message(QueueUrl=QUEUE, VisibilityTimeout=0)["Messages"]
    stack.send("a", message["Body"], "after the five minutes of deduplication")
    stack.spill(many(), at=LATER)  # which puts the objects once more, before anything comes out
    stack.mapping.drain()
    assert len(stack.lake()) == 600
    assert {received for _, _, received in stack.lake()} == {format_ts(RECEIVED)}


def test_an_object_that_cannot_be_emptied_stays_and_the_message_is_done(stack: Stack) -> None:
    class NoPut:
        def __getattr__(self, name: str) -> Any:
            return getattr(stack.s3, name)

        def put_object(self, **_: Any) -> None:
            raise client_error("AccessDenied", 403)

    stack.spill(many())
    stack.app.spill = SpillQueue(stack.sqs, NoPut(), QUEUE, BUCKET)
    assert stack.mapping.deliver() == []
    assert len(stack.lake()) == 600


# ------------------------------------------------------------------ anything at all

firehose_faults = st.lists(
    st.sampled_from([(), [0], client_error("ServiceUnavailableException", 503), timed_out()]),
    max_size=8,
)
dynamodb_faults = st.lists(
    st.sampled_from([None, 1, client_error("ThrottlingException"), timed_out()]), max_size=8
)


@settings(max_examples=12)
@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 200)), min_size=1, max_size=4),
        min_size=1,
        max_size=6,
    ),
    firehose_faults,
    dynamodb_faults,
)
def test_whatever_fails_for_a_while_all_arrives_and_in_order(
    requests: list[list[tuple[str, int]]], firehose: list[Any], dynamodb: list[Any]
) -> None:
    with mock_aws():
        stack = Stack(max_receives=100)
        stack.app.PATIENCE_S = 0.0
        for at, request in enumerate(requests):
            stack.spill([reading(d, minute, at) for d, minute in request], at=RECEIVED + at)
        stack.use(
            FlakyFirehose(*firehose), FlakyDynamo(stack.dynamodb, "batch_write_item", *dynamodb)
        )
        stack.mapping.drain()
        sent = {(d, START + m * 60_000) for request in requests for d, m in request}
        assert {(d, ts) for d, ts, _ in stack.lake()} == {(d, format_ts(ts)) for d, ts in sent}
        assert sum(int(item["n"]["N"]) for item in stack.items().values()) == sum(
            map(len, requests)
        )
        for device in "abc":
            came = [received for d, _, received in stack.lake() if d == device]
            assert came == sorted(came)
