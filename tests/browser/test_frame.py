"""What all pages share: being live or not, themes, access for everyone, narrow screens."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.fake_api import TOKEN, FakeApi
from tests.browser.watched import Watched, accessibility

PAGES = {
    "": "Fleet",
    "#/devices/pump-3": "pump-3",
    "#/alerts?state=all": "Alerts",
    "#/nowhere": "There is no such page",
}


def opened(page: Page, api: FakeApi, address: str) -> None:
    page.goto(f"{api.url}{address}")
    page.get_by_role("heading", name=PAGES[address], level=1).wait_for()
    page.wait_for_load_state("networkidle")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_grave(page: Page, api: FakeApi, theme: str) -> None:
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    for address in PAGES:
        page.goto(f"{api.url}{address or '#/'}")
        page.get_by_role("heading", name=PAGES[address], level=1).wait_for()
        if "devices" in address:
            page.get_by_text("Highest score").first.wait_for()
            page.get_by_text("As a table").first.click()
        assert accessibility(page) == [], address
    page.goto(f"{api.url}#/alerts")
    page.get_by_role("link", name="flow").first.click()
    page.get_by_role("heading", name="History").wait_for()
    assert accessibility(page) == []
    for deed in ("Snooze", "Feedback"):
        page.get_by_role("button", name=re.compile(f"^{deed}")).first.click()
        assert accessibility(page) == [], deed
        page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert accessibility(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="Sign in to Weir").wait_for()
    assert accessibility(page) == []


def test_the_theme_is_the_systems_until_one_is_chosen_and_kept(page: Page) -> None:
    ground = "() => getComputedStyle(document.body).backgroundColor"
    page.emulate_media(color_scheme="light")
    assert page.evaluate(ground) == "rgb(244, 246, 248)"
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(ground) == "rgb(16, 20, 26)"
    page.get_by_role("button", name="Theme: system").click()
    assert page.evaluate(ground) == "rgb(244, 246, 248)"
    page.reload()
    expect(page.get_by_role("button", name="Theme: light")).to_be_visible()
    assert page.evaluate(ground) == "rgb(244, 246, 248)"
    page.get_by_role("button", name="Theme: light").click()
    page.get_by_role("button", name="Theme: dark").click()
    expect(page.get_by_role("button", name="Theme: system")).to_be_visible()
    assert page.evaluate("() => localStorage.getItem('weir.theme')") == ""


def test_what_is_not_live_is_said_with_since_when_and_why(page: Page, api: FakeApi) -> None:
    live = page.locator("#live")
    assert live.is_hidden()
    api.fail("/v1/", 503)
    expect(live).to_contain_text(
        re.compile(r"Not live since \d\d:\d\d:\d\d: The tables are away\.")
    )
    api.mend()
    api.fail("/v1/", 0)
    page.get_by_role("button", name="Try now").click()
    expect(live).to_contain_text("the API cannot be reached")
    api.mend()
    page.get_by_role("button", name="Try now").click()
    expect(live).to_be_hidden()


def test_a_chart_that_is_not_live_does_not_say_so(page: Page, api: FakeApi) -> None:
    page.goto(f"{api.url}#/devices/pump-3")
    expect(page.get_by_text("The last 15 min, live.")).to_be_visible()
    api.fail("/v1/", 0)
    expect(page.get_by_text(re.compile(r"Not live: as it was at \d\d:\d\d:\d\d\."))).to_be_visible()
    assert not page.get_by_text("The last 15 min, live.").is_visible()
    dimmed = "() => getComputedStyle(document.querySelector('h1 .badge')).opacity"
    assert float(page.evaluate(dimmed)) < 1
    api.mend()
    page.get_by_role("button", name="Try now").click()
    expect(page.get_by_text("The last 15 min, live.")).to_be_visible()
    assert float(page.evaluate(dimmed)) == 1


def test_an_api_that_fails_is_asked_less_and_less(watched: Watched, api: FakeApi) -> None:
    page = watched.page
    page.clock.install()
    page.goto(f"{api.url}#token={TOKEN}")
    page.get_by_role("heading", name="Fleet", level=1).wait_for()
    expect(page.locator(".tile").first).to_be_visible()
    api.fail("/v1/overview", 503)

    def asked(seconds: int) -> int:
        before = len(api.requests("GET", "/v1/overview"))
        for _ in range(seconds):
            page.clock.run_for(1000)
            page.wait_for_timeout(10)
        return len(api.requests("GET", "/v1/overview")) - before

    first, then = asked(40), asked(120)
    assert 1 <= first <= 4
    assert then <= 4
    assert page.locator("#live").is_visible()


def test_nobody_is_asked_while_nobody_looks(page: Page, api: FakeApi) -> None:
    hide = """(hidden) => {
      Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    expect(page.locator(".tile").first).to_be_visible()
    page.evaluate(hide, True)
    page.wait_for_timeout(500)
    before = len(api.asked)
    page.wait_for_timeout(6000)
    assert len(api.asked) == before
    page.evaluate(hide, False)
    page.wait_for_timeout(500)
    assert len(api.asked) > before


def test_a_page_is_at_home_at_360_pixels(page: Page, api: FakeApi) -> None:
    wide = "() => document.documentElement.scrollWidth"
    page.set_viewport_size({"width": 360, "height": 740})
    for address in PAGES:
        page.goto(f"{api.url}{address or '#/'}")
        page.get_by_role("heading", name=PAGES[address], level=1).wait_for()
        page.wait_for_timeout(400)
        assert page.evaluate(wide) <= 360, address
    page.get_by_role("link", name="To the fleet").click()
    page.get_by_role("link", name="flow").first.click()
    page.get_by_text("Highest score").last.wait_for()
    assert page.evaluate(wide) <= 360, "an alert"


def test_the_keyboard_reaches_the_content_past_the_header(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    expect(page.get_by_role("heading", name="Fleet", level=1)).to_be_visible()


def test_files_are_kept_and_questions_that_change_nothing_are_short(
    page: Page, api: FakeApi
) -> None:
    page.goto(f"{api.url}#/devices/boiler-2")
    page.get_by_role("heading", name="boiler-2", level=1).wait_for()
    page.wait_for_timeout(3500)
    latest = [one for one in api.asked if one.path.endswith("/latest")]
    assert len(latest) >= 2
    assert latest[-1].headers.get("if-none-match")
    before = len(api.requests("GET", "/console/"))
    page.reload()
    page.get_by_role("heading", name="boiler-2", level=1).wait_for()
    again = [one.path for one in api.requests("GET", "/console/")[before:]]
    assert again == ["/console/config.json"]
