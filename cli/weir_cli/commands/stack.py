"""`weir up`, `weir down`, `weir status`: the local stack."""

from dataclasses import asdict
from typing import Annotated

import typer

from weir_cli.browser import console_url
from weir_cli.console import put, put_json, say


def up(
    auth: Annotated[
        bool, typer.Option("--auth", help="Enforce the functions' IAM policies.")
    ] = False,
    breakable: Annotated[
        bool,
        typer.Option("--breakable", help="Let DynamoDB, SQS and S3 fail to order too; slower."),
    ] = False,
    time_scale: Annotated[
        float,
        typer.Option(min=0.0, help="What Firehose's buffer intervals are multiplied by."),
    ] = 0.05,
    parameter: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="A parameter of the template; may be repeated."),
    ] = None,
) -> None:
    """Build the application and start it on this machine, or say where it already runs."""
    parameters = dict(_pair(text) for text in parameter or ())

    from weir_local.stack import StackOptions
    from weir_local.stack import up as start

    options = StackOptions(
        parameters=parameters, auth=auth, time_scale=time_scale, breakable=breakable
    )
    status = start(options, say)
    say(f"console: {console_url(status.api_url, status.operator_token)}")
    put(status.api_url)


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise typer.BadParameter(f"{text!r} is not KEY=VALUE", param_hint="'--parameter'")
    return key, value


def down() -> None:
    """Stop the local stack and forget its data."""
    from weir_local.stack import down as stop

    stop(None, say)


def status(
    as_json: Annotated[
        bool, typer.Option("--json", help="Everything that is known, but the secrets, as JSON.")
    ] = False,
    get: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="One of these alone, such as api_url, console_url, device_key, operator_token.",
        ),
    ] = None,
) -> None:
    """Say where the local stack runs; exit code 1 if it does not."""
    from weir_local.status import SECRETS, load_status

    found = load_status()
    known = asdict(found) | {"console_url": found.console_url} if found else {}
    shown = {name: value for name, value in known.items() if name not in SECRETS}
    if as_json:
        put_json({"running": found is not None} | shown, indent=2)
    elif found is None:
        say("no local stack runs; `weir up` starts one")
    elif get is not None:
        if get not in known:
            raise typer.BadParameter(f"it is none of {', '.join(known)}", param_hint="'--get'")
        put(str(known[get]))
    else:
        for name in (
            "api_url", "endpoint_url", "readings_table", "states_table", "alerts_table",
            "controls_table", "devices_table", "notices_table", "lake_bucket", "failure_bucket",
            "firehose", "spill_queue_url", "alert_topic", "alert_bus", "logs",
        ):  # fmt: skip
            put(f"{name.replace('_', ' '):<16}{known[name]}")
        put("console         weir console")
        put("keys            weir status --get device_key, --get operator_token")
    if found is None:
        raise typer.Exit(1)
