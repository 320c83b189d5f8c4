"""The tables that a run prints."""

from collections.abc import Mapping

from rich.table import Table

from benchmarks.detector.cost import Costs
from benchmarks.detector.cross_validation import SEED, CrossValidated
from benchmarks.detector.nab import PROFILES, STANDARD, Field, Floats, Profile, Verdict, total


def detectors(verdicts: Mapping[str, Mapping[Profile, Verdict]], cost: Costs, title: str) -> Table:
    """A line for each detector: its scores and what a point costs it."""
    table = _table(title, "detector", *(profile.name for profile in PROFILES), "threshold", "µs")
    for name, by_profile in verdicts.items():
        table.add_row(
            name,
            *(f"{by_profile[profile].normalised:.1f}" for profile in PROFILES),
            f"{by_profile[STANDARD].threshold:.6g}",
            f"{cost.us(name):.1f}",
        )
    return table


def categories(
    fields: Mapping[str, Field], scores: Mapping[str, Floats], verdict: Verdict
) -> Table:
    """A line for each folder of files, all at the one threshold.

    A folder without windows has nothing to be normalised by; its cost is in the raw score.
    """
    table = _table(
        f"Weir by category, profile standard, threshold {verdict.threshold:.6g}",
        "category", "files", "windows", "detected", "raw", "normalised",
    )  # fmt: skip
    for category in sorted({name.rpartition("/")[0] for name in fields}):
        inside = {n: field for n, field in fields.items() if n.rpartition("/")[0] == category}
        found = total(inside, scores, verdict.threshold)
        table.add_row(
            category,
            str(len(inside)),
            str(found.windows),
            str(found.detected),
            f"{found.raw(STANDARD):.2f}",
            f"{found.normalised(STANDARD):.1f}" if found.windows else "",
        )
    return table


def validation(validated: CrossValidated, fitted: float) -> Table:
    """A line for each fold: what was chosen on the others, and how it did on this one."""
    table = _table(
        f"Weir, cross-validated by file (seed {SEED}): {validated.normalised:.1f}; "
        f"chosen on all files: {fitted:.1f}",
        "fold", "files", "windows", "detected", "raw", "threshold", "parameters",
    )  # fmt: skip
    for number, choice in enumerate(validated.choices, 1):
        chosen = ", ".join(f"{name}={value:g}" for name, value in choice.parameters.items())
        table.add_row(
            str(number),
            str(len(choice.held_out)),
            str(choice.tally.windows),
            str(choice.tally.detected),
            f"{choice.tally.raw(STANDARD):.2f}",
            f"{choice.threshold:.6g}",
            chosen or "as they are",
        )
    return table


def _table(title: str, first: str, *rest: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(first)
    for heading in rest:
        table.add_column(heading, justify="right")
    return table
