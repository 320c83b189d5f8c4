"""Signing in to the console: a token in the address, a pasted one, or the issuer's."""

import re

from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.fake_api import TOKEN, FakeApi
from tests.browser.fake_issuer import FakeIssuer
from tests.browser.watched import Watched
from tests.browser.world import World

FLEET = "Fleet"
FIELD = re.compile("An operator.s token")


def kept(page: Page) -> str:
    return str(page.evaluate("() => JSON.stringify({...sessionStorage})"))


def test_a_token_in_the_address_signs_in_and_leaves_the_address(page: Page) -> None:
    assert TOKEN not in page.url
    assert TOKEN in kept(page)
    assert TOKEN not in str(page.evaluate("() => JSON.stringify({...localStorage})"))
    assert TOKEN not in page.content()
    page.reload()
    expect(page.get_by_role("heading", name=FLEET, level=1)).to_be_visible()


def test_a_token_in_the_address_may_lead_to_a_page(api: FakeApi, watched: Watched) -> None:
    watched.page.goto(f"{api.url}#token={TOKEN}&to=/devices/pump-3")
    expect(watched.page.get_by_role("heading", name="pump-3", level=1)).to_be_visible()


def test_a_token_can_be_pasted(api: FakeApi, watched: Watched) -> None:
    page = watched.page
    page.goto(api.url)
    expect(page.get_by_role("heading", name="Sign in to Weir")).to_be_visible()
    assert not page.get_by_role("navigation", name="Pages").is_visible()
    page.get_by_label(FIELD).fill("no token!")
    page.get_by_role("button", name="Use this token").click()
    expect(page.get_by_role("alert")).to_contain_text("That is not a token")
    page.get_by_label(FIELD).fill(f"Bearer {TOKEN}")
    page.get_by_role("button", name="Use this token").click()
    expect(page.get_by_role("heading", name=FLEET, level=1)).to_be_focused()


def test_a_token_that_is_refused_leads_back_with_a_word(page: Page, api: FakeApi) -> None:
    page.goto(f"{api.url}#/alerts")
    expect(page.get_by_role("heading", name="Alerts", level=1)).to_be_visible()
    api.tokens.clear()
    expect(page.get_by_role("heading", name="Sign in to Weir")).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text("not valid any more")
    assert "token" not in kept(page)
    api.tokens.add(TOKEN)
    page.get_by_label(FIELD).fill(TOKEN)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Alerts", level=1)).to_be_visible()


def test_signing_out_forgets_the_token(page: Page) -> None:
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in to Weir")).to_be_visible()
    assert "token" not in kept(page)


def test_one_signs_in_at_the_issuer_and_comes_back_to_the_page(
    world: World, watched: Watched
) -> None:
    page = watched.page
    with FakeIssuer(TOKEN) as issuer:
        config = {"issuer": issuer.url, "client_id": issuer.client_id}
        with FakeApi(world, config) as api:
            page.goto(f"{api.url}#/alerts?state=all")
            page.get_by_role("button", name="Sign in", exact=True).click()
            expect(page.get_by_role("heading", name="Alerts", level=1)).to_be_visible()
            assert page.url == f"{api.url}#/alerts?state=all"
            assert issuer.asked[0]["code_challenge_method"] == "S256"
            assert issuer.asked[0]["audience"] == "weir"
            # A token that ended is renewed without a word.
            api.tokens = {"another.token-of-ada.signature"}
            issuer.token = "another.token-of-ada.signature"
            page.get_by_role("link", name="Fleet").click()
            expect(page.get_by_role("link", name=re.compile("^Devices"))).to_be_visible()
            assert [one["grant_type"] for one in issuer.exchanged][-1] == "refresh_token"
            page.get_by_role("button", name="Sign out").click()


def test_what_the_issuer_refuses_is_said(world: World, watched: Watched) -> None:
    page = watched.page
    with FakeIssuer(TOKEN, refuses=True) as issuer:
        config = {"issuer": issuer.url, "client_id": issuer.client_id}
        with FakeApi(world, config) as api:
            page.goto(api.url)
            page.get_by_role("button", name="Sign in", exact=True).click()
            expect(page.get_by_role("alert")).to_contain_text("Not in the group operators")
            assert page.url == f"{api.url}#/"


def test_an_answer_of_the_issuer_to_another_tab_is_not_taken(
    world: World, watched: Watched
) -> None:
    page = watched.page
    with FakeIssuer(TOKEN) as issuer:
        config = {"issuer": issuer.url, "client_id": issuer.client_id}
        with FakeApi(world, config) as api:
            page.goto(f"{api.url}?code=code-1&state=not-ours")
            expect(page.get_by_role("alert")).to_contain_text("not for this tab")
            assert not issuer.exchanged


def test_without_an_issuer_the_page_says_what_is_missing(world: World, watched: Watched) -> None:
    with FakeApi(world, {"issuer": ""}) as api:
        watched.page.goto(api.url)
        expect(watched.page.get_by_text("This deployment names no issuer")).to_be_visible()


def test_the_policy_forbids_what_is_not_ours(page: Page, context: BrowserContext) -> None:
    tried = """async () => {
      const blocked = [];
      addEventListener("securitypolicyviolation", (event) => blocked.push(event.violatedDirective));
      const script = document.createElement("script");
      script.append("globalThis.ran = true");
      document.body.append(script);
      document.body.setAttribute("style", "color: red");
      await fetch("https://elsewhere.invalid/").catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, 50));
      return [blocked.join(), globalThis.ran === undefined];
    }"""
    other = context.new_page()  # what it complains of is what is asked for
    other.goto(page.url)
    blocked, kept_out = other.evaluate(tried)
    assert kept_out
    assert {"connect-src", "style-src-attr"} <= set(blocked.split(","))
