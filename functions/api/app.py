"""What the API serves beside readings: the console, its own description, the operators' routes.

A request is told by the route that API Gateway matched, not by its path: a stage or a custom
domain's mapping may stand before that.
"""

import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from weir.alerts.alert import NoSuchAlert
from weir.http import alerts, controls, device_keys, devices, expected, overview, readings
from weir.http.answers import NO_STORE, empty_answer, json_answer, problem
from weir.http.bodies import BodyTooLarge, BrokenEncoding, UnsupportedEncoding, media_type
from weir.http.calls import MOST_S, Call, Operation
from weir.http.console import Console
from weir.http.description import Description
from weir.http.devices import NoSuchDevice
from weir.http.events import Event, base_url, headers_of, operator_of, path_of, query_of
from weir.http.gateway import Answer, sent_body
from weir.http.readings import TooDense
from weir.http.stores import Stores
from weir.key_service import InvalidField, KeyNotActive, NoSuchKey
from weir.observability import make_logger
from weir.protocols.interface import UnreadableBody
from weir.readings import kind
from weir.settings import ApiSettings
from weir.storage.alert_store import AlertMoved
from weir.storage.clients import client
from weir.storage.control_store import ControlMoved, TooManyControls
from weir.storage.retry import Deadline

MAX_BODY: Final = 16 * 1024
RETRY_AFTER_S: Final = 5
TO_ANSWER_S: Final = 9.0
"""Seconds that are kept back from reading: for a query that has begun, and for the answer."""

REFUSALS: dict[type[Exception], tuple[int, str]] = {
    BrokenEncoding: (400, "broken_encoding"),
    UnreadableBody: (400, "unreadable_body"),
    InvalidField: (400, "invalid_field"),
    NoSuchKey: (404, "no_such_key"),
    NoSuchAlert: (404, "no_such_alert"),
    NoSuchDevice: (404, "no_such_device"),
    KeyNotActive: (409, "key_not_active"),
    TooManyControls: (409, "too_many_controls"),
    AlertMoved: (409, "changed_meanwhile"),
    ControlMoved: (409, "changed_meanwhile"),
    BodyTooLarge: (413, "too_large"),
    TooDense: (413, "too_large"),
    UnsupportedEncoding: (415, "unsupported_media_type"),
}
NOT_THERE: dict[str, str] = {
    "no_such_key": "There is no key with this id.",
    "no_such_alert": "There is no alert with this id.",
    "no_such_device": "Nothing is known of a device with this id.",
}
AWAY: dict[str, tuple[int, str, str]] = {
    "keys": (
        503,
        "keys_unavailable",
        "The keys cannot be reached now. A key may have been made all the same: list them before "
        "you ask again.",
    ),
    "alerts": (
        503,
        "alerts_unavailable",
        "The alerts cannot be reached now. A change may have been made all the same; it does no "
        "harm to ask for it again.",
    ),
    "controls": (
        503,
        "controls_unavailable",
        "The controls cannot be reached now. A change may have been made all the same; it does no "
        "harm to ask for it again.",
    ),
    "readings": (503, "readings_unavailable", "The readings cannot be reached now."),
    "fleet": (503, "devices_unavailable", "The devices cannot be reached now."),
}

logger = make_logger()
description = Description(Path(__file__).with_name("openapi.json").read_bytes())
settings = ApiSettings.read()
stores = Stores(
    settings,
    client("dynamodb", attempts=2, read_timeout=4),
    lambda what, why: logger.error("unreadable", extra={"what": what, "why": why}),
)


@logger.inject_lambda_context
def lambda_handler(event: Event, context: Any) -> Answer:
    """Answer one request."""
    request_id = event.get("requestContext", {}).get("requestId", context.aws_request_id)
    logger.append_keys(request_id=request_id)
    route = event.get("routeKey", "")
    if route in PUBLIC:
        answer = PUBLIC[route](event, request_id)
    elif route in OPERATORS:
        left = context.get_remaining_time_in_millis() / 1000 - TO_ANSWER_S
        answer = _operate(*OPERATORS[route], event, request_id, Deadline(min(MOST_S, left)))
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


@cache
def _console() -> Console:
    """The console, read when it is first asked for."""
    config = {
        "issuer": settings.oidc_issuer,
        "audience": settings.oidc_audience,
        "client_id": settings.oidc_client_id,
        "sign_in": settings.oidc_sign_in,
        "version": description.version,
    }
    return Console(Path(__file__).with_name("console"), config)


def _console_file(event: Event, request_id: str) -> Answer:
    headers = headers_of(event)
    return _console().answer(
        unquote(path_of(event).get("file", "")),
        headers.get("if-none-match", ""),
        headers.get("accept-encoding", ""),
        request_id,
    )


