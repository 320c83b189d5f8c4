"""What a benchmark finds: figures, each beside the floor or the peer that gives it a meaning."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table.

    Parameters
    ----------
    what
        What was measured.
    weir, other
        The measured values as a reader sees them, with their units; `other` is the floor's or the
        peer's, measured in the same run.
    against
        What the floor or the peer does.
    ratio
        What is compared with the target; None for a line that has no target.
    target
        The target as a reader sees it.
    met
        Whether the target is met; None for a line that has no target.
    """

    what: str
    weir: str
    other: str = ""
    against: str = ""
    ratio: str = ""
    target: str = ""
    met: bool | None = None


@dataclass(frozen=True, slots=True)
class Findings:
    """What one benchmark found: lines for the table, numbers for the JSON file, remarks."""

    figures: Sequence[Figure]
    numbers: Mapping[str, float]
    remarks: Sequence[str] = field(default_factory=tuple)


def at_most(value: float, target: float) -> tuple[str, str, bool]:
    """The last three columns of a ratio that should be at most `target`."""
    return f"{value:.2f}", f"≤ {target:g}", value <= target


def at_least(value: float, target: float) -> tuple[str, str, bool]:
    """The last three columns of a ratio that should be at least `target`."""
    return f"{value:.1f}", f"≥ {target:g}", value >= target
