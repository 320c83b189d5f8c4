r"""InfluxDB's line protocol as a syntax: lines, tags, fields and numbers, and nothing of readings.

    measurement[,tag=value...] field=value[,field=value...] [timestamp]

It follows the reference of InfluxDB 2 and, where that is silent, what InfluxDB 2 itself takes:
https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/. A backslash escapes a
comma or a space in a measurement, and a comma, a space or an equals sign in tags and field names;
before anything else it stands for itself. In a string (a field's value in double quotes) it
escapes a quote and a backslash, and only there a newline is no end of the line. Lines may end in
CR LF; blank lines and lines that begin with # do not count.

In one thing it goes on where InfluxDB gives up: a quote that is never closed costs the line that
it stands in, not all lines up to the next quote.
"""

import re
from collections.abc import Iterator
from math import isfinite
from typing import Final

import msgspec

from weir.protocols.interface import TooManyReadings
from weir.readings import InvalidReading, show

MAX_NUMBER: Final = 400
"""Characters of a number that are looked at; a double needs 24."""

_INT64: Final = range(-(2**63), 2**63)
_UINT64: Final = range(2**64)
_TRUE: Final = frozenset({"t", "T", "true", "True", "TRUE"})
_FALSE: Final = frozenset({"f", "F", "false", "False", "FALSE"})

