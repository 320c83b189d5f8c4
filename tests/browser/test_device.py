"""A device's page."""

import re
import time

import pytest
from playwright.sync_api import Page, expect

from tests.browser.fake_api import FakeApi
from tests.browser.world import MINUTE, Departure, World

OPEN_FLOW = re.compile("critical alert, open, since")


@pytest.fixture
def pump(page: Page, api: FakeApi) -> Page:
    """The page of a pump whose flow is off."""
    page.goto(f"{api.url}#/devices/pump-3")
    flow = page.get_by_role("region", name="flow", exact=True)
    expect(flow.get_by_text("Highest score")).to_be_visible()
    expect(flow.get_by_role("link", name=OPEN_FLOW)).to_be_visible()
    return page


def spans_asked(api: FakeApi) -> list[float]:
    """How many minutes each question for buckets of all metrics spanned."""
    asked = [one for one in api.requests("GET", "/v1/devices/") if one.path.endswith("/readings")]
    return [(one.time("to", 0) - one.time("from", 0)) / MINUTE for one in asked]


def test_each_metric_has_charts_with_a_summary_in_words(pump: Page) -> None:
    for metric in ("flow", "pressure", "temperature"):
        panel = pump.get_by_role("region", name=metric, exact=True)
        panel.scroll_into_view_if_needed()
        expect(panel.locator("canvas")).to_have_count(2)
        expect(panel.locator("figcaption")).to_contain_text(re.compile(r"From .* to .*, mean .*"))
        expect(panel.locator("figcaption")).to_contain_text("Expected at the end")


def test_a_chart_draws_what_came(pump: Page) -> None:
    drawn = """(canvas) => {
      const {width, height} = canvas;
      const {data} = canvas.getContext("2d").getImageData(0, 0, width, height);
      const colours = new Set();
      for (let i = 0; i < data.length; i += 4) {
        const [red, green, blue, alpha] = data.slice(i, i + 4);
        if (alpha < 200) continue;
        if (red < 60 && blue > 150) colours.add("line");
        if (red > 150 && green < 60 && blue < 70) colours.add("onset");
      }
      return [...colours].sort();
    }"""
    canvas = pump.get_by_role("region", name="flow", exact=True).locator("canvas").first
    assert canvas.evaluate(drawn) == ["line", "onset"]


def test_no_line_bridges_a_time_without_readings(page: Page, api: FakeApi, world: World) -> None:
    pump = world.devices["pump-4"]
    now = api.clock()
    pump.outage = (now - 10 * MINUTE, now - 5 * MINUTE)
    # Off before and after, so that a score that went on would be high between.
    pump.departures.append(Departure("flow", now - 11 * MINUTE, 9.0))
    page.goto(f"{api.url}#/devices/pump-4")
    flow = page.get_by_role("region", name="flow", exact=True)
    expect(flow.get_by_text("Highest score")).to_be_visible()
    brown = """(canvas) => {
      const {width, height} = canvas;
      const {data} = canvas.getContext("2d").getImageData(0, 0, width, height);
      const [left, right] = [57 * devicePixelRatio, 26 * devicePixelRatio];
      return [0.5, 0.9].map((share) => {
        const x = Math.round(left + (width - left - right) * share);
        for (let y = 0; y < height; y++) {
          const i = 4 * (y * width + x);
          if (data[i + 3] && data[i] - data[i + 2] > 60) return true;
        }
        return false;
      });
    }"""
    assert flow.locator("canvas").nth(1).evaluate(brown) == [False, True]


def test_a_chart_has_room_for_what_was_expected_as_far_as_values_stay_readable(
    page: Page,
) -> None:
    bounds = """async (columns) => (await import("./console/chart.js")).bounds(...columns)"""
    low, high = page.evaluate(bounds, [[4, 5], [5, 6], [None, 0], [8, 9]])
    assert low < 0
    assert high > 9
    low, high = page.evaluate(bounds, [[4, 5], [5, 6], [-900, 0], [8, 900]])
    assert -4 < low < -2
    assert 12 < high < 14


def test_new_readings_are_shown_within_two_seconds(pump: Page, world: World) -> None:
    device = world.devices["pump-3"]
    device.cadence = 500
    latest = pump.get_by_role("region", name="pressure", exact=True).locator(".latest strong")
    before = latest.inner_text()
    now = time.time_ns() // 1_000_000
    device.departures.append(Departure("pressure", now, 600.0))
    expect(latest).to_have_text(re.compile("^60"), timeout=2500)
    assert not before.startswith("60")
    caption = pump.get_by_role("region", name="pressure", exact=True).locator("figcaption")
    expect(caption).to_contain_text(re.compile("to 60"), timeout=2000)


def test_alerts_are_marked_and_lead_to_their_page(pump: Page) -> None:
    flow = pump.get_by_role("region", name="flow", exact=True)
    assert flow.locator("a.onset.critical").count() == 1
    flow.get_by_role("link", name=OPEN_FLOW).click()
    expect(pump.get_by_role("heading", name=re.compile("^flow of pump-3"))).to_be_focused()


def test_the_time_shown_can_be_chosen(pump: Page, api: FakeApi) -> None:
    for name, minutes in (("1 h", 60), ("24 h", 1440), ("7 d", 10_080)):
        button = pump.get_by_role("button", name=name, exact=True)
        button.click()
        expect(button).to_have_attribute("aria-pressed", "true")
        expect(pump.get_by_text(f"The last {name}, live.")).to_be_visible()
        assert pump.url.endswith(f"?range={name.replace(' ', '')}")
        assert any(abs(span - minutes) < 1 for span in spans_asked(api))
    pump.reload()
    expect(pump.get_by_text("The last 7 d, live.")).to_be_visible()


