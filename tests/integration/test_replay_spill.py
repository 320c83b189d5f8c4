"""Replay of the spill's dead letters: each goes back once, in the order of its device."""

import json
from collections.abc import Iterator

import pytest
from moto import mock_aws

from tests.fakes.aws import client_error
from tests.integration.replaying import NOW, World
from weir.spill import decode, encode
from weir.storage.spill_queue import MAX_BODY_BYTES
from weir_cli import replay_spill
from weir_cli.replay_report import Place

SPILL = Place.SPILL


@pytest.fixture
def world() -> Iterator[World]:
    with mock_aws():
        yield World()


def times(world: World, queue: str) -> list[tuple[str, int]]:
    """Of each message in a queue the device and when its reading was measured."""
    return [(group, decode(body).chunks()[0].t0) for group, body in world.lying(queue)]


def test_dead_letters_go_back_to_the_spill_in_the_order_of_each_device(world: World) -> None:
    world.give_up("a", "b", "a", "c", *["a"] * 20, "b")
    before = world.lying(world.dead_letters)
    found = world.replay(SPILL)
    assert (found.found, found.replayed, found.left) == (25, 25, 0)
    assert found.why == {"given up by respill: not in lake": 25}
    assert world.lying(world.dead_letters) == []
    after = world.lying(world.spill)
    for device in "abc":
        assert [m for m in after if m[0] == device] == [m for m in before if m[0] == device]
    assert world.watched.done == world.watched.total == {SPILL: 25}


def test_replaying_the_spill_twice_changes_nothing(world: World) -> None:
    world.give_up("a", "b")
    world.send_dead_letter("c", "garbage")
    world.replay(SPILL)
    places = world.spill, world.dead_letters
    before = [world.lying(queue) for queue in places]
    found = world.replay(SPILL)
    assert (found.found, found.replayed, found.because) == (1, 0, {"cannot be read": 1})
    assert [world.lying(queue) for queue in places] == before


def test_a_dry_run_sees_everything_once_and_gives_it_back(world: World) -> None:
    world.give_up(*"abcabcabcabcabc")
    before = world.lying(world.dead_letters)
    found = world.replay(SPILL, dry_run=True)
    assert (found.found, found.replayed, found.left) == (15, 0, 15)
    assert len({entry.name for entry in found.entries}) == 15
    assert world.lying(world.dead_letters) == before
    assert world.lying(world.spill) == []
    assert world.visible(world.dead_letters) == 15
    assert world.replay(SPILL).is_through


def test_a_dry_run_counts_what_lies_behind_ten_of_one_device(world: World) -> None:
    world.give_up(*["a"] * 25, "b")
    found = world.replay(SPILL, dry_run=True)
    assert len(found.entries) == 11
    assert (found.unseen, found.found) == (15, 26)
    assert found.because == {"not looked at": 15}


def test_what_lies_behind_letters_that_stay_goes_through(world: World) -> None:
    for device in "abc":
        world.send_dead_letter(device, "garbage")
    world.give_up(*"abcabcabcabc", *["a"] * 20)
    found = world.replay(SPILL)
    assert (found.replayed, found.left) == (32, 3)
    assert found.because == {"cannot be read": 3}
    assert [body for _, body in world.lying(world.dead_letters)] == ["garbage"] * 3
    for device in "abc":
        moments = [at for group, at in times(world, world.spill) if group == device]
        assert moments == sorted(moments)


def test_since_leaves_what_was_given_up_before(world: World) -> None:
    world.give_up("a", "b")
    found = world.replay(SPILL, since=NOW + 3_600_000)
    assert (found.found, found.replayed) == (0, 0)
    assert found.is_through
    assert world.visible(world.dead_letters) == 2
    assert world.replay(SPILL, since=NOW - 3_600_000).replayed == 2


def test_newer_letters_go_past_older_ones_of_their_device(world: World) -> None:
    world.give_up("a", "a")
    world.messages(world.dead_letters)[0].sent_timestamp -= 7_200_000
    (older, newer) = world.lying(world.dead_letters)
    assert world.replay(SPILL, since=NOW - 3_600_000).replayed == 1
    assert world.lying(world.spill) == [newer]
    assert world.lying(world.dead_letters) == [older]


@pytest.mark.parametrize(
    "body", ["garbage", "{}", json.dumps({"version": 1, "object": "spill/0", "received_at": 1})]
)
def test_what_respill_could_not_read_stays_and_is_told(world: World, body: str) -> None:
    world.send_dead_letter("a", body)
    world.give_up("a")
    found = world.replay(SPILL)
    assert (found.found, found.replayed) == (2, 1)
    assert found.because == {"cannot be read": 1}
    assert found.why["given up by respill: unreadable"] == 1
    assert world.lying(world.dead_letters) == [("a", body)]
    assert world.visible(world.dead_letters) == 1


