"""The webhook: messages posted over HTTPS, signed with a secret from Secrets Manager."""

import http.client
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Timer
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from weir.notices.hooks import NOTICE, SIGNATURE, signature
from weir.notices.ports import NotTaken, Refused
from weir.storage.notice_calls import taken

TIMEOUT_S: Final = 5.0
"""Seconds that a receiver has, from the connection to its answer."""

KEEP_SECRET_S: Final = 300.0
"""A secret that was rotated is in use so much later at the latest."""

MAX_READ: Final = 1024
"""So much of an answer is read, and none of it is used."""

_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_AGAIN: Final = frozenset({408, 429})


class WebhookSecret:
    """The secret, read when it is first needed and again after five minutes."""

    def __init__(
        self,
        secretsmanager: Callable[[], Any],
        secret_id: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._secretsmanager = secretsmanager
        self._secret_id = secret_id
        self._clock = clock
        self._kept: tuple[float, str] | None = None

    def get(self) -> str:
        """The secret. Raises `NotTaken`."""
        if self._kept is None or self._kept[0] <= self._clock():
            with taken("the secret"):
                answer = self._secretsmanager().get_secret_value(SecretId=self._secret_id)
            self._kept = (self._clock() + KEEP_SECRET_S, answer["SecretString"])
        return self._kept[1]


class Webhook:
    """Posts messages. Raises `ValueError` for a URL that is neither https nor on this machine."""

    def __init__(
        self,
        url: str,
        secret: WebhookSecret,
        *,
        timeout_s: float = TIMEOUT_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._url = _checked(url)
        self._secret = secret
        self._timeout_s = timeout_s
        self._clock = clock

    def post(self, message_id: str, document: str) -> None:
        """Post a document. Raises `NotTaken` if it may help to post it again, else `Refused`."""
        body = document.encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "weir",
            "Connection": "close",
            NOTICE: message_id,
            SIGNATURE: signature(self._secret.get(), int(self._clock()), body),
        }
        try:
            status = self._status(body, headers)
        except (OSError, http.client.HTTPException) as error:
            raise NotTaken(f"the webhook: {type(error).__name__}: {error}") from error
        if 200 <= status < 300:
            return
        if 400 <= status < 500 and status not in _AGAIN:
            raise Refused(f"the webhook answered {status}")
        raise NotTaken(f"the webhook answered {status}")

    def _status(self, body: bytes, headers: dict[str, str]) -> int:
        path = self._url.path or "/"
        if self._url.query:
            path += f"?{self._url.query}"
        connection = self._connection()
        try:
            connection.connect()
            # The timeout is for each step: whoever sends a byte now and then could keep us long.
            end = Timer(self._timeout_s, _hang_up, (connection.sock,))
            end.start()
            try:
                connection.request("POST", path, body, headers)
                answer = connection.getresponse()  # redirects are not followed
                with suppress(OSError, http.client.HTTPException):
                    answer.read(MAX_READ)  # the status has said it all
                return answer.status
            finally:
                end.cancel()
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._url.hostname or "", self._url.port
        if self._url.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=self._timeout_s)
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(host, port, timeout=self._timeout_s, context=context)


def _hang_up(sock: socket.socket) -> None:
    with suppress(OSError):  # it may be closed already
        sock.shutdown(socket.SHUT_RDWR)


def _checked(url: str) -> SplitResult:
    split = urlsplit(url)
    local = split.scheme == "http" and split.hostname in _LOOPBACK
    if not split.hostname or not (split.scheme == "https" or local) or split.username is not None:
        raise ValueError("WEBHOOK_URL must be an https URL (http for this machine alone)")
    return split
