"""The read API's routes for alerts, on tables."""

import io
import json
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tests.contract import check_answer
from tests.fakes.aws import FlakyDynamo, client_error, timed_out
from tests.handlers import Context
from tests.integration.api import logged
from tests.integration.read_api import HOUR, T0, OneAtATime, World, a_world, now
from weir.http import alerts
from weir.http.queries import cursor_of
from weir.readings import format_ts
from weir.storage.alert_store import AlertMoved, AlertStore

LIST = "GET /v1/alerts"
ONE = "GET /v1/alerts/{alert_id}"
ACKNOWLEDGE = "POST /v1/alerts/{alert_id}/acknowledge"
SNOOZE = "POST /v1/alerts/{alert_id}/snooze"
FEEDBACK = "POST /v1/alerts/{alert_id}/feedback"


@pytest.fixture
def world() -> Iterator[World]:
    with a_world() as world:
        yield world


@pytest.fixture
def log(world: World) -> Iterator[io.StringIO]:
    with logged(world.api) as written:
        yield written


def ids(document: Any) -> list[str]:
    return [alert["alert_id"] for alert in document["alerts"]]


def all_pages(world: World, query: dict[str, str]) -> list[str]:
    """The ids on all pages that follow one another, each page held to the limit."""
    found: list[str] = []
    cursor: str | None = None
    for _ in range(100):
        page = world.get(LIST, query if cursor is None else {**query, "cursor": cursor})
        assert len(page["alerts"]) <= int(query["limit"])
        found += ids(page)
        cursor = page["next_cursor"]
        if cursor is None:
            return found
    raise AssertionError("the pages have no end")


# ------------------------------------------------------------------ lists


def test_open_alerts_are_listed_newest_onset_first(world: World) -> None:
    old = world.alert("a", T0)
    new = world.alert("b", T0 + 5)
    world.alert("c", T0 + 3, ended_at=T0 + 9)
    assert ids(world.get(LIST)) == [new, old]
    assert ids(world.get(LIST, "state=cleared")) == [f"c~{T0 + 3}~flow"]
    assert ids(world.get(LIST, "state=all")) == [new, f"c~{T0 + 3}~flow", old]


def test_an_alert_is_shown_as_it_is(world: World) -> None:
    world.alert("a", T0, score=0.95, ended_at=T0 + 60_000)
    (alert,) = world.get(LIST, "state=all")["alerts"]
    assert "history" not in alert
    assert alert | {"because": ""} == {
        "alert_id": f"a~{T0}~flow",
        "device_id": "a",
        "metric": "flow",
        "kind": "anomaly",
        "state": "CLEARED",
        "acknowledged": False,
        "acknowledged_by": None,
        "acknowledged_at": None,
        "severity": "critical",
        "onset": "2026-01-01T00:00:00.000Z",
        "last_seen": "2026-01-01T00:00:00.000Z",
        "ended_at": "2026-01-01T00:01:00.000Z",
        "reopened_at": None,
        "peak_at": "2026-01-01T00:00:00.000Z",
        "score": 0.95,
        "peak": 0.95,
        "count": 3,
        "because": "",
        "value": 9.5,
        "expected": 1.2,
        "expected_low": 0.9,
        "expected_high": 1.5,
        "withdrawn": False,
        "snoozed_until": None,
        "feedback": None,
        "transitions": 2,
    }


