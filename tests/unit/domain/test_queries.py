"""Parameters of queries and bodies: every refusal names the parameter, what it is, and the rule."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import strategies
from weir.http import fields, queries
from weir.http.queries import Query, cursor_of
from weir.key_service import InvalidField

NOW = strategies.NOW_MS
NAMES = ("limit", "metric", "state", "from", "severity", "acknowledged", "device_id", "cursor")


def query(raw: str) -> Query:
    return Query(raw, NAMES, ("metric",))


def test_parameters_are_read_unescaped() -> None:
    asked = query("metric=a%2Cb&metric=%C3%A9&limit=7&device_id=gw%3A1&acknowledged=false")
    assert asked.metrics() == ["a,b", "é"]
    assert asked.whole("limit", 1, 10, 3) == 7
    assert asked.device_id() == "gw:1"
    assert asked.flag("acknowledged") is False
    assert (asked.text("state"), asked.moment("from"), asked.cursor("x")) == (None, None, None)
    assert asked.optional_whole("state", 0, 1) is None
    assert query("").whole("limit", 1, 10, 3) == 3
    assert query("metric=*").metric(or_device=True) == "*"
    assert query("severity=minor,major").choices("severity", ["minor", "major"]) == {
        "minor",
        "major",
    }


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2026-01-01T00%3A00%3A00Z", NOW),
        ("2026-01-01T01%3A00%3A00.0019%2B01%3A00", NOW + 1),
        (str(NOW), NOW),
        ("0", 0),
    ],
)
def test_a_time_is_rfc_3339_or_epoch_milliseconds(text: str, ms: int) -> None:
    assert query(f"from={text}").moment("from") == ms


@pytest.mark.parametrize(
    ("raw", "read", "detail"),
    [
        ("limits=1", str, "the query has a parameter limits; it may have: limit, metric, state"),
        ("%00=1", str, r"the query has a parameter '\x00'; it may have"),
        ("limit=1&limit=2", str, "limit stands in the query more than once; it may once"),
        ("limit=%FF", str, "the query is not UTF-8, escaped"),
        ("metric=a&" * 101, str, "the query has more than 100 parameters"),
        ("metric=" + "a" * 20_000, str, "the query has 20007 characters; it may have 16384"),
        ("limit=0", lambda q: q.whole("limit", 1, 9, 5), "limit is 0; it must be a whole number"),
        ("limit=", lambda q: q.whole("limit", 1, 9, 5), "limit is ''; it must be a whole number"),
        ("limit=%2B1", lambda q: q.whole("limit", 1, 9, 5), "limit is +1; it must be"),
        ("limit=%D9%A3", lambda q: q.whole("limit", 1, 9, 5), "it must be a whole number from 1"),
        ("limit=" + "9" * 5000, lambda q: q.whole("limit", 1, 9, 5), "it must be a whole number"),
        ("from=yesterday", lambda q: q.moment("from"), "from is a string that is no RFC 3339"),
        ("from=2026-01-01T00:00:00", lambda q: q.moment("from"), "no RFC 3339 time with an offset"),
        ("from=" + "9" * 15, lambda q: q.moment("from"), "from is a time outside of 1970-01-01"),
        ("from=1960-01-01T00:00:00Z", lambda q: q.moment("from"), "from is a time outside of 1970"),
        ("state=on", lambda q: q.choice("state", ["a", "b"], "a"), "must be one of a, b"),
        ("severity=a,", lambda q: q.choices("severity", ["a"]), "severity has ''; it must be some"),
        ("acknowledged=1", lambda q: q.flag("acknowledged"), "must be true or false"),
        ("device_id=a+b", lambda q: q.device_id(), "device_id is a string of 3 characters"),
        ("metric=", lambda q: q.metrics(), "metric is '', a string of 0 characters; it must be 1"),
        ("metric=*", lambda q: q.metrics(), "it must be 1 to 128 printable characters, and not *"),
        (
            urlencode([("metric", f"m{at}") for at in range(65)]),
            lambda q: q.metrics(),
            "metric is given 65 times; it may be 64 times",
        ),
        ("cursor=!", lambda q: q.cursor("a"), "cursor must be the next_cursor of an earlier"),
        ("cursor=%C3%A9", lambda q: q.cursor("a"), "cursor must be the next_cursor"),
        ("cursor=", lambda q: q.cursor("a"), "cursor must be the next_cursor"),
        (f"cursor={cursor_of('b', 'x')}", lambda q: q.cursor("a"), "cursor must be"),
    ],
)
def test_a_refusal_names_the_parameter_and_the_rule(
    raw: str, read: Callable[[Query], object], detail: str
) -> None:
    with pytest.raises(InvalidField) as refused:
        read(query(raw))
    assert detail in str(refused.value)
    assert len(str(refused.value)) < 400


@given(st.text(st.characters(codec="utf-8"), max_size=50))
def test_a_cursor_gives_back_its_place(place: str) -> None:
    assert query(urlencode({"cursor": cursor_of("a", place)})).cursor("a") == place


@given(st.text(max_size=30) | st.binary(max_size=20).map(lambda it: it.hex()))
def test_what_is_no_cursor_is_refused_or_is_one_of_ours(text: str) -> None:
    try:
        place = query(urlencode({"cursor": text}, errors="replace")).cursor("a")
    except InvalidField:
        return
    assert cursor_of("a", place or "") == text


@given(st.text(max_size=60))
def test_whatever_a_query_is_it_is_read_or_refused(raw: str) -> None:
    try:
        asked = query(raw)
        asked.moment("from"), asked.metrics(), asked.whole("limit", 1, 9, 1), asked.device_id()
    except InvalidField:
        pass


@pytest.mark.parametrize("place", ["", "-1", "9", "21", "1e1", "9" * 400, "١٢"])
def test_a_place_in_time_lies_in_its_range(place: str) -> None:
    with pytest.raises(InvalidField):
        queries.place_in_time(place, 10, 20)
    assert queries.place_in_time("20", 10, 20) == 20


# ------------------------------------------------------------------ bodies


@pytest.mark.parametrize(
    ("said", "end"),
    [
        ({"for_seconds": 60}, NOW + 60_000),
        ({"for_seconds": 60.0}, NOW + 60_000),
        ({"for_seconds": 0}, NOW),
        ({"until": NOW + 5}, NOW + 5),
        ({"until": "2026-01-01T00:00:01Z", "for_seconds": None}, NOW + 1000),
    ],
)
def test_a_snooze_ends_when_it_is_asked_to(said: dict[str, Any], end: int) -> None:
    assert fields.snooze_end(said, NOW) == end


@pytest.mark.parametrize(
    ("said", "detail"),
    [
        ({}, "until and for_seconds: a snooze has one of the two"),
        ({"until": NOW, "for_seconds": 1}, "until and for_seconds: a snooze has one of the two"),
        ({"for_seconds": -1}, "for_seconds is a number less than it may be; it must lie from 0"),
        ({"for_seconds": 1e12}, "for_seconds is a number more than it may be"),
        ({"for_seconds": 1.5}, "for_seconds is a number that is not whole"),
        ({"for_seconds": True}, "for_seconds is a boolean; it must be a whole number"),
        ({"for_seconds": "60"}, "for_seconds is a string; it must be a whole number"),
        ({"until": NOW - 1}, "until lies before the times taken now"),
        ({"until": "2036-01-01T00:00:00Z"}, "until lies after the times taken now"),
        ({"until": True}, "until is a boolean; it must be an RFC 3339 time"),
        ({"until": 1.5}, "until is a number; it must be an RFC 3339 time"),
        ({"until": "\ud800"}, "until is a string that is no RFC 3339 time"),
    ],
)
def test_a_snooze_that_breaks_a_rule_is_refused(said: dict[str, Any], detail: str) -> None:
    with pytest.raises(InvalidField) as refused:
        fields.snooze_end(said, NOW)
    assert detail in str(refused.value)


@pytest.mark.parametrize(
    ("said", "detail"),
    [
        ({"note": 1}, "note is a number; it must be a string"),
        ({"note": "\x07"}, "note is a string of 1 characters; it must be at most 500 printable"),
        ({"note": "x" * 501}, "note is a string of 501 characters"),
    ],
)
def test_a_note_that_breaks_a_rule_is_refused(said: dict[str, Any], detail: str) -> None:
    with pytest.raises(InvalidField) as refused:
        fields.note(said)
    assert detail in str(refused.value)


def test_a_note_may_have_lines_or_be_left_out() -> None:
    assert fields.note({"note": "a\nb"}) == "a\nb"
    assert fields.note({"note": None}) == fields.note({}) == ""


def test_a_field_that_a_body_does_not_have_is_named() -> None:
    with pytest.raises(InvalidField, match="has a field notes; its fields are: note"):
        fields.only({"notes": 1}, "note")