PUBLIC: dict[str, Callable[[Event, str], Answer]] = {
    "GET /": _console_file,
    "GET /console/{file+}": _console_file,
    "GET /openapi.json": _openapi,
    "GET /health": _health,
    "GET /ping": _ping,
    "HEAD /ping": _ping,
}

# ------------------------------------------------------------------ for operators

OPERATORS: dict[str, tuple[Operation[Any], str]] = {
    "GET /v1/device-keys": (device_keys.list_keys, "keys"),
    "POST /v1/device-keys": (device_keys.add, "keys"),
    "POST /v1/device-keys/{key_id}/rotate": (device_keys.rotate, "keys"),
    "POST /v1/device-keys/{key_id}/revoke": (device_keys.revoke, "keys"),
    "GET /v1/overview": (overview.overview, "fleet"),
    "GET /v1/devices": (devices.list_devices, "fleet"),
    "GET /v1/devices/{device_id}": (devices.get_device, "fleet"),
    "GET /v1/devices/{device_id}/latest": (devices.latest, "readings"),
    "GET /v1/devices/{device_id}/readings": (readings.readings, "readings"),
    "GET /v1/devices/{device_id}/expected": (expected.expected, "readings"),
    "POST /v1/devices/{device_id}/snooze": (controls.snooze, "controls"),
    "GET /v1/devices/{device_id}/controls": (controls.get_of_device, "controls"),
    "PUT /v1/devices/{device_id}/controls": (controls.put_of_device, "controls"),
    "DELETE /v1/devices/{device_id}/controls": (controls.delete_of_device, "controls"),
    "GET /v1/controls": (controls.get_of_fleet, "controls"),
    "PUT /v1/controls": (controls.put_of_fleet, "controls"),
    "DELETE /v1/controls": (controls.delete_of_fleet, "controls"),
    "GET /v1/alerts": (alerts.list_alerts, "alerts"),
    "GET /v1/alerts/{alert_id}": (alerts.get_alert, "alerts"),
    "POST /v1/alerts/{alert_id}/acknowledge": (alerts.acknowledge, "alerts"),
    "POST /v1/alerts/{alert_id}/snooze": (alerts.snooze, "alerts"),
    "POST /v1/alerts/{alert_id}/feedback": (alerts.judge, "alerts"),
}
"""What each route does, and with which of the stores."""


def _operate(
    operation: Operation[Any], store: str, event: Event, request_id: str, deadline: Deadline
) -> Answer:
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
            path_of(event),
            query_of(event),
            _fields(event),
            time.time_ns() // 1_000_000,
            raw_query=event.get("rawQueryString", ""),
            operator=operator,
            if_none_match=headers_of(event).get("if-none-match", ""),
            deadline=deadline,
        )
        outcome = operation(getattr(stores, store), call)
    except tuple(REFUSALS) as error:
        status, code = REFUSALS[type(error)]
        detail = NOT_THERE.get(code) or str(error)
        logger.warning("refused", extra={"status": status, "code": code, "detail": detail})
        return problem(status, code, detail, request_id, headers=NO_STORE)
    except (BotoCoreError, ClientError) as error:
        return _failed(error, store, request_id)
    if outcome.audit is not None:
        logger.info("audit", extra={"operator": operator, **outcome.audit})
    if outcome.etag is None:
        return json_answer(outcome.status, outcome.document, request_id, NO_STORE)
    # no-cache: keep it, but ask whether it is the latest.
    headers = {"etag": outcome.etag, "cache-control": "no-cache"}
    if outcome.status == 304:
        return empty_answer(304, request_id, headers)
    return json_answer(outcome.status, outcome.document, request_id, headers)


def _fields(event: Event) -> dict[str, object]:
    """The fields of the body, a JSON object; none where there is no body, or none to be read."""
    method = event.get("routeKey", "").partition(" ")[0]
    body = sent_body(event) if method in {"POST", "PUT"} else b""
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


def _failed(error: Exception, store: str, request_id: str) -> Answer:
    """503 for what passes (a throttle, no connection), 500 for what does not (a missing right)."""
    logger.exception("a table failed", extra={"store": store})
    answer = error.response if isinstance(error, ClientError) else {}
    reason = answer.get("Error", {}).get("Code", "")
    refused = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 500) < 500
    status, code, detail = AWAY[store]
    if refused and "Throttling" not in reason and "Exceeded" not in reason:
        broken = detail.partition(" now.")[0]
        return problem(500, "internal", f"{broken}.", request_id, headers=NO_STORE)
    return problem(status, code, detail, request_id, retry_after_s=RETRY_AFTER_S, headers=NO_STORE)
