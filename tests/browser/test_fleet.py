"""The fleet's page."""

import re

from playwright.sync_api import Locator, Page, expect

from tests.browser import answers
from tests.browser.fake_api import TOKEN, FakeApi
from tests.browser.watched import Watched
from tests.browser.world import Device, World


def rows(page: Page, table: str) -> list[str]:
    """The first line of each row."""
    found = page.get_by_role("table", name=table).locator("tbody tr a.strong")
    return found.all_inner_texts()


def state(page: Page, words: str) -> Locator:
    chips = page.get_by_role("navigation", name="Devices by state")
    return chips.get_by_role("link", name=words)


def test_the_fleet_is_shown_in_numbers(page: Page) -> None:
    for words in ("Devices 16", "Reporting 10", "Silent 1", "Alerting 5", "Open alerts 6"):
        label, _, value = words.rpartition(" ")
        tile = page.locator(".tile").filter(has=page.get_by_text(label, exact=True))
        expect(tile.locator("strong")).to_have_text(value)
    expect(page.locator(".tile").filter(has_text="Open alerts")).to_contain_text("2 critical")
    expect(page.locator(".tile").filter(has_text="Readings")).to_contain_text("2.82/s")


def test_no_tile_is_older_than_the_list_below(
    page: Page, api: FakeApi, world: World, now: int
) -> None:
    api.held["GET /v1/overview"] = answers.overview(world, now)
    world.depart("pump-5", "pressure", now, 0.93, 0.9, None)
    for label, value in (("Open alerts", "7"), ("Not acknowledged", "6")):
        tile = page.locator(".tile").filter(has=page.get_by_text(label, exact=True))
        expect(tile.locator("strong")).to_have_text(value)
    expect(page.locator(".tile").filter(has_text="Open alerts")).to_contain_text("3 critical")


def test_the_rate_of_alerts_has_bars_a_summary_and_a_table(page: Page) -> None:
    expect(page.get_by_role("img", name=re.compile("18 alerts in 24 hours"))).to_be_visible()
    expect(page.locator(".rate")).to_contain_text(
        re.compile(r"the most in one hour: \d+, between .*\d\d:00 and .*\d\d:00\.")
    )
    assert page.locator(".bars rect").count() == 24
    page.get_by_text("As a table").click()
    expect(page.locator(".rate tbody tr")).to_have_count(24)


def test_devices_are_listed_with_what_they_do(page: Page, world: World) -> None:
    world.devices["pump-13"].is_learned = False
    page.reload()
    devices = page.get_by_role("table", name="Devices")
    expect(devices.get_by_role("row").filter(has_text="pump-13")).to_contain_text("not known yet")
    silent = devices.get_by_role("row").filter(has_text="pump-9")
    expect(silent).to_contain_text("silent")
    expect(silent).to_contain_text("25 min ago")
    expect(silent).to_contain_text("1 major")
    assert silent.locator("time").get_attribute("title") is not None
    assert re.match(r"\d{4}-\d\d-\d\d .* UTC$", silent.locator("time").get_attribute("title") or "")
    devices.get_by_role("link", name="pump-14").click()
    expect(page.get_by_role("heading", name="pump-14", level=1)).to_be_focused()


def test_devices_are_found_by_how_they_begin_and_by_state(page: Page) -> None:
    page.get_by_role("searchbox", name="Device").fill("boiler")
    expect(page.get_by_role("table", name="Devices").locator("tbody tr")).to_have_count(2)
    state(page, "5 alerting").click()
    expect(page.get_by_role("table", name="Devices").locator("tbody tr")).to_have_count(1)
    page.get_by_role("searchbox", name="Device").fill("turbine")
    expect(page.get_by_text("No device is like that")).to_be_visible()


def test_a_tile_leads_to_the_devices_in_that_state(page: Page) -> None:
    page.locator("a.tile").filter(has_text="Silent").click()
    expect(state(page, "1 silent")).to_have_attribute("aria-current", "true")
    expect(state(page, "1 silent")).to_be_in_viewport()
    expect(page.get_by_role("table", name="Devices").locator("tbody tr")).to_have_count(1)


def test_many_devices_are_shown_page_by_page(page: Page, world: World) -> None:
    for number in range(120):
        world.devices[f"unit-{number:03d}"] = Device(f"unit-{number:03d}")
    page.get_by_role("searchbox", name="Device").fill("unit")
    listed = page.get_by_role("table", name="Devices").locator("tbody tr")
    expect(listed).to_have_count(50)
    page.get_by_role("button", name="Next").click()
    expect(listed.first).to_contain_text("unit-050")
    page.get_by_role("button", name="Next").click()
    expect(listed).to_have_count(20)
    expect(page.get_by_role("button", name="Next")).to_be_disabled()
    page.get_by_role("button", name="Previous").click()
    expect(listed.first).to_contain_text("unit-050")
    page.get_by_role("button", name="Previous").click()
    expect(listed.first).to_contain_text("unit-000")
    expect(page.get_by_role("button", name="Previous")).to_be_disabled()


def test_what_wants_attention_is_listed_worst_first_without_the_snoozed(page: Page) -> None:
    table = page.get_by_role("table", name="Open alerts that nobody has acknowledged")
    expect(table.locator("tbody tr")).to_have_count(4)
    expect(table.locator("tbody tr").first).to_contain_text("critical")
    expect(table).not_to_contain_text("pump-12")


def test_an_alert_can_be_acknowledged_from_the_fleet(page: Page, world: World) -> None:
    page.get_by_role("button", name="Acknowledge pump-3, flow").click()
    expect(page.get_by_text("Acknowledged: pump-3, flow")).to_be_visible()
    table = page.get_by_role("table", name="Open alerts that nobody has acknowledged")
    expect(table.locator("tbody tr")).to_have_count(3)
    expect(page.locator("#open-count")).to_contain_text("4")
    assert [alert.acknowledged_by for alert in world.alerts.values()].count("ada") == 2


def test_a_fleet_without_devices_says_what_to_do(watched: Watched) -> None:
    with FakeApi(World()) as api:
        watched.page.goto(f"{api.url}#token={TOKEN}")
        expect(watched.page.get_by_text("No device has been heard yet")).to_be_visible()
        expect(watched.page.get_by_text("weir devices add pump-7")).to_be_visible()
        expect(watched.page.get_by_text("Nothing: no alert is open")).to_be_visible()
        expect(
            watched.page.get_by_text("No alert was opened in the last 24 hours.")
        ).to_be_visible()
