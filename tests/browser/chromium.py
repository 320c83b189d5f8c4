"""The browser that the tests drive: Debian's chromium, or one that playwright installed."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Error, sync_playwright

REPOSITORY = Path(__file__).parents[2]
BROWSERS = REPOSITORY / ".tools" / "browsers"
NAMES = ("chromium", "chromium-browser", "google-chrome")


class NoBrowser(Exception):
    """There is no browser, or it does not start; the message says why."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium. Raises `NoBrowser`."""
    os.environ.setdefault("PLAYWRIGHT_BROWSERS_PATH", str(BROWSERS))
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None and not BROWSERS.exists():
        raise NoBrowser("there is no chromium on PATH, and `make setup` could not install one")
    # Chromium's sandbox wants another user than root.
    sandbox = ["--no-sandbox"] if os.getuid() == 0 else []
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(
                executable_path=found, args=[*sandbox, "--disable-gpu", "--disable-dev-shm-usage"]
            )
        except Error as error:
            raise NoBrowser(f"chromium does not start: {error.message.splitlines()[0]}") from error
        try:
            yield browser
        finally:
            browser.close()
