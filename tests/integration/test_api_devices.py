"""The read API's routes for devices and the overview, on tables."""

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tests.contract import check_answer
from tests.fakes.aws import FlakyDynamo, client_error
from tests.handlers import Context
from tests.integration.read_api import HOUR, T0, World, a_world, now
from weir.http import devices, fleet
from weir.http.queries import cursor_of
from weir.readings import Reading, format_ts
from weir.scoring.hearing import Heard
from weir.scoring.state import MetricState
from weir.storage.device_store import DeviceStore

LIST = "GET /v1/devices"
ONE = "GET /v1/devices/{device_id}"
LATEST = "GET /v1/devices/{device_id}/latest"
OVERVIEW = "GET /v1/overview"


@pytest.fixture
def world() -> Iterator[World]:
    with a_world() as world:
        yield world


def names(document: Any) -> list[str]:
    return [device["device_id"] for device in document["devices"]]


def fresh(world: World) -> None:
    """Forget what the worker keeps for seconds."""
    stores = world.api.stores
    stores.fleet = fleet.Fleet(stores.fleet.devices, stores.alerts, stores.readings)


# ------------------------------------------------------------------ lists


def test_devices_are_listed_by_name_with_what_is_known_of_them(world: World) -> None:
    world.device("b", Heard(T0 + 90_000, 30, 10.0, pace=5.0), {"flow": MetricState(T0, scored=7)})
    world.device("a", silent_since=T0)
    world.device("c", metrics={})
    world.alert("b", T0, score=0.85)
    world.alert("b", T0 + 1, "heat", score=0.6)
    first, second, third = world.get(LIST)["devices"]
    assert (first["device_id"], first["state"]) == ("a", "silent")
    assert second == {
        "device_id": "b",
        "state": "alerting",
        "last_reading": "2026-01-01T00:00:00.000Z",
        "last_heard": "2026-01-01T00:01:30.000Z",
        "cadence_s": 10.0,
        "scored": 7,
        "open_alerts": 2,
        "worst_severity": "major",
    }
    assert third == {
        "device_id": "c",
        "state": "reporting",
        "last_reading": None,
        "last_heard": None,
        "cadence_s": None,
        "scored": 0,
        "open_alerts": 0,
        "worst_severity": None,
    }


@pytest.mark.parametrize("limit", ["1", "3", "500"])
def test_pages_of_all_shards_hold_each_device_once_and_in_order(world: World, limit: str) -> None:
    ids = [f"pump-{at}" for at in range(25)] + ["pump-1:a", "pump-1_b", "Pump", "valve"]
    for device_id in ids:
        world.device(device_id)
    for prefix, wanted in (
        ("", sorted(ids)),
        ("pump-1", sorted(name for name in ids if name.startswith("pump-1"))),
        ("none", []),
    ):
        found: list[str] = []
        cursor: str | None = None
        while True:
            query = {"prefix": prefix, "limit": limit}
            page = world.get(LIST, query if cursor is None else {**query, "cursor": cursor})
            assert len(page["devices"]) <= int(limit)
            found += names(page)
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert found == wanted


def test_devices_are_sifted_by_what_they_do(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for at in range(9):
        world.device(f"d{at}", silent_since=T0 if at == 4 else None)
    world.alert("d4", T0)
    world.alert("d7", T0)
    assert names(world.get(LIST, "state=silent")) == ["d4"]
    assert names(world.get(LIST, "state=alerting")) == ["d7"]
    assert len(names(world.get(LIST, "state=reporting"))) == 7
    monkeypatch.setattr(devices, "MOST_LOOKED_AT", 5)
    page = world.get(LIST, "state=alerting")
    assert names(page) == []
    rest = world.get(LIST, {"state": "alerting", "cursor": page["next_cursor"]})
    assert names(rest) == ["d7"]


@pytest.mark.parametrize("place", ["", "a b", "valve-1", "x" * 129])
def test_a_cursor_leads_nowhere_else(world: World, place: str) -> None:
    query = {"prefix": "pump", "cursor": cursor_of("devices", place)}
    status, problem = world.ask(LIST, query)
    assert (status, problem["code"]) == (400, "invalid_field")


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("prefix=a+b", "prefix is a string of 3 characters; it must be 0 to 128 of A-Z a-z"),
        ("state=on", "state is on; it must be one of reporting, silent, alerting"),
        ("limit=501", "limit is 501; it must be a whole number from 1 to 500"),
        ("device=a", "the query has a parameter device; it may have: prefix, state, limit, cursor"),
    ],
)
def test_a_parameter_that_breaks_a_rule_is_named(world: World, query: str, detail: str) -> None:
    status, problem = world.ask(LIST, query)
    assert (status, problem["code"]) == (400, "invalid_field")
    assert detail in problem["detail"]


