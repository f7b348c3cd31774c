"""A node that nobody has called yet: most figures are missing, and the page says so instead of breaking."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import tools
from tests.browser.conftest import Open
from tests.browser.test_accessibility import PLACES, grave, settled
from tests.browser.tools import Demo


@pytest.fixture(scope="module")
def idle(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with tools.demo(tmp_path_factory.mktemp("idle"), LASSO_PROBES="off") as demo:
        yield demo


@pytest.mark.parametrize("place", PLACES)
def test_every_tab_and_panel_is_drawn_before_the_first_call(idle: Demo, open_page: Open, place: str) -> None:
    page = open_page(idle, place).page
    settled(page)
    expect(page.get_by_text("could not be drawn")).to_have_count(0)


def test_an_idle_chain_says_that_there_was_no_traffic(idle: Demo, open_page: Open) -> None:
    page = open_page(idle, "#overview/demo").page
    expect(page.locator(".panel").get_by_text("No traffic in the last minute.")).to_be_visible()


def test_a_place_that_cannot_be_read_is_drawn_as_the_overview(idle: Demo, open_page: Open) -> None:
    page = open_page(idle, "#overview/%").page
    expect(page.get_by_role("tab", name="Overview")).to_have_attribute("aria-selected", "true")


def test_axe_finds_nothing_serious_about_an_idle_chain(idle: Demo, open_page: Open) -> None:
    page = open_page(idle, "#overview/demo", bypass_csp=True).page
    settled(page)
    page.add_script_tag(content=tools.axe())
    assert grave(page) == []
