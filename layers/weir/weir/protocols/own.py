"""The answers of our own protocols: 202 with what was refused, or a problem document (RFC 9457)."""

from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Final

import msgspec

from weir.protocols.interface import MAX_INFLATED, Parsed, Reply, Request
from weir.protocols.native import parse_json, parse_ndjson
from weir.readings import Rejection

_ENCODE = msgspec.json.Encoder().encode

JSON: Final = frozenset({"application/json"})
LINES: Final = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})

MAX_DETAILS: Final = 1_000_000
"""Characters of an answer's details, beside those that say no more than `LEFT_OUT`. A function
answers within 6 MB, and in JSON in JSON a backslash takes four bytes, as the largest character
does; ten thousand refusals without their details take 1.1 MB (a test holds it true)."""

LEFT_OUT: Final = "left out: the answer has no room for more"


class OwnAnswers:
    """The answers, for a protocol to inherit."""

    def accept(self, parsed: Parsed, media_type: str) -> Reply:
        """202: the body could be read; `rejected` names each entry that was not taken.

        Each has its index and its code; details there are as far as an answer has room.
        """
        document = {"accepted": parsed.accepted, "rejected": list(_bounded(parsed.rejected))}
        return Reply(202, _ENCODE(document), "application/json")

    def refuse(
        self,
        status: int,
        code: str,
        detail: str,
        media_type: str,
        request_id: str,
    ) -> Reply:
        """A problem document, with `code` for machines and `request_id` for the log."""
        return problem(status, code, detail, request_id)


def _bounded(rejected: Sequence[Rejection]) -> Iterator[Rejection]:
    room = MAX_DETAILS
    for rejection in rejected:
        room -= len(rejection.detail)
        yield rejection if room >= 0 else Rejection(rejection.index, rejection.code, LEFT_OUT)


class NativeJson(OwnAnswers):
    """One reading, an array, or an envelope."""

    media_types = JSON
    max_inflated = MAX_INFLATED

    def parse(self, request: Request) -> Parsed:
        """Read `application/json`, or the newline-delimited JSON that some send under its name."""
        return parse_json(request.body, request.window, request.scope)


class NativeLines(OwnAnswers):
    """One reading a line."""

    media_types = LINES
    max_inflated = MAX_INFLATED

    def parse(self, request: Request) -> Parsed:
        """Read newline-delimited JSON."""
        return parse_ndjson(request.body, request.window, request.scope)


def problem(status: int, code: str, detail: str, request_id: str) -> Reply:
    """A problem document (RFC 9457)."""
    document = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        "request_id": request_id,
    }
    return Reply(status, _ENCODE(document), "application/problem+json")
