"""SenML (RFC 8428): each of its rules, and what of it Weir does not take."""

import math
import re
from typing import Any

import pytest

from tests.strategies import NOW_MS
from tests.unit.domain.senml_packs import only, parse, refusals
from weir.identity import Scope
from weir.protocols.interface import MAX_READINGS, Parsed, TooManyReadings, UnreadableBody
from weir.protocols.senml_units import PRIMARY, SECONDARY, UNITS
from weir.readings import MAX_METRICS, MAX_TAGS, Reading, Window

GOOD = {"bn": "pump-7:", "n": "flow", "v": 1.5, "t": 0}
MARK = {"n": "after", "v": 0}
"""Another record of the pack: it is taken, whatever stands before it."""


# ------------------------------------------------------------------ times


@pytest.mark.parametrize(
    ("times", "ts"),
    [
        ({}, NOW_MS),
        ({"t": 0}, NOW_MS),
        ({"t": -5}, NOW_MS - 5000),
        ({"t": 5}, NOW_MS + 5000),
        ({"bt": -60, "t": 1.5}, NOW_MS - 58_500),
        ({"bt": 2**28 - 1}, NOW_MS + (2**28 - 1) * 1000),
        ({"bt": 2**28}, 2**28 * 1000),
        ({"bt": 2**28 - 1, "t": 1}, 2**28 * 1000),
        ({"bt": 2**28, "t": -0.001}, NOW_MS + 2**28 * 1000 - 1),
        ({"t": 1276020076.001}, 1_276_020_076_001),
        ({"bt": 1276020076.001, "t": -0.1}, 1_276_020_075_901),
        ({"bt": 1276020076, "t": 0.0019}, 1_276_020_076_001),
        ({"t": 1276020076.0009}, 1_276_020_076_000),
        ({"t": -0.0001}, NOW_MS - 1),
    ],
)
def test_a_time_is_relative_to_now_below_2_to_the_28_and_absolute_from_there(
    times: dict[str, float], ts: int
) -> None:
    assert only({"n": "a", "v": 1, **times}).ts == ts


def test_a_time_outside_the_window_is_refused() -> None:
    window = Window.around(NOW_MS, past_ms=60_000, future_ms=1000)
    pack = [{"n": "a", "v": 1, "t": t} for t in (-61, -60, 1, 2, 1276020076, 1e300, -1e300)]
    parsed = parse(pack, window=window)
    assert refusals(parsed) == [(n, "ts_out_of_window") for n in (0, 3, 4, 5, 6)]
    assert [reading.ts for reading in parsed.readings] == [NOW_MS - 60_000, NOW_MS + 1000]


# ------------------------------------------------------------------ base fields


def test_a_base_field_holds_from_its_record_on_until_it_is_given_anew() -> None:
    parsed = parse(
        [
            {"bn": "a:", "n": "x", "v": 1},
            {"bu": "V", "bv": 10, "n": "y", "v": 1},
            {"bn": "b:", "n": "x", "v": 1},
            {"bu": "A", "bv": 0, "n": "y", "u": "W", "v": 1},
        ]
    )
    assert list(parsed.readings) == [
        Reading("a", NOW_MS, {"x": 1.0, "y": 11.0}, {"y.unit": "V"}),
        Reading("b", NOW_MS, {"x": 11.0, "y": 1.0}, {"x.unit": "V", "y.unit": "W"}),
    ]


def test_a_base_field_of_a_refused_record_holds_all_the_same() -> None:
    parsed = parse([{"bn": "a:", "bv": 1, "n": "label", "vs": "text"}, {"n": "x", "v": 1}])
    assert list(parsed.readings) == [Reading("a", NOW_MS, {"x": 2.0})]


