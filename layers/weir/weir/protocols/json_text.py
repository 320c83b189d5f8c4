"""JSON read carefully: every name that stands twice is known, and every failure says why.

The standard library's parser is slower than msgspec's, but it can say where a body breaks, and it
lets the numbers through that JSON lacks (NaN, infinities), so that they are refused by name.
"""

import json
from typing import Any, Final

from weir.protocols.interface import MAX_READINGS, TooManyReadings, UnreadableBody

MAX_OBJECTS: Final = 10 * MAX_READINGS
"""Objects in the JSON of one request. A reading is three; without a bound, a body of empty ones
would make millions before the first could be refused."""

_LONGEST_INT: Final = 400


class JsonObject(dict[str, Any]):
    """A JSON object that remembers which names stood in it twice; the last value is kept."""

    duplicates: tuple[str, ...] = ()


class JsonReader:
    """Reads the JSON texts of one request, which may hold `MAX_OBJECTS` objects together."""

    def __init__(self) -> None:
        self._room = MAX_OBJECTS

    def loads(self, body: bytes) -> Any:
        """Parse JSON; objects come as `JsonObject`.

        Raises `UnreadableBody` with the reason, or `TooManyReadings` past `MAX_OBJECTS`.
        """
        try:
            text = body.decode("utf-8-sig")
            return json.loads(text, object_pairs_hook=self._object, parse_int=_int)
        except UnicodeDecodeError as error:
            raise UnreadableBody(f"the body is not UTF-8: byte {error.start}") from error
        except json.JSONDecodeError as error:
            raise UnreadableBody(
                f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
            ) from error
        except RecursionError as error:
            raise UnreadableBody("the body is nested too deeply") from error

    def _object(self, pairs: list[tuple[str, Any]]) -> JsonObject:
        self._room -= 1
        if self._room < 0:
            raise TooManyReadings(
                f"the body holds more objects than the {MAX_OBJECTS} that a request may hold"
            )
        result = JsonObject(pairs)
        if len(result) != len(pairs):
            seen: set[str] = set()
            twice: set[str] = set()
            for name, _ in pairs:
                (twice if name in seen else seen).add(name)
            result.duplicates = tuple(sorted(twice))
        return result


def loads(body: bytes) -> Any:
    """Parse JSON that is a request's whole body: see `JsonReader.loads`."""
    return JsonReader().loads(body)


def _int(digits: str) -> int | float:
    """The integer, or infinity for one that no field could hold: long ones are slow to convert."""
    return int(digits) if len(digits) <= _LONGEST_INT else float("inf")
