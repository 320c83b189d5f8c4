"""Sample events: their times are written as placeholders, since `ingest` refuses old readings.

In the body of an HTTP event ``{{now}}``, ``{{now-90s}}`` or ``{{now+1d}}`` (s, m, h, d) stand for a
time in RFC 3339, ``"{{now_ms-90s}}"``, quotes included, for epoch milliseconds, and
``{{now_ns-90s}}`` for the digits of epoch nanoseconds. A body that is gzip or base64 may hold them
too. An event that is sent as it is, by ``sam local invoke -e``, gets answers that refuse those
readings, and nothing worse.
"""

import base64
import binascii
import gzip
import json
import re
import zlib
from pathlib import Path
from typing import Any

from weir.readings import format_ts

_PLACEHOLDER = re.compile(
    r'"\{\{now_ms(?P<ms>[+-]\d+[smhd])?\}\}"|\{\{now_ns(?P<ns>[+-]\d+[smhd])?\}\}'
    r"|\{\{now(?P<rfc3339>[+-]\d+[smhd])?\}\}"
)
_UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_MAX_INFLATED = 1024 * 1024
"""A body that inflates to more is one that is too large on purpose, and has no placeholders."""


def load_event(path: Path, now_ms: int) -> dict[str, Any]:
    """Read a sample event and put times around `now_ms` (epoch ms) in its placeholders' place."""
    event: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return fill(event, now_ms)


def fill(event: dict[str, Any], now_ms: int) -> dict[str, Any]:
    """Return `event` with times in the place of its body's placeholders; others come unchanged.

    >>> fill({"body": '{"ts": "{{now-1m}}"}'}, 1_767_225_660_000)
    {'body': '{"ts": "2026-01-01T00:00:00.000Z"}'}
    >>> fill({"body": '{"ts": "{{now_ms}}"}'}, 1_767_225_600_000)
    {'body': '{"ts": 1767225600000}'}
    """
    body = event.get("body")
    if not isinstance(body, str):
        return event
    if not event.get("isBase64Encoded"):
        return event | {"body": _fill_text(body, now_ms)}
    try:
        sent = base64.b64decode(body, validate=True)
        packed = sent.startswith(b"\x1f\x8b")
        text = (_gunzip(sent) if packed else sent).decode()
    except (binascii.Error, zlib.error, UnicodeDecodeError):
        return event  # broken on purpose
    filled = _fill_text(text, now_ms)
    if filled == text:
        return event
    content = gzip.compress(filled.encode(), mtime=0) if packed else filled.encode()
    return event | {"body": base64.b64encode(content).decode()}


def _fill_text(text: str, now_ms: int) -> str:
    def time(found: re.Match[str]) -> str:
        shift = found["ms"] or found["ns"] or found["rfc3339"] or "+0s"
        ts = now_ms + int(shift[:-1]) * _UNITS_MS[shift[-1]]
        if found[0].startswith("{{now_ns"):
            return f"{ts}000000"
        return str(ts) if found[0].startswith('"') else format_ts(ts)

    return _PLACEHOLDER.sub(time, text)


def _gunzip(data: bytes) -> bytes:
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
    text = inflater.decompress(data, _MAX_INFLATED)
    if not inflater.eof:
        raise zlib.error("it ends early, or inflates to too much")
    return text
