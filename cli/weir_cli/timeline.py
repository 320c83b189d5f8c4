"""Times and spans as an operator writes them: `24h`, `all`, `now`, `2026-01-31T12:00:00Z`."""

import re
import time
from datetime import UTC, datetime
from typing import Final

from weir.readings import format_ts, to_epoch_ms

_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_UNITS_MS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_EPOCH_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?")
_MILLISECONDS_FROM: Final = 1e11
"""Epoch numbers from here on are milliseconds: as seconds they would lie past the year 5000."""

ALL: Final = 0


def now_ms() -> int:
    """Epoch milliseconds."""
    return time.time_ns() // 1_000_000


def span_ms(text: str) -> int:
    """The span that `text` names, such as 90s, 5m, 1.5h or 7d; raise `ValueError` otherwise.

    >>> span_ms("90s")
    90000
    """
    match = _SPAN.fullmatch(text.strip().lower())
    if match is None:
        raise ValueError(f"{text!r} is no span of time such as 90s, 5m, 24h or 7d")
    return round(float(match[1]) * _UNITS_MS[match[2]])


def since_ms(text: str, now: int) -> int:
    """The time that lies the span `text` before `now`; `all` is the beginning of time."""
    return ALL if text.strip().lower() == "all" else max(now - span_ms(text), 0)


def moment_ms(text: str) -> int:
    """Read a time: ISO 8601 (UTC unless it says otherwise), or epoch seconds or milliseconds.

    Digits finer than a millisecond are cut off. Raises `ValueError`.

    >>> moment_ms("2014-04-14 23:55:00") == moment_ms("2014-04-14T23:55:00.000Z")
    True
    """
    text = text.strip()
    if _EPOCH_NUMBER.fullmatch(text):
        number = float(text)
        return int(number) if abs(number) >= _MILLISECONDS_FROM else round(number * 1000)
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return to_epoch_ms(moment)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no time such as 2026-01-31T12:00:00Z") from None


def end_ms(text: str) -> int:
    """The moment that `text` names: `now`, or a time."""
    return now_ms() if text.strip().lower() == "now" else moment_ms(text)


def show_ts(ts: int) -> str:
    """A time for a table: RFC 3339 in UTC, without milliseconds where they are zero."""
    return format_ts(ts).replace(".000Z", "Z")


def show_time(text: str) -> str:
    """A time of the API (RFC 3339 with milliseconds) for a table, as `show_ts` has it."""
    return text.replace(".000Z", "Z")


def until_of(span: str | None, until: str | None) -> dict[str, object]:
    """What the API takes for `--for SPAN`, or else for `--until TIME`. Raises `ValueError`.

    >>> until_of("2h", None)
    {'for_seconds': 7200}
    """
    if span is not None:
        return {"for_seconds": max(-(-span_ms(span) // 1000), 1)}
    return {"until": format_ts(moment_ms(until or ""))}


def show_span(seconds: float) -> str:
    """A span for people: to three digits, in the unit that suits it.

    >>> show_span(5), show_span(90), show_span(7200)
    ('5 s', '90 s', '2 h')
    """
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