def test_a_part_can_be_zoomed_into_by_dragging_and_moved(pump: Page, size: str) -> None:
    if size == "desktop":
        over = pump.get_by_role("region", name="flow", exact=True).locator(".u-over").first
        box = over.bounding_box()
        assert box is not None
        pump.mouse.move(box["x"] + 100, box["y"] + 60)
        pump.mouse.down()
        pump.mouse.move(box["x"] + 250, box["y"] + 60, steps=5)
        pump.mouse.up()
    else:
        pump.get_by_role("button", name="Zoom in").click()
    expect(pump.get_by_text(re.compile("^From .* to .*[0-9]\\.$")).first).to_be_visible()
    zoomed = pump.url
    assert re.search(r"\?from=\d+&to=\d+$", zoomed)
    pump.get_by_role("button", name="Earlier").click()
    assert pump.url != zoomed
    pump.get_by_role("button", name="Zoom out").click()
    pump.get_by_role("button", name="15 min").click()
    expect(pump.get_by_text("The last 15 min, live.")).to_be_visible()


def test_a_chart_of_what_is_long_ago_ends_with_the_last_reading(
    page: Page, api: FakeApi, world: World, now: int
) -> None:
    world.devices["pump-9"].stopped = now - 26 * 60 * MINUTE
    page.goto(f"{api.url}#/devices/pump-9")
    expect(page.get_by_text("none came since")).to_be_visible()
    expect(page.get_by_role("region", name="flow", exact=True)).to_contain_text("readings.")
    expect(page.get_by_text("Silent since")).to_be_visible()


def test_the_values_stand_in_a_table_as_well(pump: Page) -> None:
    flow = pump.get_by_role("region", name="flow", exact=True)
    flow.get_by_text("As a table").click()
    table = flow.get_by_role("table")
    expect(table.get_by_role("row").nth(20)).to_be_visible()
    assert table.get_by_role("columnheader").all_inner_texts()[:2] == ["From", "Mean"]


def test_the_device_has_its_alerts_below(pump: Page) -> None:
    table = pump.get_by_role("table", name="3 alerts of pump-3")
    expect(table.locator("tbody tr")).to_have_count(3)


def test_controls_are_saved_and_cleared(pump: Page, world: World) -> None:
    device = world.devices["pump-3"]
    pump.get_by_label("Direction").select_option("below")
    pump.get_by_label("Least departure").fill("0.5")
    pump.get_by_label("False alerts a week").fill("0.05")
    pump.get_by_label("Silent after, seconds").fill("120")
    pump.get_by_role("button", name="Save", exact=True).click()
    expect(pump.get_by_text("Saved for pump-3.")).to_be_visible()
    assert device.control.direction == "below"
    assert device.control.minimum == 0.5
    assert device.control.silent_after_s == 120
    pump.get_by_label("For", exact=True).select_option("flow")
    assert not pump.get_by_label("Silent after, seconds").is_visible()
    pump.get_by_label("Ignore").select_option("true")
    pump.get_by_role("button", name="Save", exact=True).click()
    expect(pump.get_by_text("Saved for pump-3, flow.")).to_be_visible()
    assert device.controls["flow"].ignore is True
    pump.get_by_label("For", exact=True).select_option("")
    expect(pump.get_by_label("Least departure")).to_have_value("0.5")
    pump.get_by_role("button", name="Clear", exact=True).click()
    expect(pump.get_by_text("Cleared for pump-3.")).to_be_visible()
    assert device.control.direction is None
    assert device.controls["flow"].ignore is True


def test_what_cannot_be_of_a_control_is_said_beside_it_and_not_sent(
    pump: Page, api: FakeApi
) -> None:
    silence = pump.get_by_label("Silent after, seconds")
    silence.fill("5")
    pump.get_by_label("False alerts a week").fill("0")
    pump.get_by_role("button", name="Save", exact=True).click()
    expect(pump.get_by_text("Give from 30 s to 366 days")).to_be_visible()
    expect(pump.get_by_text("Give a number above 0")).to_be_visible()
    assert not api.requests("PUT")
    pump.get_by_label("False alerts a week").fill("")
    silence.fill("0")
    expect(pump.get_by_text("Give from 30 s")).to_be_hidden()
    pump.get_by_role("button", name="Save", exact=True).click()
    expect(pump.get_by_text("Saved for pump-3.")).to_be_visible()


def test_a_device_or_a_metric_can_be_snoozed(pump: Page, world: World) -> None:
    device = world.devices["pump-3"]
    section = pump.get_by_role("region", name="Which alerts are wanted")
    section.get_by_role("button", name="Snooze", exact=True).click()
    dialog = pump.get_by_role("dialog", name="Snooze pump-3")
    dialog.get_by_text("8 hours").click()
    dialog.get_by_role("button", name="Snooze", exact=True).click()
    expect(section.get_by_text("Snoozed until")).to_be_visible()
    assert device.control.snoozed_until is not None
    section.get_by_role("button", name="Change the snooze").click()
    pump.get_by_role("dialog").get_by_role("button", name="End the snooze").click()
    expect(pump.get_by_text("Snoozed no more: pump-3")).to_be_visible()
    assert device.control.snoozed_until is None
    pump.get_by_label("For", exact=True).select_option("flow")
    section.get_by_role("button", name="Snooze", exact=True).click()
    pump.get_by_role("dialog").get_by_role("button", name="Snooze", exact=True).click()
    expect(section.get_by_text("Snoozed until")).to_be_visible()
    assert device.controls["flow"].snoozed_until is not None


def test_a_device_that_is_not_known_says_so(page: Page, api: FakeApi) -> None:
    page.goto(f"{api.url}#/devices/nobody")
    expect(page.get_by_role("heading", name="There is no such device")).to_be_visible()