def test_a_large_message_goes_back_as_it_is_and_so_does_one_that_is_done(world: World) -> None:
    (message,) = world.give_up("a")
    key = f"spill/{message.deduplication_id}"
    world.s3.put_object(Bucket="failures", Key=key, Body=encode(message).encode())
    world.s3.put_object(Bucket="failures", Key="spill/done", Body=b"")
    bodies = [
        json.dumps({"version": 1, "object": name, "received_at": 1}) for name in (key, "spill/done")
    ]
    for body in bodies:
        world.send_dead_letter("a", body)
    assert all(len(body) < MAX_BODY_BYTES for body in bodies)
    assert world.replay(SPILL).replayed == 3
    assert [body for _, body in world.lying(world.spill)][1:] == bodies


def test_what_a_message_carries_beside_its_body_is_kept(world: World) -> None:
    (message,) = world.give_up("a")
    note = {"note": {"DataType": "String", "StringValue": "x"}}
    world.send_dead_letter("b", encode(message), MessageAttributes=note)
    world.replay(SPILL)
    received = world.sqs.receive_message(
        QueueUrl=world.spill, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    )["Messages"]
    assert [message.get("MessageAttributes") for message in received] == [None, note]


def test_killed_before_any_call_the_spill_loses_and_doubles_nothing(world: World) -> None:
    at_work, call = True, 0
    while at_work:
        devices = [f"a{call}", f"b{call}", f"a{call}"]
        world.give_up(*devices)
        at_work = world.kill_at(call, SPILL)
        assert world.replay(SPILL).is_through
        assert world.lying(world.dead_letters) == []
        groups = [group for group, _ in world.lying(world.spill) if group in devices]
        assert sorted(groups) == sorted(devices)
        mine = [at for group, at in times(world, world.spill) if group == devices[0]]
        assert mine == sorted(set(mine))
        call += 1
    assert call == 10  # count, receive, send and delete three, receive nothing; one to the end


def test_a_spill_that_takes_nothing_leaves_all_with_the_dead_letters(world: World) -> None:
    world.give_up("a", "b", "a")
    before = world.lying(world.dead_letters)
    sent: list[str] = []

    def refused(operation: str) -> None:
        if operation == "send_message":
            sent.append(operation)
            if len(sent) == 2:
                raise client_error("AccessDenied", 403)

    world.before = refused
    found = world.replay(SPILL)
    assert (found.found, found.replayed, found.left) == (3, 1, 2)
    assert found.because == {"not tried": 2}
    assert "may not call" in found.problem
    assert len(sent) == 2
    assert world.lying(world.dead_letters) == before[1:]
    assert world.visible(world.dead_letters) == 2


def test_a_queue_that_is_not_there_is_a_problem(world: World) -> None:
    world.sqs.delete_queue(QueueUrl=world.dead_letters)
    found = world.replay(SPILL)
    assert found.problem == f"the queue {world.dead_letters} is not there."
    assert not found.is_through


def test_what_comes_back_at_once_is_left_and_the_pass_ends(world: World) -> None:
    world.give_up("a", "b")

    def comes_back(operation: str) -> None:
        """Move what was sent to the dead letters, as SQS does: with the id that it had."""
        if operation == "receive_message":
            sent = world.messages(world.spill)
            world.messages(world.dead_letters).extend(sent)
            sent.clear()

    world.before = comes_back
    found = world.replay(SPILL)
    assert found.replayed == 2
    assert found.because == {"came back at once": 2}
    assert not found.is_through
    assert len(world.lying(world.dead_letters)) == 2
    assert world.visible(world.dead_letters) == 2


def test_a_pass_that_takes_longer_than_it_holds_messages_still_ends(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay_spill, "HOLD_S", 0)  # all that was received is seen again at once
    world.give_up(*"abc")
    found = world.replay(SPILL, dry_run=True)
    assert len(found.entries) == 3
    assert world.replay(SPILL).replayed == 3


def test_a_pass_that_is_stopped_gives_back_what_it_holds(world: World) -> None:
    world.give_up("a", "b", "a")

    def stopped(operation: str) -> None:
        if operation == "delete_message":
            world.stop.set()

    world.before = stopped
    found = world.replay(SPILL)
    assert (found.replayed, found.left) == (1, 2)
    assert found.problem == "stopped before the end"
    assert world.visible(world.dead_letters) == 2
