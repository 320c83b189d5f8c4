"""Sinks that fail in part or for a while: only what failed is sent again, and only so long."""

import pytest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError

from tests.fakes.aws import FlakyFirehose, client_error, timed_out
from weir.storage.lake_stream import MAX_BATCH_BYTES, LakeStream
from weir.storage.retry import Deadline, Rest, SinkUnavailable, send_all


class Clock:
    """A clock that moves only when someone sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_only_the_records_that_failed_are_sent_again() -> None:
    firehose = FlakyFirehose([0, 2], [1])
    retries = LakeStream(firehose, "lake").put([b"a", b"b", b"c"], Deadline(10))
    assert firehose.calls == [[b"a", b"b", b"c"], [b"a", b"c"], [b"c"]]
    assert sorted(firehose.records) == [b"a", b"b", b"c"]
    assert retries == 2


@pytest.mark.parametrize(
    "fault",
    [
        client_error("ServiceUnavailableException", 503),
        client_error("ThrottlingException"),
        client_error("Whatever", 500),
        timed_out(),
        ConnectTimeoutError(endpoint_url="https://aws.example"),
        EndpointConnectionError(endpoint_url="https://aws.example"),
    ],
    ids=repr,
)
def test_a_call_that_fails_for_now_is_repeated_whole(fault: Exception) -> None:
    firehose = FlakyFirehose(fault)
    assert LakeStream(firehose, "lake").put([b"a", b"b"], Deadline(10)) == 1
    assert firehose.records == [b"a", b"b"]


def test_a_call_that_would_never_succeed_is_not_repeated() -> None:
    firehose = FlakyFirehose(client_error("AccessDeniedException"))
    with pytest.raises(Exception, match="AccessDenied"):
        LakeStream(firehose, "lake").put([b"a"], Deadline(10))
    assert len(firehose.calls) == 1


def test_records_go_in_batches_that_firehose_takes() -> None:
    firehose = FlakyFirehose()
    records = [bytes([n % 250]) * 900_000 for n in range(9)] + [b"x"] * 1200
    LakeStream(firehose, "lake").put(records, Deadline(10))
    assert all(len(call) <= 500 for call in firehose.calls)
    assert all(sum(map(len, call)) <= MAX_BATCH_BYTES for call in firehose.calls)
    assert sorted(firehose.records) == sorted(records)


def test_waits_grow_and_end_with_the_time_that_is_left() -> None:
    clock = Clock()
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        clock.sleep(seconds)

    def send(entries: object) -> Rest[str]:
        return Rest(["a"], "ThrottlingException")

    with pytest.raises(SinkUnavailable) as caught:
        send_all("DynamoDB", ["a"], send, Deadline(5, clock), sleep)
    assert caught.value.throttled
    assert caught.value.left == 1
    assert sum(waits) <= 5
    assert max(waits) <= 2
    assert len(waits) >= 3


def test_no_time_left_means_one_try() -> None:
    with pytest.raises(SinkUnavailable):
        LakeStream(FlakyFirehose([0]), "lake").put([b"a"], Deadline(0))
