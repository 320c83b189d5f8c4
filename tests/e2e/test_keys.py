"""Who is let in over HTTP, in each protocol, and what operators may do about it."""

import base64
import json
import time
from typing import Any

import httpx
import pytest

from tests.e2e.stack import Stack
from weir.identity import EVERY_DEVICE, NewKey, Scope
from weir.key_service import add_key, revoke_key

pytestmark = pytest.mark.e2e

NOW = int(time.time())
PUMP = Scope(device_id="keyed-pump")


def native(device_id: str) -> tuple[str, str, bytes]:
    reading = {"device_id": device_id, "ts": NOW * 1000, "metrics": {"flow": 1.5}}
    return "/v1/readings", "application/json", json.dumps(reading).encode()


def senml(device_id: str) -> tuple[str, str, bytes]:
    pack = [{"bn": f"{device_id}:", "n": "flow", "v": 1.5, "t": NOW}]
    return "/v1/readings", "application/senml+json", json.dumps(pack).encode()


def influx(device_id: str) -> tuple[str, str, bytes]:
    line = f"pump,device_id={device_id} flow=1.5 {NOW}"
    return "/api/v2/write?precision=s", "text/plain", line.encode()


def otlp(device_id: str) -> tuple[str, str, bytes]:
    point = {"timeUnixNano": str(NOW * 1_000_000_000), "asDouble": 1.5}
    resource = {"attributes": [{"key": "device.id", "value": {"stringValue": device_id}}]}
    metrics = [{"name": "flow", "gauge": {"dataPoints": [point]}}]
    request = {"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": metrics}]}]}
    return "/v1/metrics", "application/json", json.dumps(request).encode()


PROTOCOLS = {"native": native, "senml": senml, "influx": influx, "otlp": otlp}


def send(stack: Stack, protocol: str, device_id: str, authorization: str | None) -> int:
    path, media_type, body = PROTOCOLS[protocol](device_id)
    headers = {"content-type": media_type}
    if authorization is not None:
        headers["authorization"] = authorization
    url = stack.status.api_url + path
    return httpx.post(url, content=body, headers=headers, timeout=40, trust_env=False).status_code


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("wrong", ["none", "nonsense", "unknown", "expired", "revoked", "foreign"])
def test_who_does_not_belong_is_not_let_in(stack: Stack, protocol: str, wrong: str) -> None:
    scope = Scope(device_id="another") if wrong == "foreign" else PUMP
    end = NOW - 1 if wrong == "expired" else None
    new = add_key(stack.keys, scope, NOW - 100, expires_at=end)
    if wrong == "revoked":
        revoke_key(stack.keys, new.key.key_id, NOW)
    secret = NewKey.make(EVERY_DEVICE, NOW).secret if wrong == "unknown" else new.secret
    authorization = {"none": None, "nonsense": "Bearer let me in"}.get(wrong, f"Bearer {secret}")
    device_id = f"{PUMP.device_id}-{protocol}-{wrong}" if wrong == "foreign" else "keyed-pump"
    status = send(stack, protocol, device_id, authorization)
    assert status == (401 if wrong == "none" else 403)
    assert not stack.chunks(device_id)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("scheme", ["Bearer", "Token", "Basic"])
def test_a_key_opens_for_its_device_in_every_protocol_and_scheme(
    stack: Stack, protocol: str, scheme: str
) -> None:
    device_id = f"keyed-{protocol}-{scheme}"
    secret = add_key(stack.keys, Scope(prefix="keyed-"), NOW).secret
    if scheme == "Basic":
        secret = base64.b64encode(f"user:{secret}".encode()).decode()
    status = send(stack, protocol, device_id, f"{scheme} {secret}")
    assert status == {"influx": 204, "otlp": 200}.get(protocol, 202)
    assert [value for _, _, value in stack.in_table(device_id)] == [1.5]


def operate(stack: Stack, method: str, path: str, token: str | None, body: Any = None) -> Any:
    return httpx.request(
        method,
        stack.status.api_url + path,
        headers={} if token is None else {"authorization": f"Bearer {token}"},
        json=body,
        timeout=40,
        trust_env=False,
    )


def test_operators_make_rotate_and_revoke_keys_over_http(stack: Stack) -> None:
    token = stack.status.operator_token
    made = operate(stack, "POST", "/v1/device-keys", token, {"device_id": "operated"})
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    first = made.json()
    assert send(stack, "native", "operated", f"Bearer {first['secret']}") == 202
    key_id = first["key"]["key_id"]
    rotated = operate(
        stack, "POST", f"/v1/device-keys/{key_id}/rotate", token, {"overlap_seconds": 3600}
    )
    assert rotated.status_code == 201
    second = rotated.json()
    assert send(stack, "native", "operated", f"Bearer {second['secret']}") == 202
    listed = operate(stack, "GET", "/v1/device-keys?device_id=operated", token)
    assert {key["key_id"] for key in listed.json()["keys"]} == {key_id, second["key"]["key_id"]}
    assert first["secret"] not in listed.text
    third = operate(stack, "POST", "/v1/device-keys", token, {"device_id": "operated"}).json()
    revoked = operate(stack, "POST", f"/v1/device-keys/{third['key']['key_id']}/revoke", token, {})
    assert revoked.json()["key"]["status"] == "revoked"
    assert send(stack, "native", "operated", f"Bearer {third['secret']}") == 403


@pytest.mark.parametrize("who", ["nobody", "a device", "a forger"])
def test_only_operators_operate(stack: Stack, who: str) -> None:
    token = {
        "nobody": None,
        "a device": stack.status.device_key,
        "a forger": stack.status.operator_token[:-8] + "AAAAAAAA",
    }[who]
    answer = operate(stack, "POST", "/v1/device-keys", token, {"prefix": ""})
    assert answer.status_code in {401, 403}


def test_anybody_may_read_what_the_api_is(stack: Stack) -> None:
    document = operate(stack, "GET", "/openapi.json", None)
    assert document.json()["openapi"].startswith("3.1")
    again = httpx.get(
        stack.status.api_url + "/openapi.json",
        headers={"if-none-match": document.headers["etag"]},
        trust_env=False,
    )
    assert again.status_code == 304
    assert operate(stack, "GET", "/health", None).json()["status"] == "pass"
    assert operate(stack, "GET", "/ping", None).status_code == 204
