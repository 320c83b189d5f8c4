"""Take the pictures of the console for docs/images: a stand-in of the API, a fixed clock.

Run from the repository: `make screenshots`.
"""

import sys
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page
from tests.browser.chromium import NoBrowser, chromium
from tests.browser.fake_api import TOKEN, FakeApi
from tests.browser.world import busy

IMAGES = Path(__file__).parents[1] / "docs" / "images"
MOST_BYTES = 150_000
NOW = datetime(2026, 3, 12, 9, 41, 7, tzinfo=UTC)

SIZES = {"": (1280, 800), "-phone": (390, 844)}
PAGES = {
    "fleet": ("#/", ".bars"),
    "device": ("#/devices/pump-3?range=1h", "figcaption:has-text('Highest score')"),
    "alerts": ("#/alerts?state=all", "tbody tr"),
    "alert": ("", "figcaption:has-text('Highest score')"),
}
PICTURES = [
    ("fleet", "", "light"),
    ("fleet", "", "dark"),
    ("fleet", "-phone", "light"),
    ("device", "", "light"),
    ("device", "", "dark"),
    ("device", "-phone", "dark"),
    ("alerts", "", "light"),
    ("alerts", "-phone", "dark"),
    ("alert", "", "light"),
    ("alert", "-phone", "light"),
]


def main() -> int:
    """Write every picture; 1 if there is no browser, or one of them is too large."""
    now = int(NOW.timestamp() * 1000)
    world = busy(now)
    flow = next(key for key, alert in world.alerts.items() if alert.peak == 0.97)
    too_large = 0
    try:
        with FakeApi(world, clock=lambda: now) as api, chromium() as browser:
            for name, size, theme in PICTURES:
                address, wait_for = PAGES[name]
                with_theme = "-dark" if theme == "dark" else ""
                file = IMAGES / f"console-{name}{size}{with_theme}.png"
                page = opened(browser, api, size, theme)
                page.goto(api.url + (address or f"#/alerts/{flow}"))
                page.locator(wait_for).first.wait_for()
                page.wait_for_load_state("networkidle")
                page.wait_for_timeout(600)
                written = write(page.screenshot(), file)
                too_large += written > MOST_BYTES
                print(f"{file.relative_to(IMAGES.parents[1])}  {written:,} bytes")
                page.context.close()
    except NoBrowser as why:
        sys.stderr.write(f"{why}\n")
        return 1
    return 1 if too_large else 0


def opened(browser: Browser, api: FakeApi, size: str, theme: str) -> Page:
    """A page that is signed in, whose clock stands still."""
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        device_scale_factor=1 if not size else 2,
        color_scheme="dark" if theme == "dark" else "light",
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="Europe/London",
    )
    page = context.new_page()
    page.clock.set_fixed_time(NOW)
    page.goto(f"{api.url}#token={TOKEN}")
    page.locator(".tile").first.wait_for()
    return page


def write(png: bytes, file: Path) -> int:
    """Write a picture with a palette, which is enough for a page; return its bytes."""
    picture = Image.open(BytesIO(png)).convert("RGB")
    picture = picture.quantize(colors=128, dither=Image.Dither.NONE)
    picture.save(file, optimize=True)
    return file.stat().st_size


if __name__ == "__main__":
    sys.exit(main())
