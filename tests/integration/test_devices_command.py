"""`weir devices` on moto: keys are made, listed, rotated and revoked; a secret shows once."""

import json
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from typer.testing import CliRunner

from tests.tables import create_tables
from tests.targets import a_target
from weir.identity import admitted, digest_of
from weir.storage.device_key_store import DeviceKeyStore
from weir_cli import target
from weir_cli.main import app


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[DeviceKeyStore]:
    with mock_aws():
        dynamodb = boto3.client("dynamodb", region_name="eu-west-1")
        create_tables(dynamodb)
        here = a_target(devices_table="devices", client=lambda service: dynamodb)
        monkeypatch.setattr(target, "resolve", lambda stack_name: here)
        yield DeviceKeyStore(dynamodb, "devices")


def weir(*arguments: str, code: int = 0) -> Any:
    result = CliRunner().invoke(app, ["devices", *arguments])
    assert result.exit_code == code, result.output
    return result


def listed(*arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in weir("list", "--json", *arguments).stdout.splitlines()]


def test_the_secret_alone_goes_to_stdout_and_is_never_seen_again(store: Any) -> None:
    made = weir("add", "pump-7", "--label", "[wall]")
    secret = made.stdout.strip()
    digest = digest_of(secret)
    (key,) = store.all()
    assert str(admitted(digest, key, int(time.time()))) == "pump-7"
    assert "speaks for pump-7; it is shown this once" in made.stderr
    for output in (weir("list").output, weir("list", "--json").output):
        assert secret not in output
        assert "[wall]" in output


def test_a_gateway_has_a_prefix_and_a_key_may_expire(store: Any) -> None:
    weir("add", "--prefix", "gw-1-", "--expires-in", "90d")
    (found,) = listed("--prefix", "gw-1-")
    assert (found["prefix"], found["status"]) == ("gw-1-", "active")
    assert found["expires_at"] == pytest.approx(time.time() + 90 * 86_400, abs=60)
    assert listed("--prefix", "gw-2-") == []


def test_of_a_device_the_keys_that_cover_it_are_listed(store: Any) -> None:
    weir("add", "gw-1-pump-7")
    weir("add", "--prefix", "gw-1-")
    weir("add", "--prefix", "gw-2-")
    weir("add", "--every-device")
    scopes = [key.get("device_id") or key["prefix"] for key in listed("gw-1-pump-7")]
    assert sorted(scopes) == ["", "gw-1-", "gw-1-pump-7"]
    assert [key["prefix"] for key in listed("--prefix", "gw-1-")] == ["gw-1-"]


def test_rotation_makes_a_second_key_and_ends_the_first(store: Any) -> None:
    first = json.loads(weir("add", "pump-7", "--json").stdout)
    second = json.loads(weir("rotate", first["key_id"], "--overlap", "2h", "--json").stdout)
    assert second["device_id"] == "pump-7"
    assert second["key"] != first["key"]
    ends = {key["key_id"]: key["expires_at"] for key in listed("pump-7")}
    assert ends[first["key_id"]] == pytest.approx(time.time() + 7200, abs=60)
    assert ends[second["key_id"]] is None


def test_a_revoked_key_stays_listed_as_revoked(store: Any) -> None:
    key = json.loads(weir("add", "--every-device", "--json").stdout)
    weir("revoke", key["key_id"])
    assert [found["status"] for found in listed()] == ["revoked"]
    refused = weir("rotate", key["key_id"], code=1)
    assert "only an active key can be rotated" in refused.output


def test_a_key_that_leaked_is_revoked_by_itself_and_not_shown_again(store: Any) -> None:
    secret = weir("add", "pump-7").stdout.strip()
    assert secret not in weir("revoke", secret).output
    assert [found["status"] for found in listed()] == ["revoked"]
    unknown = "weir_" + "A" * 43
    assert unknown not in weir("revoke", unknown, code=1).output


def test_a_rotated_key_expires_if_it_is_told_to_and_the_old_one_s_end_is_said(store: Any) -> None:
    first = json.loads(weir("add", "pump-7", "--expires-in", "1h", "--json").stdout)
    rotated = weir("rotate", first["key_id"], "--expires-in", "90d", "--json")
    expires_at = json.loads(rotated.stdout)["expires_at"]
    assert expires_at == pytest.approx(time.time() + 90 * 86_400, abs=60)
    assert f"the key {first['key_id']} holds until" in rotated.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add"], "Name one: a device, --prefix TEXT"),
        (["add", "a", "--prefix", "b"], "Name one: a device, --prefix TEXT"),
        (["add", "--prefix", ""], "The prefix is empty; --every-device"),
        (["revoke", "weir_x"], "There is no key of this kind"),
        (["add", "a b"], "device_id is a string of 3 characters; it must be"),
        (["add", "--prefix", "a/"], "prefix is a string of 2 characters; it must be"),
        (["add", "a", "--label", "x\ny"], "label is a string of 3 characters; it must be"),
        (["add", "a", "--expires-in", "0s"], "expires_in is a number less than it may be"),
        (["revoke", "nonsense"], "There is no key nonsense"),
        (["rotate", "0" * 16], "There is no key 0000000000000000"),
        (["rotate", "0" * 16, "--overlap", "9999d"], "overlap_seconds is a number more than"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(
    store: Any, arguments: list[str], said: str
) -> None:
    assert said in weir(*arguments, code=1).output
    assert list(store.all()) == []
