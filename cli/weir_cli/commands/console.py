"""`weir console`: the page that shows devices, charts and alerts."""

from typing import Annotated

import typer

from weir_cli.options import StackName

NoBrowser = Annotated[
    bool, typer.Option("--no-browser", help="Say where the console is, and open no browser.")
]


def console(no_browser: NoBrowser = False, stack_name: StackName = None) -> None:
    """Print the console's URL, and open it in the browser where there is a screen.

    That of the local stack holds a token; a stack in AWS asks for a sign-in.
    """
    from weir_cli.browser import console_url, show_console
    from weir_cli.console import put
    from weir_cli.target import resolve

    target = resolve(stack_name)
    url = console_url(target.api_url, target.operator_token)
    put(url)
    show_console(url, wanted=not no_browser)
