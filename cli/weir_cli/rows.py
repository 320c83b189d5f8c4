"""What a source gives: rows that are readings, and rows that cannot be read."""

from dataclasses import dataclass

from weir.readings import Reading


@dataclass(frozen=True, slots=True)
class Row:
    """A reading, and the line of the file it came from."""

    line: int
    reading: Reading


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line of the file that holds no reading, and why."""

    line: int
    reason: str


type Item = Row | Unreadable
