"""The watchdog's store on DynamoDB keeps the contract that the watchdog relies on, as its fake."""

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from msgspec.structs import replace

from tests.fakes.aws import client_error
from tests.fakes.ewma import Ewma
from tests.fakes.scoring import FakeCheckpoints, FakeReadingLog
from tests.fakes.watch import FakeLateDevices
from tests.tables import create_tables
from weir.chunks import Chunk, pack
from weir.late import Due, LateDevices, Newest
from weir.readings import Reading
from weir.scoring.hearing import Heard, Silence
from weir.scoring.ports import CheckpointMoved, Checkpoints
from weir.scoring.state import Checkpoint, DeviceState, MetricState
from weir.shards import SHARDS, shard_of
from weir.storage.checkpoint_store import CheckpointStore
from weir.storage.reading_store import ReadingStore
from weir.storage.retry import Deadline, SinkUnavailable
from weir.storage.watch_store import PAGE, WatchStore

START = 1_767_225_600_000
HEARD = Heard(START, gaps=100, mean_s=30.0, longest_s=32.0, second_s=31.0, pace=1.0, lag_s=2.0)
STATE = DeviceState({"flow": MetricState(START - 2_000, scored=1000)})


@pytest.fixture
def dynamodb() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("dynamodb", region_name="eu-west-1")
        create_tables(client)
        yield client


class Stores:
    """What the contract is about: a watchdog's store, and those that others write to."""

    def __init__(
        self, late: LateDevices, checkpoints: Checkpoints, put: Callable[[Chunk], object]
    ) -> None:
        self.late, self.checkpoints, self.put = late, checkpoints, put

    def device(self, device_id: str, expected_by: int | None = START, version: int = 1) -> None:
        self.checkpoints.put(
            Checkpoint(device_id, version, STATE, STATE, heard=HEARD, expected_by=expected_by)
        )

    def checkpoint(self, device_id: str) -> Checkpoint:
        found = self.checkpoints.get(device_id)
        assert found is not None
        return found

    def due(self, device_id: str, now: int = START + 1) -> Due:
        page = self.late.page(shard_of(device_id), now)
        (found,) = [due for due in page.devices if due.device_id == device_id]
        return found


@pytest.fixture(params=["fake", "real"])
def stores(request: pytest.FixtureRequest, dynamodb: Any) -> Stores:
    if request.param == "fake":
        checkpoints, log = FakeCheckpoints(), FakeReadingLog()
        return Stores(FakeLateDevices(checkpoints, log), checkpoints, log.put)
    readings = ReadingStore(dynamodb, "readings", retention_s=86_400)
    return Stores(
        WatchStore(dynamodb, "states", "readings", Deadline(30)),
        CheckpointStore(dynamodb, "states", Ewma()),
        lambda chunk: readings.put([chunk], Deadline(5)),
    )


def chunk_at(ts: int, device_id: str = "pump-7") -> Chunk:
    (chunk,) = pack([Reading(device_id, ts, {"flow": 20.0})])
    return chunk


def everybody(late: LateDevices, now: int) -> list[str]:
    found: list[str] = []
    for shard in SHARDS:
        after: Any = None
        while True:
            page = late.page(shard, now, after)
            found += [due.device_id for due in page.devices]
            after = page.after
            if after is None:
                break
    return found


# ------------------------------------------------------------------ the index


def test_those_are_due_whose_time_has_passed_the_longest_late_first(stores: Stores) -> None:
    names = [f"dev-{n}" for n in range(40) if shard_of(f"dev-{n}") == "0"]
    for at, name in enumerate(names):
        stores.device(name, START - at * 1000)
    stores.device("unexpected", None)
    page = stores.late.page("0", START)
    assert [due.device_id for due in page.devices] == names[:0:-1]
    assert page.after is None
    assert sorted(everybody(stores.late, START + 1)) == sorted(names)


def test_what_is_due_comes_with_what_is_known_of_it(stores: Stores) -> None:
    stores.device("pump-7", START)
    assert stores.due("pump-7") == Due("pump-7", 1, START, HEARD, START - 2_000)


