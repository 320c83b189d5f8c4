"""Replay of lake and stream: what failed goes through again, and nothing is lost on the way."""

import base64
import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from moto import mock_aws
from typer.testing import CliRunner, Result

import weir_cli.target
from tests.fakes.aws import FlakyFirehose, client_error
from tests.integration.replaying import (
    ARRIVED,
    FAILED_AT,
    NOW,
    World,
    lake_records,
    readings,
)
from tests.targets import a_target
from weir.readings import format_ts
from weir_cli import replay_io
from weir_cli.commands.replay import replay
from weir_cli.replay_report import Place

LAKE, STREAM = Place.LAKE, Place.STREAM


@pytest.fixture
def world() -> Iterator[World]:
    with mock_aws():
        yield World()


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(row["reading_id"] for row in rows)


# -------------------------------------------------------------- the lake


def test_failed_records_go_back_onto_the_stream_with_the_time_they_first_came(
    world: World,
) -> None:
    key = world.fail_delivery(lake_records("pump-7", "pump-8"))
    before = world.objects("lake")[key]
    found = world.replay(LAKE)
    assert (found.found, found.replayed, found.left) == (2, 2, 0)
    assert found.why == {"Lambda.FunctionError": 2}
    rows = world.rows()
    assert len(rows) == len(set(ids(rows))) == 20
    assert {row["received_at"] for row in rows} == {format_ts(ARRIVED)}
    assert world.objects("lake") == {f"replayed/{key}": before}
    assert world.watched.done == world.watched.total == {LAKE: 1}


def test_replaying_the_lake_twice_changes_nothing(world: World) -> None:
    world.fail_delivery([*lake_records("pump-7"), b"garbage"])
    world.fail_delivery(lake_records("pump-8"), "b")
    world.replay(LAKE)
    before, calls = world.objects("lake"), len(world.firehose.calls)
    found = world.replay(LAKE)
    assert (found.found, found.replayed, found.left) == (1, 0, 1)
    assert world.objects("lake") == before
    assert len(world.firehose.calls) == calls


def test_what_cannot_be_read_stays_and_its_neighbours_go(world: World) -> None:
    key = world.fail_delivery([*lake_records("pump-7"), b"garbage", *lake_records("pump-8")])
    before = world.objects("lake")[key]
    found = world.replay(LAKE)
    assert (found.found, found.replayed, found.left) == (3, 2, 1)
    assert found.because == {"cannot be read": 1}
    assert "cannot be inflated" in found.stays[0].detail
    assert not found.is_through
    assert len(world.rows()) == 20
    after = world.objects("lake")
    assert after[f"replayed/{key}"] == before
    (line,) = gzip.decompress(after[key]).splitlines()
    assert line == gzip.decompress(before).splitlines()[1]
    assert world.s3.head_object(Bucket="lake", Key=key)["ContentEncoding"] == "gzip"


def test_what_goes_through_later_leaves_the_first_copy_whole(world: World) -> None:
    key = world.fail_delivery(lake_records("pump-7", "pump-8"))
    whole = world.objects("lake")[key]
    # A run that came before put the first line through.
    world.s3.put_object(Bucket="lake", Key=f"replayed/{key}", Body=whole)
    world.s3.put_object(Bucket="lake", Key=key, Body=gzip.decompress(whole).splitlines()[1])
    assert world.replay(LAKE).is_through
    assert {row["device_id"] for row in world.rows()} == {"pump-8"}
    assert world.objects("lake") == {f"replayed/{key}": whole}


@pytest.mark.parametrize("place", [LAKE, STREAM, Place.SPILL])
def test_a_dry_run_lists_and_touches_nothing(world: World, place: Place) -> None:
    world.fail_delivery([*lake_records("pump-7"), b"garbage"])
    world.discard(world.store(readings("pump-7")))
    before = [world.objects(bucket) for bucket in ("lake", "failures")]
    written = {"put_object", "delete_object", "put_record_batch", "invoke", "send_message"}
    called: set[str] = set()
    world.before = called.add
    found = world.replay(place, dry_run=True)
    assert [world.objects(bucket) for bucket in ("lake", "failures")] == before
    assert called.isdisjoint({*written, "delete_message"})
    if place is not Place.SPILL:
        assert found.left == found.found > 0
        assert all(entry.why and entry.failed_at for entry in found.entries)
    assert found.because == ({"cannot be read": 1} if place is LAKE else {})


