"""From a reading over HTTP to a person who acknowledges its alert on the page."""

import re
from collections.abc import Iterator

import pytest
from benchmarks.alerts.pumps import OUT, reading
from playwright.sync_api import Browser, expect

from tests.browser.chromium import NoBrowser, chromium
from tests.browser.watched import Watched
from tests.e2e.alerting import alerts, known, post
from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e


@pytest.fixture
def browser() -> Iterator[Browser]:
    try:
        with chromium() as started:
            yield started
    except NoBrowser as why:
        pytest.skip(str(why))


def test_an_anomaly_is_seen_on_the_page_and_acknowledged_there(
    stack: Stack, browser: Browser
) -> None:
    device = "pump-on-the-page"
    onset = known(stack, device)
    watched = Watched(browser.new_page())
    page = watched.page
    page.goto(f"{stack.status.console_url}#token={stack.status.operator_token}")
    expect(page.get_by_role("heading", name="Fleet", level=1)).to_be_visible(timeout=20_000)
    listed = page.get_by_role("table", name="Devices").get_by_role("link", name=device)
    listed.click(timeout=20_000)
    panel = page.get_by_role("region", name="flow", exact=True)
    expect(panel.locator("figcaption")).to_contain_text("150 readings", timeout=20_000)
    expect(panel.locator("canvas")).to_have_count(2)

    post(stack, [reading(device, onset, OUT)])
    expect(panel.locator(".latest strong")).to_have_text("60", timeout=20_000)
    acknowledge = page.get_by_role("button", name=f"Acknowledge {device}, flow")
    acknowledge.click(timeout=20_000)
    expect(page.get_by_text(f"Acknowledged: {device}, flow")).to_be_visible(timeout=20_000)

    [seen] = alerts(stack, device_id=device)
    assert (seen["acknowledged"], seen["acknowledged_by"]) == (True, "developer")
    page.get_by_role("table", name=re.compile("alert")).get_by_role("link", name="flow").click()
    history = page.get_by_role("region", name="History").get_by_role("listitem")
    expect(history.first).to_contain_text("Acknowledged", timeout=20_000)
    assert not watched.trouble
