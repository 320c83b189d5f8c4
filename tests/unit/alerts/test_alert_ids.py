"""An alert's id: it stands for one alert, and stands in a URL's path as it is."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import device_ids
from weir.alerts.alert import AlertKey, NoSuchAlert
from weir.readings import check_metric_name

printable = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z")) | st.just(" "),
    min_size=1,
    max_size=128,
).filter(str.isprintable)
awkward = st.sampled_from(
    ["!silence", "=", "=Zmxvdw", "~", "a~b", "#", "..", "*a", "a/b", " ", "é"]
)
onsets = st.integers(0, 10**13 - 1)
keys = st.builds(AlertKey, device_ids, onsets, printable | awkward | st.just("*")) | st.builds(
    AlertKey, device_ids, onsets, st.just("*"), st.just("silence")
)
IN_A_PATH = "~:=*!"  # unreserved, or allowed in a segment: RFC 3986, section 3.3


@given(keys)
def test_an_id_stands_for_its_alert_and_needs_no_quoting(key: AlertKey) -> None:
    assert AlertKey.of_id(str(key)) == key
    assert quote(str(key), safe=IN_A_PATH) == str(key)


@given(keys)
def test_the_sort_key_stands_for_its_alert(key: AlertKey) -> None:
    assert AlertKey.of_item(key.device_id, key.sk) == key
    assert len(key.sk.encode()) <= 1024


@given(keys, keys)
def test_two_alerts_have_two_ids_and_two_sort_keys(one: AlertKey, other: AlertKey) -> None:
    assert (str(one) == str(other)) == (one == other)
    assert ((one.device_id, one.sk) == (other.device_id, other.sk)) == (one == other)


@given(printable)
def test_the_names_that_are_tried_here_are_those_that_readings_may_have(name: str) -> None:
    if name != "*":
        check_metric_name(name)


@given(st.text(max_size=60) | st.from_regex(r"[a-z]~[0-9]{13}~\S{1,20}", fullmatch=True))
def test_whatever_is_no_id_is_no_such_alert(text: str) -> None:
    try:
        key = AlertKey.of_id(text)
    except NoSuchAlert:
        return
    assert str(key) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pump-7",
        "pump-7~1767225600000",
        "pump-7~1767225600000~",
        "pump-7~176722560000~flow",
        "pump-7~\N{FULLWIDTH DIGIT ONE}767225600000~flow",
        "pump/7~1767225600000~flow",
        "~1767225600000~flow",
        "pump-7~1767225600000~=Zmxvdw",  # "flow" needs no base64
        "pump-7~1767225600000~=!!",
        "pump-7~1767225600000~=_w",  # no UTF-8
        "pump-7~1767225600000~a b",
        "pump-7~1767225600000~flow\n",
    ],
)
def test_no_such_alert(text: str) -> None:
    with pytest.raises(NoSuchAlert):
        AlertKey.of_id(text)
