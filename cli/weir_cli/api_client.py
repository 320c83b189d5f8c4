"""The read API as the commands ask it: documents come back, refusals become a sentence."""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Self

from weir.readings import format_ts
from weir_cli.api_transport import Answer, Call, HttpTransport, InvokeTransport, Transport
from weir_cli.errors import Problem
from weir_cli.target import Target

type Document = Mapping[str, Any]
type Query = Sequence[tuple[str, str]]

TOKEN_VARIABLE: Final = "WEIR_OPERATOR_TOKEN"  # noqa: S105 - its name, not a token

_BUSY: Final = frozenset({429, 502, 503, 504})
_ATTEMPTS: Final = 3
_FIRST_PAUSE_S: Final = 0.3
_LONGEST_PAUSE_S: Final = 5.0
_PAGE: Final = 100
_READINGS: Final = 1000


class ApiProblem(Problem):
    """The API refused; `code` is the problem document's, or "" where API Gateway answered."""

    def __init__(self, sentence: str, status: int, code: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.code = code


class Api:
    """Asks the API. What a transport may answer for a while only, it is asked again for."""

    def __init__(
        self, transport: Transport, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._transport = transport
        self._sleep = sleep

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._transport.close()

    # ------------------------------------------------------------------ alerts

    def alerts(self, query: Query, limit: int | None = None) -> Iterator[Document]:
        """Alerts, newest onset first, at most `limit`; `query` is that of `GET /v1/alerts`."""
        return self._listed(Call("GET", "/v1/alerts", query=query), "alerts", _PAGE, limit)

    def alert(self, alert_id: str) -> Document:
        """An alert with its history."""
        return self._of_alert("GET", "", alert_id, None)

    def acknowledge(self, alert_id: str, note: str = "") -> Document:
        """Say that somebody has seen it; return the alert with its history."""
        return self._of_alert("POST", "/acknowledge", alert_id, _with_note({}, note))

    def snooze(self, alert_id: str, until: Mapping[str, Any]) -> Document:
        """Be quiet about it; `until` has `until` (RFC 3339) or `for_seconds`, 0 to end that."""
        return self._of_alert("POST", "/snooze", alert_id, until)

    def judge(self, alert_id: str, verdict: str, note: str = "") -> Document:
        """Say whether it was right; return the alert with its history."""
        return self._of_alert("POST", "/feedback", alert_id, _with_note({"verdict": verdict}, note))

    def _of_alert(
        self, method: str, deed: str, alert_id: str, body: Mapping[str, Any] | None
    ) -> Document:
        call = Call(method, f"/v1/alerts/{{alert_id}}{deed}", {"alert_id": alert_id}, body=body)
        found: Document = self.ask(call)["alert"]
        return found

    # ------------------------------------------------------------------ devices

    def devices(self, query: Query, limit: int | None = None) -> Iterator[Document]:
        """Devices by name, at most `limit`; `query` is that of `GET /v1/devices`."""
        return self._listed(Call("GET", "/v1/devices", query=query), "devices", _PAGE, limit)

    def device(self, device_id: str) -> Document:
        """A device and its metrics."""
        found: Document = self.ask(Call("GET", "/v1/devices/{device_id}", _of(device_id)))["device"]
        return found

    def latest(self, device_id: str, etag: str | None = None) -> tuple[Document | None, str | None]:
        """The newest values and their ETag; no document if they still are those of `etag`."""
        call = Call("GET", "/v1/devices/{device_id}/latest", _of(device_id), etag=etag)
        answer = self._answer(call)
        if answer.status == 304:
            return None, etag
        return _document(call, answer), answer.headers.get("etag")

    def readings(
        self, device_id: str, start: int, end: int, metrics: Sequence[str] = ()
    ) -> Iterator[Document]:
        """The readings from `start` to `end` (epoch ms) in the order of their times."""
        query = [("from", format_ts(start)), ("to", format_ts(end))]
        query += [("metric", name) for name in metrics]
        call = Call("GET", "/v1/devices/{device_id}/readings", _of(device_id), query)
        return self._listed(call, "readings", _READINGS, None)

    def snooze_device(
        self, device_id: str, metric: str | None, until: Mapping[str, Any]
    ) -> Document:
        """Be quiet about a device or a metric of it; return its controls."""
        body = {**until, **({} if metric is None else {"metric": metric})}
        return self.ask(Call("POST", "/v1/devices/{device_id}/snooze", _of(device_id), body=body))

    def controls(self, device_id: str) -> Document:
        """The controls of a device and its metrics."""
        return self.ask(Call("GET", "/v1/devices/{device_id}/controls", _of(device_id)))

    def set_controls(self, device_id: str, control: Mapping[str, Any]) -> Document:
        """Set the control of a device, in place of what was set; return its controls."""
        call = Call("PUT", "/v1/devices/{device_id}/controls", _of(device_id), body=control)
        return self.ask(call)

    # ------------------------------------------------------------------ any

    def ask(self, call: Call) -> Document:
        """The document of an answer; raises `ApiProblem` if the API refuses."""
        return _document(call, self._answer(call))

    def _answer(self, call: Call) -> Answer:
        for attempt in range(1, _ATTEMPTS):
            answer = self._transport.send(call)
            if answer.status not in _BUSY:
                return answer
            self._sleep(_pause(answer, attempt))
        return self._transport.send(call)

    def _listed(self, call: Call, name: str, page: int, limit: int | None) -> Iterator[Document]:
        cursor: str | None = None
        given = 0
        while limit is None or given < limit:
            size = page if limit is None else min(page, limit - given)
            more = [("limit", str(size)), *([("cursor", cursor)] if cursor else [])]
            found = self.ask(
                Call(call.method, call.route, call.path, [*call.query, *more], etag=call.etag)
            )
            yield from found[name]
            given += len(found[name])
            cursor = found.get("next_cursor")
            if not cursor:
                return


def api_of(target: Target, token: str | None = None) -> Api:
    """The API of a deployed Weir.

    With `token`, the local stack's own, or the one in the environment, over HTTP; a stack in AWS
    without any is asked through its function, with the operator's AWS credentials.
    """
    token = token or target.operator_token or os.environ.get(TOKEN_VARIABLE)
    if token:
        return Api(HttpTransport(target.api_url, token, trust_env=target.control_url is None))
    return Api(InvokeTransport(target.client, target.api_function))


def _of(device_id: str) -> Mapping[str, str]:
    return {"device_id": device_id}


def _with_note(body: dict[str, Any], note: str) -> Mapping[str, Any]:
    return {**body, "note": note} if note else body


def _pause(answer: Answer, attempt: int) -> float:
    """Seconds to wait: what the answer asks for, or twice as long each time."""
    try:
        asked = float(answer.headers.get("retry-after", ""))
    except ValueError:
        asked = _FIRST_PAUSE_S * 2 ** (attempt - 1)
    return min(max(asked, 0.0), _LONGEST_PAUSE_S)


def _document(call: Call, answer: Answer) -> Document:
    try:
        document = json.loads(answer.body)
    except ValueError:
        document = {}
    if not isinstance(document, dict):
        document = {}
    if 200 <= answer.status < 300:
        return document
    code = str(document.get("code", ""))
    raise ApiProblem(_sentence(call, answer.status, code, document), answer.status, code)


def _sentence(call: Call, status: int, code: str, document: Document) -> str:
    if status in {401, 403}:
        return (
            "The API did not accept the operator's token; it may have expired, or be meant for "
            f"another stack (--token, {TOKEN_VARIABLE})."
        )
    if code == "no_such_alert":
        return f"There is no alert {call.path['alert_id']}; `weir alerts` lists them."
    if code == "no_such_device":
        return f"Nothing is known of the device {call.path['device_id']}; `weir devices` lists all."
    if status == 404 and not code:
        return (
            f"This stack's API has no {call.method} {call.route}: it has no OIDC issuer (ask "
            "without a token then), or is older than this command."
        )
    said = str(document.get("detail") or document.get("message") or "no reason given").rstrip(".")
    return f"The API refused ({status}{f' {code}' if code else ''}): {said}."