def test_a_base_field_of_the_wrong_type_costs_those_that_use_it() -> None:
    parsed = parse(
        [
            {"bn": "a:", "bu": 7, "bv": "10", "n": "x", "v": 1, "u": "V"},
            {"n": "y", "vb": True, "u": "/"},
            {"n": "z", "vb": True},
            {"bu": "V", "bv": 1, "n": "z", "v": 1},
            {"bt": None},
            {"n": "w", "v": 1},
        ]
    )
    assert refusals(parsed) == [(0, "wrong_type"), (2, "wrong_type"), (5, "wrong_type")]
    assert [set(reading.metrics) for reading in parsed.readings] == [{"y", "z"}]


def test_values_add_up_as_they_are_written() -> None:
    assert only({"n": "a", "bv": 0.1, "v": 0.2}).metrics == {"value": 0.3}
    assert only({"n": "a", "bv": 1e308, "v": 1}).metrics == {"value": 1e308}
    assert only({"n": "a", "v": 12345678901234567890123456789012345}).metrics == {
        "value": 1.2345678901234568e34
    }
    halfway = 2**105 + 2**52  # between two doubles, so that a little more rounds up
    assert only({"n": "a", "bv": 1, "v": halfway}).metrics == {"value": float(halfway + 1)}
    assert refusals(parse([{"n": "a", "bv": 1e308, "v": 1e308}])) == [(0, "not_finite")]


def test_a_boolean_is_1_or_0_and_takes_no_base() -> None:
    assert only({"bn": "a:", "bv": 5, "n": "x", "vb": True}, {"n": "y", "vb": False}).metrics == {
        "x": 1.0,
        "y": 0.0,
    }


def test_a_record_of_base_fields_alone_is_no_entry() -> None:
    parsed = parse([{"bn": "a:", "bver": 10}, {"bt": 1276020076, "comment": "x"}, {"bu": "V"}])
    assert parsed == Parsed([], [], 0)


# ------------------------------------------------------------------ names and units


@pytest.mark.parametrize(
    ("record", "device", "metric"),
    [
        ({"bn": "urn:dev:1:", "n": "flow"}, "urn:dev:1", "flow"),
        ({"bn": "urn:dev:1", "n": "flow"}, "urn:dev:1", "flow"),
        ({"bn": "pump_7/._-:", "n": "a/b:c"}, "pump_7", "a/b:c"),
        ({"bn": "pump", "n": "/3303/0/5700"}, "pump", "/3303/0/5700"),
        ({"bn": "pump-7:", "n": "", "u": "V"}, "pump-7", "V"),
        ({"bn": "pump-7"}, "pump-7", "value"),
        ({"bn": "", "n": "pump-7", "u": "%RH"}, "pump-7", "%RH"),
        ({"n": "pump-7"}, "pump-7", "value"),
        ({"n": "2001:db8::2/"}, "2001:db8::2", "value"),
    ],
)
def test_a_name_says_which_device_measured_what(
    record: dict[str, str], device: str, metric: str
) -> None:
    reading = only({**record, "v": 1})
    assert (reading.device_id, dict(reading.metrics)) == (device, {metric: 1.0})


def test_a_record_is_refused_where_the_key_does_not_speak_for_its_device() -> None:
    pack = [{"n": "temperature", "v": 1}, {"bn": "pump-7:", "n": "temperature", "v": 1}]
    parsed = parse(pack, scope=Scope("pump-7"))
    assert refusals(parsed) == [(0, "device_not_covered")]
    assert [reading.device_id for reading in parsed.readings] == ["pump-7"]


def test_the_unit_of_a_named_metric_travels_as_a_tag() -> None:
    assert only({"bn": "a:", "n": "x", "u": "V", "v": 1}).tags == {"x.unit": "V"}
    assert only({"bn": "a:", "bu": "V", "n": "x", "u": "", "v": 1}).tags is None
    assert only({"bn": "a:", "n": "x" * 128, "u": "V", "v": 1}).tags is None


def test_units_beyond_the_tags_that_a_reading_may_have_are_left_out() -> None:
    reading = only(*({"bn": "a:", "n": f"m{n}", "u": "V", "v": n} for n in range(MAX_TAGS + 1)))
    assert len(reading.metrics) == MAX_TAGS + 1
    assert reading.tags == {f"m{n}.unit": "V" for n in range(MAX_TAGS)}


