"""Who is let in: the authorizer on moto, and the Devices table behind it."""

import json
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tests.fakes.aws import FlakyDynamo, client_error
from tests.handlers import Context, load_handler
from tests.tables import create_tables
from weir.identity import EVERY_DEVICE, DeviceKey, NewKey, Scope
from weir.key_memory import KeyMemory
from weir.key_service import add_key, revoke_key, rotate_key
from weir.storage.device_key_store import DeviceKeyStore

PUMP = Scope(device_id="pump-7")
NOW = int(time.time())


@pytest.fixture
def dynamodb() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("dynamodb", region_name="eu-west-1")
        create_tables(client)
        yield client


@pytest.fixture
def store(dynamodb: Any) -> DeviceKeyStore:
    return DeviceKeyStore(dynamodb, "devices")


@pytest.fixture
def authorize(dynamodb: Any) -> Any:
    return load_handler("authorize")


def ask(authorize: Any, secret: str | None, scheme: str = "Bearer") -> dict[str, Any]:
    headers = {} if secret is None else {"authorization": f"{scheme} {secret}"}
    event = {"version": "2.0", "type": "REQUEST", "headers": headers, "requestContext": {}}
    answer: dict[str, Any] = authorize.lambda_handler(event, Context())
    return answer


@pytest.mark.parametrize("scheme", ["Bearer", "Token"])
def test_a_key_is_let_in_with_its_scope(authorize: Any, store: Any, scheme: str) -> None:
    pump, gateway = add_key(store, PUMP, NOW), add_key(store, Scope(prefix="gw-"), NOW)
    assert ask(authorize, pump.secret, scheme) == {
        "isAuthorized": True,
        "context": {"key_id": pump.key.key_id, "device_id": "pump-7"},
    }
    assert ask(authorize, gateway.secret, scheme) == {
        "isAuthorized": True,
        "context": {"key_id": gateway.key.key_id, "prefix": "gw-"},
    }


@pytest.mark.parametrize("wrong", ["none", "unknown", "malformed", "expired", "revoked"])
def test_whatever_is_wrong_the_answer_is_only_no(
    authorize: Any,
    store: Any,
    wrong: str,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    new = add_key(store, PUMP, NOW - 100, expires_at=NOW - 1 if wrong == "expired" else None)
    if wrong == "revoked":
        revoke_key(store, new.key.key_id, NOW)
    secret = {
        "none": None,
        "unknown": NewKey.make(PUMP, NOW).secret,
        "malformed": "let me in",
        "expired": new.secret,
        "revoked": new.secret,
    }[wrong]
    assert ask(authorize, secret) == {"isAuthorized": False}
    printed = capsys.readouterr().out + "".join(repr(vars(record)) for record in caplog.records)
    assert "'denied'" in printed
    assert new.secret not in printed
    assert secret is None or secret not in printed


def test_rotation_overlaps_and_then_the_old_key_is_out(authorize: Any, store: Any) -> None:
    old = add_key(store, PUMP, NOW - 100, label="the one on the wall")
    new = rotate_key(store, old.key.key_id, NOW - 50, overlap_s=40)
    assert new.key.label == "the one on the wall"
    assert ask(authorize, old.secret) == {"isAuthorized": False}
    assert ask(authorize, new.secret)["isAuthorized"]
    again = rotate_key(store, new.key.key_id, NOW, overlap_s=1000)
    assert ask(authorize, new.secret)["isAuthorized"]
    assert ask(authorize, again.secret)["isAuthorized"]


def test_what_the_table_keeps_cannot_be_used_as_a_key(dynamodb: Any, store: Any) -> None:
    new = add_key(store, PUMP, NOW)
    item = dynamodb.scan(TableName="devices")["Items"][0]
    assert new.secret not in json.dumps(item, default=bytes.hex)


def test_while_the_table_is_away_known_keys_go_on_and_others_are_undecided(
    authorize: Any, store: Any, dynamodb: Any
) -> None:
    known, other = add_key(store, PUMP, NOW), add_key(store, EVERY_DEVICE, NOW)
    failing = [client_error("ProvisionedThroughputExceededException")] * 2
    flaky = DeviceKeyStore(FlakyDynamo(dynamodb, "get_item", lambda: None, *failing), "devices")
    authorize.keys = KeyMemory(flaky.get, 0.0, trouble=authorize.keys._trouble)
    assert ask(authorize, known.secret)["isAuthorized"]
    assert ask(authorize, known.secret)["context"]["device_id"] == "pump-7"
    assert ask(authorize, other.secret) == {
        "isAuthorized": True,
        "context": {"undecided": "true"},
    }


# ------------------------------------------------------------------ the store


def test_a_key_comes_back_as_it_was_kept(store: Any) -> None:
    key = NewKey.make(Scope(prefix=""), NOW, label="all", expires_at=NOW + 5).key
    store.put(key)
    assert store.get(key.key_id, consistent=True) == key
    assert store.of_scope(EVERY_DEVICE) == [key]
    assert list(store.all()) == [key]
    assert store.get("0" * 16) is None


def test_a_second_key_with_the_same_id_is_refused_and_the_same_key_changes_nothing(
    store: Any,
) -> None:
    key = NewKey.make(PUMP, NOW).key
    store.put(key)
    store.put(key)
    with pytest.raises(ValueError, match="another key has the id"):
        store.put(DeviceKey(key.key_id, bytes(32), EVERY_DEVICE, NOW))
    assert store.get(key.key_id) == key


def test_keys_of_a_scope_are_found_oldest_first_and_no_others(store: Any) -> None:
    keys = [NewKey.make(PUMP, NOW + at).key for at in range(3)]
    for key in (*reversed(keys), NewKey.make(Scope(prefix="pump-7"), NOW).key):
        store.put(key)
    assert store.of_scope(PUMP) == keys


def test_what_is_revoked_stays_so_and_an_end_only_moves_closer(store: Any) -> None:
    key = NewKey.make(PUMP, NOW).key
    store.put(key)
    assert store.revoke(key.key_id, NOW + 1).revoked_at == NOW + 1
    assert store.revoke(key.key_id, NOW + 9).revoked_at == NOW + 1
    assert store.expire(key.key_id, NOW + 50).expires_at == NOW + 50
    assert store.expire(key.key_id, NOW + 60).expires_at == NOW + 50
    assert store.expire(key.key_id, NOW + 40).expires_at == NOW + 40
    assert store.revoke("0" * 16, NOW) is None
    assert store.expire("0" * 16, NOW) is None
