"""JSON read carefully: every name that stands twice is known, and every failure says why.

The standard library's parser is slower than msgspec's, but it can say where a body breaks, and it
lets the numbers through that JSON lacks (NaN, infinities), so that they are refused by name.
"""

import json
from typing import Any, Final

from weir.protocols.interface import UnreadableBody

_LONGEST_INT: Final = 400


class JsonObject(dict[str, Any]):
    """A JSON object that remembers which names stood in it twice; the last value is kept."""

    duplicates: tuple[str, ...] = ()


def loads(body: bytes) -> Any:
    """Parse JSON, raising `UnreadableBody` with the reason; objects come as `JsonObject`."""
    try:
        text = body.decode("utf-8-sig")
        return json.loads(text, object_pairs_hook=_object, parse_int=_int)
    except UnicodeDecodeError as error:
        raise UnreadableBody(f"the body is not UTF-8: byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise UnreadableBody(
            f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from error
    except RecursionError as error:
        raise UnreadableBody("the body is nested too deeply") from error


def _object(pairs: list[tuple[str, Any]]) -> JsonObject:
    result = JsonObject(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        twice: set[str] = set()
        for name, _ in pairs:
            (twice if name in seen else seen).add(name)
        result.duplicates = tuple(sorted(twice))
    return result


def _int(digits: str) -> int | float:
    """The integer, or infinity for one that no field could hold: long ones are slow to convert."""
    return int(digits) if len(digits) <= _LONGEST_INT else float("inf")
