"""Telling, with everything in memory: channels, minutes, claims, and what is told of failures."""

import json

import pytest

from tests.fakes.notices import START, Clock, FakeHook, MemoryLedger, World, some_notices
from weir.notices.courier import Courier
from weir.notices.ports import Claimed, NotTaken, Refused

MINUTE = 60_000


class Failing:
    """A gate at which a call fails, so many times."""

    def __init__(self, point: str, times: int = 1) -> None:
        self.point = point
        self.times = times

    def __call__(self, point: str) -> None:
        if point == self.point and self.times:
            self.times -= 1
            raise NotTaken(f"{point}: throttled")


def test_a_few_notices_go_singly_with_an_event_each() -> None:
    world = World()
    notices = some_notices(3)
    told = world.worker().tell(notices, set(), world.soon())
    assert (told.sent, told.held, told.events, told.failed) == (3, 0, 3, set())
    assert [each.message_id for each in world.topic.messages] == [n.notice_id for n in notices]
    assert world.bus.events == notices
    assert world.queue.digests == []
    assert world.queue.posts == []


def test_telling_again_changes_nothing() -> None:
    world = World(webhook=True)
    notices = some_notices(5)
    for _ in range(3):
        told = world.worker().tell([*notices, *notices], set(), world.soon())
        assert told.failed == set()
    assert len(world.bus.events) == 5
    assert len(world.topic.messages) == len(world.queue.posts) == 3
    assert len(world.minutes.kept[START]) == 2


def test_what_is_more_than_a_minute_s_share_waits_for_one_digest() -> None:
    world = World(limit=2, webhook=True)
    for notice in some_notices(6):
        world.worker().tell([notice], set(), world.soon())
    assert len(world.topic.messages) == 2
    assert world.queue.digests == [(START + 62_000, START)]
    world.clock.now = START + 62_000
    for minute in world.digests():
        assert world.worker().tell_digest(minute).digests == 1
        assert world.worker().tell_digest(minute).digests == 0
    assert len(world.topic.messages) == 3
    told = json.loads(world.topic.messages[-1].document)
    assert (told["notices"], told["devices"]) == (4, 4)
    assert [message_id for message_id, _ in world.queue.posts] == [
        each.message_id for each in world.topic.messages
    ]


def test_while_a_storm_goes_on_nothing_goes_singly() -> None:
    world = World(limit=2)
    notices = iter(some_notices(12))
    singles = []
    for many in (3, 3, 2, 2, 2):  # notices a minute: a storm of two minutes
        before = len(world.topic.messages)
        world.worker().tell([next(notices) for _ in range(many)], set(), world.soon())
        singles.append(len(world.topic.messages) - before)
        world.clock.now += MINUTE
    assert singles == [2, 0, 0, 2, 2]
    assert [minute for _, minute in world.queue.digests] == [
        START,
        START + MINUTE,
        START + 2 * MINUTE,
    ]


def test_the_snoozed_are_noted_and_not_told_even_when_they_come_again_awake() -> None:
    world = World()
    quiet, loud = some_notices(2)
    told = world.worker().tell([quiet, loud], {quiet.notice_id}, world.soon())
    assert (told.suppressed, told.sent, told.events) == (1, 1, 1)
    world.worker().tell([quiet, loud], set(), world.soon())
    assert [each.message_id for each in world.topic.messages] == [loud.notice_id]


def test_what_was_begun_before_a_snooze_is_told_to_the_end() -> None:
    world = World()
    notices = some_notices(1)
    assert world.worker(Failing("publish")).tell(notices, set(), world.soon()).failed
    told = world.worker().tell(notices, {notices[0].notice_id}, world.soon())
    assert (told.suppressed, told.sent, told.events) == (0, 1, 0)


@pytest.mark.parametrize(
    "point", ["claim", "put", "mark", "take", "publish", "done", "ask to post"]
)
def test_a_call_that_fails_fails_its_notice_alone_which_may_come_again_at_once(point: str) -> None:
    world = World(webhook=True)
    notices = some_notices(2)
    told = world.worker(Failing(point)).tell(notices, set(), world.soon())
    assert told.failed
    assert len(told.failed) == (2 if point in ("put", "mark", "take") else 1)
    assert {notice_id for notice_id, _ in world.troubles} == told.failed
    assert world.worker().tell(notices, set(), world.soon(1)).failed == set()
    assert {each.notice_id for each in world.bus.events} == {each.notice_id for each in notices}
    assert {each.message_id for each in world.topic.messages} == {n.notice_id for n in notices}
    if point in ("claim", "put", "take", "publish", "ask to post"):
        assert len(world.bus.events) == len(world.topic.messages) == 2


@pytest.mark.parametrize("point", ["is called", "call digest", "called", "hold"])
def test_what_cannot_be_held_comes_again(point: str) -> None:
    world = World(limit=1)
    notices = some_notices(60)  # 59 are held, in two transactions
    told = world.worker(Failing(point)).tell(notices, set(), world.soon())
    assert (told.sent, told.held, len(told.failed)) == (1, 10, 49)
    assert world.worker().tell(notices, set(), world.soon()).failed == set()
    held = {each for kept in world.minutes.kept.values() for each in kept}
    assert len(held | {each.message_id for each in world.topic.messages}) == 60


