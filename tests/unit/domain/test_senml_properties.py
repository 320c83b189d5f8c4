"""What holds of any SenML pack: nothing crashes, nothing is lost, resolving changes nothing."""

import math
from contextlib import suppress
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from tests.strategies import NOW_MS
from tests.unit.domain.senml_packs import parse
from weir.protocols.interface import UnreadableBody
from weir.readings import MAX_METRICS

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from([10**400, -(10**308), 2**28, 1e308])
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
names = st.sampled_from(["a", "b:", "c/", "", "/x", "a b", "*", *"defg"]) | json_values
units = st.sampled_from(["V", "Cel", "/", "mV", "", "furlong"]) | json_values
numbers = st.integers(-100, 100) | st.floats() | json_values
almost_records = st.fixed_dictionaries(
    {},
    optional={
        "bn": names,
        "n": names,
        "bu": units,
        "u": units,
        **dict.fromkeys(("bt", "t", "bv", "v", "bs", "s", "ut"), numbers),
        "vb": st.booleans() | json_values,
        "vs": st.text(max_size=3) | json_values,
        "bver": st.just(10) | json_values,
        "x": json_values,
        "x_": json_values,
    },
)
plain_records = st.fixed_dictionaries(
    {"n": st.sampled_from("ab")},
    optional=dict.fromkeys(("bt", "t", "bv", "v", "bs", "s"), st.floats() | st.integers()),
)
records = plain_records | almost_records | json_values


def is_base_only(record: object) -> bool:
    """Whether a record does nothing but set base fields, said anew."""
    if not isinstance(record, dict) or "x_" in record or "bs" in record:
        return False
    known = {"bn", "bt", "bu", "bv", "bver", "n", "u", "t", "ut", "v", "vb", "vs", "vd", "s"}
    given_fields = known & set(record)
    return bool(given_fields) and all(label.startswith("b") for label in given_fields)


@given(st.lists(records, max_size=6) | json_values)
def test_any_json_is_parsed_or_unreadable_and_each_record_is_accounted_for(value: Any) -> None:
    try:
        parsed = parse(value)
    except UnreadableBody:
        return
    base_only = sum(map(is_base_only, value))
    assert parsed.accepted + len(parsed.rejected) + base_only == len(value)
    assert sum(len(reading.metrics) for reading in parsed.readings) == parsed.accepted
    for reading in parsed.readings:
        assert 1 <= len(reading.metrics) <= MAX_METRICS
        assert all(map(math.isfinite, reading.metrics.values()))


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail_otherwise(body: bytes) -> None:
    with suppress(UnreadableBody):
        parse(body)


whole = st.integers(-(10**6), 10**6)
good_records = st.fixed_dictionaries(
    {"n": st.sampled_from(["x", "y", "z"]), "v": whole},
    optional={
        "bn": st.sampled_from(["a:", "b/"]),
        "bt": st.integers(2**28 * 1000, 2**31 * 1000),
        "t": st.integers(0, 10**6),
        "bu": st.sampled_from(["V", "A"]),
        "u": st.sampled_from(["W", "Cel"]),
        "bv": whole,
        "bs": whole,
        "s": whole,
    },
)


def written(pack: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The pack with its numbers, which are drawn in thousandths, as decimals."""
    return [
        {
            label: value / 1000 if isinstance(value, int) else value
            for label, value in record.items()
        }
        for record in pack
    ]


def resolved(pack: list[dict[str, Any]], *, named: bool) -> list[dict[str, Any]]:
    """Each record with all that holds for it applied, and no base field but a name, if `named`."""
    base: dict[str, Any] = {"bn": "g:"}
    result = []
    for record in pack:
        base |= {label: value for label, value in record.items() if label.startswith("b")}
        own = {"v": base.get("bv", 0) + record["v"]}
        if "bt" in base or "t" in record:
            own["t"] = base.get("bt", 0) + record.get("t", 0)
        if unit := record.get("u", base.get("bu")):
            own["u"] = unit
        if "bs" in base or "s" in record:
            own["s"] = base.get("bs", 0) + record.get("s", 0)
        name = {"bn": base["bn"], "n": record["n"]} if named else {"n": base["bn"]}
        result.append({**name, **own})
    return result


@given(st.lists(good_records, min_size=1, max_size=8))
def test_a_pack_and_its_records_each_by_itself_are_the_same(pack: list[dict[str, Any]]) -> None:
    pack[0].setdefault("bn", "g:")
    whole_pack = parse(written(pack))
    assert whole_pack.accepted == len(pack)
    assert whole_pack == parse(written(resolved(pack, named=True)))


@given(st.lists(good_records, min_size=1, max_size=8))
def test_a_pack_of_base_names_and_its_resolved_form_are_the_same(
    pack: list[dict[str, Any]],
) -> None:
    pack[0].setdefault("bn", "g:")
    unnamed = [{label: value for label, value in it.items() if label != "n"} for it in pack]
    whole_pack = parse(written(unnamed))
    assert whole_pack.accepted == len(pack)
    assert whole_pack == parse(written(resolved(pack, named=False)))


@given(st.integers(2**28 * 1000, 2**33 * 1000), st.integers(-(10**9), 10**9))
@example(1_276_020_076_001, -100)
def test_milliseconds_are_exact_however_base_and_time_share_them(base: int, rest: int) -> None:
    text = f'[{{"n":"a","v":1,"bt":{base // 1000}.{base % 1000:03d},"t":{rest / 1000}}}]'
    ts = base + rest if base + rest >= 2**28 * 1000 else NOW_MS + base + rest
    (reading,) = parse(text.encode()).readings
    assert reading.ts == ts