# ------------------------------------------------------------------ one


def test_one_device_has_its_metrics_and_its_newest_reading(world: World) -> None:
    world.store([Reading("a", T0 + 30_000, {"flow": 1.0})])
    world.device(
        "a",
        Heard(T0 + 1000, 30, 10.0, lag_s=2.0),
        {"heat": MetricState(T0 + 7, scored=3), "flow": MetricState(T0, scored=2)},
    )
    world.alert("a", T0, ended_at=T0 + 5)
    world.alert("a", T0 + 6, score=0.95)
    device = world.get(ONE, device_id="a")["device"]
    assert device == {
        "device_id": "a",
        "state": "alerting",
        "last_reading": format_ts(T0 + 30_000),
        "last_heard": format_ts(T0 + 32_000),
        "cadence_s": 10.0,
        "scored": 5,
        "open_alerts": 1,
        "worst_severity": "critical",
        "silent_since": None,
        "metrics": [
            {"metric": "flow", "last_scored": format_ts(T0), "scored": 2},
            {"metric": "heat", "last_scored": format_ts(T0 + 7), "scored": 3},
        ],
    }


def test_a_device_is_there_from_its_first_reading_on(world: World) -> None:
    assert world.ask(ONE, device_id="a")[0] == 404
    world.store([Reading("a", T0, {"flow": 1.0})])
    device = world.get(ONE, device_id="a")["device"]
    assert (device["state"], device["scored"], device["metrics"]) == ("reporting", 0, [])
    assert (device["last_reading"], device["last_heard"]) == (format_ts(T0), None)


def test_a_state_of_another_version_has_no_metrics(world: World) -> None:
    world.device("a")
    world.dynamodb.update_item(
        TableName="states",
        Key={"pk": {"S": "a"}},
        UpdateExpression="SET #current = :current",
        ExpressionAttributeNames={"#current": "current"},
        ExpressionAttributeValues={":current": {"B": b"\x09"}},
    )
    assert world.get(ONE, device_id="a")["device"]["metrics"] == []


@pytest.mark.parametrize("device_id", ["", "a b", "a%20b", "x" * 129, "\x00"])
@pytest.mark.parametrize(
    "route",
    [ONE, LATEST, "GET /v1/devices/{device_id}/readings", "GET /v1/devices/{device_id}/controls"],
)
def test_what_is_no_device_id_is_named(world: World, route: str, device_id: str) -> None:
    status, problem = world.ask(route, device_id=device_id)
    assert (status, problem["code"]) == (400, "invalid_field")
    assert problem["detail"].startswith("device_id is a string of")


# ------------------------------------------------------------------ latest


def test_the_latest_value_of_each_metric_is_the_newest_one_that_counts(world: World) -> None:
    assert world.get(LATEST, device_id="a") == {"device_id": "a", "at": None, "values": {}}
    world.store([Reading("a", T0 + at * 1000, {"flow": float(at)}) for at in range(20)])
    world.store([Reading("a", T0 + 5000, {"heat": 40.0, "flow": 99.0})])
    found = world.get(LATEST, device_id="a")
    assert found["at"] == format_ts(T0 + 19_000)
    assert found["values"] == {
        "flow": {"ts": format_ts(T0 + 19_000), "value": 19.0},
        "heat": {"ts": format_ts(T0 + 5000), "value": 40.0},
    }


def test_the_latest_values_have_an_etag_that_any_chunk_changes(world: World) -> None:
    request = world.request(LATEST, device_id="a")
    seen: set[str] = set()
    sent = [5, 9, 7, 1, 20, 21, 22, 23, 24, 25]
    for count, at in enumerate(sent, 1):
        world.store([Reading("a", T0 + at, {"flow": float(at)})])
        answer = world.api.lambda_handler(request, Context(20))
        check_answer(LATEST, answer)
        assert answer["statusCode"] == 200
        assert json.loads(answer["body"])["at"] == format_ts(T0 + max(sent[:count]))
        seen.add(answer["headers"]["etag"])
        request["headers"]["if-none-match"] = answer["headers"]["etag"]
    assert len(seen) == len(sent)
    world.store([Reading("a", T0 + 2, {"flow": 2.0})])  # before the eight newest
    unchanged = world.api.lambda_handler(request, Context(20))
    check_answer(LATEST, unchanged)
    assert unchanged["statusCode"] == 304


# ------------------------------------------------------------------ overview


