"""The native protocol: what is read, what is refused and how, and that neighbours never pay."""

import json
import math
import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import NOW_MS
from weir.identity import EVERY_DEVICE
from weir.protocols import native
from weir.protocols.interface import MAX_READINGS, TooManyReadings, UnreadableBody
from weir.protocols.native import (
    parse_json,
    parse_ndjson,
)
from weir.readings import Reading, Window

WINDOW = Window.around(NOW_MS, past_ms=7 * 86_400_000, future_ms=600_000)
GOOD = {"device_id": "pump-7", "ts": NOW_MS, "metrics": {"flow": 1.5}}


def body(value: Any) -> bytes:
    return json.dumps(value).encode()


def test_one_reading_is_read() -> None:
    parsed = parse_json(body(GOOD), WINDOW)
    assert list(parsed.readings) == [Reading("pump-7", NOW_MS, {"flow": 1.5})]
    assert not parsed.rejected


def test_an_array_is_read_in_order() -> None:
    parsed = parse_json(body([GOOD, {**GOOD, "ts": NOW_MS - 1}]), WINDOW)
    assert [reading.ts for reading in parsed.readings] == [NOW_MS, NOW_MS - 1]


def test_an_envelope_names_the_device_once() -> None:
    readings = [{"ts": NOW_MS, "metrics": {"flow": 1}}, {"ts": NOW_MS - 1, "metrics": {"flow": 2}}]
    parsed = parse_json(body({"device_id": "pump-7", "readings": readings}), WINDOW)
    assert [reading.device_id for reading in parsed.readings] == ["pump-7", "pump-7"]


def test_newline_delimited_json_is_read_and_blank_lines_do_not_count() -> None:
    lines = body(GOOD) + b"\n\r\n" + body({**GOOD, "ts": NOW_MS - 1}) + b"\n"
    assert len(parse_ndjson(lines, WINDOW).readings) == 2
    assert len(parse_json(lines, WINDOW).readings) == 2


@pytest.mark.parametrize(
    "ts",
    [
        "2026-01-01T00:00:00Z",
        "2026-01-01T01:00:00+01:00",
        "2025-12-31T19:00:00.000-05:00",
        "2026-01-01t00:00:00.0009z",
        NOW_MS,
    ],
)
def test_a_time_is_rfc_3339_with_an_offset_or_epoch_milliseconds(ts: object) -> None:
    (reading,) = parse_json(body({**GOOD, "ts": ts}), WINDOW).readings
    assert reading.ts == NOW_MS


def test_tags_are_kept() -> None:
    (reading,) = parse_json(body({**GOOD, "tags": {"site": "north"}}), WINDOW).readings
    assert reading.tags == {"site": "north"}


