"""Device keys as operators handle them: made, rotated with overlap, revoked."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.device_keys import MemoryKeys
from weir.identity import EVERY_DEVICE, Scope
from weir.key_service import (
    MAX_LABEL,
    MAX_LIFETIME_S,
    MAX_OVERLAP_S,
    InvalidField,
    KeyNotActive,
    NoSuchKey,
    add_key,
    checked_expiry,
    checked_key_id,
    checked_label,
    checked_overlap,
    checked_scope,
    revoke_key,
    rotate_key,
)

NOW_S = 1_767_225_600
PUMP = Scope(device_id="pump-7")


def test_a_new_key_lets_its_device_in_until_it_expires() -> None:
    store = MemoryKeys()
    new = add_key(store, PUMP, NOW_S, label="the cellar", expires_at=NOW_S + 60)
    assert store.lets_in(new.secret, NOW_S + 59) == PUMP
    assert store.lets_in(new.secret, NOW_S + 60) is None
    assert store.keys[new.key.key_id].label == "the cellar"


def test_the_secret_is_not_kept() -> None:
    store = MemoryKeys()
    new = add_key(store, PUMP, NOW_S)
    assert new.secret.encode() not in msgspec.msgpack.encode(list(store.keys.values()))


def test_after_a_rotation_both_keys_hold_and_after_the_overlap_only_the_new_one() -> None:
    store = MemoryKeys()
    old = add_key(store, PUMP, NOW_S, label="the cellar")
    new = rotate_key(store, old.key.key_id, NOW_S + 100, 60)
    assert new.secret != old.secret
    assert (new.key.scope, new.key.label, new.key.expires_at) == (PUMP, "the cellar", None)
    for secret in (old.secret, new.secret):
        assert store.lets_in(secret, NOW_S + 159) == PUMP
    assert store.lets_in(old.secret, NOW_S + 160) is None
    assert store.lets_in(new.secret, NOW_S + 160) == PUMP


def test_the_new_key_is_kept_before_the_old_one_is_given_an_end() -> None:
    store = MemoryKeys()
    old = add_key(store, PUMP, NOW_S)
    store.calls.clear()
    rotate_key(store, old.key.key_id, NOW_S, 0)
    assert store.calls == ["put", "expire"]


def test_a_rotation_never_prolongs_the_old_key() -> None:
    store = MemoryKeys()
    old = add_key(store, PUMP, NOW_S, expires_at=NOW_S + 10)
    rotate_key(store, old.key.key_id, NOW_S, 60)
    assert store.keys[old.key.key_id].expires_at == NOW_S + 10


def test_a_rotated_key_expires_when_it_is_told_to() -> None:
    store = MemoryKeys()
    old = add_key(store, PUMP, NOW_S)
    new = rotate_key(store, old.key.key_id, NOW_S, 60, expires_at=NOW_S + 500)
    assert new.key.expires_at == NOW_S + 500


@pytest.mark.parametrize("end", ["expired", "revoked"])
def test_a_key_that_holds_no_more_is_not_rotated(end: str) -> None:
    store = MemoryKeys()
    old = add_key(store, PUMP, NOW_S, expires_at=NOW_S + 10)
    if end == "revoked":
        revoke_key(store, old.key.key_id, NOW_S)
    with pytest.raises(KeyNotActive, match=f"the key is {end}"):
        rotate_key(store, old.key.key_id, NOW_S + 10)
    assert len(store.keys) == 1


def test_a_revoked_key_lets_nobody_in_and_stays_revoked_from_the_first_time_on() -> None:
    store = MemoryKeys()
    new = add_key(store, PUMP, NOW_S)
    revoke_key(store, new.key.key_id, NOW_S + 1)
    assert revoke_key(store, new.key.key_id, NOW_S + 5).revoked_at == NOW_S + 1
    assert store.lets_in(new.secret, NOW_S + 1) is None


def test_what_is_not_there_can_be_neither_rotated_nor_revoked() -> None:
    with pytest.raises(NoSuchKey):
        rotate_key(MemoryKeys(), "0123456789abcdef", NOW_S)
    with pytest.raises(NoSuchKey):
        revoke_key(MemoryKeys(), "0123456789abcdef", NOW_S)


# ------------------------------------------------------------------ what is asked for


def test_a_scope_is_a_device_id_or_a_prefix() -> None:
    assert checked_scope("pump-7", None) == PUMP
    assert checked_scope(None, "hall-2:") == Scope(prefix="hall-2:")
    assert checked_scope(None, "") == EVERY_DEVICE


@pytest.mark.parametrize(
    ("device_id", "prefix", "message"),
    [
        (None, None, "one of the two"),
        ("a", "a", "one of the two"),
        (7, None, "device_id is a number; it must be a string"),
        ("", None, "device_id is a string of 0 characters; it must be 1 to 128 of"),
        ("pump 7", None, "device_id is a string of 6 characters"),
        ("pump-7\n", None, "device_id is a string of 7 characters"),
        (None, ["a"], "prefix is an array; it must be a string"),
        (None, "hall/", "prefix is a string of 5 characters; it must be 0 to 128 of"),
        (None, "a" * 129, "prefix is a string of 129 characters"),
    ],
)
def test_any_other_scope_is_refused(device_id: object, prefix: object, message: str) -> None:
    with pytest.raises(InvalidField, match=message):
        checked_scope(device_id, prefix)


def test_a_label_is_printable_text_or_left_out() -> None:
    assert checked_label(None) == ""
    assert checked_label("Halle 2, Süd") == "Halle 2, Süd"
    for label in ("a" * (MAX_LABEL + 1), "two\nlines"):
        with pytest.raises(InvalidField, match=f"label is a string of {len(label)} characters"):
            checked_label(label)
    with pytest.raises(InvalidField, match="label is an object; it must be a string"):
        checked_label({})


def test_a_key_expires_after_a_time_or_at_one_or_never() -> None:
    assert checked_expiry(None, None, NOW_S) is None
    assert checked_expiry(60, None, NOW_S) == NOW_S + 60
    assert checked_expiry(60.0, None, NOW_S) == NOW_S + 60
    assert checked_expiry(None, "2026-01-01T01:00:01+01:00", NOW_S) == NOW_S + 1


@pytest.mark.parametrize(
    ("expires_in", "expires_at", "message"),
    [
        (60, NOW_S + 60, "one of the two"),
        (0, None, "expires_in is a number less than it may be; it must lie from 1 to"),
        (MAX_LIFETIME_S + 1, None, "expires_in is a number more than it may be"),
        (1.5, None, "expires_in is a number that is not whole"),
        (float("inf"), None, "expires_in is a number that is not whole"),
        (True, None, "expires_in is a boolean; it must be a whole number of seconds"),
        (None, "2026-01-01T00:00:00Z", "expires_at lies before the times taken now"),
        (None, "2036-01-01T00:00:00Z", "expires_at lies after the times taken now"),
        (None, "2027-01-01T00:00:00", "expires_at is a string that is no RFC 3339 time"),
        (None, NOW_S + 60, "expires_at is a number; it must be an RFC 3339 time"),
    ],
)
def test_any_other_expiry_is_refused(expires_in: object, expires_at: object, message: str) -> None:
    with pytest.raises(InvalidField, match=message):
        checked_expiry(expires_in, expires_at, NOW_S)


def test_an_overlap_is_a_day_unless_something_else_is_said() -> None:
    assert checked_overlap(None) == 86_400
    assert checked_overlap(0) == 0
    for seconds in (-1, MAX_OVERLAP_S + 1, "60"):
        with pytest.raises(InvalidField, match="overlap_seconds is"):
            checked_overlap(seconds)


def test_what_cannot_be_an_id_is_no_keys() -> None:
    assert checked_key_id("0123456789abcdef") == "0123456789abcdef"
    for text in ("", "0123456789ABCDEF", "0123456789abcdef0", "../secret", "0123456789abcde\n"):
        with pytest.raises(NoSuchKey):
            checked_key_id(text)


@given(
    st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), st.text(), st.lists(st.text()))
)
def test_whatever_is_asked_for_is_taken_or_refused_in_a_message_that_can_be_shown(
    value: object,
) -> None:
    for check in (
        lambda: checked_scope(value, None),
        lambda: checked_scope(None, value),
        lambda: checked_label(value),
        lambda: checked_expiry(value, None, NOW_S),
        lambda: checked_expiry(None, value, NOW_S),
        lambda: checked_overlap(value),
    ):
        message = ""
        try:
            check()
        except InvalidField as error:
            message = str(error)
        assert message.isprintable()
        assert len(message) < 200
