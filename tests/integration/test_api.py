"""The `api` function: each sample event, and each answer held to the OpenAPI document."""

import base64
import io
import json
import time
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from tests.contract import check_answer, errors, operations
from tests.fakes.aws import FlakyDynamo, client_error, timed_out
from tests.fakes.device_keys import MemoryKeys
from tests.handlers import Context, load_handler
from tests.integration.api import EVENTS, answered, event, load_api, logged, made_id, sample
from tests.integration.test_api_events import READ
from tests.tables import create_tables
from weir.identity import DeviceKey, NewKey, Scope, admitted, digest_of, id_of
from weir.storage.device_key_store import DeviceKeyStore

KEY_ID = "3f1a9c0b5d7e2468"

API: dict[str, int | tuple[int, str]] = {
    "openapi": 200,
    "health": 200,
    "ping": 204,
    "head_ping": 204,
    "list_keys": 200,
    "list_keys_of_device": 200,
    "list_keys_of_prefix": 200,
    "add_key_for_device": 201,
    "add_key_for_prefix": 201,
    "add_key_that_expires_at": 201,
    "rotate_key": 201,
    "rotate_key_without_body": 201,
    "revoke_key": 200,
    "no_operator": (401, "unauthenticated"),
    "two_scopes": (400, "invalid_field"),
    "no_scope": (400, "invalid_field"),
    "misspelt_field": (400, "invalid_field"),
    "expires_before_now": (400, "invalid_field"),
    "bad_limit": (400, "invalid_field"),
    "not_json": (400, "unreadable_body"),
    "not_an_object": (400, "unreadable_body"),
    "another_media_type": (415, "unsupported_media_type"),
    "too_large": (413, "too_large"),
    "no_such_key": (404, "no_such_key"),
    "no_key_id": (404, "no_such_key"),
}
"""What each sample event comes to: the status, and of a refusal the code."""

OPERATORS = [
    route for route, operation in operations() if {"operator": []} in operation["security"]
]
KEYS = [route for route in OPERATORS if "/device-keys" in route]


@pytest.fixture(scope="module")
def loaded() -> ModuleType:
    """The function, loaded once."""
    return load_api()


@pytest.fixture
def store() -> MemoryKeys:
    """One key, of pump-7."""
    store = MemoryKeys()
    store.put(DeviceKey(KEY_ID, bytes(32), Scope(device_id="pump-7"), 1_767_225_600, "cellar"))
    return store