# Possessive throughout (`*+`): no way back, so no text takes more than one look at each character.
_SKIP: Final = re.compile(r"(?:[ \t\0]*+(?:#[^\n]*+)?\n)*+[ \t\0]*+(?:#[^\n]*+\Z)?")
_BLANKS: Final = re.compile(r"[ \t\0]*+")
_HEAD: Final = re.compile(r"[^\\ \n]*+(?:\\ ?[^\\ \n]*+)*+")
_PART: Final = re.compile(r"[^\\,]*+(?:\\,?[^\\,]*+)*+")
_TAG_NAME: Final = re.compile(r"[^\\=]*+(?:\\=?[^\\=]*+)*+")
_FIELD_NAME: Final = re.compile(r"[^\\,= \n]*+(?:\\[,= ]?[^\\,= \n]*+)*+")
_VALUE: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[^", \n][^, \n]*+', re.DOTALL)
_VALUE_IN_LINE: Final = re.compile(r'"[^"\\\n]*+(?:\\[^\n][^"\\\n]*+)*+"|[^", \n][^, \n]*+')

_ESCAPED: Final = re.compile(r"\\([,= ])")
_ESCAPED_IN_MEASUREMENT: Final = re.compile(r"\\([, ])")
_FLOAT: Final = re.compile(r"-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_INTEGER: Final = re.compile(r"(-?[0-9]+)i|([0-9]+)u")
_NOT_FINITE: Final = re.compile(r"[+-]?(?:nan|inf(?:inity)?)", re.IGNORECASE)
_TIMESTAMP: Final = re.compile(r"-?[0-9]{1,19}")


class Malformed(InvalidReading):
    """A line is no line protocol; the detail says what is wrong with it."""

    CODE: Final = "malformed_line"

    def __init__(self, detail: str) -> None:
        super().__init__(self.CODE, detail)


class Line(msgspec.Struct, frozen=True):
    """A line's parts: `head` (measurement and tags), fields with values, and time, as written.

    Fields' names are without their escapes; `head` has its own, see `split_head`.
    """

    head: str
    fields: list[tuple[str, str]]
    timestamp: str


class Cursor:
    """Goes through a body line by line.

    `scanned` counts the characters that `parse` looked at, and no body makes that more than three
    times its length. A line that turns out to be malformed past its first newline, in a string, is
    looked at again from there; once that has happened for as many characters as the body has, a
    string may hold no newline any more.
    """

    def __init__(self, text: str) -> None:
        # Strings are all that a CR LF may stand in beside a line's end, and none is kept.
        self._text = text.replace("\r\n", "\n").removesuffix("\r")
        self._start = self._end = self._next = 0
        self._spare = len(self._text)
        self._seen = 0
        self.scanned = 0

    def advance(self) -> str | None:
        """Go to the next line that counts and return it up to its first newline; None: no more."""
        text = self._text
        self._start = _end(_SKIP, text, self._next)
        if self._start == len(text):
            return None
        end = text.find("\n", self._start)
        self._end = end if end >= 0 else len(text)
        self._next = self._end + 1
        return text[self._start : self._end]

    def parse(self, most_fields: int) -> Line:
        """Read the current line, which goes past its first newline if a string in it does.

        Raises `Malformed`, and then the next line is the one after the first newline, or
        `TooManyReadings` past `most_fields`.
        """
        try:
            line = self._read(most_fields)
        except Malformed:
            self._spare -= max(0, self._seen - self._end)
            raise
        else:
            self._next = max(self._next, self._seen + 1)
            return line
        finally:
            self.scanned += self._seen - self._start

    def _read(self, most_fields: int) -> Line:
        text = self._text
        value_pattern = _VALUE if self._spare > 0 else _VALUE_IN_LINE
        head_end = self._seen = _end(_HEAD, text, self._start)
        pos = _end(_BLANKS, text, head_end)
        fields: list[tuple[str, str]] = []
        while True:
            name_end = self._seen = _end(_FIELD_NAME, text, pos)
            name = text[pos:name_end]
            if text[name_end : name_end + 1] != "=":
                raise Malformed(
                    f"the field {show(name)} has no value" if name else "a field is missing"
                )
            if not name:
                raise Malformed("a field has no name")
            name = unescape(name)
            value = value_pattern.match(text, name_end + 1)
            if value is None:
                if text[name_end + 1 : name_end + 2] != '"':
                    raise Malformed(f"the field {show(name)} has no value")
                if value_pattern is _VALUE:
                    self._seen = len(text)
                raise Malformed(f"the string of the field {show(name)} has no closing quote")
            if len(fields) == most_fields:
                raise TooManyReadings("the body holds more fields than a request may hold")
            fields.append((name, value[0]))
            pos = self._seen = value.end()
            after = text[pos : pos + 1]
            if after != ",":
                break
            pos += 1
        if after not in {" ", "\n", ""}:
            raise Malformed(f"the string of the field {show(name)} ends before its value does")
        end = text.find("\n", pos)
        self._seen = end if end >= 0 else len(text)
        timestamp = text[pos : self._seen].strip(" \t\0")
        return Line(text[self._start : head_end], fields, timestamp)


def _end(pattern: re.Pattern[str], text: str, pos: int) -> int:
    """Where the match at `pos` ends; these patterns match everywhere, if only nothing."""
    found = pattern.match(text, pos)
    return found.end() if found is not None else pos


def unescape(name: str) -> str:
    """A tag or a field's name without its escapes."""
    return _ESCAPED.sub(r"\1", name) if "\\" in name else name


def split_head(head: str, most_tags: int) -> tuple[str, dict[str, str]]:
    """The measurement and the tags of a line. Raises `Malformed` or `InvalidReading`."""
    parts = _parts(head)
    measurement = next(parts)
    if not measurement:
        raise Malformed("the measurement is missing")
    tags: dict[str, str] = {}
    for part in parts:
        name, value = _tag(part)
        if name in tags:
            raise InvalidReading(
                "duplicate_name",
                f"the line has the tag {show(name)} more than once; a name may stand once",
            )
        if len(tags) == most_tags:
            raise InvalidReading(
                "too_many_tags", f"the line has more than {most_tags} tags; it may have {most_tags}"
            )
        tags[name] = value
    return _ESCAPED_IN_MEASUREMENT.sub(r"\1", measurement), tags


def _parts(head: str) -> Iterator[str]:
    """What stands between the commas of `head` that are not escaped, one at a time."""
    pos = -1
    while pos < len(head):
        start = pos + 1
        pos = _end(_PART, head, start)
        yield head[start:pos]


def _tag(part: str) -> tuple[str, str]:
    end = _end(_TAG_NAME, part, 0)
    name, value = part[:end], part[end + 1 :]
    if not name:
        raise Malformed("a tag has no name")
    if not value:
        raise Malformed(f"the tag {show(name)} has no value")
    if _end(_TAG_NAME, value, 0) != len(value):
        raise Malformed(f"the value of the tag {show(name)} has an equals sign without a backslash")
    return unescape(name), unescape(value)


def read_value(field: str, text: str) -> float:
    """A field's value as a double: the nearest one of an integer, 1.0 and 0.0 of a boolean.

    Raises `InvalidReading`: a string is an `unsupported_type`, NaN and the infinities and what is
    past the range of a double are `not_finite`, anything else is an `invalid_value`.
    """
    if text in _TRUE:
        return 1.0
    if text in _FALSE:
        return 0.0
    if text.startswith('"'):
        raise InvalidReading(
            "unsupported_type",
            f"the field {show(field)} is a string; it must be a number or a boolean",
        )
    if len(text) > MAX_NUMBER:
        raise InvalidReading(
            "invalid_value",
            f"the field {show(field)} has a value of {len(text)} characters; a number may have "
            f"{MAX_NUMBER}",
        )
    if _FLOAT.fullmatch(text):
        number = float(text)
        if isfinite(number):
            return number
    elif integer := _INTEGER.fullmatch(text):
        return float(_integer(field, integer))
    elif not _NOT_FINITE.fullmatch(text):
        raise InvalidReading(
            "invalid_value",
            f"the field {show(field)} has the value {show(text)}; it must be a number (1.5, 2i, "
            "3u) or a boolean",
        )
    raise InvalidReading(
        "not_finite",
        f"the field {show(field)} is NaN, infinite or past the range of a double; it must be a "
        "finite number",
    )


def _integer(field: str, found: re.Match[str]) -> int:
    signed, unsigned = found.groups()
    number = int(signed or unsigned)
    if number not in (_INT64 if signed else _UINT64):
        raise InvalidReading(
            "invalid_value",
            f"the field {show(field)} is an integer past the range of 64 bits",
        )
    return number


def read_timestamp(text: str) -> int:
    """A timestamp as the integer that it is. Raises `InvalidReading`."""
    if _TIMESTAMP.fullmatch(text):
        number = int(text)
        if number in _INT64:
            return number
    raise InvalidReading(
        "invalid_ts", "the timestamp is no integer of 64 bits, such as 1767225600000000000"
    )
