"""Inflating within bounds: nothing that came from outside may grow without limit."""

import zlib
from typing import Final

GZIP: Final = zlib.MAX_WBITS | 16
ZLIB_OR_GZIP: Final = zlib.MAX_WBITS | 32

MAX_MEMBERS: Final = 64
"""Each gzip member costs a copy of all that follows it, so that many small ones would be a load."""


class BrokenData(ValueError):
    """The data is not of the format, or ends early."""


class InflatesTooFar(ValueError):
    """The data would grow past its limit."""


def inflate(data: bytes, limit: int, wbits: int) -> bytes:
    """Inflate `data` of the format `wbits` (several gzip members too) to at most `limit` bytes.

    Raises `BrokenData` or `InflatesTooFar`.
    """
    parts: list[bytes] = []
    room = limit
    while data:
        if len(parts) == MAX_MEMBERS:
            raise BrokenData(f"has more than {MAX_MEMBERS} gzip members")
        inflater = zlib.decompressobj(wbits)
        try:
            part = inflater.decompress(data, room + 1)
        except zlib.error as error:
            raise BrokenData(f"cannot be inflated: {error}") from error
        if len(part) > room:
            raise InflatesTooFar(f"inflates to more than {limit} bytes")
        if not inflater.eof:
            raise BrokenData("is compressed data that ends early")
        parts.append(part)
        room -= len(part)
        data = inflater.unused_data.lstrip(b"\0")  # members may be padded (RFC 1952)
    return b"".join(parts)