@pytest.mark.parametrize("limit", ["1", "2", "3", "7", "500"])
@pytest.mark.parametrize("state", ["open", "cleared", "all"])
def test_pages_hold_each_alert_once_and_in_order(world: World, limit: str, state: str) -> None:
    for at in range(6):
        for device in ("a", "a-b", "b"):  # several of one onset, names that begin alike
            world.alert(device, T0 + at // 2, f"m{at}", ended_at=T0 + 99 if at % 2 else None)
    whole = ids(world.get(LIST, {"state": state}))
    assert len(whole) == (18 if state == "all" else 9)
    assert all_pages(world, {"state": state, "limit": limit}) == whole
    onsets = [int(alert_id.split("~")[1]) for alert_id in whole]
    assert onsets == sorted(onsets, reverse=True)


def test_alerts_are_sifted(world: World) -> None:
    minor = world.alert("a", T0, score=0.6)
    major = world.alert("a", T0 + 1, "heat", score=0.85)
    critical = world.alert("b", T0 + 2, "*", score=0.95)
    status, _ = world.ask(ACKNOWLEDGE, alert_id=major)
    assert status == 200
    for query, wanted in {
        "severity=minor": [minor],
        "severity=critical,minor": [critical, minor],
        "device_id=a": [major, minor],
        "device_id=a&severity=major": [major],
        "device_id=a&state=cleared": [],
        "metric=*": [critical],
        "acknowledged=true": [major],
        "acknowledged=false": [critical, minor],
        f"since={T0 + 1}": [critical, major],
        f"until={format_ts(T0 + 1)}": [major, minor],
        f"since={T0 + 1}&until={T0 + 1}&state=all": [major],
        f"since={T0 + 3}": [],
        "device_id=c": [],
    }.items():
        assert ids(world.get(LIST, query)) == wanted, query


def test_few_are_found_among_many_page_by_page(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "MOST_LOOKED_AT", 4)
    for at in range(10):
        world.alert("a", T0 + at, "rare" if at in {0, 7} else "flow")
    first = world.get(LIST, "metric=rare&limit=5")
    assert ids(first) == [f"a~{T0 + 7}~rare"]
    assert first["next_cursor"] is not None
    assert all_pages(world, {"metric": "rare", "limit": "5"}) == [
        f"a~{T0 + 7}~rare",
        f"a~{T0}~rare",
    ]


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ({}, "nothing"),
        ({}, f"a~{T0}"),
        ({"device_id": "a"}, f"b~{T0}~flow"),
        ({"since": str(T0 + 1)}, f"a~{T0}~flow"),
        ({"until": str(T0 - 1)}, f"a~{T0}~flow"),
    ],
)
def test_a_cursor_leads_nowhere_else(world: World, query: dict[str, str], place: str) -> None:
    status, problem = world.ask(LIST, {**query, "cursor": cursor_of("alerts", place)})
    assert (status, problem["code"]) == (400, "invalid_field")
    assert "next_cursor of an earlier answer" in problem["detail"]


def test_a_cursor_holds_though_its_alert_is_gone_or_changed(world: World) -> None:
    for at in range(4):
        world.alert("a", T0 + at)
    first = world.get(LIST, "limit=2")
    world.alert("a", T0 + 2, ended_at=T0 + 9)
    world.dynamodb.delete_item(
        TableName="alerts", Key={"pk": {"S": "a"}, "sk": {"S": f"{T0 + 2}#flow"}}
    )
    rest = world.get(LIST, {"limit": "2", "cursor": first["next_cursor"]})
    assert ids(rest) == [f"a~{T0 + 1}~flow", f"a~{T0}~flow"]


# ------------------------------------------------------------------ one


def test_one_alert_has_its_history_and_an_etag_that_a_change_changes(world: World) -> None:
    alert_id = world.alert("a", T0, "température, °C")
    alert_id = ids(world.get(LIST))[0]
    answer = world.api.lambda_handler(world.request(ONE, alert_id=alert_id), Context(20))
    check_answer(ONE, answer)
    (entry,) = json.loads(answer["body"])["alert"]["history"]
    assert (entry["n"], entry["kind"], entry["by"]) == (1, "opened", "")
    again = world.request(ONE, alert_id=alert_id)
    again["headers"]["if-none-match"] = answer["headers"]["etag"]
    unchanged = world.api.lambda_handler(again, Context(20))
    check_answer(ONE, unchanged)
    assert unchanged["statusCode"] == 304
    assert "body" not in unchanged
    assert unchanged["headers"]["etag"] == answer["headers"]["etag"]
    world.ask(ACKNOWLEDGE, alert_id=alert_id)
    assert world.api.lambda_handler(again, Context(20))["statusCode"] == 200


