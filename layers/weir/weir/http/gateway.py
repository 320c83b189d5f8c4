"""What API Gateway hands a function of an HTTP API (payload format 2.0), and takes from it."""

import base64
from collections.abc import Mapping
from typing import Any, Final

from weir.http.bodies import BrokenEncoding
from weir.identity import Scope
from weir.protocols.interface import Reply

type Answer = dict[str, Any]

_TEXT: Final = ("application/json", "application/problem+json", "text/")


class NotAuthenticated(Exception):
    """The authorizer has not said who the sender is."""


class Undecided(Exception):
    """The authorizer could not find out who the sender is; it may be able to later."""


def scope_of(event: Mapping[str, Any]) -> Scope:
    """The devices that the sender may speak for, as `authorize` found.

    Raises `NotAuthenticated` or `Undecided`. API Gateway lets nobody pass without an answer of the
    authorizer; a route that somebody forgot to guard lets nobody pass either.
    """
    said = event["requestContext"].get("authorizer", {}).get("lambda") or {}
    if said.get("undecided"):
        raise Undecided("the device key cannot be checked now; send the request again")
    device_id, prefix = said.get("device_id"), said.get("prefix")
    if device_id is None and prefix is None:
        raise NotAuthenticated("a device key is needed: Authorization: Bearer <key>")
    return Scope(device_id, prefix or "")


def sent_body(event: Mapping[str, Any]) -> bytes:
    """The body as it was sent. Raises `BrokenEncoding`."""
    body = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return bytes(body.encode("utf-8", "surrogatepass"))
    try:
        return base64.b64decode(body, validate=True)
    except ValueError as error:  # no base64, or no ASCII at all
        raise BrokenEncoding("the body is not base64") from error


def answer_of(reply: Reply, request_id: str, *, retry_after_s: int | None = None) -> Answer:
    """The answer that API Gateway takes; what is no text goes in base64."""
    headers = {"x-request-id": request_id}
    if reply.media_type:
        headers["content-type"] = reply.media_type
    if retry_after_s is not None:
        headers["retry-after"] = str(retry_after_s)
    answer: Answer = {"statusCode": reply.status, "headers": headers}
    if reply.body:
        as_text = reply.media_type.startswith(_TEXT)
        answer["body"] = (reply.body if as_text else base64.b64encode(reply.body)).decode()
        answer["isBase64Encoded"] = not as_text
    return answer
