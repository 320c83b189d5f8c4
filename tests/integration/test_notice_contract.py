"""The ledger and the minutes on DynamoDB keep what telling relies on, and so do the fakes."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tests.fakes.aws import FlakyDynamo, client_error
from tests.fakes.notices import START, Clock, MemoryLedger, MemoryMinutes, some_notices
from tests.integration.notice_stack import OneAtATime
from tests.tables import create_tables
from weir.notices.ports import Claimed, Ledger, Minutes, NotTaken
from weir.storage.notice_ledger import LEASE_S, NoticeLedger
from weir.storage.notice_minutes import NoticeMinutes

MINUTE = 60_000

type Worker = tuple[Ledger, Minutes]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def client() -> Any:
    return boto3.client("dynamodb", region_name="eu-west-1")


@pytest.fixture
def dynamodb(client: Any) -> Iterator[Any]:
    with mock_aws():
        create_tables(client)
        yield client


@pytest.fixture(params=["fake", "real"])
def worker(request: pytest.FixtureRequest, clock: Clock) -> Callable[[], Worker]:
    """Makes one more worker at the same ledger and minutes."""
    if request.param == "fake":
        ledger = MemoryLedger(clock)
        minutes = MemoryMinutes(ledger)
        return lambda: (ledger.as_another(), minutes.as_another(ledger))
    dynamodb = request.getfixturevalue("dynamodb")
    return lambda: (
        NoticeLedger(dynamodb, "notices", clock=clock),
        NoticeMinutes(dynamodb, "notices", clock=clock),
    )


# ------------------------------------------------------------------ the ledger


def test_a_claim_is_one_s_own_until_its_lease_ends(
    worker: Callable[[], Worker], clock: Clock
) -> None:
    (first, _), (second, _) = worker(), worker()
    assert first.claim("a#1") == frozenset()
    for ledger in (first, second):
        with pytest.raises(Claimed):
            ledger.claim("a#1")
    assert second.claim("a#2") == frozenset()
    clock.sleep(LEASE_S)
    with pytest.raises(Claimed):
        second.claim("a#1")
    clock.sleep(0.001)
    assert second.claim("a#1") == frozenset()


def test_what_is_marked_is_known_to_whoever_claims_next(worker: Callable[[], Worker]) -> None:
    (first, _), (second, _) = worker(), worker()
    first.claim("a#1")
    first.claim("a#2")
    first.mark(["a#1", "a#2"], "event")
    first.mark(["a#1"], "message")
    first.mark([], "event")
    for message_id in ("a#1", "a#2"):
        first.release(message_id)
    assert second.claim("a#1") == frozenset(("event", "message"))
    assert second.claim("a#2") == frozenset(("event",))


def test_what_is_done_is_claimed_by_nobody(worker: Callable[[], Worker], clock: Clock) -> None:
    (first, _), (second, _) = worker(), worker()
    first.claim("a#1")
    first.done("a#1")
    first.release("a#1")
    clock.sleep(LEASE_S + 1)
    assert second.claim("a#1") is None
    assert not second.suppress("a#1")


def test_only_one_s_own_claim_is_released(worker: Callable[[], Worker], clock: Clock) -> None:
    (first, _), (second, _) = worker(), worker()
    first.claim("a#1")
    second.release("a#1")
    second.release("a#2")
    with pytest.raises(Claimed):
        second.claim("a#1")
    clock.sleep(LEASE_S + 1)
    second.claim("a#1")
    first.release("a#1")
    with pytest.raises(Claimed):
        first.claim("a#1")


def test_what_is_suppressed_stays_so_and_what_was_begun_is_not(
    worker: Callable[[], Worker],
) -> None:
    (first, _), (second, _) = worker(), worker()
    assert first.suppress("a#1")
    assert second.suppress("a#1")
    assert second.claim("a#1") is None
    first.claim("a#2")
    assert not second.suppress("a#2")


# ------------------------------------------------------------------ the minutes


def test_a_minute_gives_its_share_away_once_and_a_storm_the_next_one_nothing(
    worker: Callable[[], Worker],
) -> None:
    (_, first), (_, second) = worker(), worker()
    assert [first.take(START, 2, 3), second.take(START, 2, 3), first.take(START, 5, 3)] == [2, 1, 0]
    assert [second.take(START + MINUTE, 2, 3), first.take(START + MINUTE, 1, 3)] == [0, 0]
    assert first.take(START + 2 * MINUTE, 2, 3) == 2  # three were no storm
    assert first.take(START + 9 * MINUTE, 4, 3) == 3


def test_what_is_held_is_done_and_comes_with_the_minute_s_digest(
    worker: Callable[[], Worker],
) -> None:
    (first_ledger, first), (ledger, second) = worker(), worker()
    notices = some_notices(49)
    for notice in notices:
        first_ledger.claim(notice.notice_id)
    assert not first.is_called(START)
    first.called(START)
    assert second.is_called(START)
    assert first.hold(START, notices)
    assert [ledger.claim(each.notice_id) for each in notices] == [None] * 49
    second.close(START)
    assert second.held(START) == sorted(notices, key=lambda each: each.notice_id)
    assert second.held(START + MINUTE) == []


def test_nothing_is_held_for_a_minute_that_is_closed_or_not_called(
    worker: Callable[[], Worker],
) -> None:
    (ledger, first), (_, second) = worker(), worker()
    notices = some_notices(2)
    assert not first.hold(START, notices)
    first.called(START)
    second.close(START)
    assert not first.hold(START, notices)
    assert second.held(START) == []
    assert ledger.claim(notices[0].notice_id) == frozenset()


# ------------------------------------------------------------------ of DynamoDB alone


def test_of_many_workers_one_claims_and_a_minute_gives_away_no_more_than_its_share(
    dynamodb: Any,
) -> None:
    atomic = OneAtATime(dynamodb)
    ledgers = [NoticeLedger(atomic, "notices") for _ in range(8)]
    minutes = NoticeMinutes(atomic, "notices")

    def claims(ledger: NoticeLedger) -> bool:
        try:
            return ledger.claim("a#1") is not None
        except Claimed:
            return False

    with ThreadPoolExecutor(8) as executor:
        assert sum(executor.map(claims, ledgers)) == 1
        assert sum(executor.map(lambda _: minutes.take(START, 2, 5), range(8))) == 5


def test_a_transaction_that_conflicts_is_tried_again_and_others_fail(dynamodb: Any) -> None:
    conflict, wrong = (client_error("TransactionCanceledException") for _ in range(2))
    conflict.response["CancellationReasons"] = [{"Code": "None"}, {"Code": "TransactionConflict"}]
    wrong.response["CancellationReasons"] = [{"Code": "ValidationError"}]
    flaky = FlakyDynamo(dynamodb, "transact_write_items", conflict, wrong)
    flaky._faults.insert(1, lambda: None)
    minutes = NoticeMinutes(flaky, "notices")
    minutes.called(START)
    assert minutes.hold(START, some_notices(2))
    assert flaky.calls == 2
    with pytest.raises(NotTaken, match="the minutes: "):
        minutes.hold(START, some_notices(2))


def test_every_item_expires(dynamodb: Any) -> None:
    ledger, minutes = NoticeLedger(dynamodb, "notices"), NoticeMinutes(dynamodb, "notices")
    ledger.claim("a#1")
    ledger.suppress("a#2")
    ledger.done("a#3")
    minutes.take(START, 1, 1)
    minutes.called(START)
    minutes.hold(START, some_notices(1))
    items = dynamodb.scan(TableName="notices")["Items"]
    assert len(items) == 7
    assert all(int(item["expires_at"]["N"]) > START // 1000 for item in items)


def test_a_ledger_that_is_away_is_not_taken(dynamodb: Any) -> None:
    ledger, minutes = NoticeLedger(dynamodb, "missing"), NoticeMinutes(dynamodb, "missing")
    calls: list[Callable[[], object]] = [
        lambda: ledger.claim("a"),
        lambda: ledger.suppress("a"),
        lambda: ledger.mark(["a"], "event"),
        lambda: ledger.mark(["a", "b"], "event"),
        lambda: ledger.done("a"),
        lambda: ledger.release("a"),
        lambda: minutes.take(START, 1, 1),
        lambda: minutes.is_called(START),
        lambda: minutes.called(START),
        lambda: minutes.hold(START, some_notices(1)),
        lambda: minutes.close(START),
        lambda: minutes.held(START),
    ]
    for call in calls:
        with pytest.raises(NotTaken):
            call()
