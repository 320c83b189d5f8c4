"""Batches of stream records: sizes, lanes, splits, and what a function's response means."""

import json
import random
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.local.local_fakes import record
from weir_local.stream_mapping.batches import (
    MAX_PAYLOAD_BYTES,
    Batch,
    StreamRecord,
    after_failure,
    after_partial,
    event,
    expired,
    first_failure,
    lane,
    partition,
    reordered,
    take,
)


def batch(size: int, retries: int = 0) -> Batch:
    return Batch(tuple(record() for _ in range(size)), retries)


def response(*identifiers: object) -> bytes:
    failures = [{"itemIdentifier": identifier} for identifier in identifiers]
    return json.dumps({"batchItemFailures": failures}).encode()


def test_the_event_says_where_its_records_come_from() -> None:
    [found] = json.loads(event([record("pump-9")]))["Records"]
    assert found["eventSource"] == "aws:dynamodb"
    assert found["eventSourceARN"] == "arn:stream"
    assert found["dynamodb"]["Keys"]["pk"] == {"S": "pump-9"}


def test_a_batch_takes_no_more_records_than_its_size() -> None:
    queue = deque(record() for _ in range(5))
    assert [len(take(queue, 2).records) for _ in range(3)] == [2, 2, 1]


def test_a_batch_stays_within_6_mb() -> None:
    queue = deque(record(padding=400_000) for _ in range(40))
    sizes = []
    while queue:
        taken = take(queue, 100)
        sizes.append(len(taken.records))
        assert len(event(taken.records)) <= MAX_PAYLOAD_BYTES
    assert sizes == [15, 15, 10]


def test_records_of_one_device_share_a_lane() -> None:
    assert len({lane(record("pump-1"), 10) for _ in range(20)}) == 1
    assert {lane(record(f"pump-{n}"), 2) for n in range(50)} == {0, 1}


@pytest.mark.parametrize("payload", [b"", b"null", b"{}", b'{"batchItemFailures": []}',
                                     b'{"batchItemFailures": null}'])  # fmt: skip
def test_an_empty_or_null_response_is_a_success(payload: bytes) -> None:
    assert first_failure(payload, batch(3), report_failures=True) is None


@pytest.mark.parametrize("identifier", ["", None, "unknown", 7])
def test_an_identifier_that_names_no_record_fails_the_whole_batch(identifier: object) -> None:
    some = batch(3)
    payload = response(some.records[2].sequence, identifier)
    assert first_failure(payload, some, report_failures=True) == 0


def test_a_failure_under_the_wrong_name_fails_the_whole_batch() -> None:
    payload = b'{"batchItemFailures": [{"id": "1"}]}'
    assert first_failure(payload, batch(3), report_failures=True) == 0


def test_the_lowest_of_the_reported_records_is_where_it_goes_on() -> None:
    some = batch(5)
    payload = response(some.records[3].sequence, some.records[1].sequence)
    assert first_failure(payload, some, report_failures=True) == 1


def test_reports_are_ignored_unless_they_were_asked_for() -> None:
    some = batch(2)
    payload = response(some.records[0].sequence)
    assert first_failure(payload, some, report_failures=False) is None


def test_a_failed_batch_is_halved_without_using_up_a_retry() -> None:
    halves = after_failure(batch(5, retries=1), bisect=True, max_retries=1)
    assert halves is not None
    assert [(len(half.records), half.retries) for half in halves] == [(2, 1), (3, 1)]


def test_a_single_record_is_retried_until_its_retries_are_used_up() -> None:
    [again] = after_failure(batch(1), bisect=True, max_retries=1) or []
    assert again.retries == 1
    assert after_failure(again, bisect=True, max_retries=1) is None


def test_without_a_limit_a_batch_is_retried_for_ever() -> None:
    assert after_failure(batch(2, retries=10_000), bisect=False, max_retries=-1) is not None


def test_after_a_partial_failure_only_the_rest_comes_again() -> None:
    some = batch(5, retries=1)
    [rest] = after_partial(some, 2, bisect=True, max_retries=1) or []
    assert rest.records == some.records[2:]
    assert rest.retries == 1


def test_when_the_first_record_failed_the_whole_batch_uses_up_a_retry() -> None:
    some = batch(5)
    [again] = after_partial(some, 0, bisect=True, max_retries=1) or []
    assert (again.records, again.retries) == (some.records, 1)
    assert after_partial(again, 0, bisect=True, max_retries=1) is None


def test_records_that_are_too_old_are_split_off() -> None:
    old, young = record(created=0), record(created=90)
    gone, left = expired(Batch((old, young)), now=100, max_age=60)
    assert gone is not None
    assert gone.records == (old,)
    assert left is not None
    assert left.records == (young,)
    assert expired(Batch((old,)), now=100, max_age=-1)[0] is None


@given(st.integers(1, 64), st.integers(0, 3))
def test_whatever_is_halved_keeps_all_its_records_in_order(size: int, max_retries: int) -> None:
    whole = batch(size)
    todo = [whole]
    done: list[StreamRecord] = []
    while todo:
        current = todo.pop(0)
        following = after_failure(current, bisect=True, max_retries=max_retries)
        if following is None:
            done.extend(current.records)
        else:
            todo[:0] = following
    assert tuple(done) == whole.records


@given(
    keys=st.lists(st.sampled_from("abcd"), max_size=30),
    seed=st.integers(min_value=0, max_value=2**32),
)
def test_another_order_loses_nothing_and_keeps_each_device_s_own(
    keys: list[str], seed: int
) -> None:
    records = [record(key) for key in keys]
    changed = reordered(records, random.Random(seed))
    assert sorted(one.sequence for one in changed) == sorted(one.sequence for one in records)
    for key in {partition(one) for one in records}:
        before = [one.sequence for one in records if partition(one) == key]
        assert [one.sequence for one in changed if partition(one) == key] == before


def test_another_order_is_another_order() -> None:
    records = [record(key) for key in "abcdefgh"]
    assert reordered(records, random.Random(1)) != records
