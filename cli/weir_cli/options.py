"""Options that several commands have, and the texts that become values."""

from collections.abc import Callable
from typing import Annotated, Final

import typer

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

DEFAULT_BATCH: Final = 100
DEFAULT_CONNECTIONS: Final = 4


def read_option[T](name: str, text: str, read: Callable[[str], T]) -> T:
    """Read an option's text; what cannot be read is a usage error that names the option."""
    try:
        return read(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=f"'{name}'") from error


def api_url_of(api_url: str | None, stack_name: str | None) -> str:
    """The API to send to: the one that is named, or that of the stack."""
    if api_url is not None:
        if not api_url.startswith(("http://", "https://")):
            raise typer.BadParameter(
                f"{api_url!r} does not begin with http:// or https://", param_hint="'--api-url'"
            )
        return api_url
    from weir_cli.target import resolve

    return resolve(stack_name).api_url
