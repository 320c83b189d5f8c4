"""`weir devices`: who reports, who is silent, who alarms; and the keys with which they come in."""

from enum import StrEnum
from typing import Annotated

import typer

from weir_cli.commands import device_keys
from weir_cli.errors import Problem
from weir_cli.options import AsJson, StackName, Token, api_for

devices = typer.Typer(
    invoke_without_command=True,
    help="Devices: who reports, who is silent; and their keys, who may send readings of which.",
)


class State(StrEnum):
    """How a device is."""

    REPORTING = "reporting"
    SILENT = "silent"
    ALERTING = "alerting"


@devices.callback()
def overview(
    context: typer.Context,
    state: Annotated[State | None, typer.Option(help="Only those that are so.")] = None,
    prefix: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Only those whose ids begin so.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 1000,
    as_json: AsJson = False,
    token: Token = None,
    stack_name: StackName = None,
) -> None:
    """List the devices, by name. The commands are about one device, and about keys.

    Times under ~ are as fresh as a device's last checkpoint, 64 readings or an hour ago at the
    most; `weir devices show DEVICE` has those of now.
    """
    if context.invoked_subcommand is not None:
        if state or prefix or as_json or token or stack_name:
            raise typer.BadParameter(
                f"options stand behind the command: weir devices {context.invoked_subcommand} …"
            )
        return
    from weir_cli import device_view
    from weir_cli.console import put_json, say, table_console

    query = [("state", state.value)] if state else []
    query += [("prefix", prefix)] if prefix else []
    with api_for(stack_name, token) as api:
        found = list(api.devices(query, limit))
    if as_json:
        for device in found:
            put_json(device)
        return
    if found:
        table_console().print(device_view.table(found))
    else:
        say("no such devices" if query else "no devices; `weir send` or `weir simulate` send some")
    if len(found) == limit:
        say(f"the first {limit:,}; there may be more (--limit, --prefix)")


@devices.command()
def show(
    device: Annotated[str, typer.Argument(metavar="DEVICE", help="A device's id.")],
    as_json: Annotated[bool, typer.Option("--json", help="The API's documents, as one.")] = False,
    token: Token = None,
    stack_name: StackName = None,
) -> None:
    """Devices: show one, its metrics with their latest values, and its controls."""
    from weir_cli import device_view
    from weir_cli.console import put, put_json, table_console

    with api_for(stack_name, token) as api:
        found = api.device(device)
        latest, _ = api.latest(device)
        controls = api.controls(device)
    if latest is None:  # nothing was known before, so that nothing can be unchanged
        raise Problem("The API answered that nothing has changed, which nobody had asked.")
    if as_json:
        put_json({"device": found, "latest": latest, "controls": controls}, indent=2)
        return
    for text in device_view.detail(found):
        put(text)
    table_console().print(device_view.metrics(found, latest))
    for text in device_view.controls(controls):
        put(text)


for name, command in (
    ("add", device_keys.add),
    ("list", device_keys.show),
    ("rotate", device_keys.rotate),
    ("revoke", device_keys.revoke),
):
    devices.command(name)(command)