BAD: list[tuple[str, dict[str, Any], str, str]] = [
    ("no device", {"device_id": None}, "missing_field", "device_id is missing"),
    ("a device of control characters", {"device_id": "a\n"}, "invalid_device_id", "device_id is"),
    ("a device too long", {"device_id": "a" * 129}, "invalid_device_id", "129 characters"),
    ("a device that is a number", {"device_id": 7}, "wrong_type", "device_id is a number"),
    ("a time without offset", {"ts": "2026-01-01T00:00:00"}, "invalid_ts", "ts is a string"),
    ("a time that is none", {"ts": "yesterday"}, "invalid_ts", "ts is a string"),
    ("a time with a fraction", {"ts": 1.5}, "wrong_type", "ts is a number"),
    ("a time that is null", {"ts": None}, "wrong_type", "ts is null"),
    ("a time that is true", {"ts": True}, "wrong_type", "ts is a boolean"),
    ("a time long ago", {"ts": 0}, "ts_out_of_window", "ts lies before"),
    ("a time far ahead", {"ts": NOW_MS + 601_000}, "ts_out_of_window", "ts lies after"),
    ("a huge time", {"ts": 10**30}, "ts_out_of_window", "ts lies after"),
    ("no metrics", {"metrics": {}}, "no_metrics", "metrics is an empty object"),
    ("metrics that are an array", {"metrics": [1]}, "wrong_type", "metrics is an array"),
    (
        "a value that is a string",
        {"metrics": {"flow": "1.5"}},
        "wrong_type",
        "metrics.flow is a st",
    ),
    ("a value that is true", {"metrics": {"flow": True}}, "wrong_type", "metrics.flow is a bool"),
    ("a value that is null", {"metrics": {"flow": None}}, "wrong_type", "metrics.flow is null"),
    ("NaN", {"metrics": {"flow": math.nan}}, "not_finite", "metrics.flow is NaN"),
    ("infinity", {"metrics": {"flow": -math.inf}}, "not_finite", "metrics.flow is"),
    ("a huge number", {"metrics": {"flow": 10**400}}, "not_finite", "metrics.flow is"),
    ("1,000 metrics", {"metrics": {f"m{n}": 1 for n in range(1000)}}, "too_many_metrics", "1000"),
    ("an empty name", {"metrics": {"": 1}}, "invalid_metric_name", "0 characters"),
    ("a name with a tab", {"metrics": {"a\tb": 1}}, "invalid_metric_name", r"'a\\tb'"),
    ("a name too long", {"metrics": {"a" * 129: 1}}, "invalid_metric_name", "129 characters"),
    ("a lone surrogate", {"metrics": {"\ud800": 1}}, "invalid_metric_name", "ud800"),
    ("tags that are a string", {"tags": "north"}, "wrong_type", "tags is a string"),
    ("a tag that is a number", {"tags": {"site": 1}}, "wrong_type", "tags.site is a number"),
    ("too many tags", {"tags": {f"t{n}": "" for n in range(17)}}, "too_many_tags", "17 names"),
    ("a tag too long", {"tags": {"a": "b" * 257}}, "invalid_tag_value", "257 characters"),
]


@pytest.mark.parametrize(
    ("change", "code", "detail"), [b[1:] for b in BAD], ids=[b[0] for b in BAD]
)
def test_a_bad_reading_is_refused_by_name_and_its_neighbours_are_taken(
    change: dict[str, Any], code: str, detail: str
) -> None:
    for parse, text in (
        (parse_json, body([GOOD, {**GOOD, **change}, GOOD])),
        (parse_ndjson, b"\n".join(map(body, [GOOD, {**GOOD, **change}, GOOD]))),
    ):
        parsed = parse(text, WINDOW)
        assert len(parsed.readings) == 2
        (rejection,) = parsed.rejected
        assert (rejection.index, rejection.code) == (1, code)
        assert re.search(detail, rejection.detail)


def test_a_number_past_the_range_of_a_double_is_refused_however_it_is_written() -> None:
    text = b'[{"device_id":"a","ts":%d,"metrics":{"m":1e400}}]' % NOW_MS
    assert parse_json(text, WINDOW).rejected[0].code == "not_finite"


@pytest.mark.parametrize("field", ['"metrics":{"m":@}', '"metrics":{"m":1},"ts":@'])
def test_an_integer_without_end_is_refused_and_its_neighbours_are_taken(field: str) -> None:
    bad = f'{{"device_id":"a","ts":{NOW_MS},{field.replace("@", "9" * 5000)}}}'
    parsed = parse_json(f"[{bad},{json.dumps(GOOD)}]".encode(), WINDOW)
    assert [rejection.index for rejection in parsed.rejected] == [0]
    assert len(parsed.readings) == 1


@pytest.mark.parametrize("parse", [parse_json, parse_ndjson])
def test_a_field_nested_without_end_is_unreadable_not_a_crash(parse: Any) -> None:
    deep = body(GOOD)[:-1] + b',"x":' + b"[" * 50_000 + b"]" * 50_000 + b"}"
    with pytest.raises(UnreadableBody):
        parse(deep, WINDOW)


