"""The spill's queue: calls that fail in part, bounds, order, and one kind of failure to handle."""

import itertools
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.aws import client_error, timed_out
from tests.fakes.spill import Fault, FlakySqs
from tests.strategies import NOW_MS
from weir.chunks import pack
from weir.readings import Reading
from weir.spill import Spilled, decode, encode, spill
from weir.storage.retry import Deadline, SinkUnavailable
from weir.storage.spill_queue import (
    MAX_BODY_BYTES,
    MAX_CALL_BYTES,
    MAX_CALL_MESSAGES,
    SpillQueue,
)


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    with patch("weir.storage.retry.random.uniform", return_value=0.0):
        yield


class MemorySqs:
    """Keeps what is sent, in the order in which it came, and each deduplication id once."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    def send_message_batch(self, **request: Any) -> dict[str, Any]:
        known = {message["MessageDeduplicationId"] for message in self.messages}
        for entry in request["Entries"]:
            if entry["MessageDeduplicationId"] not in known:
                self.messages.append(entry)
        return {"Successful": [{"Id": entry["Id"]} for entry in request["Entries"]]}

    def of(self, device_id: str) -> list[Spilled]:
        return [decode(m["MessageBody"]) for m in self.messages if m["MessageGroupId"] == device_id]


class MemoryS3:
    def __init__(self, *faults: Exception) -> None:
        self.objects: dict[str, bytes] = {}
        self._faults = list(faults)

    def put_object(self, **request: Any) -> None:
        if self._faults:
            raise self._faults.pop(0)
        self.objects[request["Key"]] = request["Body"]


def message(device_id: str, at: int = 0, metrics: int = 1) -> Spilled:
    values = {f"m{n}": (n + 1) ** 0.5 + at for n in range(metrics)}
    (spilled,) = spill(pack([Reading(device_id, NOW_MS + at, values)]), ["table"], NOW_MS)
    return spilled


def large(device_id: str) -> Spilled:
    readings = [
        Reading(device_id, NOW_MS + at, {f"m{n}": (n * at) ** 0.5 for n in range(64)})
        for at in range(600)
    ]
    (spilled,) = spill(pack(readings), ["table"], NOW_MS)
    assert len(encode(spilled)) > MAX_BODY_BYTES
    return spilled


def running_out() -> Deadline:
    """A deadline that is over after a few looks at it, however slow the machine is."""
    looks = itertools.count()
    return Deadline(5, lambda: float(next(looks)))


def queue(sqs: Any, s3: Any = None, executor: Any = None) -> SpillQueue:
    return SpillQueue(sqs, s3 or MemoryS3(), "https://queue", "bucket", executor)


def test_messages_go_ten_a_call_in_their_devices_groups() -> None:
    sqs = FlakySqs(MemorySqs())
    sent = [message(f"device-{n}") for n in range(25)]
    assert queue(sqs).put(sent, Deadline(5)) == 0
    assert [len(call["Entries"]) for call in sqs.calls] == [10, 10, 5]
    entries = [entry for call in sqs.calls for entry in call["Entries"]]
    assert [entry["MessageGroupId"] for entry in entries] == [each.device_id for each in sent]
    assert [decode(entry["MessageBody"]) for entry in entries] == sent
    assert [entry["MessageDeduplicationId"] for entry in entries] == [
        each.deduplication_id for each in sent
    ]


def test_a_call_holds_no_more_than_every_region_takes() -> None:
    sqs = FlakySqs(MemorySqs())
    queue(sqs).put([message(f"device-{n}", metrics=12_000) for n in range(8)], Deadline(5))
    assert len(sqs.calls) > 1
    for call in sqs.calls:
        sizes = [len(entry["MessageBody"]) for entry in call["Entries"]]
        assert len(sizes) <= MAX_CALL_MESSAGES
        assert sum(sizes) <= MAX_CALL_BYTES
        assert max(sizes) <= MAX_BODY_BYTES


def test_only_the_messages_that_were_refused_are_sent_again() -> None:
    memory = MemorySqs()
    sqs = FlakySqs(memory, [(1, "InternalError", False), (3, "KmsThrottled", True)])
    assert queue(sqs).put([message(f"device-{n}") for n in range(4)], Deadline(5)) == 1
    assert [len(call["Entries"]) for call in sqs.calls] == [4, 2]
    assert len(memory.messages) == 4


class Unanswered:
    """The call was carried out, and the answer lost."""

    def __call__(self) -> None:
        raise timed_out()


faults: st.SearchStrategy[Fault | None] = st.one_of(
    st.none(),
    st.builds(Unanswered),
    st.sampled_from([client_error("RequestThrottled", 403), client_error("Whatever", 500)]),
    st.lists(st.integers(0, 9), min_size=1, max_size=6, unique=True).map(
        lambda places: [(place, "InternalError", False) for place in places]
    ),
)


@given(
    st.lists(st.sampled_from("abcdefghijklmn"), min_size=1, max_size=40),
    st.lists(faults, max_size=8),
    st.booleans(),
)
def test_a_devices_messages_come_out_in_order_whatever_fails_on_the_way(
    devices: list[str], faults: list[Fault | None], in_parallel: bool
) -> None:
    sent = [message(device_id, at) for at, device_id in enumerate(devices)]
    memory = MemorySqs()
    with ThreadPoolExecutor(3) as executor:
        queue(FlakySqs(memory, *faults), executor=executor if in_parallel else None).put(
            sent, Deadline(60)
        )
    assert len(memory.messages) == len(sent)
    for device_id in set(devices):
        assert memory.of(device_id) == [each for each in sent if each.device_id == device_id]


def test_a_devices_next_message_is_not_sent_before_the_one_before_it_is_in() -> None:
    memory = MemorySqs()
    down: Sequence[Fault] = [[(0, "InternalError", False)]] * 1000
    sqs = FlakySqs(memory, *down)
    with pytest.raises(SinkUnavailable):
        queue(sqs).put([message("a", 0), message("b", 0), message("a", 1)], running_out())
    assert [entry["MessageGroupId"] for entry in memory.messages] == ["b"]


@pytest.mark.parametrize(
    ("fault", "throttled"),
    [
        (client_error("RequestThrottled", 403), True),
        (client_error("ThrottlingException"), True),
        (client_error("ServiceUnavailable", 503), False),
        (client_error("AWS.SimpleQueueService.NonExistentQueue"), False),
        (client_error("AccessDenied", 403), False),
        (timed_out(), False),
        ([(0, "RequestThrottled", True)], True),
        ([(0, "InternalError", False)], False),
        ([(0, "InvalidMessageContents", True)], False),
    ],
    ids=repr,
)
def test_whatever_keeps_it_from_taking_all_it_is_unavailable(fault: Fault, throttled: bool) -> None:
    with pytest.raises(SinkUnavailable) as caught:
        queue(FlakySqs(MemorySqs(), *[fault] * 1000)).put([message("a")], running_out())
    assert (caught.value.sink, caught.value.throttled) == ("SQS", throttled)
    assert caught.value.left == 1


@pytest.mark.parametrize(
    "fault",
    [client_error("AccessDenied", 403), client_error("NonExistentQueue")],
    ids=repr,
)
def test_what_trying_again_would_not_mend_is_not_tried_again(fault: Exception) -> None:
    sqs = FlakySqs(MemorySqs(), fault)
    with pytest.raises(SinkUnavailable):
        queue(sqs).put([message("a")], Deadline(5))
    assert len(sqs.calls) == 1


def test_with_no_time_left_no_call_begins() -> None:
    sqs = FlakySqs(MemorySqs())
    with pytest.raises(SinkUnavailable, match="no time was left"):
        queue(sqs).put([message("a")], Deadline(0))
    assert not sqs.calls


def test_a_bucket_that_is_down_keeps_large_messages_from_being_sent() -> None:
    sqs = FlakySqs(MemorySqs())
    with pytest.raises(SinkUnavailable) as caught:
        queue(sqs, MemoryS3(*[client_error("SlowDown", 503)] * 1000)).put(
            [large("a"), message("b")], running_out()
        )
    assert (caught.value.sink, caught.value.throttled) == ("S3", True)
    assert not sqs.calls


def test_a_large_message_goes_by_reference_and_again_to_the_same_place() -> None:
    sqs, s3 = FlakySqs(MemorySqs()), MemoryS3(timed_out())
    assert queue(sqs, s3).put([large("a")], Deadline(5)) == 1
    assert queue(sqs, s3).put([large("a")], Deadline(5)) == 0
    (key,) = s3.objects
    assert key == f"spill/{large('a').deduplication_id}"
    assert decode(s3.objects[key].decode()) == large("a")
    assert all(len(call["Entries"][0]["MessageBody"]) < 200 for call in sqs.calls)


def test_many_devices_are_sent_side_by_side() -> None:
    together = threading.Barrier(4, timeout=10)

    class Waiting(MemorySqs):
        def send_message_batch(self, **request: Any) -> dict[str, Any]:
            together.wait()  # breaks, unless four calls are under way at once
            return super().send_message_batch(**request)

    with ThreadPoolExecutor(4) as executor:
        sqs = Waiting()
        queue(sqs, executor=executor).put([message(f"d{n}") for n in range(40)], Deadline(20))
    assert len(sqs.messages) == 40


def test_when_one_call_fails_those_that_have_not_begun_are_left_out() -> None:
    class Refusing(MemorySqs):
        calls = 0

        def send_message_batch(self, **request: Any) -> dict[str, Any]:
            self.calls += 1
            time.sleep(0.01)  # as a call does: time in which the others are called off
            raise client_error("AccessDenied", 403)

    sqs = Refusing()
    with ThreadPoolExecutor(2) as executor, pytest.raises(SinkUnavailable):
        queue(sqs, executor=executor).put([message(f"d{n}") for n in range(1000)], Deadline(20))
    assert sqs.calls < 20
