"""A stand-in of the API on loopback: in memory, with the console's own page in front.

Its answers are held to the OpenAPI document, so that it cannot drift from what the `api` function
answers. It can be told to fail, to forget a token, and to sign people in as an issuer does.
"""

import base64
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from tests import contract
from tests.browser import answers
from tests.browser.world import Device, World
from tests.loopback import LoopbackServer
from weir.alerts import lifecycle
from weir.alerts.alert import Alert
from weir.controls import Control, control_of
from weir.http.alerts import shown, shown_whole
from weir.http.console import Console
from weir.http.controls import shown as shown_control
from weir.readings import to_epoch_ms

FOLDER = Path(__file__).parents[2] / "functions" / "api" / "console"
BASE = "/_aws/execute-api/abc123"
TOKEN = "header.payload-of-ada.signature"
OPERATOR = "ada"
PROBLEM = "application/problem+json"


@dataclass
class Failure:
    """The next answers of routes that begin with `path`: a status, or no answer at all (0)."""

    path: str
    status: int
    retry_after: int | None = None


def parse_ts(text: str) -> int:
    return to_epoch_ms(datetime.fromisoformat(text))


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: Mapping[str, str]
    fields: dict[str, Any]

    def one(self, name: str, default: str = "") -> str:
        return self.query.get(name, [default])[0]

    def time(self, name: str, default: int) -> int:
        text = self.one(name)
        return parse_ts(text) if text else default


class Refusal(Exception):
    """The request is refused."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.code = status, code


type Answer = tuple[int, dict[str, str], bytes]


@dataclass
class FakeApi:
    """Serves `world` at `url`. `config` is what the console is told."""

    world: World
    config: dict[str, str] = field(default_factory=dict)
    clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    tokens: set[str] = field(default_factory=lambda: {TOKEN})
    failures: list[Failure] = field(default_factory=list)
    held: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Routes that go on answering this, as from a cache."""
    asked: list[Request] = field(default_factory=list)
    drifted: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        said = {"issuer": "https://idp.example.com", "audience": "weir", "client_id": ""}
        self.console = Console(FOLDER, {**said, "version": "0.0.0", **self.config})
        self.server = LoopbackServer(_handler(self.answer))
        return self

    def __exit__(self, *error: object) -> None:
        self.server.close()

    @property
    def url(self) -> str:
        return f"{self.server.url}{BASE}/"

    def fail(self, path: str, status: int, retry_after: int | None = None) -> None:
        self.failures.append(Failure(path, status, retry_after))

    def mend(self) -> None:
        self.failures.clear()

    def requests(self, method: str, path: str = "") -> list[Request]:
        return [one for one in self.asked if one.method == method and one.path.startswith(path)]

    # ------------------------------------------------------------------ answering

    def answer(self, request: Request) -> Answer | None:
        """The answer, or None for none."""
        path = request.path.removeprefix(BASE)
        request.path = path
        self.asked.append(request)
        if path == "/":
            return self._file("", request)
        if path.startswith("/console/"):
            return self._file(path.removeprefix("/console/"), request)
        for failure in self.failures:
            if path.startswith(failure.path):
                return _failed(failure)
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return 401, {"content-type": "application/json"}, b'{"message":"Unauthorized"}'
        for pattern, route, operation in ROUTES:
            found = re.fullmatch(pattern, f"{request.method} {path}")
            if found:
                return self._operate(route, operation, request, [*map(unquote, found.groups())])
        return 404, {"content-type": "application/json"}, b'{"message":"Not Found"}'

    def _file(self, name: str, request: Request) -> Answer:
        headers = request.headers
        none_match, encoding = headers.get("if-none-match", ""), headers.get("accept-encoding", "")
        served = self.console.answer(name, none_match, encoding, "request-1")
        body = served.get("body", "")
        content = base64.b64decode(body) if served.get("isBase64Encoded") else body.encode()
        return served["statusCode"], served["headers"], content

    def _operate(
        self, route: str, operation: "Operation", request: Request, names: list[str]
    ) -> Answer:
        try:
            status = 200
            document = self.held.get(route) or operation(self, request, *names)
        except Refusal as refusal:
            status = refusal.status
            document = {
                "type": "about:blank",
                "title": refusal.code,
                "status": status,
                "code": refusal.code,
                "detail": str(refusal),
                "request_id": "request-1",
            }
        headers = {"content-type": "application/json" if status == 200 else PROBLEM}
        body = json.dumps(document)
        if route in ETAGS and status == 200:
            headers["etag"] = f'"{hash(body) & 0xFFFFFFFF:08x}"'
            if request.headers.get("if-none-match") == headers["etag"]:
                return 304, {"etag": headers["etag"]}, b""
        self._hold_to_contract(route, status, headers, body)
        return status, headers, body.encode()

    def _hold_to_contract(
        self, route: str, status: int, headers: dict[str, str], body: str
    ) -> None:
        if route not in dict(contract.operations()):
            return
        try:
            answer = {"statusCode": status, "headers": headers, "body": body}
            contract.check_answer(route, answer)
        except AssertionError as drift:
            self.drifted.append(str(drift))

    # ------------------------------------------------------------------ what it knows

    def device(self, device_id: str) -> Any:
        found = self.world.devices.get(device_id)
        if found is None:
            raise Refusal(404, "no_such_device", f"There is no device {device_id}.")
        return found

    def alert(self, alert_id: str) -> Alert:
        found = self.world.alerts.get(alert_id)
        if found is None:
            raise Refusal(404, "no_such_alert", "There is no alert with this id.")
        return found

    def change(self, alert: Alert) -> dict[str, Any]:
        return {"alert": shown_whole(self.world.keep(alert))}