def test_an_id_may_come_escaped(world: World) -> None:
    alert_id = world.alert("gw:1", T0)
    escaped = alert_id.replace("~", "%7E").replace(":", "%3A")
    assert world.get(ONE, alert_id=escaped)["alert"]["alert_id"] == alert_id


@pytest.mark.parametrize("alert_id", ["", "a", f"a~{T0}~heat", "a~0~flow", "x" * 3000, "\x00"])
@pytest.mark.parametrize("route", [ONE, ACKNOWLEDGE, SNOOZE, FEEDBACK])
def test_what_is_no_alert_is_not_found(world: World, route: str, alert_id: str) -> None:
    world.alert("a", T0)
    body = {SNOOZE: {"for_seconds": 1}, FEEDBACK: {"verdict": "true"}}.get(route)
    status, problem = world.ask(route, "", body, alert_id=alert_id)
    assert (status, problem["code"]) == (404, "no_such_alert")
    assert problem["detail"] == "There is no alert with this id."


# ------------------------------------------------------------------ deeds


def test_who_acknowledges_stands_in_the_alert_and_in_the_audit_log(
    world: World, log: io.StringIO
) -> None:
    alert_id = world.alert("a", T0)
    before = now()
    status, document = world.ask(ACKNOWLEDGE, "", {"note": "on my way"}, alert_id=alert_id)
    assert status == 200
    alert = document["alert"]
    assert (alert["acknowledged"], alert["acknowledged_by"]) == (True, "ada@example.com")
    assert alert["acknowledged_at"] >= format_ts(before)
    last = alert["history"][-1]
    assert (last["kind"], last["by"], last["note"]) == (
        "acknowledged", "ada@example.com", "on my way"
    )  # fmt: skip
    (line,) = world.lines(log.getvalue(), "audit")
    assert (line["operator"], line["action"]) == ("ada@example.com", "alert_acknowledged")
    assert line["alert_id"] == alert_id
    assert world.ask(ACKNOWLEDGE, alert_id=alert_id)[1]["alert"]["transitions"] == 2


def test_an_alert_that_changes_keeps_its_term(world: World) -> None:
    alert_id = world.alert("a", T0)
    world.ask(ACKNOWLEDGE, alert_id=alert_id)
    item = world.dynamodb.get_item(
        TableName="alerts", Key={"pk": {"S": "a"}, "sk": {"S": f"{T0}#flow"}}
    )["Item"]
    assert int(item["expires_at"]["N"]) == T0 // 1000 + 365 * 86_400


def test_an_alert_is_snoozed_and_woken(world: World, log: io.StringIO) -> None:
    alert_id = world.alert("a", T0)
    _, snoozed = world.ask(SNOOZE, "", {"for_seconds": 3600}, alert_id=alert_id)
    assert snoozed["alert"]["snoozed_until"] > format_ts(now() + 3_590_000)
    _, woken = world.ask(SNOOZE, "", {"for_seconds": 0}, alert_id=alert_id)
    assert woken["alert"]["snoozed_until"] is None
    kinds = [entry["kind"] for entry in woken["alert"]["history"]]
    assert kinds == ["opened", "snoozed", "unsnoozed"]
    assert [it["action"] for it in world.lines(log.getvalue(), "audit")] == ["alert_snoozed"] * 2


def test_feedback_is_kept_with_its_note(world: World) -> None:
    alert_id = world.alert("a", T0)
    _, document = world.ask(
        FEEDBACK, "", {"verdict": "benign", "note": "we flushed\nthe pipes"}, alert_id=alert_id
    )
    feedback = document["alert"]["feedback"]
    assert (feedback["verdict"], feedback["by"]) == ("benign", "ada@example.com")
    assert feedback["note"] == "we flushed\nthe pipes"


