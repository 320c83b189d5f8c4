"""From what came over HTTP to the bytes to parse: every input is bounded before it is read."""

from typing import Final

from weir.inflation import GZIP, BrokenData, InflatesTooFar, inflate

MAX_BODY: Final = 4 * 1024 * 1024
"""Bytes of a request's body as it was sent: Lambda's 6 MB less what base64 adds."""


class BodyTooLarge(ValueError):
    """The body is larger than a request's may be."""


class UnsupportedEncoding(ValueError):
    """The body's encoding or media type is none that can be read."""


class BrokenEncoding(ValueError):
    """The body is not what its Content-Encoding says."""


def decode(body: bytes, content_encoding: str, max_inflated: int) -> bytes:
    """Undo the Content-Encoding (none, identity, gzip) of `body`, up to `max_inflated` bytes.

    Raises `BodyTooLarge`, `UnsupportedEncoding` or `BrokenEncoding`.
    """
    if len(body) > MAX_BODY:
        raise BodyTooLarge(f"the body has {len(body)} bytes; it may have {MAX_BODY}")
    encoding = content_encoding.strip().lower()
    if encoding in {"", "identity"}:
        if len(body) > max_inflated:
            raise BodyTooLarge(f"the body has {len(body)} bytes; it may have {max_inflated}")
        return body
    if encoding not in {"gzip", "x-gzip"}:
        raise UnsupportedEncoding(
            "Content-Encoding is not supported; it may be gzip, identity or left out"
        )
    try:
        return inflate(body, max_inflated, GZIP)
    except InflatesTooFar as error:
        raise BodyTooLarge(f"the body {error}") from error
    except BrokenData as error:
        raise BrokenEncoding(f"the body is not gzip: it {error}") from error


def media_type(content_type: str) -> str:
    """The media type of a Content-Type header, lower case, without parameters."""
    return content_type.partition(";")[0].strip().lower()