type Operation = Callable[..., dict[str, Any]]


def _overview(api: FakeApi, request: Request) -> dict[str, Any]:
    return answers.overview(api.world, api.clock())


def _devices(api: FakeApi, request: Request) -> dict[str, Any]:
    ids = sorted(one for one in api.world.devices if one.startswith(request.one("prefix")))
    shown = [answers.device(api.world, api.world.devices[one], api.clock()) for one in ids]
    if request.one("state"):
        shown = [one for one in shown if one["state"] == request.one("state")]
    return _page("devices", shown, request)


def _page(name: str, found: list[dict[str, Any]], request: Request) -> dict[str, Any]:
    limit, start = int(request.one("limit", "100")), int(request.one("cursor") or "0")
    more = len(found) > start + limit
    return {
        name: found[start : start + limit],
        "next_cursor": str(start + limit) if more else None,
    }


def _device(api: FakeApi, request: Request, device_id: str) -> dict[str, Any]:
    found = api.device(device_id)
    return {"device": answers.device(api.world, found, api.clock(), whole=True)}


def _latest(api: FakeApi, request: Request, device_id: str) -> dict[str, Any]:
    return answers.latest(api.device(device_id), api.clock())


def _readings(api: FakeApi, request: Request, device_id: str) -> dict[str, Any]:
    found, now = api.device(device_id), api.clock()
    start, end = request.time("from", now - 3_600_000), request.time("to", now)
    if request.one("buckets"):
        metrics = request.query.get("metric") or list(found.metrics)
        return answers.buckets(found, metrics, start, end, int(request.one("buckets")), now)
    return answers.readings(found, start, end, int(request.one("limit", "1000")), now)


def _expected(api: FakeApi, request: Request, device_id: str) -> dict[str, Any]:
    found, now = api.device(device_id), api.clock()
    start, end = request.time("from", now - 3_600_000), request.time("to", now)
    buckets = int(request.one("buckets", "600"))
    return answers.expected(found, request.one("metric"), start, end, buckets, now)


def _alerts(api: FakeApi, request: Request) -> dict[str, Any]:
    state = request.one("state", "open").upper()
    severities = [one for one in request.one("severity").split(",") if one]
    wanted = {"true": True, "false": False}.get(request.one("acknowledged"))
    found = [
        shown(one)
        for one in sorted(api.world.alerts.values(), key=lambda one: one.key.onset, reverse=True)
        if state in {"ALL", one.state}
        and (not severities or one.severity in severities)
        and one.device_id == request.one("device_id", one.device_id)
        and one.metric == request.one("metric", one.metric)
        and wanted in {None, one.acknowledged}
    ]
    return _page("alerts", found, request)


def _alert(api: FakeApi, request: Request, alert_id: str) -> dict[str, Any]:
    return {"alert": shown_whole(api.alert(alert_id))}


def _acknowledge(api: FakeApi, request: Request, alert_id: str) -> dict[str, Any]:
    note = request.fields.get("note", "")
    return api.change(lifecycle.acknowledge(api.alert(alert_id), OPERATOR, api.clock(), note))


