"""Answers of our own routes: JSON documents and problem documents, with headers of their own."""

from collections.abc import Mapping
from typing import Final

import msgspec

from weir.http.gateway import Answer, answer_of
from weir.protocols import own
from weir.protocols.interface import Reply

NO_STORE: Final = {"cache-control": "no-store"}

_ENCODE = msgspec.json.Encoder().encode
_NO_HEADERS: Final[Mapping[str, str]] = {}


def json_answer(
    status: int, document: object, request_id: str, headers: Mapping[str, str] = _NO_HEADERS
) -> Answer:
    """An answer with a JSON document."""
    return _answer(Reply(status, _ENCODE(document), "application/json"), request_id, headers)


def empty_answer(status: int, request_id: str, headers: Mapping[str, str] = _NO_HEADERS) -> Answer:
    """An answer without a body."""
    return _answer(Reply(status, b"", ""), request_id, headers)


def problem(
    status: int,
    code: str,
    detail: str,
    request_id: str,
    *,
    retry_after_s: int | None = None,
    headers: Mapping[str, str] = _NO_HEADERS,
) -> Answer:
    """A problem document (RFC 9457): `code` for machines, `detail` for people."""
    reply = own.problem(status, code, detail, request_id)
    return _answer(reply, request_id, headers, retry_after_s)


def _answer(
    reply: Reply, request_id: str, headers: Mapping[str, str], retry_after_s: int | None = None
) -> Answer:
    answer = answer_of(reply, request_id, retry_after_s=retry_after_s)
    answer["headers"].update(headers)
    return answer