@pytest.mark.parametrize("unit", sorted(UNITS))
def test_a_unit_of_the_registry_is_taken_as_it_is(unit: str) -> None:
    assert only({"n": "a", "u": unit, "v": 1.25}).metrics == {unit: 1.25}


def test_the_registry_has_the_units_of_the_two_rfcs() -> None:
    assert (len(PRIMARY), len(SECONDARY), len(UNITS)) == (58 + 8, 33, 99)


# ------------------------------------------------------------------ sums


def test_a_sum_without_a_value_is_refused() -> None:
    pack = [
        {"n": "a", "s": 5},
        {"bn": "a", "bs": 5},
        {"n": "b", "t": 1},
        {"bt": -1},
        {"n": "c", "v": 1},
    ]
    parsed = parse(pack)
    assert refusals(parsed) == [(n, "unsupported_sum") for n in (0, 1, 2)]
    assert parsed.accepted == 1


def test_a_sum_beside_a_value_is_kept_as_a_tag() -> None:
    assert only({"bn": "a:", "n": "power", "u": "W", "v": 60, "bs": 0.1, "s": 0.2}) == Reading(
        "a", NOW_MS, {"power": 60.0}, {"power.sum": "0.3", "power.unit": "W"}
    )
    assert only({"n": "a", "u": "W", "v": 60, "bs": 7}).tags == {"W.sum": "7.0"}


def test_no_sum_is_lost_where_the_tags_do_not_reach() -> None:
    parsed = parse([{"bn": "a:", "n": f"m{n}", "v": n, "s": n} for n in range(MAX_TAGS + 1)])
    assert [len(reading.tags or ()) for reading in parsed.readings] == [MAX_TAGS, 1]
    assert refusals(parse([{"bn": "a:", "n": "x" * 125, "v": 1, "s": 1}])) == [
        (0, "unsupported_sum")
    ]


# ------------------------------------------------------------------ merging


def test_a_reading_is_split_where_a_metric_repeats() -> None:
    parsed = parse([{"bn": "a:", "n": n, "v": v} for v, n in enumerate("xyxyx")])
    assert [dict(reading.metrics) for reading in parsed.readings] == [
        {"x": 0.0, "y": 1.0},
        {"x": 2.0, "y": 3.0},
        {"x": 4.0},
    ]


def test_a_reading_is_split_where_it_would_have_too_many_metrics() -> None:
    parsed = parse([{"bn": "a:", "n": f"m{n}", "v": n} for n in range(MAX_METRICS + 1)])
    assert [len(reading.metrics) for reading in parsed.readings] == [MAX_METRICS, 1]
    assert parsed.accepted == MAX_METRICS + 1


# ------------------------------------------------------------------ refusals of records

