"""Sends requests to `POST /v1/readings`, and sends again what was not taken.

Sending again is always safe: the server recognises what it has stored. A request is tried until it
is answered for good or `patience_s` runs out; nothing is ever dropped without a word.
"""

import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Final, Self

import httpx

from weir_cli.batches import Batch

PATH: Final = "/v1/readings"
_BASE_S: Final = 0.1
_CAP_S: Final = 10.0
_TRANSIENT: Final = frozenset({429, 500, 502, 503, 504})


_GATEWAY_SAYS: Final = {
    401: "no device key was sent",
    403: "the device key is unknown, has expired or was revoked",
}
"""What API Gateway means by an answer of its own, which says next to nothing."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A reading that the server did not take; `index` is its place in the request."""

    index: int
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """The server's answer to a request, and how often it had to be sent again."""

    accepted: int
    rejected: Sequence[Refusal]
    retries: int


@dataclass(frozen=True, slots=True)
class Answer:
    """A final answer of the server, whatever it says."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    retries: int = 0

    def problem(self) -> tuple[str, str]:
        """The code and the detail of a problem document, or what stands in for them."""
        document = _object(self.body)
        code = str(document.get("code", f"http_{self.status}"))
        detail = (
            document.get("detail")
            or _GATEWAY_SAYS.get(self.status)
            or document.get("message")
            or f"status {self.status}"
        )
        return code, str(detail)


class NotSent(Exception):
    """A request was not taken; the message is a sentence that says why."""

    def __init__(self, message: str, retries: int) -> None:
        super().__init__(message)
        self.retries = retries


class Sender:
    """A client of one API, safe to use from several threads.

    Parameters
    ----------
    api_url
        Where the API is; `/v1/readings` is added.
    connections
        How many requests may be under way at once.
    patience_s
        How long one request is tried before it counts as not sent.
    on_retry
        Is told, from any thread, why a request is sent again and after how many seconds.

    >>> with Sender("http://127.0.0.1:8080") as sender:  # doctest: +SKIP
    ...     sender.send(Batch("pump-7", readings)).accepted
    100
    """

    def __init__(
        self,
        api_url: str,
        *,
        connections: int = 4,
        patience_s: float = 120.0,
        timeout_s: float = 30.0,
        headers: Mapping[str, str] | None = None,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
        on_retry: Callable[[str, float], None] = lambda _reason, _wait: None,
    ) -> None:
        self.url = api_url.rstrip("/") + PATH
        self._patience_s = patience_s
        self._sleep = sleep
        self._clock = clock
        self._rng = rng or random.Random()
        self._on_retry = on_retry
        self._client = httpx.Client(
            timeout=httpx.Timeout(timeout_s, connect=5.0),
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
            headers={"user-agent": "weir-cli", **(headers or {})},
            transport=transport,
            # A proxy for the internet is of no use to the local stack.
            trust_env=not api_url.startswith(("http://127.0.0.1", "http://localhost")),
        )

    def send(self, batch: Batch) -> Receipt:
        """Send the readings of one request; raise `NotSent` if they were not taken.

        A reading that the server refuses is part of the receipt, not an error.
        """
        content, headers = batch.body()
        answer = self.post(content, headers)
        if answer.status != httpx.codes.ACCEPTED:
            code, detail = answer.problem()
            raise NotSent(f"{self.url} answered {answer.status}, {code}: {detail}", answer.retries)
        return _receipt(answer, len(batch.readings), self.url)

    def post(self, content: bytes, headers: Mapping[str, str]) -> Answer:
        """Post a body as it is until it is answered for good.

        Answers 429 and 5xx, and connections that fail, are tried again after the server's
        `Retry-After`, or else a wait drawn evenly from zero to a doubling bound. Raises `NotSent`
        when the patience ends.
        """
        end = self._clock() + self._patience_s
        retries = 0
        while True:
            wait = None
            try:
                response = self._client.post(self.url, content=content, headers=dict(headers))
            except httpx.TransportError as error:
                reason = str(error) or type(error).__name__
            except httpx.InvalidURL as error:
                raise NotSent(f"{self.url} is no URL: {error}", retries) from error
            else:
                if response.status_code not in _TRANSIENT:
                    return Answer(response.status_code, response.content, response.headers, retries)
                _, detail = Answer(response.status_code, response.content).problem()
                reason = f"status {response.status_code}, {detail}"
                wait = _retry_after_s(response.headers.get("retry-after"))
            if not wait:
                wait = self._rng.uniform(0.0, min(_CAP_S, _BASE_S * 2**retries))
            if self._clock() + wait > end:
                raise NotSent(
                    f"{self.url} did not take a request, tried {_times(retries + 1)}: {reason}",
                    retries,
                )
            self._on_retry(reason, wait)
            self._sleep(wait)
            retries += 1

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _receipt(answer: Answer, sent: int, url: str) -> Receipt:
    document = _object(answer.body)
    try:
        rejected = [
            Refusal(int(entry["index"]), str(entry["code"]), str(entry["detail"]))
            for entry in document["rejected"]
        ]
        accepted = int(document["accepted"])
    except (KeyError, TypeError, ValueError) as error:
        raise NotSent(f"{url} answered 202 without a receipt", answer.retries) from error
    if accepted + len(rejected) != sent:
        raise NotSent(
            f"{url} answered for {accepted + len(rejected)} of {sent} readings", answer.retries
        )
    return Receipt(accepted, rejected, answer.retries)


def _object(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _retry_after_s(value: str | None) -> float | None:
    """The seconds of a Retry-After header, which may also be a date (RFC 9110)."""
    if value is None:
        return None
    if value.isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max((moment - datetime.now(UTC)).total_seconds(), 0.0)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
