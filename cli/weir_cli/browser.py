"""Where the console is, and whether a browser may be opened for it."""

import os
import sys
from collections.abc import Mapping
from typing import Final

_SCREENS: Final = ("DISPLAY", "WAYLAND_DISPLAY")


def console_url(api_url: str, token: str | None) -> str:
    """The console's page. The token of a local stack goes in the fragment, which nothing sends."""
    page = f"{api_url.rstrip('/')}/"
    return page if token is None else f"{page}#token={token}"


def may_open(
    environment: Mapping[str, str] = os.environ, platform: str = sys.platform, *, is_terminal: bool
) -> bool:
    """Whether somebody sits at a screen, and looks: never where `CI` is set."""
    has_screen = platform == "darwin" or any(environment.get(name) for name in _SCREENS)
    return is_terminal and has_screen and not environment.get("CI")


def show_console(url: str, *, wanted: bool) -> None:
    """Open `url` in the browser, if that is `wanted` and may be; what it says is not for us."""
    if not (wanted and may_open(is_terminal=sys.stdout.isatty())):
        return
    import webbrowser

    webbrowser.open(url)
