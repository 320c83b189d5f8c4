"""The InfluxDB write protocol: lines into readings, what is refused, and that no neighbour pays."""

import json
from typing import Any

import pytest

from tests.strategies import NOW_MS
from weir.identity import EVERY_DEVICE, Scope
from weir.protocols.influx import MAX_FIELDS, InfluxWrite
from weir.protocols.influx_lines import Malformed
from weir.protocols.interface import (
    MAX_READINGS,
    Parsed,
    Reply,
    Request,
    TooManyReadings,
    UnreadableBody,
)
from weir.readings import Reading, Rejection, Window

WINDOW = Window.around(NOW_MS, past_ms=7 * 86_400_000, future_ms=600_000)
NS = NOW_MS * 1_000_000


def request(body: bytes | str, scope: Scope = EVERY_DEVICE, **query: str) -> Request:
    sent = body.encode() if isinstance(body, str) else body
    return Request(sent, "text/plain", query, NOW_MS, WINDOW, scope)


def parse(body: bytes | str, scope: Scope = EVERY_DEVICE, **query: str) -> Parsed:
    return InfluxWrite().parse(request(body, scope, **query))


def one(line: str, scope: Scope = EVERY_DEVICE, **query: str) -> Reading:
    parsed = parse(line, scope, **query)
    assert not parsed.rejected
    assert parsed.accepted == 1
    (reading,) = parsed.readings
    return reading


def refused(parsed: Parsed) -> list[tuple[int, str]]:
    return [(rejection.index, rejection.code) for rejection in parsed.rejected]


def test_a_line_is_a_reading() -> None:
    reading = one(f"cpu,host=web-1 usage_idle=98.5,usage_user=1i {NS}")
    assert reading == Reading("web-1", NOW_MS, {"cpu.usage_idle": 98.5, "cpu.usage_user": 1.0})


def test_the_other_tags_are_kept_and_tell_series_apart() -> None:
    parsed = parse(
        f"cpu,cpu=cpu1,host=web-1,az=b idle=1 {NS}\ncpu,cpu=cpu0,host=web-1,az=b idle=2 {NS}"
    )
    assert parsed.readings == [
        Reading("web-1", NOW_MS, {"cpu.idle{az=b,cpu=cpu1}": 1.0}, {"az": "b", "cpu": "cpu1"}),
        Reading("web-1", NOW_MS, {"cpu.idle{az=b,cpu=cpu0}": 2.0}, {"az": "b", "cpu": "cpu0"}),
    ]


@pytest.mark.parametrize(
    ("tags", "device_id", "others"),
    [
        (",host=c", "c", None),
        (",host=c,device=b", "b", {"host": "c"}),
        (",host=c,device=b,device_id=a", "a", {"device": "b", "host": "c"}),
    ],
)
def test_the_device_is_named_by_the_first_of_three_tags(
    tags: str, device_id: str, others: dict[str, str] | None
) -> None:
    reading = one(f"m{tags} f=1")
    assert (reading.device_id, reading.tags) == (device_id, others)


def test_without_such_a_tag_it_is_the_device_that_the_key_is_bound_to() -> None:
    assert one("m,site=north f=1", Scope(device_id="pump-7")).device_id == "pump-7"


@pytest.mark.parametrize(
    ("tags", "metric"),
    [
        (",device=pump-7,host=raspberry", "m.f{host=raspberry}"),
        (",host=pump-7", "m.f"),
        (",device=sda1,host=raspberry", "m.f{device=sda1,host=raspberry}"),
    ],
)
def test_what_clients_fill_in_unasked_does_not_turn_a_device_away_from_its_own_key(
    tags: str, metric: str
) -> None:
    reading = one(f"m{tags} f=1", Scope(device_id="pump-7"))
    assert (reading.device_id, list(reading.metrics)) == ("pump-7", [metric])


def test_a_device_that_is_named_outright_must_be_the_keys() -> None:
    (rejection,) = parse("m,device_id=fan-7 f=1", Scope(device_id="pump-7")).rejected
    assert rejection.code == "device_not_covered"
    assert refused(parse("m,site=north f=1", Scope(prefix="pump-"))) == [(0, "missing_device")]


def test_a_key_speaks_for_its_own_devices_only() -> None:
    parsed = parse("m,host=pump-7 f=1\nm,host=fan-7 f=1", Scope(prefix="pump-"))
    assert refused(parsed) == [(1, "device_not_covered")]
    assert [reading.device_id for reading in parsed.readings] == ["pump-7"]


