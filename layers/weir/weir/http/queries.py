"""Parameters of queries, and what bodies and paths share with them: checked, with clear errors.

Each error is an `InvalidField` that names the parameter, what it is, and the rule.
"""

import base64
import binascii
from collections.abc import Collection, Mapping, Sequence
from typing import Final
from urllib.parse import parse_qsl, unquote

import msgspec

from weir.alerts.alert import MAX_NOTE
from weir.controls import DEVICE
from weir.http.calls import Call
from weir.key_service import InvalidField, checked_scope
from weir.readings import (
    MAX_METRICS,
    AwareDatetime,
    InvalidReading,
    check_device_id,
    check_metric_name,
    format_ts,
    kind,
    show,
    to_epoch_ms,
)

MAX_QUERY: Final = 16 * 1024
"""Characters of a query: 64 names of 128 characters, escaped, fit."""

MAX_SNOOZE_S: Final = 366 * 86_400
"""Seconds from now within which a snooze ends."""

LATEST_MS: Final = 253_402_300_799_999
"""The last millisecond that RFC 3339 has a year for."""

_CURSOR: Final = "cursor must be the next_cursor of an earlier answer to the same question"


class Query:
    """The parameters of a query, all of them known, and each there once unless it may repeat."""

    def __init__(self, raw: str, names: Collection[str], repeated: Collection[str] = ()) -> None:
        if len(raw) > MAX_QUERY:
            raise InvalidField(f"the query has {len(raw)} characters; it may have {MAX_QUERY}")
        try:
            pairs = parse_qsl(raw, keep_blank_values=True, errors="strict", max_num_fields=100)
        except UnicodeDecodeError:
            raise InvalidField("the query is not UTF-8, escaped") from None
        except ValueError:
            raise InvalidField("the query has more than 100 parameters") from None
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            if name not in names:
                known = ", ".join(names) or "none"
                raise InvalidField(f"the query has a parameter {show(name)}; it may have: {known}")
            if name in self._values and name not in repeated:
                raise InvalidField(f"{name} stands in the query more than once; it may once")
            self._values.setdefault(name, []).append(value)

    def all(self, name: str) -> Sequence[str]:
        """The values of a parameter that may repeat."""
        return self._values.get(name, ())

    def text(self, name: str) -> str | None:
        """The value of a parameter, or None."""
        values = self._values.get(name)
        return None if values is None else values[0]

    def whole(self, name: str, least: int, most: int, default: int) -> int:
        """A whole number from `least` to `most`."""
        text = self.text(name)
        return default if text is None else _whole_text(name, text, least, most)

    def optional_whole(self, name: str, least: int, most: int) -> int | None:
        """The same, or None where it is not given."""
        text = self.text(name)
        return None if text is None else _whole_text(name, text, least, most)

    def moment(self, name: str) -> int | None:
        """A time, RFC 3339 or digits of epoch milliseconds, as the latter."""
        text = self.text(name)
        if text is None:
            return None
        if text.isascii() and text.isdecimal() and len(text) <= 15:
            return _in_years(name, int(text))
        return moment(name, text)

    def choice(self, name: str, choices: Sequence[str], default: str) -> str:
        """One of `choices`."""
        text = self.text(name)
        if text is not None and text not in choices:
            raise InvalidField(f"{name} is {show(text)}; it must be one of {', '.join(choices)}")
        return default if text is None else text

    def choices(self, name: str, choices: Sequence[str]) -> Collection[str] | None:
        """Some of `choices`, with commas between; None for all."""
        text = self.text(name)
        if text is None:
            return None
        chosen = text.split(",")
        for one in chosen:
            if one not in choices:
                raise InvalidField(
                    f"{name} has {show(one)}; it must be some of {', '.join(choices)}, with commas "
                    "between"
                )
        return frozenset(chosen)

    def flag(self, name: str) -> bool | None:
        """`true` or `false`."""
        text = self.text(name)
        if text is None:
            return None
        if text not in {"true", "false"}:
            raise InvalidField(f"{name} is {show(text)}; it must be true or false")
        return text == "true"

    def device_id(self) -> str | None:
        """The parameter `device_id`."""
        text = self.text("device_id")
        return None if text is None else checked_device_id(text)

    def metric(self, *, or_device: bool = False) -> str | None:
        """The parameter `metric`; `or_device`: it may be `*`, for the device as a whole."""
        text = self.text("metric")
        return None if text is None else checked_metric(text, or_device=or_device)

    def metrics(self) -> Sequence[str]:
        """The values of the parameter `metric`, each once."""
        names = tuple(dict.fromkeys(self.all("metric")))
        if len(names) > MAX_METRICS:
            raise InvalidField(f"metric is given {len(names)} times; it may be {MAX_METRICS} times")
        return [checked_metric(name) for name in names]

    def cursor(self, scope: str) -> str | None:
        """What `cursor_of` was given for the same scope."""
        text = self.text("cursor")
        if text is None:
            return None
        try:
            padded = text + "=" * (-len(text) % 4)
            inner = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
        except (binascii.Error, ValueError):
            raise bad_cursor() from None
        found, colon, place = inner.partition(":")
        if found != scope or not colon or cursor_of(scope, place) != text:
            raise bad_cursor()
        return place


def cursor_of(scope: str, place: str) -> str:
    """A cursor of listings of the kind `scope`; `Query.cursor` gives back the place."""
    return base64.urlsafe_b64encode(f"{scope}:{place}".encode()).decode().rstrip("=")


def bad_cursor() -> InvalidField:
    """The refusal of a cursor that no answer to this question can have had."""
    return InvalidField(_CURSOR)


def place_in_time(text: str, earliest: int, latest: int) -> int:
    """A cursor's place that is a time from `earliest` to `latest` (epoch ms)."""
    place = int(text) if text.isascii() and text.isdecimal() and len(text) <= 15 else -1
    if not earliest <= place <= latest:
        raise bad_cursor()
    return place


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


def whole(name: str, value: object, least: int, most: int) -> int:
    """A whole number from `least` to `most`; JSON Schema's integers may be written 1.0."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        what = "a number that is not whole" if isinstance(value, float) else kind(value)
        raise InvalidField(f"{name} is {what}; it must be a whole number")
    if not least <= value <= most:
        side = "less" if value < least else "more"
        raise InvalidField(
            f"{name} is a number {side} than it may be; it must lie from {least} to {most}"
        )
    return value


def moment(name: str, value: object) -> int:
    """A time, RFC 3339 or integer epoch milliseconds, as the latter."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise InvalidField(
            f"{name} is {kind(value)}; it must be an RFC 3339 time with an offset or integer epoch "
            "milliseconds"
        )
    if isinstance(value, int):
        return _in_years(name, value)
    try:
        return _in_years(name, to_epoch_ms(msgspec.convert(value, AwareDatetime)))
    except (msgspec.ValidationError, OverflowError, UnicodeEncodeError) as error:
        raise InvalidField(
            f"{name} is a string that is no RFC 3339 time with an offset, such as "
            "2026-01-31T12:00:00Z"
        ) from error


def _in_years(name: str, value: int) -> int:
    if not 0 <= value <= LATEST_MS:
        raise InvalidField(
            f"{name} is a time outside of {format_ts(0)} to {format_ts(LATEST_MS)}, from and to "
            "which it may lie"
        )
    return value


def _whole_text(name: str, text: str, least: int, most: int) -> int:
    number = int(text) if text.isascii() and text.isdecimal() and len(text) <= 12 else least - 1
    if not least <= number <= most:
        raise InvalidField(
            f"{name} is {show(text)}; it must be a whole number from {least} to {most}"
        )
    return number


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
