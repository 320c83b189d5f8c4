"""What a soak came to: a table for people, JSON for programs, and where it went wrong."""

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.soak.ledger import MOST_NAMED
from tests.soak.schedule import FEWEST_KINDS
from tests.soak.soak import Result


def document(result: Result) -> dict[str, Any]:
    """The report as JSON has it."""
    tally, ledger, alerts = result.tally, result.ledger, result.alerts
    return {
        "acknowledged": tally.acknowledged,
        "acknowledged_values": ledger.values,
        "lost": result.lost,
        "doubled": result.doubled,
        "false_alerts": len(alerts.false),
        "missing_alerts": len(alerts.missing),
        "fault_kinds": len(result.struck),
        "late": result.late,
        "strange_values": ledger.strange,
        "alerts_expected": alerts.expected,
        "alerts_misstated": len(alerts.misstated),
        "alerts_provisional": len(alerts.provisional),
        "alerts_ended_late": alerts.ended_late,
        "lost_from_table_or_lake": len(ledger.missing),
        "not_scored": ledger.not_scored,
        "doubled_by_kind": dict(ledger.doubled) | {"alerts": alerts.doubled},
        "copies_in_table": ledger.table_copies,
        "copies_in_lake": ledger.lake_copies,
        "requests": tally.requests,
        "retries": tally.retries.total(),
        "retries_by_status": dict(tally.retries.most_common()),
        "sent_twice": tally.sent_twice,
        "sent_regrouped": tally.regrouped,
        "bad_entries": tally.bad_entries,
        "spilled": result.metrics.get("ingest.Spilled", 0),
        "respilled": result.metrics.get("respill.Respilled", 0),
        "rewinds": result.metrics.get("score.Rewinds", 0),
        "late_told": result.metrics.get("score.Late", 0),
        "stranded": dict(result.stranded),
        "replayed": result.replayed,
        "phases": result.phases,
        "faults": sum(result.struck.values()),
        "faults_by_kind": dict(sorted(result.struck.items())),
        "devices": result.plan.devices,
        "seed": result.plan.seed,
        "seconds": round(result.seconds, 1),
    }


def problems(result: Result, *, fewest_kinds: int = FEWEST_KINDS) -> list[str]:
    """Why the soak has failed, in a sentence each; empty if it has not."""
    alerts = result.alerts
    counted = {
        "acknowledged values are lost": result.lost,
        "values, readings or alerts are there twice": result.doubled,
        "alerts are false": len(alerts.false),
        "alerts are missing": len(alerts.missing),
        "alerts stand open and ended, or the other way round": len(alerts.misstated),
        "values are there that nobody sent": result.ledger.strange,
    }
    found = [f"{count:,} {what}" for what, count in counted.items() if count]
    if len(result.struck) < fewest_kinds:
        found.append(f"only {len(result.struck)} kinds of faults struck, not {fewest_kinds}")
    return found


def show(result: Result, console: Console) -> None:
    """Print the report."""
    told = document(result)
    table = Table(title="The soak", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in told.items():
        if not isinstance(value, dict):
            table.add_row(name.replace("_", " "), f"{value:,}")
    console.print(table)
    for name in ("retries_by_status", "stranded", "faults_by_kind"):
        shown = ", ".join(f"{key} {count:,}" for key, count in told[name].items())
        console.print(f"{name.replace('_', ' ')}: {shown or 'none'}", highlight=False)
    for line in details(result):
        console.print(line, highlight=False, markup=False)


def details(result: Result) -> Iterator[str]:
    """Where it went wrong, some of it by name."""
    ledger, alerts = result.ledger, result.alerts
    for one in ledger.missing[:MOST_NAMED]:
        yield (
            f"lost: {one.device_id} {one.metric} at {one.ts}: in the table "
            f"{_yes(one.in_table)}, in the lake {_yes(one.in_lake)}"
        )
    for one in ledger.unscored[:MOST_NAMED]:
        yield f"not scored: {one.unscored} of {one.device_id} {one.metric}, scored until {one.ts}"
    for key in alerts.missing[:MOST_NAMED]:
        yield f"missing alert: {key}"
    for alert in alerts.false[:MOST_NAMED]:
        yield f"false alert: {alert}"
    for alert in alerts.provisional[:MOST_NAMED]:
        yield f"provisional alert: {alert}"
    for key in alerts.misstated[:MOST_NAMED]:
        yield f"misstated alert: {key}"


def _yes(there: bool) -> str:
    return "yes" if there else "no"
