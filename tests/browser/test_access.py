"""With a password nobody gets in without it, and nothing leaks before."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import tools
from tests.browser.conftest import Open
from tests.browser.test_accessibility import grave
from tests.browser.tools import Demo

PASSWORD = "correct horse battery staple"


@pytest.fixture(scope="module")
def guarded(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    secret = {"LASSO_DASHBOARD_PASSWORD": PASSWORD, "SECRET_KEY_BASE": 64 * "k"}
    with tools.demo(tmp_path_factory.mktemp("guarded"), **secret) as demo:
        yield demo


@pytest.mark.parametrize(
    "path",
    ["api/profiles", "api/demo/snapshot", "api/demo/metrics/demo", "api/system", "events/demo", "api/demo/issues"],
)
def test_nothing_is_told_without_a_session(guarded: Demo, path: str) -> None:
    status, body = guarded.ask("GET", f"/dashboard/{path}")
    assert (status, list(body)) == (401, ["error"])


def test_no_call_can_be_tried_without_a_session(guarded: Demo) -> None:
    asked = {"profile": "demo", "chain": "demo", "method": "eth_chainId", "params": [], "carry_out": True}
    assert guarded.ask("POST", "/dashboard/api/try", asked)[0] in {401, 403}


def test_a_wrong_password_stays_outside(guarded: Demo, open_page: Open) -> None:
    watched = open_page(guarded)
    watched.expected.append("401")
    page = watched.page
    expect(page).to_have_url(re.compile("/dashboard/login"))
    page.get_by_label("Password").fill("guessed")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert page.context.cookies() == []
    page.goto(f"{guarded.url}/dashboard/demo")
    expect(page).to_have_url(re.compile("/dashboard/login"))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_serious_at_the_login(guarded: Demo, open_page: Open, dark: bool) -> None:
    page = open_page(guarded, dark=dark, bypass_csp=True).page
    expect(page.get_by_label("Password")).to_be_visible()
    page.add_script_tag(content=tools.axe())
    assert grave(page) == []


def test_the_right_password_opens_the_page_and_logging_out_closes_it(guarded: Demo, open_page: Open) -> None:
    watched = open_page(guarded)
    watched.expected.append("401")  # the open page asks once more after the log-out
    page = watched.page
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.locator(".link-state")).to_have_text("Live")
    (cookie,) = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"] in {"Strict", "Lax"}) == (True, True)
    page.get_by_role("button", name=re.compile("Log out")).click()
    expect(page).to_have_url(re.compile("/dashboard/login"))
    page.goto(f"{guarded.url}/dashboard")
    expect(page).to_have_url(re.compile("/dashboard/login"))