def test_since_takes_only_what_failed_since(world: World) -> None:
    old, new = lake_records("pump-7", "pump-8")
    world.fail_delivery([old], "old", failed_at=NOW - 7_200_000)
    mixed = world.fail_delivery([new], "mixed")
    both = gzip.decompress(world.objects("lake")[mixed]) + gzip.decompress(
        world.objects("lake")[mixed.replace("mixed", "old")]
    )
    world.s3.put_object(Bucket="lake", Key=mixed, Body=both)
    found = world.replay(LAKE, since=FAILED_AT)
    assert (found.found, found.replayed, found.left) == (1, 1, 0)
    assert {row["device_id"] for row in world.rows()} == {"pump-8"}
    assert world.objects("lake")[mixed] == both.splitlines(keepends=True)[1]
    assert world.replay(LAKE).replayed == 2


def test_an_object_from_before_since_is_not_even_read(world: World) -> None:
    world.fail_delivery(lake_records("pump-7"))
    called: list[str] = []
    world.before = called.append
    assert world.replay(LAKE, since=NOW + 86_400_000).found == 0
    assert "get_object" not in called


def test_records_that_firehose_refuses_in_part_are_put_again_and_none_is_lost(
    world: World,
) -> None:
    world.firehose = world.clients["firehose"] = FlakyFirehose([0], client_error("Slow", 503), [0])
    world.fail_delivery(lake_records("pump-7", "pump-8", "pump-9"))
    found = world.replay(LAKE, patience_s=20.0)
    assert found.is_through
    assert len(world.rows()) == len(set(ids(world.rows()))) == 30


def test_while_firehose_is_down_all_stays_is_counted_and_goes_through_later(
    world: World,
) -> None:
    for n in range(3):
        world.fail_delivery(lake_records(f"pump-{n}"), str(n))
    before = world.objects("lake")
    down = FlakyFirehose(*[client_error("ServiceUnavailableException", 503)] * 1000)
    world.firehose = world.clients["firehose"] = down
    found = world.replay(LAKE, patience_s=0.2)
    assert (found.found, found.replayed, found.left) == (3, 0, 3)
    assert found.because == {"not tried": 3}
    assert "weir-lake" in found.problem
    assert "ServiceUnavailable" in found.problem
    assert world.objects("lake") == before
    world.firehose = world.clients["firehose"] = FlakyFirehose()
    assert world.replay(LAKE).is_through
    assert len(world.rows()) == 30


def test_what_went_through_before_firehose_gave_out_does_not_go_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay_io, "SLICE", 1)
    down = FlakyFirehose((), *[client_error("ServiceUnavailableException", 503)] * 1000)
    world.firehose = world.clients["firehose"] = down
    key = world.fail_delivery(lake_records("pump-7", "pump-8", "pump-9"))
    found = world.replay(LAKE, patience_s=0.2)
    assert (found.replayed, found.left) == (1, 2)
    assert gzip.decompress(world.objects("lake")[key]).count(b"\n") == 2
    down._faults.clear()
    assert world.replay(LAKE).replayed == 2
    assert len(world.rows()) == len(set(ids(world.rows()))) == 30


def test_stopped_in_the_middle_of_an_object_the_rest_of_it_stays(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay_io, "SLICE", 1)
    world.fail_delivery(lake_records("pump-7", "pump-8"))
    world.before = lambda operation: world.stop.set() if operation == "put_record_batch" else None
    found = world.replay(LAKE)
    assert (found.replayed, found.because) == (1, {"not tried": 1})
    world.stop.clear()
    assert world.replay(LAKE).is_through
    assert len(world.rows()) == len(set(ids(world.rows()))) == 20


