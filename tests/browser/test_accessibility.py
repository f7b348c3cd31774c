"""The page is for everybody: axe-core finds nothing serious, a keyboard is enough, a phone is wide enough."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser import tools
from tests.browser.conftest import Open
from tests.browser.tools import Demo

PLACES = ["#overview", "#overview/demo", "#overview/demo/flaky", "#metrics", "#streams", "#races", "#system", "#try"]
GRAVE = {"serious", "critical"}


def settled(page: Page) -> None:
    expect(page.locator(".link-state")).to_have_text("Live")
    expect(page.locator("#panel h1, #panel h2").first).to_be_visible()
    page.wait_for_timeout(400)  # what the tab asks for arrives


def grave(page: Page) -> list[Any]:
    """What axe-core finds serious or critical: (rule, the element, why)."""
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [
        (rule["id"], node["html"][:160], node["failureSummary"][:200])
        for rule in found
        if rule["impact"] in GRAVE
        for node in rule["nodes"][:3]
    ]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("place", PLACES)
def test_axe_finds_nothing_serious(demo: Demo, open_page: Open, place: str, dark: bool) -> None:
    page = open_page(demo, place, dark=dark, bypass_csp=True).page  # axe is put in by a script element
    settled(page)
    if place == "#try":
        page.get_by_role("button", name="Call", exact=True).click()
        expect(page.locator(".timeline")).to_be_visible()
    page.add_script_tag(content=tools.axe())
    assert grave(page) == []


@pytest.mark.parametrize("place", PLACES)
def test_a_phone_needs_no_scrolling_sideways(demo: Demo, open_page: Open, place: str) -> None:
    page = open_page(demo, place, width=360).page
    settled(page)
    widest = page.evaluate("document.documentElement.scrollWidth")
    assert widest <= 360


def test_tabs_are_one_stop_and_arrows_walk_them(demo: Demo, open_page: Open) -> None:
    page = open_page(demo).page
    settled(page)
    page.get_by_role("tab", name="Overview").focus()
    walked = []
    for _ in range(6):
        page.keyboard.press("ArrowRight")
        walked.append(page.evaluate("document.activeElement.textContent"))
    assert walked == ["Metrics", "Streams", "Races", "System", "Try it", "Overview"]
    page.keyboard.press("End")
    expect(page.get_by_role("tab", name="Try it")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("tabpanel", name="Try it")).to_be_visible()


def test_a_provider_is_reached_opened_and_closed_by_keyboard(demo: Demo, open_page: Open) -> None:
    page = open_page(demo).page
    settled(page)
    page.get_by_role("tab", name="Overview").focus()
    for _ in range(12):
        page.keyboard.press("Tab")
        if "provider-row" in page.evaluate("document.activeElement.className"):
            break
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(page.locator(".panel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(".panel")).to_have_count(0)


def test_the_colours_follow_the_system_until_one_chooses(demo: Demo, open_page: Open) -> None:
    page = open_page(demo, dark=True).page
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.get_by_role("button", name="Switch to light colours").click()
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "light"


def test_states_differ_in_shape_not_only_in_colour(demo: Demo, open_page: Open) -> None:
    page = open_page(demo).page
    settled(page)
    glyphs = page.locator(".provider-row > .state path")
    steady, lagging = glyphs.nth(0).get_attribute("d"), glyphs.nth(3).get_attribute("d")
    assert steady != lagging
