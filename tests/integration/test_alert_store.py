"""The Alerts table on DynamoDB: pages, conditions, faults, and many at once."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Lock
from typing import Any

import boto3
import pytest
from benchmarks.billing import item_size
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws
from msgspec.structs import replace

from tests.fakes.alert_table import FakeAlertTable
from tests.fakes.aws import FlakyDynamo, client_error
from tests.tables import create_tables
from tests.unit.alerts.courses import check_readings_side, check_story, deed, entries_by
from tests.unit.alerts.facts import CRITICAL, cleared, followed, opened, reopened, withdrawn
from weir.alerts.alarm import Fact, Opened
from weir.alerts.alert import (
    MAX_BY,
    MAX_NOTE,
    MOST_ENTRIES,
    Alert,
    AlertKey,
    Entry,
    Feedback,
    NoSuchAlert,
)
from weir.alerts.lifecycle import acknowledge, end_snooze, judge, silence_opened, snooze
from weir.storage.alert_store import AlertMoved, AlertPage, AlertStore, alert_of, item_of

START = 1_767_225_600_000
HOUR = 3_600_000
KEY = AlertKey("pump-7", opened().onset, "flow")


@pytest.fixture
def dynamodb() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("dynamodb", region_name="eu-west-1")
        create_tables(client)
        yield client


@pytest.fixture
def store(dynamodb: Any) -> AlertStore:
    return AlertStore(dynamodb, "alerts", retention_s=86_400)


def open_at(
    store: AlertStore, onset: int, device: str = "pump-7", metric: str = "flow"
) -> AlertKey:
    store.tell(device, [Opened(metric, onset, 0.8, "why")], 1)
    return AlertKey(device, onset, metric)


def keys(page: AlertPage) -> list[AlertKey]:
    return [alert.key for alert in page.alerts]


# ---------------------------------------------------------------- writes


class Calls:
    """Passes calls on, one at a time, and counts them."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._lock = Lock()
        self.names: list[str] = []

    def __getattr__(self, name: str) -> Any:
        def call(**request: Any) -> Any:
            with self._lock:
                self.names.append(name)
                return getattr(self._client, name)(**request)

        return call


def test_a_new_alert_is_one_call_and_a_change_of_it_two_more(dynamodb: Any) -> None:
    calls = Calls(dynamodb)
    store = AlertStore(calls, "alerts")
    store.tell("pump-7", [opened(), followed(20)], 1)
    assert calls.names == ["put_item"]
    store.tell("pump-7", [cleared(30)], 2)
    assert calls.names == ["put_item", "get_item", "put_item"]


def test_what_is_told_again_is_refused_read_and_left(dynamodb: Any) -> None:
    calls = Calls(dynamodb)
    store = AlertStore(calls, "alerts")
    for _ in range(2):
        store.tell("pump-7", [opened(), followed(20)], 1)
    assert calls.names == ["put_item", "put_item", "get_item"]
    alert = store.get(KEY)
    assert alert is not None
    assert alert.revision == 1


def test_the_facts_of_one_telling_change_each_alert_once(store: AlertStore) -> None:
    other = Opened("heat", opened().onset, 0.95, "hot")
    store.tell("pump-7", [opened(), other, followed(20, CRITICAL), cleared(30, CRITICAL)], 1)
    heat, flow = store.of_device("pump-7")
    if heat.metric != "heat":
        heat, flow = flow, heat
    assert (heat.metric, heat.state, heat.revision) == ("heat", "OPEN", 1)
    assert (flow.metric, flow.state, flow.revision) == ("flow", "CLEARED", 1)


def test_a_change_returns_the_alert_as_it_is_then(store: AlertStore) -> None:
    key = open_at(store, START)
    changed = store.change(key, lambda alert: acknowledge(alert, "ann", START))
    assert changed == store.get(key)
    assert (changed.acknowledged, changed.revision) == (True, 2)
    assert store.change(key, lambda alert: acknowledge(alert, "bob", START)) == changed


def test_what_is_not_there_cannot_be_changed(store: AlertStore) -> None:
    with pytest.raises(NoSuchAlert):
        store.change(KEY, lambda alert: acknowledge(alert, "ann", START))
    assert store.get(KEY) is None