def test_an_object_that_another_replay_took_away_is_passed_over(world: World) -> None:
    key = world.fail_delivery(lake_records("pump-7"))

    def taken(operation: str) -> None:
        if operation == "get_object":
            world.s3.delete_object(Bucket="lake", Key=key)

    world.before = taken
    found = world.replay(LAKE)
    assert (found.found, found.is_through) == (0, True)


def test_killed_before_any_call_the_lake_loses_nothing(world: World) -> None:
    at_work, call = True, 0
    while at_work:
        devices = f"a{call}", f"b{call}"
        key = world.fail_delivery([*lake_records(devices[0]), b"garbage"], devices[0])
        world.fail_delivery(lake_records(devices[1]), devices[1])
        at_work = world.kill_at(call, LAKE)
        found = world.replay(LAKE)
        assert found.because == {"cannot be read": 1}
        assert len({row["reading_id"] for row in world.rows() if row["device_id"] in devices}) == 20
        (left,) = (k for k in world.objects("lake") if k.startswith("errors/"))
        assert left == key
        assert gzip.decompress(world.objects("lake")[key]).count(b"\n") == 1
        world.s3.delete_object(Bucket="lake", Key=key)
        call += 1
    assert call == 10  # list; of each object get, put, keep, write or delete; and one to the end


# -------------------------------------------------------------- the stream


def poison_of(record: dict[str, Any], sequence: str) -> dict[str, Any]:
    """The record as if its body had been damaged."""
    poison: dict[str, Any] = json.loads(json.dumps(record))
    poison["dynamodb"]["NewImage"]["body"]["B"] = base64.b64encode(b"garbage").decode()
    poison["dynamodb"]["SequenceNumber"] = sequence
    return poison


def test_a_batch_that_was_given_up_is_scored(world: World) -> None:
    key = world.discard(world.store(readings("pump-7") + readings("pump-8")))
    before = world.objects("failures")[key]
    found = world.replay(STREAM)
    assert (found.found, found.replayed, found.left) == (2, 2, 0)
    assert found.why == {"RetryAttemptsExhausted": 2}
    assert world.scored("pump-7") == world.scored("pump-8") == 10
    assert world.objects("failures") == {f"replayed/{key}": before}
    assert world.replay(STREAM).found == 0
    assert world.function.calls == [2]


def test_good_records_around_a_poison_one_are_scored_and_it_stays(world: World) -> None:
    records = world.store([r for d in "abc" for r in readings(d)])
    for at in (3, 6):
        records.insert(at - 3, poison_of(records[0], f"poison-{at}"))
    key = world.discard(records)
    before = world.objects("failures")[key]
    found = world.replay(STREAM)
    assert (found.found, found.replayed, found.left) == (5, 3, 2)
    assert found.because == {"score failed on it": 2}
    assert {left.entry.name.split()[0] for left in found.stays} == {"a"}
    assert [world.scored(d) for d in "abc"] == [10, 10, 10]
    after = world.objects("failures")
    assert after[f"replayed/{key}"] == before
    batch = json.loads(json.loads(after[key])["payload"])["Records"]
    assert [r["dynamodb"]["SequenceNumber"] for r in batch] == ["poison-3", "poison-6"]
    world.replay(STREAM)
    assert world.objects("failures") == after


def test_a_record_that_breaks_the_function_does_not_keep_the_others(world: World) -> None:
    records = world.store([r for d in "abcde" for r in readings(d)])
    world.discard([*records[:2], {"eventName": "INSERT"}, *records[2:]])
    found = world.replay(STREAM)
    assert (found.replayed, found.because) == (5, {"score raised KeyError": 1})
    assert [world.scored(d) for d in "abcde"] == [10] * 5


def test_what_the_spill_keeps_in_the_same_bucket_is_left_alone(world: World) -> None:
    world.s3.put_object(Bucket="failures", Key="spill/0123", Body=b"{}")
    assert world.replay(STREAM).found == 0
    assert world.objects("failures") == {"spill/0123": b"{}"}


