"""Where words go: results on stdout, what happens meanwhile on stderr."""

import shutil
import sys
from pathlib import Path
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


def own_command() -> str:
    """How this program is typed: its name, or its path where the shell would not find it."""
    if shutil.which("weir"):
        return "weir"
    path = Path(sys.executable).with_name("weir")
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def put_json(document: Any, *, indent: int | None = None) -> None:
    """A JSON document on stdout."""
    import json

    put(json.dumps(document, indent=indent, ensure_ascii=False))