def test_a_metric_that_stands_twice_is_refused_not_guessed() -> None:
    text = b'[{"device_id":"a","ts":%d,"metrics":{"m":1,"m":2}},%s]' % (NOW_MS, body(GOOD))
    parsed = parse_json(text, WINDOW)
    assert [r.code for r in parsed.rejected] == ["duplicate_name"]
    assert len(parsed.readings) == 1


def test_a_line_that_is_no_json_is_refused_and_the_others_are_taken() -> None:
    parsed = parse_ndjson(body(GOOD) + b'\n{"device_id":\n' + body(GOOD), WINDOW)
    assert [(r.index, r.code) for r in parsed.rejected] == [(1, "malformed_json")]
    assert len(parsed.readings) == 2


def test_a_line_is_a_reading_neither_more_nor_less() -> None:
    with pytest.raises(UnreadableBody):
        parse_ndjson(json.dumps(GOOD, indent=1).encode(), WINDOW)
    two_in_one = parse_ndjson(body(GOOD) + b" " + body(GOOD) + b"\n" + body(GOOD), WINDOW)
    assert [r.index for r in two_in_one.rejected] == [0]
    assert len(two_in_one.readings) == 1


def test_an_envelope_does_not_speak_for_another_device() -> None:
    inner = {"device_id": "pump-8", "ts": NOW_MS, "metrics": {"flow": 1}}
    parsed = parse_json(body({"device_id": "pump-7", "readings": [inner]}), WINDOW)
    assert [r.code for r in parsed.rejected] == ["foreign_device_id"]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"nope",
        b"[]",
        b'{"device_id": "a", "readings": []}',
        b'{"device_id": "a", "readings": {}}',
        b"5",
        b'"text"',
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        body(GOOD)[:-5],
    ],
)
def test_a_body_of_which_nothing_can_be_read_is_unreadable(text: bytes) -> None:
    with pytest.raises(UnreadableBody):
        parse_json(text, WINDOW)


def test_lines_of_which_none_is_json_are_unreadable() -> None:
    with pytest.raises(UnreadableBody, match="no line is JSON"):
        parse_ndjson(b"a\nb\n", WINDOW)


def test_more_readings_than_a_request_may_hold_are_too_many() -> None:
    with pytest.raises(TooManyReadings):
        parse_json(body([GOOD] * (MAX_READINGS + 1)), WINDOW)
    with pytest.raises(TooManyReadings):
        parse_ndjson(b"\n".join([body(GOOD)] * (MAX_READINGS + 1)), WINDOW)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
almost_readings = st.fixed_dictionaries(
    {},
    optional={
        "device_id": st.just("a") | st.text(max_size=3) | json_values,
        "ts": st.just(NOW_MS) | st.just("2026-01-01T00:00:00Z") | json_values,
        "metrics": st.dictionaries(st.text(max_size=3), st.floats() | st.integers()) | json_values,
        "tags": st.dictionaries(st.text(max_size=3), st.text(max_size=3)) | json_values,
        "extra": json_values,
    },
)


@given(st.lists(almost_readings, min_size=1, max_size=4) | almost_readings)
def test_the_straight_way_and_the_careful_way_come_to_the_same(value: Any) -> None:
    text = body(value)
    try:
        careful = native._parse_json_carefully(text, WINDOW, EVERY_DEVICE)
    except UnreadableBody:
        with pytest.raises(UnreadableBody):
            parse_json(text, WINDOW)
        return
    parsed = parse_json(text, WINDOW)
    assert list(parsed.readings) == list(careful.readings)
    assert list(parsed.rejected) == list(careful.rejected)
    total = len(value) if isinstance(value, list) else None
    if total is not None:
        assert len(parsed.readings) + len(parsed.rejected) == total


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail_otherwise(text: bytes) -> None:
    for parse in (parse_json, parse_ndjson):
        with suppress(UnreadableBody):
            parse(text, WINDOW)