def test_only_the_events_that_were_not_taken_come_again() -> None:
    world = World(limit=20)
    world.bus._refuse = [[0, 7]]
    notices = some_notices(12)
    told = world.worker().tell(notices, set(), world.soon())
    assert told.failed == {notices[0].notice_id, notices[7].notice_id}
    assert (told.events, told.sent) == (10, 10)
    told = world.worker().tell(notices, set(), world.soon())
    assert (told.events, told.sent, told.failed) == (2, 2, set())
    assert len(world.bus.events) == len(set(world.bus.events)) == 12


def test_what_another_worker_has_claimed_fails_unless_its_lease_ends_in_time() -> None:
    world = World()
    notices = some_notices(2)
    world.ledger.as_another().claim(notices[0].notice_id)  # and dies
    told = world.worker().tell(notices, set(), world.soon(30))
    assert (told.sent, told.failed) == (1, {notices[0].notice_id})
    assert 29_000 <= world.clock() - START <= 30_000
    told = world.worker().tell(notices, set(), world.soon(50))
    assert (told.sent, told.failed) == (1, set())
    assert 75_000 < world.clock() - START < 78_000


def test_what_was_held_after_its_minute_was_closed_waits_for_the_next_digest() -> None:
    world = World(limit=1)
    notices = some_notices(3)
    world.worker().tell(notices[:2], set(), world.soon())
    world.minutes.close(START)  # by a worker whose clock is ahead
    assert world.worker().tell(notices, set(), world.soon()).held == 1
    assert list(world.minutes.kept[START + MINUTE]) == [notices[2].notice_id]
    assert [minute for _, minute in world.queue.digests] == [START, START + MINUTE]


def test_a_digest_that_is_called_early_ends_its_minute_and_the_rest_waits_for_the_next() -> None:
    world = World(limit=1)
    notices = some_notices(5)
    world.worker().tell(notices[:3], set(), world.soon())
    assert world.worker().tell_digest(START).digests == 1
    world.worker().tell(notices[3:], set(), world.soon())
    world.clock.now = START + 122_000
    assert world.worker().tell_digest(START + MINUTE).digests == 1
    digests = [json.loads(message.document) for message in world.topic.messages[1:]]
    assert [digest["notices"] for digest in digests] == [2, 2]


def test_a_digest_without_notices_sends_nothing_and_closes_its_minute() -> None:
    world = World()
    world.clock.now = START + 62_000
    assert world.worker().tell_digest(START).digests == 0
    assert world.topic.messages == []
    assert world.minutes.closed == {START}


def test_a_digest_that_fails_may_come_again_at_once() -> None:
    world = World(limit=1)
    world.worker().tell(some_notices(3), set(), world.soon())
    world.clock.now = START + 62_000
    with pytest.raises(NotTaken):
        world.worker(Failing("publish")).tell_digest(START)
    assert world.worker().tell_digest(START).digests == 1
    assert len(world.topic.messages) == 2


def test_nothing_begins_when_no_time_is_left() -> None:
    world = World()
    notices = some_notices(2)
    told = world.worker().tell(notices, set(), world.soon(0))
    assert told.failed == {each.notice_id for each in notices}
    assert world.topic.messages == []


# ------------------------------------------------------------------ posting


def test_a_post_is_made_once() -> None:
    hook = FakeHook()
    courier = Courier(MemoryLedger(Clock()), hook)
    assert courier.deliver("a", "{}")
    assert not courier.deliver("a", "{}")
    assert hook.posted == [("a", "{}")]


def test_a_post_that_fails_is_made_again_and_one_that_is_refused_is_not() -> None:
    hook = FakeHook(NotTaken("503"), None, Refused("410"))
    courier = Courier(MemoryLedger(Clock()), hook)
    with pytest.raises(NotTaken):
        courier.deliver("a", "{}")
    assert courier.deliver("a", "{}")
    with pytest.raises(Refused):
        courier.deliver("b", "{}")
    assert not courier.deliver("b", "{}")


def test_a_post_waits_for_the_lease_of_a_worker_that_died_at_it() -> None:
    clock = Clock()
    ledger = MemoryLedger(clock)
    ledger.as_another().claim("a")
    courier = Courier(ledger, FakeHook())
    with pytest.raises(Claimed):
        courier.deliver("a", "{}")
    clock.sleep(76)
    assert courier.deliver("a", "{}")


# ------------------------------------------------------------------ a storm


def test_a_thousand_devices_in_a_minute_are_at_most_five_messages_with_each_in_one() -> None:
    world = World(limit=3)
    world.clock.now = START + 35_000
    notices = some_notices(1000)
    for at in range(0, 1000, 50):
        told = world.worker().tell(notices[at : at + 50], set(), world.soon())
        assert told.failed == set()
        world.clock.sleep(3)
        for minute in world.digests():
            world.worker().tell_digest(minute)
    world.clock.now = START + 3 * MINUTE
    for minute in world.digests():
        world.worker().tell_digest(minute)
    assert len(world.topic.messages) == 5
    assert len(world.bus.events) == 1000
    documents = [json.loads(message.document) for message in world.topic.messages]
    ids = [each for d in documents for each in d.get("notice_ids", [d.get("notice_id")])]
    assert sorted(ids) == sorted(notice.notice_id for notice in notices)