def test_a_change_is_made_anew_when_others_were_faster(dynamodb: Any) -> None:
    others = AlertStore(dynamodb, "alerts")
    key = open_at(others, START)
    seen: list[int] = []

    def slowly(alert: Alert) -> Alert:
        seen.append(alert.revision)
        if len(seen) < 4:
            others.change(key, lambda alert: snooze(alert, START + len(seen), "bob", START - 1))
        return acknowledge(alert, "ann", START)

    waits: list[float] = []
    changed = AlertStore(dynamodb, "alerts", sleep=waits.append).change(key, slowly)
    assert seen == [1, 2, 3, 4]
    assert [entry.by for entry in changed.history] == ["", "bob", "bob", "bob", "ann"]
    assert len(waits) == 3
    assert all(0.0 <= wait <= 0.5 for wait in waits)


def test_who_never_gets_through_is_told_so(dynamodb: Any) -> None:
    others = AlertStore(dynamodb, "alerts")
    key = open_at(others, START)
    tries: list[int] = []

    def never(alert: Alert) -> Alert:
        tries.append(alert.revision)
        others.change(key, lambda alert: snooze(alert, START + len(tries), "bob", START - 1))
        return acknowledge(alert, "ann", START)

    with pytest.raises(AlertMoved):
        AlertStore(dynamodb, "alerts", sleep=lambda _: None).change(key, never)
    assert len(tries) == 12
    alert = others.get(key)
    assert alert is not None
    assert not alert.acknowledged


@pytest.mark.parametrize("code", ["ThrottlingException", "ProvisionedThroughputExceededException"])
@pytest.mark.parametrize("operation", ["put_item", "get_item"])
def test_a_throttled_call_reaches_the_caller(dynamodb: Any, code: str, operation: str) -> None:
    open_at(AlertStore(dynamodb, "alerts"), opened().onset)
    store = AlertStore(FlakyDynamo(dynamodb, operation, client_error(code)), "alerts")
    with pytest.raises(ClientError, match=code):
        store.tell("pump-7", [cleared(30)], 2)
    store.tell("pump-7", [cleared(30)], 2)
    assert keys(store.page_of_state("CLEARED")) == [KEY]


def test_a_deed_whose_answer_was_lost_is_done_once() -> None:
    table = FakeAlertTable()
    store = AlertStore(table, "alerts")
    key = open_at(store, opened().onset)

    def reopening(gate: str) -> None:
        if gate == "lost":
            store.tell("pump-7", [cleared(30), reopened(40)], 2)

    unlucky = table.view(reopening)
    unlucky.lose_answers = 1
    changed = AlertStore(unlucky, "alerts", sleep=lambda _: None).change(
        key, lambda alert: acknowledge(alert, "ann", START)
    )
    assert [entry.kind for entry in changed.history] == [
        "opened",
        "acknowledged",
        "cleared",
        "reopened",
    ]
    assert not changed.acknowledged


@pytest.mark.parametrize("fake", [False, True], ids=["real", "fake"])
def test_a_put_names_the_revision_that_it_replaces(dynamodb: Any, fake: bool) -> None:
    store = AlertStore(FakeAlertTable() if fake else dynamodb, "alerts")
    key = open_at(store, START)
    first = store.get(key)
    assert first is not None
    assert not store._put(first, over=None)
    second = acknowledge(first, "ann", START)
    assert store.change(key, lambda _: second).revision == 2
    assert not store._put(second, over=first)
    found = store.get(key)
    assert found is not None
    assert (found.revision, found.acknowledged) == (2, True)


def test_many_at_once_lose_and_double_nothing(dynamodb: Any) -> None:
    course: list[Sequence[Fact]] = [
        [opened()],
        [followed(20, CRITICAL)],
        [cleared(30, CRITICAL)],
        [reopened(40, CRITICAL)],
        [opened(), followed(20)],
        [cleared(60)],
        [withdrawn(60)],
    ]
    names = ["acknowledge", "snooze", "judge", "acknowledge", "unsnooze", "snooze", "judge"]
    calls = Calls(dynamodb)  # moto does not lock: one call at a time, as in DynamoDB
    writes: list[Alert] = []
    put_item = dynamodb.put_item

    def recorded(**request: Any) -> Any:
        answer = put_item(**request)
        writes.append(alert_of(request["Item"]))
        return answer

    dynamodb.put_item = recorded
    AlertStore(calls, "alerts").tell("pump-7", course[0], 1)
    barrier = Barrier(2 + len(names))

    def tell_all() -> None:
        barrier.wait()
        store = AlertStore(calls, "alerts")
        for version, facts in enumerate(course, 1):
            store.tell("pump-7", facts, version)

    def do(at: int) -> bool:
        barrier.wait()
        changed = False
        made = deed(names[at], str(at))

        def change(alert: Alert) -> Alert:
            nonlocal changed
            after = made(alert)
            changed = after != alert
            return after

        AlertStore(calls, "alerts").change(KEY, change)
        return changed

    with ThreadPoolExecutor(2 + len(names)) as threads:
        tellers = [threads.submit(tell_all) for _ in range(2)]
        people = [threads.submit(do, at) for at in range(len(names))]
        for teller in tellers:
            teller.result(30)
        did = [person.result(30) for person in people]
    check_story(writes)
    check_readings_side(writes[-1], course)
    for at, changed in enumerate(did):
        assert len(entries_by(writes[-1], str(at))) == (1 if changed else 0)
    assert list(AlertStore(calls, "alerts").of_device("pump-7")) == [writes[-1]]


