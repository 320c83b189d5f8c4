"""Where device keys are kept: the table and the fake behave alike."""

from collections.abc import Iterator
from typing import Any

import boto3
import msgspec
import pytest
from moto import mock_aws

from tests.fakes.device_keys import MemoryKeys
from tests.tables import create_tables
from weir.identity import NewKey, Scope
from weir.key_service import DeviceKeys
from weir.storage.device_key_store import DeviceKeyStore


@pytest.fixture
def dynamodb() -> Iterator[Any]:
    with mock_aws():
        client = boto3.Session(region_name="eu-west-1").client("dynamodb")
        create_tables(client)
        yield client


@pytest.fixture(params=["memory", "table"])
def keys(request: pytest.FixtureRequest) -> DeviceKeys:
    if request.param == "memory":
        return MemoryKeys()
    return DeviceKeyStore(request.getfixturevalue("dynamodb"), "devices")


def test_a_store_keeps_keys_as_they_were_put_and_none_twice(keys: DeviceKeys) -> None:
    made = [
        NewKey.make(Scope(device_id="a"), 100, label="ü", expires_at=300).key,
        NewKey.make(Scope(prefix=""), 100).key,
        NewKey.make(Scope(prefix="a"), 50).key,
        NewKey.make(Scope(device_id="a"), 50).key,
    ]
    for key in made:
        keys.put(key)
        assert keys.get(key.key_id, consistent=True) == key
    assert keys.get("0123456789abcdef") is None
    assert keys.of_scope(Scope(device_id="a")) == [made[3], made[0]]
    assert keys.of_scope(Scope(prefix="a")) == [made[2]]
    assert keys.of_scope(Scope(device_id="")) == []
    keys.put(made[0])  # once more: its answer may have been lost
    assert keys.get(made[0].key_id, consistent=True) == made[0]
    with pytest.raises(ValueError, match="another key has the id"):
        keys.put(msgspec.structs.replace(made[0], digest=bytes(32)))


def test_a_store_lists_keys_in_one_order_from_any_of_them_on(keys: DeviceKeys) -> None:
    for n in range(5):
        keys.put(NewKey.make(Scope(device_id=f"pump-{n}"), 100).key)
    ids = [key.key_id for key in keys.all()]
    assert len(set(ids)) == 5
    for place, key_id in enumerate(ids):
        assert [key.key_id for key in keys.all(after=key_id)] == ids[place + 1 :]


def test_a_store_moves_ends_to_earlier_times_only(keys: DeviceKeys) -> None:
    key = NewKey.make(Scope(device_id="a"), 100).key
    keys.put(key)
    for asked, held in ((300, 300), (400, 300), (200, 200)):
        changed = keys.expire(key.key_id, asked)
        assert changed is not None
        assert changed.expires_at == held
        assert keys.get(key.key_id, consistent=True) == changed
    for asked in (150, 120, 180):
        changed = keys.revoke(key.key_id, asked)
        assert changed is not None
        assert changed.revoked_at == 150
    assert keys.revoke("0123456789abcdef", 1) is None
    assert keys.expire("0123456789abcdef", 1) is None
