"""Where words go: results on stdout, what happens meanwhile on stderr."""

import sys
from typing import Any

from rich.console import Console


def terminal() -> Console:
    """The console for progress and live views: stderr, so that stdout can be piped."""
    return Console(stderr=True, highlight=False)


def table_console() -> Console:
    """The console for tables on stdout; wide when piped, so that no cell is cut."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=200)


def say(message: str) -> None:
    """One line of what happens, on stderr."""
    sys.stderr.write(f"{message}\n")
    sys.stderr.flush()


def put(line: str) -> None:
    """One line of the result, on stdout."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def put_json(document: Any, *, indent: int | None = None) -> None:
    """A JSON document on stdout."""
    import json

    put(json.dumps(document, indent=indent, ensure_ascii=False))