def test_more_than_a_page_comes_page_by_page(stores: Stores) -> None:
    names = [name for n in range(2000) if shard_of(name := f"dev-{n}") == "5"][: PAGE + 30]
    for at, name in enumerate(names):
        stores.device(name, START + at)
    first = stores.late.page("5", START + 10_000)
    second = stores.late.page("5", START + 10_000, first.after)
    assert [due.device_id for due in (*first.devices, *second.devices)] == names
    assert (len(first.devices), second.after) == (PAGE, None)
    assert stores.late.items_read == len(names)


# ------------------------------------------------------------------ the newest chunk


def test_the_newest_chunk_is_the_last_by_key(stores: Stores) -> None:
    assert stores.late.newest("pump-7") is None
    first, second = chunk_at(START), chunk_at(START + 5_000)
    stores.put(second)
    stores.put(first)
    stores.put(chunk_at(START + 9_000, "another"))
    newest = Newest(second.sk, START + 5_000)
    assert stores.late.newest("pump-7") == newest
    assert stores.late.newest("pump-7", first.sk) == newest
    assert stores.late.newest("pump-7", second.sk) is None
    assert stores.late.items_read == 2


# ------------------------------------------------------------------ marks


def test_a_mark_makes_a_new_version_and_stays_in_the_index(stores: Stores) -> None:
    stores.device("pump-7")
    due = stores.due("pump-7")
    marked = stores.late.mark(due, START - 7, START + 500)
    assert marked == replace(due, version=2, silent_since=START - 7)
    assert stores.due("pump-7") == marked
    checkpoint = stores.checkpoint("pump-7")
    assert (checkpoint.version, checkpoint.silence) == (2, Silence(START - 7, START + 500))
    assert (checkpoint.current, checkpoint.heard) == (STATE, HEARD)


def test_who_read_it_before_the_mark_cannot_write(stores: Stores) -> None:
    stores.device("pump-7")
    stores.late.mark(stores.due("pump-7"), START - 7, START + 500)
    with pytest.raises(CheckpointMoved):
        stores.device("pump-7", version=2)
    stores.device("pump-7", START + 9_000, version=3)
    assert stores.checkpoint("pump-7").silence is None


def test_of_two_watchdogs_one_marks(stores: Stores) -> None:
    stores.device("pump-7")
    due = stores.due("pump-7")
    assert stores.late.mark(due, START - 7, START) is not None
    assert stores.late.mark(due, START - 7, START) is None
    assert stores.checkpoint("pump-7").version == 2


def test_a_device_that_moved_on_is_neither_marked_nor_postponed(stores: Stores) -> None:
    stores.device("pump-7")
    due = stores.due("pump-7")
    stores.device("pump-7", START + 9_000, version=2)
    assert stores.late.mark(due, START - 7, START) is None
    stores.late.postpone(due, None)
    assert stores.checkpoint("pump-7").expected_by == START + 9_000
    assert stores.checkpoint("pump-7").silence is None


def test_a_settled_mark_is_out_of_the_index(stores: Stores) -> None:
    stores.device("pump-7")
    marked = stores.late.mark(stores.due("pump-7"), START - 7, START)
    assert marked is not None
    stores.late.settle(marked)
    assert everybody(stores.late, START + 10**9) == []
    assert stores.checkpoint("pump-7").silence == Silence(START - 7, START)


def test_a_mark_that_is_taken_off_is_gone_and_only_once(stores: Stores) -> None:
    stores.device("pump-7")
    marked = stores.late.mark(stores.due("pump-7"), START - 7, START)
    assert marked is not None
    stores.late.unmark(marked, START + 60_000)
    stores.late.settle(marked)
    stores.late.unmark(marked, START + 90_000)
    checkpoint = stores.checkpoint("pump-7")
    assert (checkpoint.version, checkpoint.silence) == (2, None)
    assert checkpoint.expected_by == START + 60_000