def _snooze(api: FakeApi, request: Request, alert_id: str) -> dict[str, Any]:
    until = _until(api, request.fields)
    return api.change(lifecycle.snooze(api.alert(alert_id), until, OPERATOR, api.clock()))


def _until(api: FakeApi, fields: dict[str, Any]) -> int:
    if "until" in fields:
        return parse_ts(fields["until"])
    return api.clock() + int(fields["for_seconds"] * 1000)


def _feedback(api: FakeApi, request: Request, alert_id: str) -> dict[str, Any]:
    verdict, note = request.fields["verdict"], request.fields.get("note", "")
    now = api.clock()
    return api.change(lifecycle.judge(api.alert(alert_id), verdict, note, OPERATOR, now))


def _snooze_device(api: FakeApi, request: Request, device_id: str) -> dict[str, Any]:
    found, until = api.device(device_id), _until(api, request.fields)
    metric = request.fields.get("metric")
    own = found.controls.get(metric, Control()) if metric else found.control
    ends = until if until > api.clock() else None
    return _set(found, metric, msgspec.structs.replace(own, snoozed_until=ends))


def _controls(api: FakeApi, request: Request, device_id: str) -> dict[str, Any]:
    # Controls may be set before a device is heard.
    return answers.controls(api.world.devices.get(device_id) or Device(device_id))


def _put_controls(api: FakeApi, request: Request, device_id: str) -> dict[str, Any]:
    fields = dict(request.fields)
    if "snoozed_until" in fields:
        fields["snoozed_until"] = parse_ts(fields["snoozed_until"])
    try:
        control = control_of(fields)
    except ValueError as error:
        raise Refusal(400, "invalid_field", str(error)) from error
    return _set(api.device(device_id), request.one("metric"), control)


def _set(found: Any, metric: str | None, control: Control) -> dict[str, Any]:
    if not metric:
        found.control = control
    elif control == Control():
        found.controls.pop(metric, None)
    else:
        found.controls[metric] = control
    return answers.controls(found)


def _fleet_controls(api: FakeApi, request: Request) -> dict[str, Any]:
    return {"control": shown_control(api.world.fleet), "metrics": {}}


OPERATIONS: dict[str, Operation] = {
    "GET /v1/overview": _overview,
    "GET /v1/devices": _devices,
    "GET /v1/devices/{device_id}": _device,
    "GET /v1/devices/{device_id}/latest": _latest,
    "GET /v1/devices/{device_id}/readings": _readings,
    "GET /v1/devices/{device_id}/expected": _expected,
    "POST /v1/devices/{device_id}/snooze": _snooze_device,
    "GET /v1/devices/{device_id}/controls": _controls,
    "PUT /v1/devices/{device_id}/controls": _put_controls,
    "GET /v1/controls": _fleet_controls,
    "GET /v1/alerts": _alerts,
    "GET /v1/alerts/{alert_id}": _alert,
    "POST /v1/alerts/{alert_id}/acknowledge": _acknowledge,
    "POST /v1/alerts/{alert_id}/snooze": _snooze,
    "POST /v1/alerts/{alert_id}/feedback": _feedback,
}
ROUTES = [
    (re.sub(r"\{\w+\}", "([^/]+)", route), route, operation)
    for route, operation in OPERATIONS.items()
]
ETAGS = {"GET /v1/devices/{device_id}/latest", "GET /v1/alerts/{alert_id}"}


def _failed(failure: Failure) -> Answer | None:
    if not failure.status:
        return None
    headers = {"content-type": PROBLEM}
    if failure.retry_after is not None:
        headers["retry-after"] = str(failure.retry_after)
    document = {"status": failure.status, "code": "unavailable", "detail": "The tables are away."}
    return failure.status, headers, json.dumps(document).encode()


def _handler(answer: Callable[[Request], Answer | None]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            fields = json.loads(body) if headers.get("content-type") == "application/json" else {}
            query = parse_qs(parts.query)
            found = answer(Request(self.command, parts.path, query, headers, fields))
            if found is None:
                self.close_connection = True
                return
            status, more, content = found
            self.send_response(status)
            for name, value in more.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = _serve  # noqa: N815 - http.server's names

        def log_message(self, *args: object) -> None:
            pass

    return Handler
