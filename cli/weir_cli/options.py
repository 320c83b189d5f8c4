"""Options that several commands have, and the texts that become values."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Final

import typer

from weir_cli.front_door import FrontDoor

if TYPE_CHECKING:
    from weir_cli.api_client import Api

StackName = Annotated[
    str | None,
    typer.Option(
        "--stack-name",
        metavar="NAME",
        help="A CloudFormation stack in AWS, with your own credentials, instead of the local one.",
    ),
]
Connections = Annotated[
    int, typer.Option(min=1, max=64, help="Requests under way at once; a device keeps to one.")
]
BatchSize = Annotated[int, typer.Option("--batch", min=1, max=10_000, help="Readings a request.")]
ApiUrl = Annotated[
    str | None,
    typer.Option("--api-url", metavar="URL", help="Where the API is; else the stack's own."),
]

Key = Annotated[
    str | None,
    typer.Option(
        "--key",
        metavar="KEY",
        envvar="WEIR_DEVICE_KEY",
        show_envvar=True,
        help="A device key; a command line can be read by others, the variable can not. "
        "The local stack has one of its own.",
    ),
]

Token = Annotated[
    str | None,
    typer.Option(
        metavar="JWT",
        help="A token of the stack's OIDC issuer, or WEIR_OPERATOR_TOKEN; the local stack has one "
        "of its own. Without any, the API's function is asked, with your AWS credentials.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="The API's documents, one a line.")]

DEFAULT_BATCH: Final = 100
DEFAULT_CONNECTIONS: Final = 4


def read_option[T](name: str, text: str, read: Callable[[str], T]) -> T:
    """Read an option's text; what cannot be read is a usage error that names the option."""
    try:
        return read(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=f"'{name}'") from error


def api_for(stack_name: str | None, token: str | None) -> "Api":
    """The API of the stack that is named, or of the local one; raises `Problem` without any."""
    from weir_cli.api_client import api_of
    from weir_cli.target import resolve

    return api_of(resolve(stack_name), token)


def front_door_of(api_url: str | None, stack_name: str | None, key: str | None) -> FrontDoor:
    """Where to send and with which key: what is named, or what the stack has."""
    if api_url is not None and not api_url.startswith(("http://", "https://")):
        raise typer.BadParameter(
            f"{api_url!r} does not begin with http:// or https://", param_hint="'--api-url'"
        )
    if api_url is not None and key is not None:
        return FrontDoor(api_url, key)
    if api_url is not None:
        raise typer.BadParameter(
            "an API that is named by --api-url needs a device key: set WEIR_DEVICE_KEY",
            param_hint="'--key'",
        )
    from weir_cli.target import resolve

    target = resolve(stack_name)
    key = key or target.device_key
    if key is None:
        raise typer.BadParameter(
            f"the stack {target.name!r} takes readings only with a device key: set "
            "WEIR_DEVICE_KEY to one that `weir devices add` made",
            param_hint="'--key'",
        )
    return FrontDoor(target.api_url, key)