BAD: list[tuple[str, dict[str, Any], str, str]] = [
    ("no value", {"v": ...}, "missing_field", "no value"),
    ("a string", {"v": ..., "vs": "x"}, "unsupported_value", "string or data"),
    ("data", {"v": ..., "vd": "aGkgCg"}, "unsupported_value", "string or data"),
    ("two values", {"vb": True}, "several_values", "v, vb"),
    ("a value that is a string", {"v": "1.5"}, "wrong_type", "v is a string"),
    ("a value that is true", {"v": True}, "wrong_type", "v is a boolean"),
    ("a value that is null", {"v": None}, "wrong_type", "v is null"),
    ("a boolean that is a number", {"v": ..., "vb": 1}, "wrong_type", "vb is a number"),
    ("NaN", {"v": math.nan}, "not_finite", "v is NaN"),
    ("infinity", {"v": -math.inf}, "not_finite", "v is NaN, infinite"),
    ("a huge number", {"v": 10**400}, "not_finite", "v is NaN, infinite or past"),
    ("a sum that is a string", {"s": "5"}, "wrong_type", "s is a string"),
    ("a time that is a string", {"t": "now"}, "wrong_type", "t is a string"),
    ("a time that is NaN", {"t": math.nan}, "not_finite", "t is NaN"),
    ("a huge time", {"t": 10**400}, "not_finite", "t is NaN, infinite or past"),
    ("a name that is a number", {"n": 7}, "wrong_type", "n is a number"),
    ("a name that is null", {"n": None}, "wrong_type", "n is null"),
    ("a name with a space", {"n": "a b"}, "invalid_name", "name of 10 characters"),
    ("a name with a line feed", {"n": "flow\n"}, "invalid_name", "of A-Z a-z 0-9"),
    ("a name beyond ASCII", {"n": "fl\u00f6w"}, "invalid_name", "of A-Z a-z 0-9"),
    ("a lone surrogate", {"n": "\ud800"}, "invalid_name", "of A-Z a-z 0-9"),
    ("a metric too long", {"n": "x" * 129}, "invalid_metric_name", "129 characters"),
    ("an unknown unit", {"u": "furlong"}, "unknown_unit", "u is furlong"),
    ("a unit of another case", {"u": "cel"}, "unknown_unit", "u is cel"),
    ("a unit with a line feed", {"u": "V\n"}, "unknown_unit", r"u is 'V\\n'"),
    ("a unit that is a number", {"u": 1}, "wrong_type", "u is a number"),
    ("a label to be understood", {"flags_": 1}, "unknown_label", "flags_ is a label"),
]


@pytest.mark.parametrize(
    ("change", "code", "detail"), [b[1:] for b in BAD], ids=[b[0] for b in BAD]
)
def test_a_bad_record_is_refused_by_name_and_its_neighbours_are_taken(
    change: dict[str, Any], code: str, detail: str
) -> None:
    bad = {label: value for label, value in {**GOOD, **change}.items() if value is not ...}
    parsed = parse([GOOD, bad, MARK])
    assert refusals(parsed) == [(1, code)]
    assert re.search(detail, parsed.rejected[0].detail)
    assert parsed.accepted == 2


@pytest.mark.parametrize(
    ("record", "code"),
    [
        ({"v": 1}, "missing_field"),
        ({"n": "", "v": 1}, "missing_field"),
        ({}, "missing_field"),
        ({"comment": 1}, "missing_field"),
        ({"bn": "-a", "n": "x", "v": 1}, "invalid_name"),
        ({"n": ":a", "v": 1}, "invalid_name"),
        ({"n": "site/pump", "v": 1}, "invalid_device_id"),
        ({"bn": "site/pump/", "n": "x", "v": 1}, "invalid_device_id"),
        ({"n": "a" * 129, "v": 1}, "invalid_device_id"),
        ({"bn": "a" + ":" * 511, "n": "x", "v": 1}, "invalid_name"),
        ({"bn": 7, "n": "a", "v": 1}, "wrong_type"),
        ({"bn": "a", "bu": "furlong", "v": 1}, "unknown_unit"),
        (5, "wrong_type"),
        ([], "wrong_type"),
        (None, "wrong_type"),
    ],
)
def test_a_record_that_names_nothing_that_weir_can_hold_is_refused(record: Any, code: str) -> None:
    assert refusals(parse([record])) == [(0, code)]


def test_a_refusal_says_which_field_it_is_about_and_what_to_do() -> None:
    (rejection,) = parse([{"n": "a", "bu": "furlong", "v": 1}]).rejected
    assert rejection.detail.startswith("bu is furlong")
    (rejection,) = parse([{"n": "site/pump", "v": 1}]).rejected
    assert "that of the device into bn" in rejection.detail


def test_a_label_that_is_not_known_is_ignored() -> None:
    assert only({"n": "a", "v": 1, "comment": {"a": [1]}, "bx": 1, "ut": "?"}).metrics == {
        "value": 1.0
    }


def test_a_base_label_that_must_be_understood_costs_all_that_follows() -> None:
    parsed = parse([{"n": "a", "v": 1}, {"n": "b", "v": 1, "bq_": 2}, {"n": "c", "v": 1}])
    assert refusals(parsed) == [(1, "unknown_label"), (2, "unknown_label")]
    parsed = parse([{"n": "a", "v": 1, "q_": 2}, {"n": "c", "v": 1}])
    assert refusals(parsed) == [(0, "unknown_label")]


