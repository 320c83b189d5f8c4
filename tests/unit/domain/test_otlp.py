"""OTLP metrics: what becomes of each data point, in protobuf and in JSON alike."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
    Summary,
    SummaryDataPoint,
)

from tests.strategies import NOW_MS
from tests.unit.domain.otlp_requests import (
    NOW_NS,
    any_value,
    codes,
    gauge,
    of_pump,
    of_resource,
    parse_both,
    point,
    request,
)
from weir.identity import Scope
from weir.protocols.interface import Parsed
from weir.readings import (
    MAX_METRICS,
    MAX_TAGS,
    Reading,
)


def names(parsed: Parsed) -> list[str]:
    return [name for reading in parsed.readings for name in reading.metrics]


def device_of(parsed: Parsed) -> str:
    (reading,) = parsed.readings
    return reading.device_id


# ------------------------------------------------------------------ values and times


def test_a_gauge_becomes_a_reading() -> None:
    parsed = parse_both(of_pump(gauge("flow", point(1.5))))
    assert list(parsed.readings) == [Reading("pump-7", NOW_MS, {"flow": 1.5})]
    assert (parsed.accepted, list(parsed.rejected)) == (1, [])


@pytest.mark.parametrize("temporality", [0, 1, 2], ids=["unspecified", "delta", "cumulative"])
def test_a_sum_is_taken_as_it_was_sent(temporality: Any) -> None:
    numbers = Sum(data_points=[point(7)], aggregation_temporality=temporality, is_monotonic=True)
    parsed = parse_both(of_pump(Metric(name="starts", sum=numbers)))
    assert list(parsed.readings) == [Reading("pump-7", NOW_MS, {"starts": 7.0})]


@pytest.mark.parametrize("value", [0, -5, 2**53, -(2**63), 2**63 - 1, 0.1, -0.0, 5e-324])
def test_a_number_is_a_double_afterwards(value: float) -> None:
    (reading,) = parse_both(of_pump(gauge("flow", point(value)))).readings
    assert repr(reading.metrics["flow"]) == repr(float(value))


def test_a_time_is_cut_to_milliseconds() -> None:
    parsed = parse_both(of_pump(gauge("flow", point(ns=NOW_NS + 1_999_999))))
    assert [reading.ts for reading in parsed.readings] == [NOW_MS + 1]


def test_data_points_of_one_device_time_and_tags_make_one_reading() -> None:
    parsed = parse_both(
        request(
            of_resource([gauge("flow", point(1)), gauge("level", point(2))], device__id="a"),
            of_resource([gauge("heat", point(3)), gauge("heat", point(4, NOW_NS - 10**9))],
                        device__id="a"),
            of_resource([gauge("cold", point(5))], device__id="a", site="north"),
            of_resource([gauge("wind", point(6))], device__id="b"),
        )
    )  # fmt: skip
    assert list(parsed.readings) == [
        Reading("a", NOW_MS, {"flow": 1, "level": 2, "heat": 3}),
        Reading("a", NOW_MS - 1000, {"heat": 4}),
        Reading("a", NOW_MS, {"cold": 5}, {"site": "north"}),
        Reading("b", NOW_MS, {"wind": 6}),
    ]
    assert parsed.accepted == 6


def test_a_metric_that_repeats_at_one_time_begins_a_further_reading() -> None:
    parsed = parse_both(of_pump(gauge("flow", point(1), point(2)), gauge("level", point(3))))
    assert [dict(r.metrics) for r in parsed.readings] == [{"flow": 1}, {"flow": 2, "level": 3}]


def test_a_reading_has_no_more_metrics_than_one_may() -> None:
    metrics = [gauge(f"m{n}", point(n)) for n in range(MAX_METRICS + 1)]
    parsed = parse_both(of_pump(*metrics))
    assert [len(reading.metrics) for reading in parsed.readings] == [MAX_METRICS, 1]


def test_a_data_point_without_a_recorded_value_says_nothing() -> None:
    stale = NumberDataPoint(time_unix_nano=NOW_NS, flags=1)
    parsed = parse_both(of_pump(gauge("flow", stale, point(1), point(None))))
    assert (parsed.accepted, codes(parsed)) == (1, [(2, "missing_field")])


# ------------------------------------------------------------------ what is refused


def test_a_refusal_names_the_metric_and_the_place_and_costs_no_neighbour() -> None:
    parsed = parse_both(
        of_pump(
            gauge("flow", point(1), point(float("nan")), point(float("-inf"))),
            gauge("heat", point(2, 0), point(3, 1), point(4, NOW_NS + 601 * 10**9), point(5)),
        )
    )
    assert codes(parsed) == [
        (1, "not_finite"),
        (2, "not_finite"),
        (3, "missing_field"),
        (4, "ts_out_of_window"),
        (5, "ts_out_of_window"),
    ]
    assert parsed.rejected[0].detail.startswith("flow: as_double is NaN")
    assert parsed.rejected[2].detail.startswith("heat: time_unix_nano is missing")
    assert list(parsed.readings) == [Reading("pump-7", NOW_MS, {"flow": 1, "heat": 5})]


def test_what_is_no_single_value_is_refused_with_all_its_data_points() -> None:
    histogram = Histogram(data_points=[HistogramDataPoint(time_unix_nano=NOW_NS)] * 2)
    exponential = ExponentialHistogram(data_points=[ExponentialHistogramDataPoint()] * 3)
    summary = Summary(data_points=[SummaryDataPoint(time_unix_nano=NOW_NS)])
    parsed = parse_both(
        of_pump(
            Metric(name="latency", histogram=histogram),
            Metric(name="size", exponential_histogram=exponential),
            Metric(name="age", summary=summary),
            Metric(name="nothing"),
            gauge("flow", point(1)),
        )
    )
    assert codes(parsed) == [(n, "unsupported_type") for n in range(6)]
    assert "latency: the metric is of the type histogram;" in parsed.rejected[0].detail
    assert "size: the metric is of the type exponential histogram;" in parsed.rejected[2].detail
    assert parsed.accepted == 1


@pytest.mark.parametrize(
    ("name", "code", "detail"),
    [
        ("", "invalid_metric_name", "0 characters"),
        ("*", "invalid_metric_name", "device as a whole"),
        ("a\nb", "invalid_metric_name", r"'a\nb'"),
        ("a" * 129, "invalid_metric_name", "129 characters"),
    ],
)
def test_a_metric_s_name_keeps_the_rules(name: str, code: str, detail: str) -> None:
    for attrs in ({}, {"state": "idle"}):
        (rejection,) = parse_both(of_pump(gauge(name, point(1, attrs=attrs)))).rejected
        assert rejection.code == code
        assert detail in rejection.detail


# ------------------------------------------------------------------ series


def test_attributes_are_part_of_the_name_sorted_by_key() -> None:
    attrs = {"state": "idle", "cpu": 0, "up": True, "virtual": False, "share": 0.25}
    parsed = parse_both(of_pump(gauge("cpu.usage", point(1, attrs=attrs))))
    assert names(parsed) == ["cpu.usage{cpu=0,share=0.25,state=idle,up=true,virtual=false}"]


def test_series_of_one_metric_stand_side_by_side() -> None:
    parsed = parse_both(
        of_pump(gauge("cpu", point(1, attrs={"cpu": 0}), point(2, attrs={"cpu": 1})))
    )
    assert [dict(r.metrics) for r in parsed.readings] == [{"cpu{cpu=0}": 1, "cpu{cpu=1}": 2}]


def read_back(series: str) -> tuple[str, dict[str, str]]:
    """What a series' name says, an escape at a time."""
    parts, escaped = [""], False
    for character in series:
        if not escaped and character in "{},=":
            parts += [character, ""]
        elif not escaped and character == "\\":
            escaped = True
            continue
        else:
            parts[-1] += character
        escaped = False
    if len(parts) == 1:
        return parts[0], {}
    name, opening, *pairs, closing, rest = parts
    assert (opening, closing, rest) == ("{", "}", "")
    return name, dict(zip(pairs[::4], pairs[2::4], strict=True))


