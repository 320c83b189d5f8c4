"""What a replay found and did: entries, counts and reasons, for people and for programs."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

NOT_LOOKED_AT: Final = "not looked at"


class Place(StrEnum):
    """Where failures lie."""

    LAKE = "lake"
    STREAM = "stream"
    SPILL = "spill"


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that failed.

    Attributes
    ----------
    where
        The object's key, or the message's group.
    name
        Which of those that lie there: a line, a device and sort key, a message id.
    failed_at
        Epoch milliseconds; None if it is not known.
    why
        The error's code or condition: a few words, the same for the same cause.
    """

    where: str
    name: str
    failed_at: int | None
    why: str


@dataclass(frozen=True, slots=True)
class Left:
    """An entry that stays where it is: because of what, in few words, and the details."""

    entry: Entry
    because: str
    detail: str = ""


@dataclass(slots=True)
class PlaceReport:
    """What was found in a place, and what became of it.

    Attributes
    ----------
    unseen
        What lies there too, and could only be counted.
    problem
        Why the place could not be gone through to its end; empty if it was.
    """

    place: Place
    entries: list[Entry] = field(default_factory=list)
    replayed: int = 0
    stays: list[Left] = field(default_factory=list)
    unseen: int = 0
    problem: str = ""

    @property
    def found(self) -> int:
        """How many failed since the time that was asked for."""
        return len(self.entries) + self.unseen

    @property
    def left(self) -> int:
        """How many of those found are still there."""
        return self.found - self.replayed

    @property
    def why(self) -> dict[str, int]:
        """Why those found had failed, the most frequent reason first."""
        return _counted(entry.why for entry in self.entries)

    @property
    def because(self) -> dict[str, int]:
        """Why entries stay, the most frequent reason first; not for a dry run's good ones."""
        found = _counted(left.because for left in self.stays)
        return found | ({NOT_LOOKED_AT: self.unseen} if self.unseen else {})

    @property
    def is_through(self) -> bool:
        """Whether nothing is left, and the place was gone through to its end."""
        return not self.left and not self.problem

    def document(self, *, dry_run: bool) -> dict[str, Any]:
        """The report as JSON has it: of a dry run every entry, otherwise those that stay."""
        reasons = {id(left.entry): left for left in self.stays}
        shown = self.entries if dry_run else [left.entry for left in self.stays]
        return {
            "place": self.place.value,
            "found": self.found,
            "replayed": self.replayed,
            "left": self.left,
            "why": self.why,
            "left_because": self.because,
            "problem": self.problem or None,
            "entries": [_entry_document(entry, reasons.get(id(entry))) for entry in shown],
        }


@dataclass(frozen=True, slots=True)
class Report:
    """What a replay found and did, place by place."""

    places: list[PlaceReport]
    since: int = 0
    dry_run: bool = False

    @property
    def is_through(self) -> bool:
        """Whether nothing is left in any of the places."""
        return all(place.is_through for place in self.places)

    def document(self) -> dict[str, Any]:
        """The whole report as JSON."""
        return {
            "dry_run": self.dry_run,
            "since": _time(self.since) if self.since else None,
            "through": self.is_through,
            "places": [place.document(dry_run=self.dry_run) for place in self.places],
        }


def _counted(reasons: Iterable[str]) -> dict[str, int]:
    return dict(Counter(reasons).most_common())


def _entry_document(entry: Entry, left: Left | None) -> dict[str, Any]:
    return {
        "where": entry.where,
        "name": entry.name,
        "failed_at": None if entry.failed_at is None else _time(entry.failed_at),
        "why": entry.why,
        "because": left.because if left else None,
        "detail": (left.detail or None) if left else None,
    }


def _time(ts: int) -> str:
    from weir_cli.timeline import show_ts

    return show_ts(ts)
