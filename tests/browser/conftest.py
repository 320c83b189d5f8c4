"""A browser for the run; a stand-in of the API and a page for each test."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.chromium import NoBrowser, chromium
from tests.browser.fake_api import TOKEN, FakeApi
from tests.browser.watched import Watched
from tests.browser.world import World, busy

SIZES: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1280, "height": 800}},
    "phone": {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True},
}


# Not for the whole run: playwright keeps an event loop going, and other tests start their own.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    try:
        with chromium() as started:
            yield started
    except NoBrowser as why:
        pytest.skip(str(why))


@pytest.fixture
def now() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def world(now: int) -> World:
    return busy(now)


@pytest.fixture
def api(world: World) -> Iterator[FakeApi]:
    with FakeApi(world) as served:
        yield served
    assert not served.drifted


@pytest.fixture(params=SIZES)
def size(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def context(browser: Browser, size: str) -> Iterator[BrowserContext]:
    made = browser.new_context(**SIZES[size], locale="en-GB", timezone_id="Europe/Berlin")
    made.set_default_timeout(10_000)
    yield made
    made.close()


@pytest.fixture
def watched(context: BrowserContext) -> Iterator[Watched]:
    """A page whose errors, and what its policy forbade, fail the test."""
    made = Watched(context.new_page())
    yield made
    assert not made.trouble


@pytest.fixture
def page(api: FakeApi, watched: Watched) -> Page:
    """The console, signed in, at the fleet."""
    watched.page.goto(f"{api.url}#token={TOKEN}")
    watched.page.get_by_role("heading", name="Fleet", level=1).wait_for()
    return watched.page