hard_texts = st.text(r"ab\,={}", max_size=4)


@given(st.text(r"ab\,={}", min_size=1, max_size=4), st.dictionaries(hard_texts, hard_texts))
def test_a_series_name_can_be_read_back_so_different_series_never_share_one(
    name: str, attrs: dict[str, str]
) -> None:
    for series in names(parse_both(of_pump(gauge(name, point(1, attrs=attrs))))):
        assert read_back(series) == (name, attrs)


@pytest.mark.parametrize(
    ("value", "words"),
    [([1], "an array"), ({"a": 1}, "an object"), (b"x", "bytes"), (None, "without a value")],
)
def test_an_attribute_that_is_no_plain_value_is_refused(value: object, words: str) -> None:
    made = point(1)
    made.attributes.add(key="k", value=any_value(value))
    (rejection,) = parse_both(of_pump(gauge("flow", made))).rejected
    assert rejection.code == "unsupported_attribute"
    assert f"the attribute k is {words};" in rejection.detail


def test_an_attribute_that_stands_twice_is_refused() -> None:
    made = point(1, attrs={"state": "idle"})
    made.attributes.add(key="state", value=any_value("busy"))
    assert codes(parse_both(of_pump(gauge("flow", made)))) == [(0, "duplicate_name")]


@pytest.mark.parametrize("attrs", [{"k": "v" * 128}, {f"k{n}": "" for n in range(65)}])
def test_a_series_whose_name_grows_too_long_is_refused(attrs: dict[str, str]) -> None:
    parsed = parse_both(of_pump(gauge("flow", point(1, attrs=attrs), point(2))))
    assert codes(parsed) == [(0, "invalid_metric_name")]
    assert re.search("136 characters|65 attributes", parsed.rejected[0].detail)
    assert parsed.accepted == 1


