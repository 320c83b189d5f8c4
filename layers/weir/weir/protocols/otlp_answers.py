"""The answers of OTLP/HTTP, in the encoding of the request: what was taken, or a Status.

Specification: opentelemetry-proto, docs/specification.md, "OTLP/HTTP Response". The messages are
small and fixed, so their protobuf is written here by hand: an answer costs no import of protobuf,
and google.rpc.Status is in none of the packages that the functions have.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from weir.protocols.interface import Parsed, Reply
from weir.readings import Rejection

JSON: Final = "application/json"
PROTOBUF: Final = "application/x-protobuf"

MAX_REASONS: Final = 5
"""Refusals that an answer's message tells of."""

_ENCODE = msgspec.json.Encoder().encode
_INVALID_ARGUMENT: Final = 3
_INTERNAL: Final = 13
_GRPC_CODES: Final = {
    401: 16,  # UNAUTHENTICATED
    403: 7,  # PERMISSION_DENIED
    404: 5,  # NOT_FOUND
    429: 8,  # RESOURCE_EXHAUSTED
    502: 14,  # UNAVAILABLE
    503: 14,
    504: 14,
}


def success(parsed: Parsed, media_type: str) -> Reply:
    """An ExportMetricsServiceResponse: empty, or with what was refused and why."""
    if not parsed.rejected:
        return _reply(200, {}, b"", media_type)
    count, message = len(parsed.rejected), _reasons(parsed.rejected)
    # 64-bit integers are strings in protobuf's JSON.
    document = {"partialSuccess": {"rejectedDataPoints": str(count), "errorMessage": message}}
    partial_success = _integer(1, count) + _bytes(2, message.encode())
    return _reply(200, document, _bytes(1, partial_success), media_type)


def failure(status: int, code: str, detail: str, media_type: str, request_id: str) -> Reply:
    """A google.rpc.Status, its message with `code` for machines and the id for the log.

    Of the statuses that Weir answers, clients repeat the request on 429 and 503 only.
    """
    grpc_code = _GRPC_CODES.get(status, _INVALID_ARGUMENT if status < 500 else _INTERNAL)
    message = f"{code}: {detail} (request {request_id})"
    document = {"code": grpc_code, "message": message}
    return _reply(
        status, document, _integer(1, grpc_code) + _bytes(2, message.encode()), media_type
    )


def _reasons(rejected: Sequence[Rejection]) -> str:
    """How many were refused, and for each code the first data point that has it."""
    first: dict[str, Rejection] = {}
    for rejection in rejected:
        first.setdefault(rejection.code, rejection)
    told = list(first.values())[:MAX_REASONS]
    reasons = "; ".join(f"{r.code}, first data point {r.index}: {r.detail}" for r in told)
    return f"{len(rejected)} data points refused: {reasons}"


def _reply(status: int, document: object, message: bytes, media_type: str) -> Reply:
    # A request of neither encoding is answered in the one that people can read.
    if media_type == PROTOBUF:
        return Reply(status, message, PROTOBUF)
    return Reply(status, _ENCODE(document), JSON)


# ------------------------------------------------------------------ protobuf's encoding
# https://protobuf.dev/programming-guides/encoding/


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _integer(field: int, number: int) -> bytes:
    return _varint(field << 3) + _varint(number)


def _bytes(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content
