"""What goes wrong shows at once, and where: a dead provider, a cordoned one, a node that is gone."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import tools
from tests.browser.conftest import Open
from tests.browser.tools import Demo
from tests.e2e import standstill

RED_WITHIN_MS = 15_000
"""A busy machine may be late; how long it took is printed."""


@pytest.fixture(scope="module")
def fragile(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo to be broken; each test mends what it broke."""
    with tools.demo(tmp_path_factory.mktemp("fragile")) as demo:
        yield demo


def test_a_killed_provider_turns_red(fragile: Demo, open_page: Open, say: Callable[[str], None]) -> None:
    page = open_page(fragile).page
    steady = page.locator(".provider-row", has=page.get_by_text("Steady", exact=True))
    with fragile.under_load(60):
        expect(steady).to_contain_text("Healthy")
        fragile.fault("POST", "/providers/steady/kill")
        killed = time.monotonic()
        try:
            expect(steady).to_have_class(re.compile("severity-3"), timeout=RED_WITHIN_MS)
            say(f"red after {time.monotonic() - killed:.1f} s")
            expect(steady).to_contain_text("Circuit open")
            expect(page.locator(".verdict.bad h1")).to_contain_text("of 4 providers")
            expect(page.get_by_label("What is wrong").get_by_role("button", name=re.compile("Steady"))).to_be_visible()
            expect(page.locator(".strand path.cut").first).to_be_attached()
            expect(page.locator(".issues")).to_contain_text(re.compile("breaker of Steady"))
        finally:
            fragile.fault("POST", "/providers/steady/revive")
        expect(steady).not_to_have_class(re.compile("severity-3"), timeout=60_000)


def test_a_cordoned_provider_leaves_the_plan_and_comes_back(fragile: Demo, open_page: Open) -> None:
    page = open_page(fragile, "#overview/demo/throttled").page
    orders = page.locator(".orders")
    orders.get_by_label("Admin token").fill(tools.TOKEN)
    orders.get_by_role("button", name="Cordon", exact=True).click()
    row = page.locator(".provider-row", has=page.get_by_text("Throttled", exact=True))
    expect(row).to_contain_text("Cordoned")
    page.get_by_role("tab", name="Try it").click()
    page.get_by_role("button", name="Explain only").click()
    expect(page.get_by_label("Who would not be asked")).to_contain_text(re.compile("throttled.*cordoned", re.DOTALL))
    expect(page.get_by_label("Who would be asked, in this order")).not_to_contain_text("throttled")
    fragile.order("throttled", "uncordon")
    page.get_by_role("button", name="Explain only").click()
    expect(page.get_by_label("Who would be asked, in this order")).to_contain_text("throttled")


def test_a_wrong_admin_token_changes_nothing_and_says_so(fragile: Demo, open_page: Open) -> None:
    watched = open_page(fragile, "#overview/demo/flaky")
    watched.expected.append("401")
    orders = watched.page.locator(".orders")
    orders.get_by_label("Admin token").fill("guessed")
    orders.get_by_role("button", name="Cordon", exact=True).click()
    expect(orders.get_by_role("status")).to_contain_text("not the node's")
    providers = fragile.get("/dashboard/api/demo/snapshot")["chains"][0]["providers"]
    assert [one["provider"] for one in providers if one["cordoned"]] == []


def test_a_node_that_falls_silent_is_told_and_its_numbers_are_marked_as_stale(fragile: Demo, open_page: Open) -> None:
    page = open_page(fragile).page
    expect(page.locator(".link-state")).to_have_text("Live")
    standstill.stop(fragile.process)
    try:
        expect(page.get_by_role("alert")).to_contain_text("Connection lost", timeout=15_000)
        expect(page.locator(".frame.stale")).to_be_attached()
    finally:
        fragile.process.send_signal(signal.SIGCONT)
    expect(page.locator(".link-state")).to_have_text("Live", timeout=25_000)
    expect(page.locator(".frame.stale")).to_have_count(0)
