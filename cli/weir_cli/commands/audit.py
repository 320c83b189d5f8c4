"""`weir audit`: is everything that was accepted in the table, in the lake and in the scores?"""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from weir_cli.options import StackName

if TYPE_CHECKING:
    from weir_cli.audit_io import Audit


def audit(
    device: Annotated[
        list[str] | None, typer.Argument(metavar="[DEVICE]...", help="Only these devices.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="All that was found, as JSON.")] = False,
    stack_name: StackName = None,
) -> None:
    """Compare table, lake and scores value by value; exit code 1 if they disagree.

    Reads the whole lake, and scans the tables for devices unless some are named. On the
    local stack, all that is under way is delivered and scored first.
    """
    from weir_cli.audit_io import audit as run_audit
    from weir_cli.audit_io import settle
    from weir_cli.console import put_json, say
    from weir_cli.errors import Problem
    from weir_cli.target import resolve

    target = resolve(stack_name)
    if target.control_url is not None:
        settle(target.control_url, say)
    found = run_audit(target, device or [], say)
    strangers = [
        d.device_id
        for d in found.devices
        if device and not (d.table_rows or d.lake_rows or found.unreadable_chunks)
    ]
    if strangers:
        raise Problem(f"nothing is known of {', '.join(strangers)}: see `weir audit` for all")
    if as_json:
        document = asdict(found) | {"agrees": found.agrees}
        for entry, checked in zip(document["devices"], found.devices, strict=True):
            entry["agrees"] = checked.agrees
        put_json(document, indent=2)
    else:
        _show(found)
    if not found.agrees:
        raise typer.Exit(1)


def _show(found: "Audit") -> None:
    from rich.table import Table

    from weir_cli.console import put, table_console

    table = Table("device", box=None, header_style="bold")
    names = ("table rows", "values", "lake rows", "ids", "values", "scored", "alerts")
    for name in names:
        table.add_column(name, justify="right")
    table.add_column("verdict")
    for d in found.devices:
        counts = (d.table_rows, d.table_values, d.lake_rows, d.lake_ids, d.lake_values,
                  d.scored, d.alerts)  # fmt: skip
        verdict = "[green]agrees[/]" if d.agrees else "[red]" + "; ".join(d.faults) + "[/]"
        table.add_row(d.device_id, *(f"{count:,}" for count in counts), verdict)
    if found.devices:
        table_console().print(table)
    wrong = [d for d in found.devices if not d.agrees]
    values = sum(d.table_values for d in found.devices)
    put(
        f"{len(found.devices):,} devices, {values:,} values: "
        + (f"{len(wrong):,} devices disagree" if wrong else "table, lake and scores agree")
    )
    put(
        f"{found.lake_objects:,} lake objects, {found.error_objects:,} under errors/, "
        f"{found.failure_objects:,} in the failure bucket"
        + (f", {found.unreadable_chunks:,} unreadable chunks" if found.unreadable_chunks else "")
    )
