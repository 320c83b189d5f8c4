"""Two ways to the `api` function: over HTTP with an operator's token, or by invoking it.

A stack without an OIDC issuer has no operators' routes. Whoever may invoke its `api` function with
credentials of AWS can ask it all the same, and is known to it by the ARN of those credentials.
"""

import base64
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from urllib.parse import quote, urlencode

import httpx

from weir_cli.errors import Problem

_TIMEOUT_S: Final = 30.0
_IN_PATHS: Final = "~:!*="
"""What ids may hold beside letters, digits and `._-`, and a path as it is."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request to a route such as `/v1/alerts/{alert_id}`, whose `{…}` are in `path`."""

    method: str
    route: str
    path: Mapping[str, str] = field(default_factory=dict)
    query: Sequence[tuple[str, str]] = ()
    body: Mapping[str, Any] | None = None
    etag: str | None = None

    @property
    def url_path(self) -> str:
        """The path, with what is in the place of each `{…}`."""
        return self.route.format_map({k: quote(v, safe=_IN_PATHS) for k, v in self.path.items()})

    @property
    def query_string(self) -> str:
        """The query, as it stands after the question mark."""
        return urlencode(self.query)

    @property
    def headers(self) -> dict[str, str]:
        """What goes beside the request, in lower case."""
        sent = {"accept": "application/json"}
        if self.body is not None:
            sent["content-type"] = "application/json"
        if self.etag is not None:
            sent["if-none-match"] = self.etag
        return sent


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; the names of the headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport(Protocol):
    """Carries a call to the `api` function, and its answer back."""

    def send(self, call: Call) -> Answer:
        """The answer, whatever its status is."""
        ...

    def close(self) -> None:
        """Let go of what is held open."""
        ...


class HttpTransport:
    """Calls over HTTP, with the token of an operator."""

    def __init__(self, api_url: str, token: str, *, trust_env: bool = True) -> None:
        self._url = api_url.rstrip("/")
        self._client = httpx.Client(
            headers={"authorization": f"Bearer {token}"}, timeout=_TIMEOUT_S, trust_env=trust_env
        )

    def send(self, call: Call) -> Answer:
        """The answer; raises `httpx.HTTPError` if there is none."""
        query = f"?{call.query_string}" if call.query else ""
        answer = self._client.request(
            call.method,
            f"{self._url}{call.url_path}{query}",
            headers=call.headers,
            content=None if call.body is None else json.dumps(call.body).encode(),
        )
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Answer(answer.status_code, headers, answer.content)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


class InvokeTransport:
    """Calls as events that API Gateway would send (payload format 2.0), to the function itself.

    Parameters
    ----------
    clients
        Returns a boto3 client of the service it is given.
    function
        The name of the `api` function.
    """

    def __init__(self, clients: Any, function: str) -> None:
        self._lambda = clients("lambda")
        self._function = function
        self._caller = str(clients("sts").get_caller_identity()["Arn"])

    def send(self, call: Call) -> Answer:
        """The answer; raises `Problem` if the function fails, or may not be invoked."""
        from botocore.exceptions import ClientError

        try:
            invoked = self._lambda.invoke(
                FunctionName=self._function, Payload=json.dumps(self._event(call)).encode()
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in {"AccessDeniedException", "AccessDenied"}:
                raise Problem(
                    f"{self._caller} may not invoke {self._function}: give it "
                    "lambda:InvokeFunction, or set WEIR_OPERATOR_TOKEN."
                ) from error
            raise
        answer = json.loads(invoked["Payload"].read())
        if "FunctionError" in invoked:
            reason = answer.get("errorMessage", invoked["FunctionError"])
            raise Problem(f"The function {self._function} failed: {reason}.")
        body = str(answer.get("body") or "")
        return Answer(
            int(answer["statusCode"]),
            {name.lower(): str(value) for name, value in (answer.get("headers") or {}).items()},
            base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode(),
        )

    def close(self) -> None:
        """There is nothing to close."""

    def _event(self, call: Call) -> dict[str, Any]:
        route = f"{call.method} {call.route}"
        together: dict[str, str] = {}
        for name, value in call.query:
            together[name] = f"{together[name]},{value}" if name in together else value
        event: dict[str, Any] = {
            "version": "2.0",
            "routeKey": route,
            "rawPath": call.url_path,
            "rawQueryString": call.query_string,
            "headers": call.headers,
            "requestContext": {
                "routeKey": route,
                "requestId": str(uuid.uuid4()),
                "http": {"method": call.method, "path": call.url_path},
                "authorizer": {"jwt": {"claims": {"sub": self._caller}}},
            },
            "isBase64Encoded": False,
        }
        if together:
            event["queryStringParameters"] = together
        if call.path:
            event["pathParameters"] = dict(call.path)
        if call.body is not None:
            event["body"] = json.dumps(call.body)
        return event
