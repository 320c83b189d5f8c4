"""The parameters of queries, checked; a cursor's among them.

Each error is an `InvalidField` that names the parameter, what it is, and the rule.
"""

import base64
import binascii
from collections.abc import Collection, Sequence
from typing import Final
from urllib.parse import parse_qsl

from weir.http.fields import checked_device_id, checked_metric, in_years, moment
from weir.key_service import InvalidField
from weir.readings import MAX_METRICS, show

MAX_QUERY: Final = 16 * 1024
"""Characters of a query: 64 names of 128 characters, escaped, fit."""

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
            return in_years(name, int(text))
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


def _whole_text(name: str, text: str, least: int, most: int) -> int:
    number = int(text) if text.isascii() and text.isdecimal() and len(text) <= 12 else least - 1
    if not least <= number <= most:
        raise InvalidField(
            f"{name} is {show(text)}; it must be a whole number from {least} to {most}"
        )
    return number