# ---------------------------------------------------------------- pages


def test_a_device_has_its_alerts_newest_first_page_by_page(store: AlertStore) -> None:
    made = [open_at(store, START + n * 1000) for n in range(7)]
    open_at(store, START, device="pump-70")
    open_at(store, START, device="pump")
    found: list[AlertKey] = []
    after: AlertKey | None = None
    sizes = []
    while True:
        page = store.page_of_device("pump-7", after=after, limit=3)
        found += keys(page)
        sizes.append(len(page.alerts))
        after = page.after
        if after is None:
            break
    assert found == made[::-1]
    assert sizes == [3, 3, 1]
    assert [alert.key for alert in store.of_device("pump-7")] == made


def test_a_state_has_its_alerts_newest_first_page_by_page(store: AlertStore) -> None:
    made = [open_at(store, START + n // 2 * 1000, device=f"d{n % 2}") for n in range(8)]
    store.tell("d0", [Opened("heat", START, 0.8, "why")], 1)
    page = store.page_of_state("OPEN", limit=4)
    rest = store.page_of_state("OPEN", after=page.after, limit=100)
    assert keys(page) == made[:3:-1]
    heat = AlertKey("d0", START, "heat")
    assert keys(rest) == [made[3], made[2], made[1], heat, made[0]]
    assert rest.after is None


def test_a_page_goes_on_where_it_ended_though_that_alert_cleared(store: AlertStore) -> None:
    made = [open_at(store, START + n * 1000) for n in range(4)]
    page = store.page_of_state("OPEN", limit=2)
    (alert,) = store.page_of_device("pump-7", since=made[2].onset, until=made[2].onset).alerts
    ended = replace(alert, state="CLEARED", ended_at=alert.onset + 1)
    store.change(made[2], lambda _: ended)
    assert keys(store.page_of_state("OPEN", after=page.after)) == [made[1], made[0]]
    assert keys(store.page_of_state("CLEARED")) == [made[2]]


RANGES: list[tuple[int, int | None, list[int]]] = [
    (0, None, [3, 2, 1, 0]),
    (START + 1000, START + 2000, [2, 1]),
    (START + 1001, START + 1999, []),
    (START + 3000, None, [3]),
    (START + 3001, None, []),
    (0, START, [0]),
    (0, START - 1, []),
    (-5, START, [0]),
    (START, -1, []),
    (START + 2000, START + 1000, []),
    (10**15, None, []),
    (0, 10**15, [3, 2, 1, 0]),
]


@pytest.mark.parametrize("by", ["state", "device"])
def test_since_and_until_are_inclusive(store: AlertStore, by: str) -> None:
    made = [open_at(store, START + n * 1000) for n in range(4)]
    for since, until, found in RANGES:
        page = (
            store.page_of_state("OPEN", since=since, until=until)
            if by == "state"
            else store.page_of_device("pump-7", since=since, until=until)
        )
        assert keys(page) == [made[n] for n in found], (since, until)
        assert page.after is None


@pytest.mark.parametrize("by", ["state", "device"])
def test_a_cursor_outside_of_the_range_begins_it_or_ends_it(store: AlertStore, by: str) -> None:
    made = [open_at(store, START + n * 1000) for n in range(4)]
    starts: list[Any] = []
    query = store._dynamodb.query

    def recorded(**request: Any) -> Any:
        starts.append(request.get("ExclusiveStartKey"))
        return query(**request)

    store._dynamodb.query = recorded
    read = store.page_of_state if by == "state" else store.page_of_device
    of: Any = "OPEN" if by == "state" else "pump-7"
    page = read(of, until=START + 1000, after=made[3])
    assert keys(page) == [made[1], made[0]]
    assert keys(read(of, since=START + 2000, after=made[1])) == []
    assert starts == [None]  # DynamoDB refuses one from outside, which moto does not


def test_a_silence_and_an_anomaly_of_the_device_at_once_are_two_alerts(store: AlertStore) -> None:
    store.tell("pump-7", [Opened("*", START, 0.8, "together")], 1)
    store.tell("pump-7", [silence_opened(START, "no readings")], 1, kind="silence")
    assert {(a.kind, a.metric, a.because) for a in store.of_device("pump-7")} == {
        ("anomaly", "*", "together"),
        ("silence", "*", "no readings"),
    }
    page = store.page_of_state("OPEN", limit=1)
    assert len(keys(page) + keys(store.page_of_state("OPEN", after=page.after))) == 2


def test_ended_snoozes_are_found_first_ended_first(store: AlertStore) -> None:
    made = [open_at(store, START + n * 1000) for n in range(4)]
    for n in (2, 0, 1):
        store.change(made[n], lambda alert, n=n: snooze(alert, START + n * HOUR, "ann", 0))  # type: ignore[misc]
    assert store.snoozed_until(START + HOUR) == [made[0], made[1]]
    assert store.snoozed_until(START + 5 * HOUR, limit=1) == [made[0]]
    store.change(made[0], lambda alert: end_snooze(alert, START + HOUR))
    assert store.snoozed_until(START + HOUR) == [made[1]]


def test_the_snooze_of_a_cleared_alert_ends_too(store: AlertStore) -> None:
    store.tell("pump-7", [opened(), cleared(30)], 1)
    store.change(KEY, lambda alert: snooze(alert, START, "ann", 0))
    assert store.snoozed_until(START) == [KEY]
    store.change(KEY, lambda alert: end_snooze(alert, START))
    assert store.snoozed_until(START) == []


# ---------------------------------------------------------------- items

texts = st.text(st.characters(codec="utf-8"), max_size=30)
moments = st.none() | st.integers(0, 10**13 - 1)
numbers = st.floats(-1e100, 1e100).filter(lambda x: x == 0 or abs(x) > 1e-100)
entries = st.builds(
    Entry,
    st.integers(1, 10**6),
    st.sampled_from(["opened", "rose", "feedback"]),
    st.integers(0, 10**13),
    st.sampled_from(["minor", "critical"]),
    texts,
    texts,
)
alerts = st.builds(
    Alert,
    st.builds(AlertKey, st.just("a"), st.integers(0, 10**13 - 1), st.sampled_from(["m", "#", "*"])),
    st.sampled_from(["OPEN", "CLEARED"]),
    st.sampled_from(["minor", "major", "critical"]),
    numbers,
    numbers,
    st.integers(0, 10**13),
    st.integers(0, 10**13),
    st.integers(1, 10**9),
    because=texts,
    value=st.none() | numbers,
    expected=st.none() | numbers,
    low=st.none() | numbers,
    high=st.none() | numbers,
    ended_at=moments,
    withdrawn=st.booleans(),
    acknowledged=st.booleans(),
    acknowledged_by=texts,
    acknowledged_at=moments,
    snoozed_until=moments,
    feedback=st.none()
    | st.builds(Feedback, st.sampled_from(["true", "benign"]), texts, st.integers(0), texts),
    history=st.lists(entries, max_size=4).map(tuple),
    revision=st.integers(1, 10**9),
    basis=st.integers(0, 10**9),
)


@given(alerts)
def test_an_item_gives_its_alert_back(alert: Alert) -> None:
    assert alert_of(item_of(alert, expires_at=1)) == alert


def test_the_largest_alert_is_an_item_of_half_of_what_dynamodb_takes(store: AlertStore) -> None:
    widest = "\N{GRINNING FACE}"
    key = AlertKey("d" * 128, START, widest * 128)
    store.tell(key.device_id, [Opened(key.metric, START, 0.8, widest * 2 * MAX_NOTE)], 1)
    alert = store.get(key)
    assert alert is not None
    for n in range(MOST_ENTRIES + 1):
        alert = judge(alert, "benign", f"{n}{widest * MAX_NOTE}", f"{n}{widest * MAX_BY}", START)
    assert len(alert.history) == MOST_ENTRIES
    assert item_size(item_of(alert, expires_at=1)) < 200_000
    assert store.change(key, lambda _: alert).history == alert.history
