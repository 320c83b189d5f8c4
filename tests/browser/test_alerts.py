"""The list of alerts, and what people do from it."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.fake_api import FakeApi
from tests.browser.world import MINUTE, Departure, World

BERLIN = ZoneInfo("Europe/Berlin")
FLOW = "pump-3, flow"


@pytest.fixture
def alerts(page: Page) -> Page:
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Alerts").click()
    expect(page.get_by_role("heading", name="Alerts", level=1)).to_be_focused()
    expect(rows(page)).to_have_count(6)
    return page


def rows(page: Page) -> Locator:
    return page.get_by_role("table", name="Alerts").locator("tbody tr")


def row(page: Page, device: str) -> Locator:
    return rows(page).filter(has=page.get_by_role("link", name=device, exact=True)).first


def test_open_alerts_are_listed_with_what_they_are(alerts: Page) -> None:
    first = row(alerts, "pump-3")
    expect(first).to_contain_text("critical")
    expect(first).to_contain_text("below the")
    expect(first).to_contain_text("Not acknowledged")
    expect(row(alerts, "pump-9")).to_contain_text("Silent")
    expect(row(alerts, "pump-11")).to_contain_text("Acknowledged")
    expect(row(alerts, "pump-12")).to_contain_text("Snoozed until ")
    alerts.get_by_label("State").select_option("all")
    cleared = rows(alerts).filter(has_text="Cleared").filter(has_text="Not acknowledged")
    plain = cleared.get_by_role("button", name="Acknowledge")
    expect(plain).to_have_count(1)
    expect(plain).not_to_have_class("primary")
    expect(first.get_by_role("button", name="Acknowledge")).to_have_class("primary")


def test_alerts_can_be_sifted_and_the_address_says_how(alerts: Page) -> None:
    alerts.get_by_label("State").focus()
    alerts.get_by_label("State").select_option("all")
    expect(rows(alerts)).to_have_count(18)
    expect(alerts.get_by_label("State")).to_be_focused()
    alerts.get_by_label("minor").check()
    expect(rows(alerts)).to_have_count(2)
    alerts.get_by_label("critical").check()
    expect(rows(alerts)).to_have_count(4)
    alerts.get_by_label("Acknowledged").select_option("true")
    expect(alerts.get_by_text("No alert is like that")).to_be_visible()
    assert alerts.url.endswith("#/alerts?state=all&acknowledged=true&severity=critical%2Cminor")
    alerts.go_back()
    expect(rows(alerts)).to_have_count(4)
    alerts.goto(alerts.url.partition("#")[0] + "#/alerts?state=cleared")
    expect(rows(alerts)).to_have_count(12)
    alerts.get_by_role("searchbox", name="Device").fill("pump-8")
    alerts.keyboard.press("Enter")
    expect(rows(alerts)).to_have_count(2)


def test_an_alert_is_acknowledged_once_the_api_says_so(alerts: Page, world: World) -> None:
    alerts.get_by_role("button", name=f"Acknowledge {FLOW}").click()
    expect(row(alerts, "pump-3").get_by_title("by ada")).to_be_visible()
    expect(alerts.get_by_role("button", name=f"Acknowledge {FLOW}")).to_have_count(0)
    assert next(one for one in world.alerts.values() if one.peak == 0.97).acknowledged


def test_what_fails_is_said_and_not_shown_as_done(alerts: Page, api: FakeApi, world: World) -> None:
    api.fail("/v1/alerts/", 503)
    button = alerts.get_by_role("button", name=f"Acknowledge {FLOW}")
    button.click()
    expect(alerts.locator(".toast.bad")).to_contain_text("Not done: The tables are away.")
    expect(button).to_be_enabled()
    expect(row(alerts, "pump-3")).to_contain_text("Not acknowledged")
    api.mend()
    button.click()
    expect(row(alerts, "pump-3").get_by_title("by ada")).to_be_visible()


@pytest.mark.parametrize(
    ("choice", "minutes"),
    [("15 minutes", 15), ("1 hour", 60), ("8 hours", 480), ("24 hours", 1440)],
)
def test_an_alert_is_snoozed_for_a_time(
    alerts: Page, world: World, now: int, choice: str, minutes: int
) -> None:
    alerts.get_by_role("button", name=f"Snooze {FLOW}").click()
    dialog = alerts.get_by_role("dialog", name=f"Snooze {FLOW}")
    dialog.get_by_role("radio", name=choice).check()
    dialog.get_by_role("button", name="Snooze", exact=True).click()
    expect(row(alerts, "pump-3")).to_contain_text("Snoozed until ")
    snoozed = next(one for one in world.alerts.values() if one.peak == 0.97)
    assert snoozed.snoozed_until is not None
    assert 0 <= snoozed.snoozed_until - now - minutes * MINUTE < MINUTE


def test_an_alert_is_snoozed_until_a_time_and_woken(alerts: Page, world: World) -> None:
    alerts.get_by_role("button", name=f"Snooze {FLOW}").click()
    dialog = alerts.get_by_role("dialog")
    until = dialog.get_by_label("Until when")
    until.fill("2020-01-01T12:00")
    dialog.get_by_role("button", name="Snooze", exact=True).click()
    expect(dialog.get_by_role("alert")).to_contain_text("Give a time that is still to come.")
    end = datetime.now(UTC) + timedelta(days=2)
    until.fill(end.strftime("%Y-%m-%dT12:00"))
    dialog.get_by_role("button", name="Snooze", exact=True).click()
    expect(row(alerts, "pump-3")).to_contain_text("Snoozed until ")
    woken = alerts.get_by_role("button", name=f"Snoozed {FLOW}")
    woken.click()
    alerts.get_by_role("button", name="End the snooze").click()
    expect(alerts.get_by_role("button", name=f"Snooze {FLOW}")).to_be_visible()
    snoozed = next(one for one in world.alerts.values() if one.peak == 0.97)
    assert snoozed.snoozed_until is None


@pytest.mark.parametrize("verdict", ["true", "false", "benign"])
def test_feedback_is_given_with_a_note(alerts: Page, world: World, verdict: str) -> None:
    alerts.get_by_role("button", name=f"Feedback {FLOW}").click()
    dialog = alerts.get_by_role("dialog", name=f"Feedback on {FLOW}")
    dialog.get_by_role("radio", name=verdict.capitalize()).check()
    dialog.get_by_label("Note").fill("seen at the site")
    dialog.get_by_role("button", name="Save").click()
    expect(row(alerts, "pump-3")).to_contain_text(f"Feedback: {verdict}")
    said = next(one for one in world.alerts.values() if one.peak == 0.97).feedback
    assert said is not None
    assert (said.verdict, said.note, said.by) == (verdict, "seen at the site", "ada")


def test_a_dialog_is_left_with_escape_and_the_focus_goes_back(alerts: Page) -> None:
    button = alerts.get_by_role("button", name=f"Snooze {FLOW}")
    button.click()
    alerts.keyboard.press("Escape")
    expect(alerts.get_by_role("dialog")).to_have_count(0)
    expect(button).to_be_focused()


def test_a_new_alert_appears_and_is_announced(alerts: Page, world: World, now: int) -> None:
    world.depart("pump-5", "pressure", now, 0.93, 0.9, None)
    expect(row(alerts, "pump-5")).to_be_visible(timeout=5000)
    spoken = alerts.locator("#announcements")
    expect(spoken).to_contain_text("New critical alert: pump-5, pressure.")
    assert spoken.get_attribute("aria-live") == "polite"


def test_what_was_acted_on_stays_in_sight(alerts: Page) -> None:
    alerts.get_by_label("Acknowledged").select_option("false")
    expect(rows(alerts)).to_have_count(5)
    alerts.get_by_role("button", name=f"Acknowledge {FLOW}").click()
    expect(row(alerts, "pump-3").get_by_title("by ada")).to_be_visible()
    alerts.wait_for_timeout(3500)  # the next question leaves it out
    expect(rows(alerts)).to_have_count(5)


def test_many_alerts_are_shown_a_page_at_a_time(page: Page, world: World, now: int) -> None:
    for number in range(120):
        world.depart("boiler-2", "flow", now - (200 + number) * MINUTE, 0.75, 4.0, None)
    page.goto(page.url.partition("#")[0] + "#/alerts?device=boiler-2")
    expect(rows(page)).to_have_count(50)
    page.get_by_role("button", name="Show more").click()
    expect(rows(page)).to_have_count(100)
    page.get_by_role("button", name="Show more").click()
    expect(rows(page)).to_have_count(120)
    assert not page.get_by_role("button", name="Show more").is_visible()


def test_a_list_without_alerts_says_where_there_are_some(page: Page, world: World) -> None:
    world.alerts.clear()
    page.goto(page.url.partition("#")[0] + "#/alerts")
    expect(page.get_by_text("No alert is open.")).to_be_visible()
    page.get_by_role("link", name="Show those that cleared").click()
    expect(page.get_by_text("There has been no alert.")).to_be_visible()


def test_an_alert_is_acknowledged_by_keyboard_alone(alerts: Page, world: World) -> None:
    for _ in range(60):
        alerts.keyboard.press("Tab")
        focused = alerts.evaluate("() => document.activeElement.textContent")
        if focused == f"Acknowledge {FLOW}":
            break
    outline = alerts.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "the focus can be seen"
    alerts.keyboard.press("Enter")
    expect(row(alerts, "pump-3").get_by_title("by ada")).to_be_visible()
    inside = alerts.evaluate("() => document.activeElement.closest('tr')?.textContent ?? ''")
    assert "pump-3" in inside, "the focus stays in the row"


def test_shortcuts_walk_the_rows_and_act_on_them(alerts: Page) -> None:
    alerts.keyboard.press("j")
    alerts.keyboard.press("j")
    alerts.keyboard.press("k")
    alerts.keyboard.press("a")
    expect(row(alerts, "pump-3").get_by_title("by ada")).to_be_visible()
    alerts.keyboard.press("s")
    expect(alerts.get_by_role("dialog", name=f"Snooze {FLOW}")).to_be_visible()
    alerts.keyboard.press("Escape")
    alerts.keyboard.press("g")
    alerts.keyboard.press("f")
    expect(alerts.get_by_role("heading", name="Fleet", level=1)).to_be_visible()


def test_shortcuts_are_listed_and_can_be_turned_off(alerts: Page) -> None:
    alerts.keyboard.press("?")
    dialog = alerts.get_by_role("dialog", name="Keyboard shortcuts")
    expect(dialog).to_contain_text("acknowledge the row")
    dialog.get_by_label("Use shortcuts").uncheck()
    dialog.get_by_role("button", name="Close").click()
    alerts.keyboard.press("j")
    assert not alerts.evaluate("() => Boolean(document.activeElement.closest('tr'))")
    alerts.keyboard.press("?")
    expect(dialog).to_be_visible()


def test_an_alert_has_a_page_with_its_history(alerts: Page) -> None:
    row(alerts, "pump-11").get_by_role("link", name="pressure").click()
    expect(alerts.get_by_role("heading", level=1)).to_have_text("pressure of pump-11")
    facts = alerts.get_by_role("region", name="What came")
    expect(facts).to_contain_text("Highest score")
    expect(facts).to_contain_text("pump-11~")
    history = alerts.get_by_role("region", name="History").get_by_role("listitem")
    expect(history).to_have_count(3)
    expect(history.first).to_contain_text(re.compile("Acknowledged.*by ada.*valve 4"))
    expect(history.last).to_contain_text("Opened")
    around = alerts.get_by_role("region", name="Around it")
    expect(around.locator("canvas")).to_have_count(2)
    around.get_by_role("link", name="See all the device").click()
    expect(alerts.get_by_role("heading", name="pump-11", level=1)).to_be_visible()
    assert re.search(r"from=\d+&to=\d+", alerts.url)


def test_an_alert_is_acknowledged_with_a_note_on_its_page(alerts: Page) -> None:
    row(alerts, "pump-3").get_by_role("link", name="flow").click()
    alerts.get_by_label("Note").fill("a valve was shut")
    alerts.get_by_role("button", name="Acknowledge with a note").click()
    history = alerts.get_by_role("region", name="History").get_by_role("listitem")
    expect(history.first).to_contain_text("a valve was shut")
    expect(alerts.get_by_role("button", name="Acknowledge with a note")).to_have_count(0)
    alerts.get_by_role("button", name=f"Feedback {FLOW}").click()
    alerts.get_by_role("dialog").get_by_role("radio", name="Benign").check()
    alerts.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(history.first).to_contain_text("Feedback")


def test_the_chart_of_an_open_alert_follows_what_comes(
    alerts: Page, world: World, now: int
) -> None:
    row(alerts, "pump-3").get_by_role("link", name="flow").click()
    caption = alerts.get_by_role("region", name="Around it").locator("figcaption")
    expect(caption).to_contain_text("Highest score")
    world.devices["pump-3"].departures.append(Departure("flow", now, 900.0))
    expect(caption).to_contain_text(re.compile("to 9[0-9][0-9]"), timeout=11_000)


def test_an_alert_that_reopened_says_so_with_both_times(
    alerts: Page, api: FakeApi, world: World, now: int
) -> None:
    cleared = world.depart("pump-5", "flow", now - 40 * MINUTE, 0.8, 8.0, now - 30 * MINUTE)
    world.devices["pump-5"].departures.append(Departure("flow", now - 5 * MINUTE, 8.0))
    world.reopen(cleared, now - 5 * MINUTE, "flow is above again")
    found = row(alerts, "pump-5")
    first, again = (
        (datetime.fromtimestamp(at / 1000, UTC).astimezone(BERLIN)).strftime("%H:%M:%S")
        for at in (cleared.onset, now - 5 * MINUTE)
    )
    expect(found).to_contain_text("Reopened")
    expect(found.get_by_role("cell").filter(has_text=f"reopened, first {first}")).to_contain_text(
        again
    )
    found.get_by_role("link", name="flow").click()
    around = alerts.get_by_role("region", name="Around it")
    expect(around.locator("a.onset")).to_have_count(2)
    expect(around.get_by_role("link", name=f"open, since {again}, first {first}")).to_be_visible()


def test_a_silence_has_a_page_without_charts(alerts: Page) -> None:
    row(alerts, "pump-9").get_by_role("link", name="Silent").click()
    expect(alerts.get_by_role("heading", level=1)).to_have_text("Silent of pump-9")
    expect(alerts.get_by_text("Last heard")).to_be_visible()
    expect(alerts.locator("canvas")).to_have_count(0)


def test_an_alert_that_is_not_known_says_so(alerts: Page, api: FakeApi) -> None:
    alerts.goto(f"{api.url}#/alerts/pump-3~1767225600000~none")
    expect(alerts.get_by_role("heading", name="There is no such alert")).to_be_visible()