def test_killed_before_any_call_the_stream_loses_nothing(world: World) -> None:
    at_work, call = True, 0
    while at_work:
        devices = f"a{call}", f"b{call}"
        records = world.store([r for d in devices for r in readings(d)])
        key = world.discard([poison_of(records[0], "poison"), *records])
        at_work = world.kill_at(call, STREAM)
        found = world.replay(STREAM)
        assert found.because == {"score failed on it": 1}
        assert [world.scored(d) for d in devices] == [10, 10]
        (left,) = (k for k in world.objects("failures") if k.startswith("aws/"))
        assert left == key
        batch = json.loads(world.objects("failures")[key])["payload"]
        assert len(json.loads(batch)["Records"]) == 1
        world.s3.delete_object(Bucket="failures", Key=key)
        call += 1
    assert call > 8


def test_where_the_function_is_not_there_the_batch_stays_whole(world: World) -> None:
    world.discard(world.store(readings("a")))
    before = world.objects("failures")

    def gone(operation: str) -> None:
        if operation == "invoke":
            raise client_error("ResourceNotFoundException", 404)

    world.before = gone
    found = world.replay(STREAM)
    assert found.problem == "the function score is not there."
    assert (found.found, found.left) == (1, 1)
    assert world.objects("failures") == before


# -------------------------------------------------------------- all places, and the command


def denied(operation: str) -> None:
    if operation == "put_record_batch":
        raise client_error("AccessDeniedException")


def test_a_place_that_is_out_of_reach_does_not_keep_the_others(world: World) -> None:
    world.fail_delivery(lake_records("a"))
    world.discard(world.store(readings("a")))
    world.before = denied
    report = world.replay_all(*Place)
    lake, stream, spill = report.places
    assert "may not call" in lake.problem
    assert stream.is_through
    assert spill.is_through
    assert stream.replayed == 1
    assert not report.is_through


def test_a_replay_that_is_stopped_says_what_it_did_not_look_at(world: World) -> None:
    world.fail_delivery(lake_records("a"))
    world.stop.set()
    assert world.replay(LAKE).problem == "stopped: 1 objects were not looked at"


@pytest.fixture
def weir(world: World, monkeypatch: pytest.MonkeyPatch) -> Any:
    tables = {f"{name}_table": name for name in ("readings", "states", "alerts", "controls")}
    target = a_target(
        **tables,
        name="test",
        lake_bucket="lake",
        failure_bucket="failures",
        lake_stream="weir-lake",
        score_function="score",
        spill_queue_url=world.spill,
        spill_dead_letters_url=world.dead_letters,
        client=world.client,
    )
    monkeypatch.setattr(weir_cli.target, "resolve", lambda _: target)
    app = typer.Typer()
    app.command()(replay)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, list(arguments))

    return run


def test_the_command_ends_with_0_once_all_is_through(world: World, weir: Any) -> None:
    world.fail_delivery(lake_records("pump-7"))
    result = weir("--dry-run", "lake", "stream")
    assert result.exit_code == 1
    assert "line 1: pump-7: Lambda.FunctionError" in result.stdout
    assert "1 failed; nothing was touched" in result.stdout
    result = weir()
    assert result.exit_code == 0, result.output
    assert "1 failed: 1 put through again, 0 left" in result.stdout
    result = weir("--since", "24h")
    assert result.exit_code == 0
    assert result.stdout.startswith("nothing failed since ")


def test_the_command_says_in_json_what_stays(world: World, weir: Any) -> None:
    key = world.fail_delivery([b"garbage"])
    result = weir("lake", "lake", "--json")
    assert result.exit_code == 1
    (lake,) = json.loads(result.stdout)["places"]
    assert lake["left_because"] == {"cannot be read": 1}
    assert lake["entries"][0]["where"] == key


def test_a_place_that_there_is_not_is_a_wrong_use(weir: Any) -> None:
    assert weir("table").exit_code == 2


def test_the_command_says_a_problem_in_one_sentence(world: World, weir: Any) -> None:
    world.s3.delete_bucket(Bucket="lake")
    result = weir("lake")
    assert result.exit_code == 1
    assert result.stderr == "weir: the bucket lake is not there.\n"