def test_a_name_that_stands_twice_is_refused_not_guessed() -> None:
    parsed = parse(
        b'[{"n":"a","v":1,"v":2},{"bt":-1,"bt":-2,"n":"b","v":1},{"n":"c","v":1},'
        b'{"bt":-3,"n":"d","v":1}]'
    )
    assert refusals(parsed) == [(n, "duplicate_name") for n in (0, 1, 2)]
    assert [reading.ts for reading in parsed.readings] == [NOW_MS - 3000]


# ------------------------------------------------------------------ refusals of packs


@pytest.mark.parametrize("version", [1, 5, 10, 10.0, 26])
def test_a_version_that_is_understood_is_read(version: float) -> None:
    assert only({"bver": version, "n": "a", "v": 1}).device_id == "a"


@pytest.mark.parametrize(
    "version", [0, -1, 11, 25, 27, 10.5, 10**300, 10**500, math.nan, "10", None, True, [10]]
)
def test_a_pack_of_another_version_is_not_used_at_all(version: Any) -> None:
    with pytest.raises(UnreadableBody, match="bver"):
        parse([{"n": "a", "v": 1}, {"bver": version, "n": "a", "v": 1}])


def test_a_version_that_cannot_be_told_is_not_used() -> None:
    with pytest.raises(UnreadableBody, match="bver stands twice"):
        parse(b'[{"bver":11,"bver":10,"n":"a","v":1}]')


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON"),
        (b"nope", "not JSON"),
        (b'[{"n":"a","v":1}', "not JSON"),
        (b'[{"n":"a","v":1}]]', "not JSON"),
        (b"\xff\xfe", "not UTF-8"),
        (b'[{"n":"\xff","v":1}]', "not UTF-8"),
        (b"[]", "at least one"),
        (b"{}", "an object"),
        (b'{"n":"a","v":1}', "an object"),
        (b'"text"', "a string"),
        (b"5", "a number"),
        (b"null", "null"),
        (b"[" * 8 * 1024 * 1024, "nested too deeply"),
        (b'[{"x":' * 100_000, "nested too deeply"),
        (b'[{"n":"a","v":1,"x":' + b"[" * 50_000 + b"]" * 50_000 + b"}]", "nested too deeply"),
    ],
    ids=lambda value: value[:16] if isinstance(value, bytes) else value,
)
def test_a_body_of_which_nothing_can_be_read_is_unreadable(body: bytes, reason: str) -> None:
    with pytest.raises(UnreadableBody, match=reason):
        parse(body)


def test_more_records_than_a_request_may_hold_are_too_many() -> None:
    assert parse([{"n": "a", "v": 1}] * MAX_READINGS).accepted == MAX_READINGS
    with pytest.raises(TooManyReadings):
        parse([{"bn": "a"}] * (MAX_READINGS + 1))


def test_a_base_name_without_end_is_not_joined_to_every_name() -> None:
    endless = b"a" * 7_000_000
    parsed = parse(b'[{"bn":"%s"}%s]' % (endless, b',{"n":"x","v":1}' * (MAX_READINGS - 1)))
    assert {rejection.code for rejection in parsed.rejected} == {"invalid_name"}
    assert len(parsed.rejected) == MAX_READINGS - 1


@pytest.mark.parametrize("digits", [b"9" * 100_000, b"0." + b"9" * 100_000, b"1" + b"e9" * 1])
def test_a_number_of_many_digits_is_read_or_refused_by_name(digits: bytes) -> None:
    parsed = parse(b'[{"n":"a","v":%s},{"n":"a","t":%s,"v":1},{"n":"b","v":1}]' % (digits, digits))
    assert parsed.accepted + len(parsed.rejected) == 3
    assert {code for _, code in refusals(parsed)} <= {"not_finite"}
