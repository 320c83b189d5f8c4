"""The stores on DynamoDB keep the contract that scoring relies on, and so do the fakes."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tests.fakes.aws import FlakyDynamo, client_error, timed_out
from tests.fakes.ewma import Ewma
from tests.fakes.scoring import FakeAlerts, FakeCheckpoints, FakeReadingLog
from tests.tables import create_tables
from weir.alerts.alarm import Cleared, Fact, Followed, Opened, Reopened, Withdrawn
from weir.chunks import Chunk, pack
from weir.controls import DEVICE
from weir.readings import Reading
from weir.scoring.ports import CheckpointMoved, Checkpoints, ReadingLog
from weir.scoring.state import Checkpoint, DeviceState, MetricState
from weir.scoring.telling import NOTHING, Telling
from weir.storage.alert_store import AlertStore
from weir.storage.checkpoint_store import CheckpointStore
from weir.storage.reading_store import ReadingStore
from weir.storage.retry import Deadline, SinkUnavailable

START = 1_767_225_600_000


@pytest.fixture
def dynamodb() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("dynamodb", region_name="eu-west-1")
        create_tables(client)
        yield client


def chunk_at(offset_ms: int, value: float = 1.0, device: str = "a") -> Chunk:
    (chunk,) = pack([Reading(device, START + offset_ms, {"m": value})])
    return chunk


# ---------------------------------------------------------------- readings


@pytest.fixture(params=["fake", "real"])
def log(request: pytest.FixtureRequest, dynamodb: Any) -> tuple[ReadingLog, Any]:
    if request.param == "fake":
        fake = FakeReadingLog(page_size=256)

        def put(*chunks: Chunk) -> None:
            for chunk in chunks:
                fake.put(chunk)

        return fake, put
    store = ReadingStore(dynamodb, "readings", retention_s=86_400)
    return store, lambda *chunks: store.put(chunks, Deadline(5))


def test_a_log_gives_back_its_chunks_in_order_page_by_page(log: tuple[ReadingLog, Any]) -> None:
    reading_log, put = log
    chunks = [chunk_at(n * 1000, n) for n in range(300)]
    put(*reversed(chunks))
    put(chunk_at(0, device="another"))
    page = reading_log.read("a", from_t0=START + 10_000)
    found = list(page.chunks)
    while page.next_sk is not None:
        page = reading_log.read("a", from_t0=START + 10_000, after_sk=page.next_sk)
        found += page.chunks
    assert [chunk.sk for chunk in found] == [chunk.sk for chunk in chunks[10:]]
    assert [chunk.digest for chunk in found] == [int(chunk.digest, 16) for chunk in chunks[10:]]


def test_a_log_of_an_unknown_device_is_empty(log: tuple[ReadingLog, Any]) -> None:
    page = log[0].read("nobody", from_t0=-5)
    assert (list(page.chunks), page.next_sk) == ([], None)


def test_items_left_unprocessed_are_written_again_and_only_those(dynamodb: Any) -> None:
    flaky = FlakyDynamo(dynamodb, "batch_write_item", 20, 7, 1)
    store = ReadingStore(flaky, "readings", retention_s=60)
    retries = store.put([chunk_at(n * 1000) for n in range(25)], Deadline(10))
    assert retries == 3
    assert len(store.read("a", from_t0=0).chunks) == 25


@pytest.mark.parametrize(
    "fault",
    [
        client_error("ProvisionedThroughputExceededException"),
        client_error("ThrottlingException"),
        timed_out(),
    ],
    ids=repr,
)
def test_a_throttled_call_is_repeated(dynamodb: Any, fault: Exception) -> None:
    store = ReadingStore(FlakyDynamo(dynamodb, "batch_write_item", fault, fault), "readings")
    assert store.put([chunk_at(0)], Deadline(10)) == 2
    assert len(store.read("a", from_t0=0).chunks) == 1


def test_a_table_that_stays_throttled_is_unavailable(dynamodb: Any) -> None:
    throttled = [client_error("ThrottlingException")] * 100
    store = ReadingStore(FlakyDynamo(dynamodb, "batch_write_item", *throttled), "readings")
    with pytest.raises(SinkUnavailable) as caught:
        store.put([chunk_at(0)], Deadline(0.2))
    assert caught.value.throttled


def test_an_item_expires_by_its_readings_time_so_that_sending_again_changes_nothing(
    dynamodb: Any,
) -> None:
    store = ReadingStore(dynamodb, "readings", retention_s=86_400)
    for _ in range(2):
        store.put([chunk_at(5000)], Deadline(5))
    (item,) = dynamodb.scan(TableName="readings")["Items"]
    assert item["expires_at"]["N"] == str(START // 1000 + 5 + 86_400)
    assert set(item) == {"pk", "sk", "n", "t1", "body", "expires_at"}


def test_a_chunk_that_cannot_be_read_is_reported_and_left_out(dynamodb: Any) -> None:
    reported = []
    store = ReadingStore(dynamodb, "readings", on_unreadable=lambda *what: reported.append(what))
    store.put([chunk_at(0), chunk_at(2000)], Deadline(5))
    poison = {"pk": {"S": "a"}, "sk": {"S": f"{START + 1000}#poison"}, "body": {"B": b"\0"}}
    dynamodb.put_item(TableName="readings", Item=poison)
    assert len(store.read("a", from_t0=0).chunks) == 2
    assert [(device, sk) for device, sk, _ in reported] == [("a", f"{START + 1000}#poison")]


def test_the_latest_values_are_those_of_the_newest_chunk(dynamodb: Any) -> None:
    store = ReadingStore(dynamodb, "readings")
    store.put([chunk_at(2000, 3.0), chunk_at(0, 1.0)], Deadline(5))
    newest = store.newest("a")
    assert newest is not None
    assert [reading.metrics for reading in newest.document.rows()] == [{"m": 3.0}]
    assert store.newest("nobody") is None


# ---------------------------------------------------------------- checkpoints


@pytest.fixture(params=["fake", "real"])
def checkpoints(request: pytest.FixtureRequest, dynamodb: Any) -> Checkpoints:
    if request.param == "fake":
        return FakeCheckpoints()
    return CheckpointStore(dynamodb, "states", Ewma())


OPENED = Opened("m/s#1", START, 0.75, "500, expected 1 to 9", 500.0, 5.0, 1.0, 9.0)
FOLLOWED = Followed("m/s#1", START, START + 1000, 0.9, START + 1000, 2)
CLEARED = Cleared("m/s#1", START, START + 60_000, 0.9, START + 1000, START + 2000, 3)
REOPENED = Reopened("m/s#1", START, START + 90_000, 0.95, START + 90_000, 4, "700, expected …")
WITHDRAWN = Withdrawn("m/s#1", START, START + 90_000)
TELLING = Telling((OPENED, FOLLOWED), (CLEARED,), (REOPENED, WITHDRAWN), ("m/s#1",))


def checkpoint(version: int, watermark: int = START) -> Checkpoint:
    state = DeviceState({"m": MetricState(watermark, Ewma().initial(), scored=3)})
    telling = TELLING if version == 2 else NOTHING
    return Checkpoint("a", version, state, DeviceState(), 2, 2**64 - 1, START - 5, telling)


def test_a_checkpoint_comes_back_as_it_was_put(checkpoints: Checkpoints) -> None:
    assert checkpoints.get("a") is None
    checkpoints.put(checkpoint(1))
    assert checkpoints.get("a") == checkpoint(1)
    checkpoints.put(checkpoint(2, START + 60_000))
    assert checkpoints.get("a") == checkpoint(2, START + 60_000)


@pytest.mark.parametrize("stale", [1, 2, 4, 5])
def test_only_the_next_version_is_taken(checkpoints: Checkpoints, stale: int) -> None:
    checkpoints.put(checkpoint(1))
    checkpoints.put(checkpoint(2))
    with pytest.raises(CheckpointMoved):
        checkpoints.put(checkpoint(stale))
    assert checkpoints.get("a") == checkpoint(2)


def test_many_checkpoints_are_read_at_once(dynamodb: Any) -> None:
    store = CheckpointStore(dynamodb, "states", Ewma())
    store.put(checkpoint(1))
    devices = [f"device-{n}" for n in range(150)]
    assert store.get_all([*devices, "a"], Deadline(5)) == {"a": checkpoint(1)}


def test_a_checkpoint_that_cannot_be_read_is_reported_and_learned_again(dynamodb: Any) -> None:
    reported = []
    store = CheckpointStore(dynamodb, "states", Ewma(), lambda *what: reported.append(what))
    store.put(checkpoint(1))
    dynamodb.update_item(
        TableName="states",
        Key={"pk": {"S": "a"}},
        UpdateExpression="SET #c = :c",
        ExpressionAttributeNames={"#c": "current"},
        ExpressionAttributeValues={":c": {"B": b"garbage"}},
    )
    assert store.get("a") == Checkpoint.fresh("a", version=1, relearning=True)
    assert [device for device, _ in reported] == ["a"]
    store.put(checkpoint(2))
    assert store.get("a") == checkpoint(2)


def test_facts_that_cannot_be_read_cost_no_state(dynamodb: Any) -> None:
    reported: list[str] = []
    store = CheckpointStore(dynamodb, "states", Ewma(), lambda device, _: reported.append(device))
    store.put(checkpoint(1))
    dynamodb.update_item(
        TableName="states",
        Key={"pk": {"S": "a"}},
        UpdateExpression="SET telling = :t",
        ExpressionAttributeValues={":t": {"B": b"garbage"}},
    )
    assert store.get("a") == checkpoint(1)
    assert reported == ["a"]


def test_a_state_that_cannot_be_read_leaves_what_is_to_be_told(dynamodb: Any) -> None:
    store = CheckpointStore(dynamodb, "states", Ewma())
    store.put(checkpoint(1))
    store.put(checkpoint(2))
    dynamodb.update_item(
        TableName="states",
        Key={"pk": {"S": "a"}},
        UpdateExpression="SET previous = :p",
        ExpressionAttributeValues={":p": {"B": b"garbage"}},
    )
    read = store.get("a")
    assert read is not None
    assert (read.current, read.telling) == (
        DeviceState(relearning=True),
        Telling(untold=TELLING.untold),
    )


# ---------------------------------------------------------------- alerts

OTHER = Opened(DEVICE, START, 0.6, "several metrics are off together: m (100 %)")


@pytest.fixture
def alerts(dynamodb: Any) -> AlertStore:
    return AlertStore(dynamodb, "alerts", retention_s=86_400)


def test_an_alert_is_written_once_and_found_by_device_and_by_state(alerts: AlertStore) -> None:
    for _ in range(2):
        alerts.tell("a", [OPENED], 1)
    (alert,) = alerts.of_device("a")
    assert (alert.metric, alert.onset, alert.state, alert.score) == ("m/s#1", START, "OPEN", 0.75)
    assert (alert.value, alert.expected, alert.low, alert.high) == (500.0, 5.0, 1.0, 9.0)
    assert alert.because == "500, expected 1 to 9"
    assert alert.revision == 1
    assert list(alerts.of_state("OPEN")) == [alert]
    assert list(alerts.of_state("OPEN", since=START + 1)) == []


def test_an_alert_of_the_device_as_a_whole_has_no_value(alerts: AlertStore) -> None:
    alerts.tell("a", [OTHER], 1)
    (alert,) = alerts.of_device("a")
    assert (alert.metric, alert.value, alert.low) == ("*", None, None)
    assert alert.severity == "minor"


def test_telling_an_alert_again_does_not_undo_its_end(alerts: AlertStore) -> None:
    alerts.tell("a", [OPENED], 1)
    alerts.tell("a", [CLEARED], 2)
    alerts.tell("a", [OPENED], 1)
    (alert,) = alerts.of_state("CLEARED")
    assert (alert.ended_at, alert.peak, alert.peak_ts) == (START + 60_000, 0.9, START + 1000)


def test_clearing_what_was_never_opened_writes_nothing(alerts: AlertStore) -> None:
    alerts.tell("a", [CLEARED], 1)
    assert list(alerts.of_device("a")) == []


TALES: dict[str, list[tuple[list[Fact], int]]] = {
    "opened": [([OPENED], 1)],
    "opened, again": [([OPENED], 1), ([OPENED], 1)],
    "followed and cleared": [([OPENED, FOLLOWED], 1), ([CLEARED], 2)],
    "all at once": [([OPENED, OTHER, FOLLOWED, CLEARED, REOPENED], 1)],
    "cleared before it opened": [([CLEARED], 1), ([OPENED], 2)],
    "out of date": [([OPENED], 1), ([CLEARED, REOPENED], 3), ([CLEARED], 2)],
    "withdrawn, and back": [([OPENED], 1), ([WITHDRAWN], 2), ([FOLLOWED], 3)],
    "withdrawn, and back, and over": [([OPENED], 1), ([WITHDRAWN], 2), ([OPENED, CLEARED], 3)],
    "withdrawn, and it was over": [([OPENED, CLEARED], 1), ([WITHDRAWN], 2), ([CLEARED], 3)],
}


@pytest.mark.parametrize("tale", TALES.values(), ids=TALES)
def test_the_fake_alerts_keep_to_the_same(
    alerts: AlertStore, tale: list[tuple[list[Fact], int]]
) -> None:
    fake = FakeAlerts()
    for facts, basis in tale:
        for store in (fake, alerts):
            store.tell("a", facts, basis)
    assert list(fake.of("a")) == list(alerts.of_device("a"))


@pytest.mark.parametrize("first", [[OPENED], [OPENED, CLEARED]])
def test_an_alert_that_was_withdrawn_and_came_and_went_after_all_is_not_withdrawn(
    first: list[Fact],
) -> None:
    fake = FakeAlerts()
    fake.tell("a", first, 1)
    fake.tell("a", [WITHDRAWN], 2)
    fake.tell("a", [OPENED, FOLLOWED, CLEARED], 3)
    (alert,) = fake.of("a")
    assert (alert.state, alert.withdrawn, alert.ended_at) == ("CLEARED", False, CLEARED.ended_at)


@pytest.mark.parametrize(
    ("value", "kept"),
    [(0.1, 0.1), (-123456789.12345679, -123456789.12345679), (1e300, 9.9e125), (1e-300, 0.0)],
)
def test_any_finite_value_can_be_alerted_on(alerts: AlertStore, value: float, kept: float) -> None:
    alerts.tell("a", [Opened("m", START, 0.5, "strange", value)], 1)
    (alert,) = alerts.of_device("a")
    assert alert.value == kept
