"""From what came over HTTP to the bytes to parse: every input is bounded before it is read."""

import zlib
from typing import Final

MAX_BODY: Final = 4 * 1024 * 1024
"""Bytes of a request's body as it was sent: Lambda's 6 MB less what base64 adds."""

MAX_INFLATED: Final = 8 * 1024 * 1024
"""Bytes of a request's body once inflated."""


class BodyTooLarge(ValueError):
    """The body is larger than a request's may be."""


class UnsupportedEncoding(ValueError):
    """The body's encoding or media type is none that can be read."""


class BrokenEncoding(ValueError):
    """The body is not what its Content-Encoding says."""


def decode(body: bytes, content_encoding: str) -> bytes:
    """Undo the Content-Encoding (none, identity, gzip) of `body`, within bounds.

    Raises `BodyTooLarge`, `UnsupportedEncoding` or `BrokenEncoding`.
    """
    if len(body) > MAX_BODY:
        raise BodyTooLarge(f"the body has {len(body)} bytes; it may have {MAX_BODY}")
    encoding = content_encoding.strip().lower()
    if encoding in {"", "identity"}:
        return body
    if encoding not in {"gzip", "x-gzip"}:
        raise UnsupportedEncoding(
            "Content-Encoding is not supported; it may be gzip, identity or left out"
        )
    return _gunzip(body)


def _gunzip(data: bytes) -> bytes:
    parts: list[bytes] = []
    room = MAX_INFLATED
    while data:
        inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            part = inflater.decompress(data, room + 1)
        except zlib.error as error:
            raise BrokenEncoding(f"the body is not gzip: {error}") from error
        if len(part) > room:
            raise BodyTooLarge(f"the body inflates to more than {MAX_INFLATED} bytes")
        if not inflater.eof:
            raise BrokenEncoding("the body is gzip that ends early")
        parts.append(part)
        room -= len(part)
        data = inflater.unused_data.lstrip(b"\0")  # RFC 1952 readers skip padding between members
    return b"".join(parts)


def media_type(content_type: str) -> str:
    """The media type of a Content-Type header, lower case, without parameters."""
    return content_type.partition(";")[0].strip().lower()
