"""Answers in the shape that API Gateway takes, and problem documents (RFC 9457)."""

from http import HTTPStatus
from typing import Any

import msgspec

type Answer = dict[str, Any]

_ENCODE = msgspec.json.Encoder().encode


def json_answer(status: int, document: object, request_id: str) -> Answer:
    """An answer with a JSON document."""
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json", "x-request-id": request_id},
        "body": _ENCODE(document).decode(),
    }


def problem(
    status: int, code: str, detail: str, request_id: str, *, retry_after_s: int | None = None
) -> Answer:
    """A problem document: `code` for machines, `detail` for people, `request_id` for the log."""
    headers = {"content-type": "application/problem+json", "x-request-id": request_id}
    if retry_after_s is not None:
        headers["retry-after"] = str(retry_after_s)
    document = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        "request_id": request_id,
    }
    return {"statusCode": status, "headers": headers, "body": _ENCODE(document).decode()}
