"""Device keys: what is made, what is kept, and who is let in."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weir.identity import (
    EVERY_DEVICE,
    DeviceKey,
    NewKey,
    Scope,
    admitted,
    credential,
    digest_of,
    id_of,
    is_key,
)
from weir.readings import NOT_COVERED, InvalidReading, check_device_id

NOW = 1_767_225_600
PUMP = Scope(device_id="pump-7")


def test_a_key_holds_256_random_bits_and_only_its_digest_is_kept() -> None:
    made = [NewKey.make(PUMP, NOW) for _ in range(20)]
    assert len({new.secret for new in made}) == 20
    for new in made:
        assert is_key(new.secret)
        assert len(base64.urlsafe_b64decode(new.secret.removeprefix("weir_") + "=")) == 32
        assert new.secret.removeprefix("weir_") not in repr(new.key)
        assert new.key.digest == digest_of(new.secret)
        assert new.key.key_id == id_of(new.key.digest)


def test_a_key_is_let_in_for_its_scope_until_it_expires() -> None:
    new = NewKey.make(PUMP, NOW, expires_at=NOW + 10)
    digest = digest_of(new.secret)
    assert admitted(digest, new.key, NOW + 9) == PUMP
    assert admitted(digest, new.key, NOW + 10) is None


@pytest.mark.parametrize("kept", ["unknown", "wrong", "revoked", "expired"])
def test_whatever_is_wrong_with_a_key_the_answer_is_the_same(kept: str) -> None:
    new = NewKey.make(EVERY_DEVICE, NOW)
    key = new.key
    other: DeviceKey | None = {
        "unknown": None,
        "wrong": DeviceKey(key.key_id, key.digest[:-1] + b"?", key.scope, NOW),
        "revoked": DeviceKey(key.key_id, key.digest, key.scope, NOW, revoked_at=NOW),
        "expired": DeviceKey(key.key_id, key.digest, key.scope, NOW, expires_at=NOW),
    }[kept]
    assert admitted(digest_of(new.secret), other, NOW) is None


def test_the_digest_of_nobody_lets_nobody_in() -> None:
    assert admitted(bytes(32), None, NOW) is None


def test_a_scope_is_one_device_or_all_of_a_prefix() -> None:
    assert PUMP.covers("pump-7")
    assert not PUMP.covers("pump-70")
    gateway = Scope(prefix="gw-1-")
    assert gateway.covers("gw-1-pump")
    assert not gateway.covers("gw-2-pump")
    assert EVERY_DEVICE.covers("anything")


def test_a_reading_of_a_device_that_the_key_does_not_cover_is_refused_by_name() -> None:
    assert check_device_id("pump-7", PUMP) == "pump-7"
    with pytest.raises(
        InvalidReading, match="pump-8, for which the device key does not speak"
    ) as e:
        check_device_id("pump-8", PUMP)
    assert e.value.code == NOT_COVERED


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Bearer weir_x", "weir_x"),
        ("bearer  weir_x ", "weir_x"),
        ("Token weir_x", "weir_x"),
        ("Basic " + base64.b64encode(b"user:weir_x").decode(), "weir_x"),
        ("Basic " + base64.b64encode(b":weir:x").decode(), "weir:x"),
        ("Basic not base64", ""),
        ("Basic " + base64.b64encode(b"\xff:\xff").decode(), ""),
        ("Digest weir_x", ""),
        ("weir_x", ""),
        ("Bearer", ""),
        ("", ""),
        ("Bearer " + "x" * 300, ""),
    ],
)
def test_a_credential_is_read_from_the_schemes_that_clients_send(
    header: str, expected: str
) -> None:
    assert credential(header) == expected


@given(st.text(max_size=300))
def test_no_header_is_too_strange(header: str) -> None:
    secret = credential(header)
    if is_key(secret):
        assert admitted(digest_of(secret), None, NOW) is None