@pytest.mark.parametrize("expected_by", [START + 60_000, None])
def test_a_device_can_be_expected_later_or_not_at_all(
    stores: Stores, expected_by: int | None
) -> None:
    stores.device("pump-7")
    due = stores.due("pump-7")
    stores.late.postpone(due, expected_by)
    assert stores.checkpoint("pump-7").expected_by == expected_by
    stores.late.postpone(due, START + 1)
    assert stores.checkpoint("pump-7").expected_by == expected_by
    other = stores.late.mark(due, START - 7, START)
    assert other is None


def test_the_mark_of_a_device_that_may_be_silent_goes_for_good(stores: Stores) -> None:
    stores.device("pump-7")
    marked = stores.late.mark(stores.due("pump-7"), START - 7, START)
    assert marked is not None
    stores.late.unmark(marked, None)
    assert everybody(stores.late, START + 10**9) == []
    assert stores.checkpoint("pump-7").silence is None


# ------------------------------------------------------------------ what is missing, what fails


def test_a_checkpoint_that_cannot_be_read_keeps_what_was_heard(dynamodb: Any) -> None:
    store = CheckpointStore(dynamodb, "states", Ewma())
    silence = Silence(START - 7, START)
    store.put(
        Checkpoint("pump-7", 1, STATE, STATE, heard=HEARD, expected_by=START, silence=silence)
    )
    dynamodb.update_item(
        TableName="states",
        Key={"pk": {"S": "pump-7"}},
        UpdateExpression="SET #current = :broken",
        ExpressionAttributeNames={"#current": "current"},
        ExpressionAttributeValues={":broken": {"B": b"?"}},
    )
    found = store.get("pump-7")
    assert found is not None
    assert found.current.relearning
    assert (found.heard, found.expected_by, found.silence) == (HEARD, START, silence)


@pytest.mark.parametrize("heard", [None, {"S": "{"}, {"N": "7"}])
def test_what_was_heard_is_learned_anew_where_it_cannot_be_read(
    dynamodb: Any, heard: dict[str, str] | None
) -> None:
    stores = CheckpointStore(dynamodb, "states", Ewma())
    stores.put(Checkpoint("pump-7", 1, STATE, STATE, heard=HEARD, expected_by=START))
    change = "REMOVE heard" if heard is None else "SET heard = :heard"
    values = {} if heard is None else {"ExpressionAttributeValues": {":heard": heard}}
    dynamodb.update_item(
        TableName="states", Key={"pk": {"S": "pump-7"}}, UpdateExpression=change, **values
    )
    found = stores.get("pump-7")
    assert found is not None
    assert found.heard == Heard()
    (due,) = WatchStore(dynamodb, "states", "readings", Deadline(5)).page("3", START + 1).devices
    assert due.heard == Heard()


class Throttled:
    """A client whose every call is refused so many times before it gets through."""

    def __init__(self, client: Any, refusals: int) -> None:
        self._client = client
        self._refusals = refusals
        self.refused: dict[str, int] = {}

    def __getattr__(self, name: str) -> Any:
        def call(**request: Any) -> Any:
            refused = self.refused.get(name, 0)
            if refused < self._refusals:
                self.refused[name] = refused + 1
                raise client_error("ProvisionedThroughputExceededException")
            return getattr(self._client, name)(**request)

        return call


def test_throttled_calls_are_made_again(dynamodb: Any) -> None:
    CheckpointStore(dynamodb, "states", Ewma()).put(
        Checkpoint("pump-7", 1, STATE, STATE, heard=HEARD, expected_by=START)
    )
    throttled = Throttled(dynamodb, 3)
    late = WatchStore(throttled, "states", "readings", Deadline(30))
    (due,) = late.page("3", START + 1).devices
    assert late.mark(due, START - 7, START) is not None
    assert throttled.refused == {"query": 3, "update_item": 3}


def test_throttling_that_does_not_end_is_given_up_in_time(dynamodb: Any) -> None:
    late = WatchStore(Throttled(dynamodb, 1 << 30), "states", "readings", Deadline(0.05))
    with pytest.raises(SinkUnavailable):
        late.page("3", START)
