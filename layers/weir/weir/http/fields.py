"""What bodies and paths say, checked; queries share these rules (`weir.http.queries`).

Each error is an `InvalidField` that names the field, what it is, and the rule.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

import msgspec

from weir.alerts.alert import MAX_NOTE
from weir.controls import DEVICE
from weir.http.calls import Call
from weir.key_service import InvalidField, checked_scope, whole
from weir.readings import (
    AwareDatetime,
    InvalidReading,
    check_device_id,
    check_metric_name,
    format_ts,
    kind,
    show,
    to_epoch_ms,
)

MAX_SNOOZE_S: Final = 366 * 86_400
"""Seconds from now within which a snooze ends."""

LATEST_MS: Final = 253_402_300_799_999
"""The last millisecond that RFC 3339 has a year for."""


# ------------------------------------------------------------------ paths


def path_device(call: Call) -> str:
    """The device in the path."""
    return checked_device_id(unquote(call.path.get("device_id", "")))


# ------------------------------------------------------------------ bodies


def only(fields: Mapping[str, object], *names: str) -> Mapping[str, object]:
    """The fields of a body, all of them known."""
    for name in fields:
        if name not in names:
            known = ", ".join(names) or "none"
            raise InvalidField(f"the body has a field {show(name)}; its fields are: {known}")
    return fields


def note(fields: Mapping[str, object]) -> str:
    """The field `note`: printable text and line breaks, or nothing."""
    text = fields.get("note")
    if text is None:
        return ""
    if not isinstance(text, str):
        raise InvalidField(f"note is {kind(text)}; it must be a string")
    if len(text) > MAX_NOTE or not text.replace("\n", "").isprintable():
        raise InvalidField(
            f"note is a string of {len(text)} characters; it must be at most {MAX_NOTE} printable "
            "characters and line breaks"
        )
    return text


def snooze_end(fields: Mapping[str, object], now: int) -> int:
    """Until when (epoch ms) to be quiet: the field `until`, or `for_seconds`, 0 to end it."""
    until, seconds = fields.get("until"), fields.get("for_seconds")
    if (until is None) == (seconds is None):
        raise InvalidField("until and for_seconds: a snooze has one of the two")
    if seconds is not None:
        return now + 1000 * whole("for_seconds", seconds, 0, MAX_SNOOZE_S)
    end = moment("until", until)
    latest = now + 1000 * MAX_SNOOZE_S
    if not now <= end <= latest:
        side = "before" if end < now else "after"
        raise InvalidField(
            f"until lies {side} the times taken now: it must be from {format_ts(now)} to "
            f"{format_ts(latest)}"
        )
    return end


def moment(name: str, value: object) -> int:
    """A time, RFC 3339 or integer epoch milliseconds, as the latter."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise InvalidField(
            f"{name} is {kind(value)}; it must be an RFC 3339 time with an offset or integer epoch "
            "milliseconds"
        )
    if isinstance(value, int):
        return in_years(name, value)
    try:
        return in_years(name, to_epoch_ms(msgspec.convert(value, AwareDatetime)))
    except (msgspec.ValidationError, OverflowError, UnicodeEncodeError) as error:
        raise InvalidField(
            f"{name} is a string that is no RFC 3339 time with an offset, such as "
            "2026-01-31T12:00:00Z"
        ) from error


def in_years(name: str, value: int) -> int:
    """A time (epoch ms) in the years that RFC 3339 has."""
    if not 0 <= value <= LATEST_MS:
        raise InvalidField(
            f"{name} is a time outside of {format_ts(0)} to {format_ts(LATEST_MS)}, from and to "
            "which it may lie"
        )
    return value


# ------------------------------------------------------------------ names


def checked_device_id(text: str) -> str:
    """A device id."""
    try:
        return check_device_id(text)
    except InvalidReading as error:
        raise InvalidField(error.detail) from error


def checked_metric(text: str, *, or_device: bool = False) -> str:
    """The name of a metric; `or_device`: or `*`, for the device as a whole."""
    if or_device and text == DEVICE:
        return text
    try:
        check_metric_name(text)
    except InvalidReading as error:
        rule = "1 to 128 printable characters" + ("" if or_device else ", and not *")
        raise InvalidField(
            f"metric is {show(text)}, a string of {len(text)} characters; it must be {rule}"
        ) from error
    return text


def prefix(text: str) -> str:
    """What device ids may begin with."""
    return checked_scope(None, text).prefix