@pytest.mark.parametrize(
    ("precision", "stamp"),
    [
        ("ns", f"{NOW_MS}999999"),
        ("", f"{NOW_MS}000001"),
        ("us", f"{NOW_MS}999"),
        ("ms", str(NOW_MS)),
        ("s", str(NOW_MS // 1000)),
    ],
)
def test_a_timestamp_has_the_unit_of_the_precision_and_finer_digits_are_cut_off(
    precision: str, stamp: str
) -> None:
    assert one(f"m,host=a f=1 {stamp}", precision=precision).ts == NOW_MS
    assert one(f"m,host=a f=1  {stamp} ", precision=precision).ts == NOW_MS


def test_a_line_without_a_timestamp_is_of_now() -> None:
    assert one("m,host=a f=1").ts == one("m,host=a f=1 ").ts == NOW_MS


def test_there_may_be_more_white_space_than_is_needed() -> None:
    assert one(f" \tm,host=a  \t f=1 \t {NS - 10**9} \t") == Reading(
        "a", NOW_MS - 1000, {"m.f": 1.0}
    )


@pytest.mark.parametrize("precision", ["n", "u", "m", "h", "ns,ns", "x" * 300])
def test_another_precision_is_refused_whatever_the_body(precision: str) -> None:
    with pytest.raises(UnreadableBody, match=r"precision is .* it must be ns, us, ms or s"):
        parse("m,host=a f=1", precision=precision)


VALUES = {
    "1": 1.0, "1.": 1.0, ".5": 0.5, "-.5": -0.5, "1.5e3": 1500.0, "1E-3": 0.001, "1e+3": 1000.0,
    "0.1": 0.1, "5e-324": 5e-324, "1.7976931348623157e308": 1.7976931348623157e308,
    "12i": 12.0, "-12i": -12.0, "12u": 12.0, "9007199254740993i": 9007199254740992.0,
    "9223372036854775807i": 2.0**63, "-9223372036854775808i": -(2.0**63),
    "18446744073709551615u": 2.0**64,
    "t": 1.0, "T": 1.0, "true": 1.0, "True": 1.0, "TRUE": 1.0,
    "f": 0.0, "F": 0.0, "false": 0.0, "False": 0.0, "FALSE": 0.0,
}  # fmt: skip


@pytest.mark.parametrize("text", VALUES)
def test_numbers_become_the_nearest_double_and_booleans_one_and_zero(text: str) -> None:
    assert one(f"m,host=a f={text}").metrics == {"m.f": VALUES[text]}


BAD_VALUES = {
    '""': "unsupported_type", '"12"': "unsupported_type", '"a \\" b"': "unsupported_type",
    '"two\nlines, a=b # and more"': "unsupported_type", '"\\\\"': "unsupported_type",
    "nan": "not_finite", "NaN": "not_finite", "inf": "not_finite", "-Infinity": "not_finite",
    "1e309": "not_finite", "-1e309": "not_finite",
    "9223372036854775808i": "invalid_value", "-9223372036854775809i": "invalid_value",
    "18446744073709551616u": "invalid_value", "-1u": "invalid_value",
    "+1": "invalid_value", "1_0": "invalid_value", "0x1": "invalid_value", "1e": "invalid_value",
    "-": "invalid_value", ".": "invalid_value", "i": "invalid_value", "1.5i": "invalid_value",
    "1.1.1": "invalid_value", "tRUE": "invalid_value", "yes": "invalid_value",
    "1=2": "invalid_value", "\t1": "invalid_value", "1\t": "invalid_value", "٣": "invalid_value",
    "1٣5": "invalid_value", "1" * 401: "invalid_value", "9" * 401 + "i": "invalid_value",
    "0." + "1" * 399: "invalid_value",
}  # fmt: skip


@pytest.mark.parametrize("value", BAD_VALUES, ids=[ascii(value[:30]) for value in BAD_VALUES])
def test_a_value_that_is_no_finite_number_costs_its_field_alone(value: str) -> None:
    parsed = parse(f"m,host=a f=0 {NS}\nm,host=a x=1,bad={value},y=2 {NS}\nm,host=a g=3 {NS}")
    assert refused(parsed) == [(1, BAD_VALUES[value])]
    assert "field bad " in parsed.rejected[0].detail
    assert parsed.accepted == 3
    assert parsed.readings == [Reading("a", NOW_MS, {"m.f": 0.0, "m.x": 1, "m.y": 2, "m.g": 3})]


def test_a_line_of_refused_fields_is_refused_once_for_each_reason() -> None:
    parsed = parse('m,host=a a="x",b="y",c=nan,d="z"\nm,host=a e=1')
    assert refused(parsed) == [(0, "unsupported_type"), (0, "not_finite")]
    assert parsed.rejected[0].detail.endswith("; more fields of the line like it: 2")
    assert parsed.accepted == 1


ESCAPES: list[tuple[str, str, dict[str, str] | None]] = [
    (r"my\,m\ x,host=a f=1", "my,m x.f", None),
    (r"m=x\=y,host=a f=1", r"m=x\\=y.f", None),
    (r"m,host=a f\,\ \=g=1", "m.f, =g", None),
    (r"m,host=a,k\,\ \=l=v\,\ \=w f=1", r"m.f{k\, \=l=v\, \=w}", {"k, =l": "v, =w"}),
    (r"m,host=a,path=C:\dir f=1", r"m.f{path=C:\\dir}", {"path": r"C:\dir"}),
    (r"m,host=a,k=v\\\, f=1", r"m.f{k=v\\\\\,}", {"k": r"v\\,"}),
    (r"m\n,host=a f\"=1", r'm\\n.f\\"', None),
    ('m"q,host=a,t="v" f"=1', 'm"q.f"{t="v"}', {"t": '"v"'}),
    (r"m{,host=a,t={} {f}=1", r"m\{.\{f}{t={}}", {"t": "{}"}),
    ("température,host=a,ü=° µ=1", "température.µ{ü=°}", {"ü": "°"}),
    ("m,host=a  \t f=1", "m.f", None),
]


@pytest.mark.parametrize(("line", "name", "tags"), ESCAPES, ids=[line for line, _, _ in ESCAPES])
def test_escapes_are_those_of_line_protocol(
    line: str, name: str, tags: dict[str, str] | None
) -> None:
    reading = one(line)
    assert dict(reading.metrics) == {name: 1.0}
    assert reading.tags == tags


MALFORMED = [
    "m", "m ", "m,host=a", "m,host=a ", ",host=a f=1", " ,host=a f=1", "m,host=a f", "m,host=a f=",
    "m,host=a f= 1", "m,host=a f=,g=1", "m,host=a =1", "m,host=a f=1,", "m,host=a f=1,,g=1",
    "m,host=a f=1 ,g=1 2=3,", "m,=a f=1", "m,host f=1", "m,host= f=1", "m,host=a, f=1",
    "m,host=a=b f=1", 'm,host=a f="x', 'm,host=a f="x"y', 'm,host=a f="x\\"', "m,host=a,t=b\\ f=1",
    "m\tf=1",
]  # fmt: skip


@pytest.mark.parametrize("line", MALFORMED)
def test_a_line_that_is_no_line_protocol_is_refused_and_its_neighbours_are_taken(line: str) -> None:
    parsed = parse(f"m,host=a f=1\n{line}\nm,host=a g=2")
    index, code = refused(parsed)[0]
    assert (index, code, len(parsed.rejected)) in {
        (1, Malformed.CODE, 1),
        (1, "invalid_ts", 1),  # what stands where a time might
    }
    assert parsed.readings == [Reading("a", NOW_MS, {"m.f": 1.0, "m.g": 2.0})]
    assert parsed.accepted == 2
    if line.strip() and code == Malformed.CODE:
        with pytest.raises(UnreadableBody, match="no line is line protocol; the first: unable to"):
            parse(line)


BAD_LINES: list[tuple[str, str]] = [
    ("m,host=a f=1 1.5", "invalid_ts"),
    ("m,host=a f=1 -", "invalid_ts"),
    ("m,host=a f=1 0x1", "invalid_ts"),
    ("m,host=a f=1 1 2", "invalid_ts"),
    ("m,host=a f=1 " + "1" * 5000, "invalid_ts"),
    ("m,host=a f=1 9223372036854775808", "invalid_ts"),
    ("m,host=a f=1 9223372036854775807", "ts_out_of_window"),
    ("m,host=a f=1 -9223372036854775808", "ts_out_of_window"),
    ("m,host=a f=1 " + "".join(chr(0x660 + int(digit)) for digit in str(NS)), "invalid_ts"),
    ("m,host=a f=1 0", "ts_out_of_window"),
    (f"m,host=a f=1 {NS + 601 * 10**9}", "ts_out_of_window"),
    ("m,host=a f=1,g=2,f=1", "duplicate_name"),
    ("m,host=a,t=1,t=2 f=1", "duplicate_name"),
    (r"m,host=a f\ g=1,f\ g=1", "duplicate_name"),
    ("m,host=a/b f=1", "invalid_device_id"),
    ("m,host=a,device_id=/ f=1", "invalid_device_id"),
    ("m f=1", "missing_device"),
    ("m,host=a," + ",".join(f"t{n}=1" for n in range(17)) + " f=1", "too_many_tags"),
    (f"m,host=a,t={'x' * 257} f=1", "invalid_tag_value"),
    (f"m,host=a,{'x' * 129}=t f=1", "invalid_tag_name"),
    ("m,host=a,t=\x07 f=1", "invalid_tag_value"),
    (f"{'m' * 127},host=a f=1", "invalid_metric_name"),
    (f"m,host=a {'f' * 127}=1", "invalid_metric_name"),
    ("m\x07,host=a f=1", "invalid_metric_name"),
    (f"m,host=a,t={'v' * 125} f=1", "invalid_metric_name"),
]


@pytest.mark.parametrize(("line", "code"), BAD_LINES, ids=[line[:40] for line, _ in BAD_LINES])
def test_a_line_that_breaks_a_rule_is_refused_with_the_rules_code(line: str, code: str) -> None:
    parsed = parse(f"m,host=a f=1\n{line}\nm,host=a g=2")
    assert refused(parsed) == [(1, code)]
    assert parsed.accepted == 2
    assert len(parsed.rejected[0].detail) < 800


def test_a_name_may_have_128_characters() -> None:
    name = "m." + "f" * 126
    assert one(f"m,host=a {'f' * 126}=1").metrics == {name: 1.0}
    parsed = parse(f"m,host=a {'f' * 127}=1,g=2")
    assert refused(parsed) == [(0, "invalid_metric_name")]
    assert parsed.readings == [Reading("a", NOW_MS, {"m.g": 2.0})]


def test_names_that_are_too_long_whatever_the_field_are_refused_before_any_is_built() -> None:
    parsed = parse(f"{'m' * 127},host=a f=1,g=2,h=3")
    assert refused(parsed) == [(0, "invalid_metric_name")]
    assert "make names of at least 129 characters" in parsed.rejected[0].detail


def test_blank_lines_and_comments_do_not_count_and_lines_may_end_in_crlf() -> None:
    body = "\r\n# c\r\n \t\n  m,host=a f=1\r\n\n#x f=1\nbad\r\n\0m,host=a g=2 1\r\nm,host=a h=3\r"
    parsed = parse(body)
    assert refused(parsed) == [(1, "malformed_line"), (2, "ts_out_of_window")]
    assert parsed.readings == [Reading("a", NOW_MS, {"m.f": 1.0, "m.h": 3.0})]


def test_a_line_that_is_not_utf_8_is_refused_and_its_neighbours_are_taken() -> None:
    parsed = parse(b'm,host=a f=1\nm,host=a,t=\xb0 g=2\nm,host=a h=3\nm,host=a s="\xed\xa0\x80"')
    assert refused(parsed) == [(1, "not_utf8"), (3, "not_utf8")]
    assert parsed.readings == [Reading("a", NOW_MS, {"m.f": 1.0, "m.h": 3.0})]
    with pytest.raises(UnreadableBody, match="not UTF-8"):
        parse(b"\xff\xfe")


def test_lines_of_one_device_time_and_tags_become_one_reading() -> None:
    lines = [
        f"cpu,host=a idle=1 {NS}",
        f"mem,host=a free=2 {NS}",
        f"mem,host=b free=3 {NS}",
        f"mem,host=a,zone=1 free=4 {NS}",
        f"mem,host=a free=5 {NS - 1_000_000}",
        f"net,device_id=a in=6 {NS}",
    ]
    assert parse("\n".join(lines)).readings == [
        Reading("a", NOW_MS, {"cpu.idle": 1.0, "mem.free": 2.0, "net.in": 6.0}),
        Reading("b", NOW_MS, {"mem.free": 3.0}),
        Reading("a", NOW_MS, {"mem.free{zone=1}": 4.0}, {"zone": "1"}),
        Reading("a", NOW_MS - 1, {"mem.free": 5.0}),
    ]


def test_a_metric_that_repeats_begins_another_reading_and_the_first_stays_first() -> None:
    parsed = parse("m,host=a f=1,g=1\nm,host=a f=2\nm,host=a h=3")
    assert [dict(reading.metrics) for reading in parsed.readings] == [
        {"m.f": 1.0, "m.g": 1.0},
        {"m.f": 2.0, "m.h": 3.0},
    ]
    assert parsed.accepted == 3


def test_more_metrics_than_a_reading_may_have_become_several() -> None:
    parsed = parse("m,host=a " + ",".join(f"f{n}={n}" for n in range(150)) + "\nm,host=a g=1")
    assert [len(reading.metrics) for reading in parsed.readings] == [64, 64, 23]
    assert parsed.accepted == 2


def test_a_quote_that_is_never_closed_costs_its_line_alone() -> None:
    parsed = parse('m,host=a a="x\nm,host=a b=1\nm,host=a c=2,s="y"\nm,host=a d=3')
    assert refused(parsed) == [(0, "malformed_line"), (2, "unsupported_type")]
    assert parsed.readings == [Reading("a", NOW_MS, {"m.b": 1.0, "m.c": 2.0, "m.d": 3.0})]


@pytest.mark.parametrize("body", [b"", b"\n\n", b" \t\r\n", b"# nothing", b"\0"])
def test_a_body_without_a_line_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableBody, match="holds no line"):
        parse(body)


def test_a_request_holds_so_many_lines_and_fields_and_no_more() -> None:
    assert parse("m,host=a f=1\n# c\n" * MAX_READINGS).accepted == MAX_READINGS
    with pytest.raises(TooManyReadings, match="lines"):
        parse("m,host=a f=1\n" * (MAX_READINGS + 1))
    fields = ",".join(f"f{n}=1" for n in range(MAX_FIELDS // 100))
    assert parse(f"m,host=a {fields}\n" * 100).accepted == 100
    for line in (f"m,host=a {fields}\n", f'm,host=a "{fields}\n'):
        with pytest.raises(TooManyReadings, match="fields"):
            parse(line * 100 + "m,host=a f=1")


# ------------------------------------------------------------------ answers


def answer(reply: Reply) -> Any:
    assert reply.media_type == "application/json"
    return json.loads(reply.body)


def test_all_taken_is_answered_204_without_a_body() -> None:
    assert InfluxWrite().accept(parse("m,host=a f=1"), "text/plain") == Reply(204, b"", "")


def test_a_partial_write_is_answered_400_with_each_refused_line() -> None:
    reply = InfluxWrite().accept(parse('m,host=a f=1\nm,host=a g="x"\nbad\nm,host=a h=1'), "")
    assert reply.status == 400
    assert answer(reply) == {
        "code": "invalid",
        "message": "partial write: lines written: 2, refused in whole or in part: 2 (counted from "
        "1, without blank lines and comments); line 2: the field g is a string; it must be a "
        "number or a boolean; line 3: unable to parse bad: a field is missing",
    }


def test_a_write_of_which_nothing_is_taken_says_so() -> None:
    reply = InfluxWrite().accept(parse("m f=1"), "")
    assert reply.status == 400
    assert answer(reply)["message"].startswith("nothing is written: lines written: 0, refused")


def test_the_answer_to_many_refusals_is_bounded() -> None:
    rejected = [Rejection(index, "c", "d" * 100) for index in range(5000)]
    message = answer(InfluxWrite().accept(Parsed((), rejected, 0), ""))["message"]
    assert "line 10: " in message
    assert "line 11: " not in message
    assert message.endswith("and more: 4990")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "invalid"), (401, "unauthorized"), (403, "forbidden"), (404, "not found"),
        (405, "method not allowed"), (413, "request too large"), (415, "unsupported media type"),
        (422, "invalid"), (429, "too many requests"), (500, "internal error"),
        (502, "internal error"), (503, "unavailable"),
    ],
)  # fmt: skip
def test_a_refusal_has_influxdbs_shape_and_code(status: int, code: str) -> None:
    reply = InfluxWrite().refuse(status, "own_code", "Because.", "text/plain", "id")
    assert reply.status == status
    assert answer(reply) == {"code": code, "message": "Because."}