@pytest.mark.parametrize(
    ("route", "body", "detail"),
    [
        (ACKNOWLEDGE, {"notes": "x"}, "the body has a field notes; its fields are: note"),
        (ACKNOWLEDGE, {"note": "x" * 501}, "note is a string of 501 characters"),
        (SNOOZE, {}, "until and for_seconds: a snooze has one of the two"),
        (SNOOZE, {"for_seconds": "1h"}, "for_seconds is a string; it must be a whole number"),
        (FEEDBACK, {}, "verdict is null; it must be one of true, false, benign"),
        (FEEDBACK, {"verdict": True}, "verdict is a boolean; it must be one of"),
        (FEEDBACK, {"verdict": "no"}, "verdict is another string; it must be one of"),
        (FEEDBACK, {"verdict": ["true"]}, "verdict is an array; it must be one of"),
    ],
)
def test_a_body_that_breaks_a_rule_changes_nothing(
    world: World, route: str, body: object, detail: str
) -> None:
    alert_id = world.alert("a", T0)
    status, problem = world.ask(route, "", body, alert_id=alert_id)
    assert (status, problem["code"]) == (400, "invalid_field")
    assert detail in problem["detail"]
    assert world.get(ONE, alert_id=alert_id)["alert"]["transitions"] == 1


def test_people_who_act_at_once_all_act(world: World) -> None:
    alert_id = world.alert("a", T0)
    world.api.stores.alerts._dynamodb = OneAtATime(world.dynamodb)
    calls = [
        (ACKNOWLEDGE, None),
        (SNOOZE, {"for_seconds": 60}),
        (FEEDBACK, {"verdict": "true"}),
        (FEEDBACK, {"verdict": "false"}),
    ]
    answers: list[int] = []

    def act(route: str, body: object) -> None:
        request = world.request(route, "", body, alert_id=alert_id)
        answers.append(world.api.lambda_handler(request, Context(20))["statusCode"])

    threads = [threading.Thread(target=act, args=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 4
    alert = world.get(ONE, alert_id=alert_id)["alert"]
    assert sorted(entry["kind"] for entry in alert["history"]) == [
        "acknowledged", "feedback", "feedback", "opened", "snoozed"
    ]  # fmt: skip


# ------------------------------------------------------------------ when something fails


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (client_error("ThrottlingException"), 503, "alerts_unavailable"),
        (client_error("InternalServerError", 500), 503, "alerts_unavailable"),
        (timed_out(), 503, "alerts_unavailable"),
        (client_error("AccessDeniedException"), 500, "internal"),
    ],
    ids=repr,
)
def test_a_table_that_fails_is_a_503_if_it_may_pass_and_a_500_if_not(
    world: World, fault: Exception, status: int, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    flaky = FlakyDynamo(SimpleNamespace(query=None), "query", fault)
    monkeypatch.setattr(world.api.stores, "alerts", AlertStore(flaky, "alerts"))
    found, problem = world.ask(LIST)
    assert (found, problem["code"]) == (status, code)
    assert problem["detail"].startswith("The alerts cannot be reached")


def test_an_alert_that_others_keep_changing_is_a_409(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def moved(*_: object) -> None:
        raise AlertMoved("a changed 10 times meanwhile")

    monkeypatch.setattr(world.api.stores.alerts, "change", moved)
    status, problem = world.ask(ACKNOWLEDGE, alert_id=f"a~{T0}~flow")
    assert (status, problem["code"]) == (409, "changed_meanwhile")


def test_no_query_reads_all_of_a_table(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.alert("a", T0 + HOUR)
    real = world.api.stores.alerts._dynamodb
    monkeypatch.setattr(
        world.api.stores.alerts, "_dynamodb", SimpleNamespace(query=real.query, get_item=None)
    )
    for query in ("", "state=all", "device_id=a", "severity=minor"):
        world.get(LIST, query)