def test_the_overview_counts_devices_alerts_and_readings(world: World) -> None:
    hour = now() // HOUR * HOUR
    world.device("a", Heard(now(), 30, 10.0, pace=5.0))
    world.device("b", Heard(now(), 30, 2.0, pace=1.0))
    world.device("c", Heard(now(), 30, 1.0, pace=1.0), silent_since=T0)
    world.device("d")
    world.alert("a", hour, score=0.85)
    world.alert("a", hour - HOUR, "heat", score=0.6)
    world.alert("c", hour - 48 * HOUR, "*", score=0.95)
    world.alert("b", hour - HOUR + 5, ended_at=hour)
    found = world.get(OVERVIEW)
    assert found["devices"] == {"total": 4, "reporting": 2, "silent": 1, "alerting": 1}
    assert found["alerts"]["open"] == found["alerts"]["unacknowledged"] == 3
    assert found["alerts"]["by_severity"] == {"minor": 1, "major": 1, "critical": 1}
    per_hour = {it["hour"]: it["opened"] for it in found["alerts"]["per_hour"]}
    assert list(per_hour) == [format_ts(hour - at * HOUR) for at in range(23, -1, -1)]
    assert {name: n for name, n in per_hour.items() if n} == {
        format_ts(hour - HOUR): 2,
        format_ts(hour): 1,
    }
    assert found["readings_per_second"] == 1.0
    assert found["truncated"] is False


def test_a_device_counts_for_the_rate_until_its_next_checkpoint_is_overdue(world: World) -> None:
    # One reading every 10 s: a checkpoint every 640 s.
    world.device("slow", Heard(now() - 600_000, 30, 10.0, pace=1.0))
    world.device("gone", Heard(now() - 700_000, 30, 10.0, pace=1.0))
    # 1,000 readings every 50 ms: what was loaded in bulk, and ended just now.
    world.device("bulk", Heard(now() - 11_000, 30, 0.05, pace=1000.0))
    world.device("young", Heard(now(), 19, 10.0, pace=1.0))
    assert world.get(OVERVIEW)["readings_per_second"] == 0.1
    cadences = {it["device_id"]: it["cadence_s"] for it in world.get(LIST)["devices"]}
    assert cadences == {"slow": 10.0, "gone": 10.0, "bulk": 0.05, "young": None}


def test_the_overview_reads_no_more_than_every_few_seconds(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now=0.0)
    stores = world.api.stores
    kept = fleet.Fleet(stores.fleet.devices, stores.alerts, stores.readings, lambda: clock.now)
    monkeypatch.setattr(stores, "fleet", kept)
    world.device("a")
    assert world.get(OVERVIEW)["devices"]["total"] == 1
    world.device("b")
    world.alert("a", T0)
    assert world.get(OVERVIEW)["devices"] == {
        "total": 1, "reporting": 1, "silent": 0, "alerting": 0
    }  # fmt: skip
    clock.now = fleet.ALERTS_KEPT_S
    assert world.get(OVERVIEW)["devices"]["alerting"] == 1
    clock.now = fleet.DEVICES_KEPT_S
    assert world.get(OVERVIEW)["devices"]["total"] == 2


def test_what_is_more_than_can_be_counted_is_said_to_be(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for at in range(40):
        world.device(f"d{at}")
    monkeypatch.setattr(fleet, "MOST_DEVICES", 8)
    assert world.get(OVERVIEW)["truncated"] is False  # a page of each shard holds them all
    fresh(world)
    for at in range(6):
        world.alert("d1", T0 + at)
    monkeypatch.setattr(fleet, "MOST_ALERTS", 4)
    monkeypatch.setattr(fleet, "_PAGE", 2)
    found = world.get(OVERVIEW)
    assert (found["alerts"]["open"], found["truncated"]) == (4, True)


# ------------------------------------------------------------------ when the table fails


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (client_error("ThrottlingException"), 503, "devices_unavailable"),
        (client_error("AccessDeniedException"), 500, "internal"),
    ],
    ids=repr,
)
def test_a_table_that_fails_is_a_503_if_it_may_pass_and_a_500_if_not(
    world: World, fault: Exception, status: int, code: str
) -> None:
    flaky = FlakyDynamo(world.dynamodb, "query", *[fault] * 8)
    stores = world.api.stores
    away = DeviceStore(flaky, "states", stores.fleet.devices._executor)
    stores.fleet = fleet.Fleet(away, stores.alerts, stores.readings)
    found, problem = world.ask(LIST)
    assert (found, problem["code"]) == (status, code)
    assert problem["detail"].startswith("The devices cannot be reached")
