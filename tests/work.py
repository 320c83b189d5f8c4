"""Work counted, not timed: the same on every machine, however busy."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

_PASSES = frozenset(
    {
        "count", "decode", "decode_lines", "encode", "encode_lines", "findall", "finditer",
        "fullmatch", "isascii", "isdecimal", "isprintable", "isdisjoint", "join", "loads", "lstrip",
        "partition", "replace", "reverse", "rstrip", "sort", "split", "splitlines", "strip", "sub",
        "union",
    }
)  # fmt: skip
"""Methods that may look at all of what they are called on."""
_BYTES_A_STEP = 64
"""What such a method does in C in the time of a call, or less."""


def work(action: Callable[[], Any]) -> int:
    """The calls that `action` makes, of Python and of C, one made on a long text counting as more.

    What C does within one call on other values is not seen, nor is slicing.
    """
    steps = 0

    def count(frame: FrameType, event: str, called: Any) -> None:
        nonlocal steps
        if event == "call":
            steps += 1
        elif event == "c_call":
            steps += 1
            if called.__name__ in _PASSES:
                whole = called.__self__
                if isinstance(whole, bytes | str | list | dict | set):
                    steps += len(whole) // _BYTES_A_STEP

    sys.setprofile(count)
    try:
        action()
    finally:
        sys.setprofile(None)
    return steps
