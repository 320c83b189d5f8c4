"""What the API serves beside readings: its description, its health, and the operators' routes.

A request is told by the route that API Gateway matched, not by its path: a stage or a custom
domain's mapping may stand before that.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from weir.http import device_keys
from weir.http.answers import NO_STORE, empty_answer, json_answer, problem
from weir.http.bodies import BodyTooLarge, BrokenEncoding, UnsupportedEncoding, media_type
from weir.http.description import Description
from weir.http.device_keys import Call, Operation
from weir.http.events import Event, base_url, headers_of, operator_of, query_of
from weir.http.gateway import Answer, sent_body
from weir.key_service import InvalidField, KeyNotActive, NoSuchKey
from weir.observability import make_logger
from weir.protocols.interface import UnreadableBody
from weir.readings import kind
from weir.settings import ApiSettings
from weir.storage.clients import client
from weir.storage.device_key_store import DeviceKeyStore

MAX_BODY = 16 * 1024
RETRY_AFTER_S = 5

REFUSALS: dict[type[Exception], tuple[int, str]] = {
    BrokenEncoding: (400, "broken_encoding"),
    UnreadableBody: (400, "unreadable_body"),
    InvalidField: (400, "invalid_field"),
    NoSuchKey: (404, "no_such_key"),
    KeyNotActive: (409, "key_not_active"),
    BodyTooLarge: (413, "too_large"),
    UnsupportedEncoding: (415, "unsupported_media_type"),
}

logger = make_logger()
description = Description(Path(__file__).with_name("openapi.json").read_bytes())
settings = ApiSettings.read()
keys = DeviceKeyStore(client("dynamodb", attempts=3, read_timeout=2), settings.devices_table)


@logger.inject_lambda_context
def lambda_handler(event: Event, context: Any) -> Answer:
    """Answer one request."""
    request_id = event.get("requestContext", {}).get("requestId", context.aws_request_id)
    logger.append_keys(request_id=request_id)
    route = event.get("routeKey", "")
    if route in PUBLIC:
        answer = PUBLIC[route](event, request_id)
    elif route in OPERATORS:
        answer = _operate(OPERATORS[route], event, request_id)
    else:
        answer = problem(404, "no_such_route", "The API has no such route.", request_id)
    logger.info("answered", extra={"route": route, "status": answer["statusCode"]})
    return answer


# ------------------------------------------------------------------ for everyone


def _openapi(event: Event, request_id: str) -> Answer:
    wanted = headers_of(event).get("if-none-match", "")
    return description.answer(base_url(event), wanted, request_id)


def _health(event: Event, request_id: str) -> Answer:
    """As InfluxDB 2 has it: its clients ask before they write. Nothing behind it is asked."""
    del event
    document = {
        "name": "weir",
        "message": "ready for writes",
        "status": "pass",
        "checks": [],
        "version": description.version,
    }
    return json_answer(200, document, request_id, NO_STORE)


def _ping(event: Event, request_id: str) -> Answer:
    """As InfluxDB 2 has it. The version is that of the API that is spoken, and then Weir's own."""
    del event
    headers = {
        "x-influxdb-version": f"v2.0.0+weir.{description.version}",
        "x-influxdb-build": "weir",
    }
    return empty_answer(204, request_id, headers | NO_STORE)


PUBLIC: dict[str, Callable[[Event, str], Answer]] = {
    "GET /openapi.json": _openapi,
    "GET /health": _health,
    "GET /ping": _ping,
    "HEAD /ping": _ping,
}

# ------------------------------------------------------------------ for operators

OPERATORS: dict[str, Operation] = {
    "GET /v1/device-keys": device_keys.list_keys,
    "POST /v1/device-keys": device_keys.add,
    "POST /v1/device-keys/{key_id}/rotate": device_keys.rotate,
    "POST /v1/device-keys/{key_id}/revoke": device_keys.revoke,
}


def _operate(operation: Operation, event: Event, request_id: str) -> Answer:
    operator = operator_of(event)
    if not operator:  # API Gateway lets no such request through; should it ever, this does not
        return problem(
            401,
            "unauthenticated",
            "An operator's token is needed, with a subject.",
            request_id,
            headers={"www-authenticate": "Bearer"} | NO_STORE,
        )
    try:
        call = Call(
            event.get("pathParameters") or {}, query_of(event), _fields(event), int(time.time())
        )
        outcome = operation(keys, call)
    except tuple(REFUSALS) as error:
        status, code = REFUSALS[type(error)]
        detail = "There is no key with this id." if code == "no_such_key" else str(error)
        logger.warning("refused", extra={"status": status, "code": code, "detail": detail})
        return problem(status, code, detail, request_id, headers=NO_STORE)
    except (BotoCoreError, ClientError) as error:
        return _failed(error, request_id)
    if outcome.audit is not None:
        logger.info("audit", extra={"operator": operator, **outcome.audit})
    return json_answer(outcome.status, outcome.document, request_id, NO_STORE)


def _fields(event: Event) -> dict[str, object]:
    """The fields of the body, a JSON object; none where there is no body."""
    body = sent_body(event)
    if not body:
        return {}
    if len(body) > MAX_BODY:
        raise BodyTooLarge(f"the body has {len(body)} bytes; it may have {MAX_BODY}")
    if media_type(headers_of(event).get("content-type", "")) != "application/json":
        raise UnsupportedEncoding("Content-Type must be application/json")
    try:
        fields = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableBody(f"the body is not JSON: {error}") from error
    except RecursionError as error:
        raise UnreadableBody("the body is nested too deeply") from error
    if not isinstance(fields, dict):
        raise UnreadableBody(f"the body is {kind(fields)}; it must be an object")
    return fields


def _failed(error: Exception, request_id: str) -> Answer:
    """503 for what passes (a throttle, no connection), 500 for what does not (a missing right)."""
    logger.exception("the keys' table failed")
    answer = error.response if isinstance(error, ClientError) else {}
    code = answer.get("Error", {}).get("Code", "")
    refused = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 500) < 500
    if refused and "Throttling" not in code and "Exceeded" not in code:
        return problem(500, "internal", "The keys cannot be reached.", request_id, headers=NO_STORE)
    return problem(
        503,
        "keys_unavailable",
        "The keys cannot be reached now. A key may have been made all the same: list them before "
        "you ask again.",
        request_id,
        retry_after_s=RETRY_AFTER_S,
        headers=NO_STORE,
    )