# ------------------------------------------------------------------ devices and tags


def test_the_device_is_the_most_deliberate_attribute_that_there_is() -> None:
    given_attrs = {
        "service__instance__id": "i-1", "host__name": "h-1", "device_id": "d-2", "device__id": "d-1"
    }  # fmt: skip
    expected = ["d-1", "d-2", "h-1", "i-1"]
    while given_attrs:
        parsed = parse_both(request(of_resource([gauge("flow", point(1))], **given_attrs)))
        assert device_of(parsed) == expected.pop(0)
        given_attrs.popitem()


def test_of_an_attribute_that_a_resource_has_twice_the_first_counts() -> None:
    message = of_pump(gauge("flow", point(1)))
    for device in ("pump-8", 9):
        resource = message.resource_metrics[0].resource
        resource.attributes.add(key="device.id", value=any_value(device))
    assert device_of(parse_both(message)) == "pump-7"


def test_a_key_of_one_device_speaks_for_it_whatever_an_sdk_filled_in() -> None:
    message = request(of_resource([gauge("flow", point(1))], host__name="laptop"))
    parsed = parse_both(message, Scope(device_id="pump-7"))
    assert list(parsed.readings) == [
        Reading("pump-7", NOW_MS, {"flow": 1}, {"host.name": "laptop"})
    ]


@pytest.mark.parametrize("scope", [Scope(device_id="pump-8"), Scope(prefix="gate-")], ids=str)
def test_a_device_that_was_named_must_be_the_key_s(scope: Scope) -> None:
    message = of_pump(gauge("flow", point(1), point(2)))
    assert codes(parse_both(message, scope)) == [(n, "device_not_covered") for n in range(2)]


def test_without_a_device_the_data_points_are_refused() -> None:
    for message in (
        request(of_resource([gauge("flow", point(1), point(2))], service__name="pumps")),
        request(
            ResourceMetrics(scope_metrics=[ScopeMetrics(metrics=[gauge("f", *[point()] * 2)])])
        ),
    ):
        parsed = parse_both(message, Scope(prefix="pump-"))
        assert codes(parsed) == [(0, "missing_device"), (1, "missing_device")]
        assert "device.id, device_id, host.name, service.instance.id" in parsed.rejected[0].detail


@pytest.mark.parametrize(
    ("device", "code"),
    [
        (7, "wrong_type"),
        (None, "wrong_type"),
        ("", "invalid_device_id"),
        ("a/b", "invalid_device_id"),
    ],
)
def test_a_device_that_is_no_id_is_refused_not_passed_over(device: object, code: str) -> None:
    attrs = {"device__id": device, "host__name": "pump-7"}
    parsed = parse_both(request(of_resource([gauge("flow", point(1))], **attrs)))
    assert codes(parsed) == [(0, code)]


def test_a_resource_s_other_strings_are_tags_and_the_rest_is_left_out() -> None:
    attrs = {
        "service__name": "pumps", "zone": "a", "host__name": "h-1", "cpus": 4, "tags": ["x"],
        "long": "x" * 257, "lines": "a\nb", "x" * 129: "y", "": "z",
    }  # fmt: skip
    message = request(of_resource([gauge("flow", point(1))], device__id="pump-7", **attrs))
    (reading,) = parse_both(message).readings
    assert reading.tags == {"service.name": "pumps", "zone": "a", "host.name": "h-1"}


def test_of_too_many_tags_the_first_by_name_are_kept() -> None:
    attrs = {f"t{n:02}": "v" for n in reversed(range(MAX_TAGS + 4))}
    message = request(of_resource([gauge("flow", point(1))], device_id="a", a="\n", **attrs))
    (reading,) = parse_both(message).readings
    assert list(reading.tags or {}) == [f"t{n:02}" for n in range(MAX_TAGS)]


def test_a_resource_of_countless_attributes_is_refused() -> None:
    attrs = {f"a{n}": "v" for n in range(128)}
    message = request(of_resource([gauge("flow", point(1))], device_id="a", **attrs))
    assert codes(parse_both(message)) == [(0, "too_many_attributes")]