@pytest.fixture
def api(loaded: ModuleType, store: MemoryKeys, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The function with its keys in memory."""
    monkeypatch.setattr(loaded.stores, "keys", store)
    return loaded


@pytest.fixture
def log(api: ModuleType) -> Iterator[io.StringIO]:
    """What the function logs."""
    with logged(api) as written:
        yield written


@pytest.fixture
def dynamodb() -> Iterator[Any]:
    with mock_aws():
        client = boto3.Session(region_name="eu-west-1").client("dynamodb")
        create_tables(client)
        yield client


# ------------------------------------------------------------------ the sample events


def test_every_event_has_an_outcome_and_every_outcome_an_event() -> None:
    assert {file.stem for file in EVENTS.iterdir()} == {*API, *READ}


@pytest.mark.parametrize("case", API)
def test_a_sample_event_comes_to_what_is_declared(
    case: str, api: ModuleType, store: MemoryKeys
) -> None:
    before = list(store.all())
    status, answer = answered(api, sample(case))
    expected = API[case]
    assert status == (expected if isinstance(expected, int) else expected[0])
    if not isinstance(expected, int):
        assert answer["code"] == expected[1]
        assert answer["request_id"] == "JKJaXmPLvHcESHA="
        assert list(store.all()) == before


# ------------------------------------------------------------------ keys


def test_a_key_that_is_made_lets_its_device_in(api: ModuleType, store: MemoryKeys) -> None:
    _, made = answered(api, event("POST /v1/device-keys", {"device_id": "pump-8", "label": "new"}))
    digest = digest_of(made["secret"])
    assert made["key"]["key_id"] == id_of(digest)
    kept = store.get(id_of(digest), consistent=True)
    assert admitted(digest, kept, int(time.time())) == Scope(device_id="pump-8")
    assert (made["key"]["device_id"], made["key"]["prefix"]) == ("pump-8", None)
    assert (made["key"]["label"], made["key"]["status"]) == ("new", "active")


def test_a_key_for_every_device_has_to_be_asked_for_by_an_empty_prefix(api: ModuleType) -> None:
    _, made = answered(api, event("POST /v1/device-keys", {"prefix": ""}))
    assert (made["key"]["device_id"], made["key"]["prefix"]) == (None, "")


def test_a_key_expires_when_it_is_asked_to(api: ModuleType, store: MemoryKeys) -> None:
    asked = {"prefix": "hall-2:", "expires_at": "2035-01-31T12:00:00+01:00"}
    _, made = answered(api, event("POST /v1/device-keys", asked))
    assert made["key"]["expires_at"] == "2035-01-31T11:00:00.000Z"
    kept = store.get(made["key"]["key_id"], consistent=True)
    assert kept is not None
    assert kept.expires_at == 2_053_854_000


def test_a_secret_is_shown_once_and_is_in_no_log(api: ModuleType, log: io.StringIO) -> None:
    answer = api.lambda_handler(event("POST /v1/device-keys", {"device_id": "a"}), Context(20))
    secret = json.loads(answer["body"])["secret"]
    assert answer["headers"]["cache-control"] == "no-store"
    assert "authorization" not in json.dumps(answer)
    printed = log.getvalue()
    assert made_id(answer) in printed
    assert secret not in printed
    assert secret.removeprefix("weir_") not in printed
    listed = api.lambda_handler(event("GET /v1/device-keys"), Context(20))
    assert secret not in listed["body"]
    assert digest_of(secret).hex() not in listed["body"]


@pytest.mark.parametrize(
    ("case", "action"),
    [
        ("add_key_for_device", "device_key_added"),
        ("rotate_key", "device_key_rotated"),
        ("revoke_key", "device_key_revoked"),
    ],
)
def test_a_change_is_in_the_audit_log_with_the_operator(
    case: str, action: str, api: ModuleType, log: io.StringIO
) -> None:
    answer = api.lambda_handler(sample(case), Context(20))
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    (line,) = [line for line in lines if line["message"] == "audit"]
    assert (line["operator"], line["action"]) == ("ada@example.com", action)
    assert line["key_id"] == made_id(answer)
    assert line["scope"] == "pump-7"
    assert line["request_id"] == "JKJaXmPLvHcESHA="


@pytest.mark.parametrize("case", ["list_keys", "two_scopes", "no_such_key", "no_operator"])
def test_what_changes_nothing_is_in_the_log_and_not_in_the_audit(
    case: str, api: ModuleType, log: io.StringIO
) -> None:
    api.lambda_handler(sample(case), Context(20))
    messages = [json.loads(line)["message"] for line in log.getvalue().splitlines()]
    assert messages[-1] == "answered"
    assert "audit" not in messages


def test_a_rotation_gives_the_old_key_an_end(api: ModuleType, store: MemoryKeys) -> None:
    now_s = int(time.time())
    _, made = answered(api, sample("rotate_key"))
    assert made["replaces"] == KEY_ID
    assert made["key"]["key_id"] != KEY_ID
    assert (made["key"]["device_id"], made["key"]["label"]) == ("pump-7", "cellar")
    old = store.get(KEY_ID, consistent=True)
    assert old is not None
    assert old.expires_at is not None
    assert now_s + 3600 <= old.expires_at <= time.time() + 3600


def test_a_revoked_key_is_not_rotated_and_may_be_revoked_again(api: ModuleType) -> None:
    first = answered(api, sample("revoke_key"))
    assert first[1]["key"]["status"] == "revoked"
    assert answered(api, sample("revoke_key")) == first
    status, problem = answered(api, sample("rotate_key"))
    assert (status, problem["code"]) == (409, "key_not_active")
    assert problem["detail"] == "the key is revoked; only an active key can be rotated"


def test_keys_are_listed_page_by_page(api: ModuleType, store: MemoryKeys) -> None:
    for n in range(7):
        store.put(NewKey.make(Scope(prefix=f"hall-{n}:"), 1_767_225_600 + n).key)
    seen: list[str] = []
    cursor: str | None = None
    while True:
        query = {"limit": "3"} if cursor is None else {"limit": "3", "cursor": cursor}
        _, page = answered(api, event("GET /v1/device-keys", queryStringParameters=query))
        seen += [key["key_id"] for key in page["keys"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
        assert len(page["keys"]) == 3
    assert sorted(seen) == sorted(key.key_id for key in store.all())


def test_the_keys_of_a_scope_are_listed_oldest_first_page_by_page(
    api: ModuleType, store: MemoryKeys
) -> None:
    made = [NewKey.make(Scope(prefix="hall-2:"), 1_767_225_600 + n).key for n in range(3)]
    for key in reversed(made):
        store.put(key)
    query = {"prefix": "hall-2:", "limit": "2"}
    _, first = answered(api, event("GET /v1/device-keys", queryStringParameters=query))
    query["cursor"] = first["next_cursor"]
    _, rest = answered(api, event("GET /v1/device-keys", queryStringParameters=query))
    listed = [key["key_id"] for key in first["keys"] + rest["keys"]]
    assert listed == [key.key_id for key in made]
    assert rest["next_cursor"] is None


def test_a_key_lives_in_the_table_from_its_making_to_its_end(dynamodb: Any) -> None:
    api = load_handler("api")  # with the store and the client that it has on Lambda
    _, made = answered(api, event("POST /v1/device-keys", {"device_id": "pump-7"}))
    at = {"pathParameters": {"key_id": made["key"]["key_id"]}}
    _, new = answered(api, event("POST /v1/device-keys/{key_id}/rotate", **at))
    _, revoked = answered(api, event("POST /v1/device-keys/{key_id}/revoke", **at))
    for query in ({}, {"device_id": "pump-7"}):
        _, listed = answered(api, event("GET /v1/device-keys", queryStringParameters=query))
        found = {key["key_id"]: key for key in listed["keys"]}
        assert found == {key["key_id"]: key for key in (revoked["key"], new["key"])}
    store = DeviceKeyStore(dynamodb, "devices")
    for secret, scope in ((made["secret"], None), (new["secret"], Scope(device_id="pump-7"))):
        digest = digest_of(secret)
        assert admitted(digest, store.get(id_of(digest)), int(time.time())) == scope


# ------------------------------------------------------------------ who may


@pytest.mark.parametrize("route", OPERATORS)
@pytest.mark.parametrize(
    "authorizer",
    [
        None,
        {},
        {"lambda": {"key_id": KEY_ID, "prefix": ""}},
        {"jwt": None},
        {"jwt": {"claims": {}}},
        {"jwt": {"claims": {"iss": "https://login.example.com", "sub": ""}}},
    ],
)
def test_without_an_operators_claims_nothing_is_done(
    route: str, authorizer: object, api: ModuleType, store: MemoryKeys
) -> None:
    request = event(route, {"device_id": "a"}, pathParameters={"key_id": KEY_ID})
    request["requestContext"]["authorizer"] = authorizer
    before = list(store.all())
    answer = api.lambda_handler(request, Context(20))
    check_answer(route, answer)
    assert answer["statusCode"] == 401
    assert answer["headers"]["www-authenticate"] == "Bearer"
    assert list(store.all()) == before


# ------------------------------------------------------------------ when the table fails


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (client_error("ThrottlingException"), 503, "keys_unavailable"),
        (client_error("ProvisionedThroughputExceededException"), 503, "keys_unavailable"),
        (client_error("InternalServerError", 500), 503, "keys_unavailable"),
        (timed_out(), 503, "keys_unavailable"),
        (client_error("AccessDeniedException"), 500, "internal"),
        (client_error("ResourceNotFoundException"), 500, "internal"),
    ],
    ids=repr,
)
def test_a_table_that_fails_is_a_503_if_it_may_pass_and_a_500_if_not(
    fault: Exception, status: int, code: str, api: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    flaky = FlakyDynamo(SimpleNamespace(put_item=None), "put_item", fault)
    monkeypatch.setattr(api.stores, "keys", DeviceKeyStore(flaky, "devices"))
    request = event("POST /v1/device-keys", {"device_id": "a"})
    answer = api.lambda_handler(request, Context(20))
    check_answer("POST /v1/device-keys", answer)
    assert (answer["statusCode"], json.loads(answer["body"])["code"]) == (status, code)
    assert ("retry-after" in answer["headers"]) == (status == 503)


# ------------------------------------------------------------------ whatever is sent

json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
fields = st.dictionaries(
    st.sampled_from(
        ["device_id", "prefix", "label", "expires_in", "expires_at", "overlap_seconds", "other"]
    ),
    json_values | st.sampled_from(["pump-7", 3600, "2030-01-01T00:00:00Z"]),
    max_size=3,
)


@given(
    st.sampled_from(KEYS),
    st.binary(max_size=50) | fields.map(lambda f: json.dumps(f).encode()),
    st.text(max_size=20) | st.just(KEY_ID),
)
def test_whatever_an_operator_sends_is_answered_as_the_document_says(
    loaded: ModuleType, route: str, body: bytes, text: str
) -> None:
    loaded.stores.keys = MemoryKeys()
    request = event(
        route,
        pathParameters={"key_id": text},
        queryStringParameters={"cursor": text, "limit": text, "device_id": text},
    )
    request["headers"]["content-type"] = "application/json; charset=utf-8"
    request |= {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    answer = loaded.lambda_handler(request, Context(20))
    check_answer(route, answer)
    assert answer["statusCode"] < 500


@given(fields)
def test_a_key_is_made_if_and_only_if_what_is_asked_for_is_what_the_document_says(
    loaded: ModuleType, asked: dict[str, Any]
) -> None:
    loaded.stores.keys = MemoryKeys()
    asked = {name: value for name, value in asked.items() if value is not None}
    route = "POST /v1/device-keys"
    described = dict(operations())[route]["requestBody"]["content"]["application/json"]["schema"]
    answer = loaded.lambda_handler(event(route, asked), Context(20))
    if answer["statusCode"] == 201:
        assert errors(described, asked) == []
    elif errors(described, asked) == []:  # what a schema cannot say
        detail = json.loads(answer["body"])["detail"]
        assert "printable" in detail or detail.startswith("expires_at")


def test_a_body_nested_too_deeply_is_refused(api: ModuleType) -> None:
    request = event("POST /v1/device-keys", {})
    request["body"] = "[" * 16_000
    status, problem = answered(api, request)
    assert (status, problem["detail"]) == (400, "the body is nested too deeply")
