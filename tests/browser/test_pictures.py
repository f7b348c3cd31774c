"""The pictures of docs/dashboard.md: taken of a demo under load, in which somebody has broken something.

`nox -s browser -- --pictures` writes them to docs/images; otherwise they are taken and thrown away. Look at them: a
stranger must see at a glance what is wrong and where.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import tools
from tests.browser.conftest import Open
from tests.browser.tools import Demo
from tests.e2e.toolbox import ROOT

DOCS = ROOT / "docs"
WARM_UP_S = 50.0

Take = Callable[..., None]


@pytest.fixture(scope="module")
def busy(browser: Browser, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Demo]:
    """A demo with calls, and with one dead provider. For pictures that are kept it has a past."""
    kept = request.config.getoption("--pictures", default=False)
    with tools.demo(tmp_path_factory.mktemp("busy")) as demo, demo.under_load(60):
        time.sleep(WARM_UP_S if kept else 1)
        demo.fault("POST", "/providers/throttled/kill")
        yield demo


@pytest.fixture
def take(request: pytest.FixtureRequest, tmp_path: Path) -> Take:
    folder = DOCS / "images" if request.config.getoption("--pictures", default=False) else tmp_path

    def one(page: Page, name: str, whole: bool = False) -> None:
        page.mouse.move(0, 0)
        page.wait_for_timeout(1500)
        page.screenshot(path=folder / f"dashboard-{name}.png", full_page=whole)

    return one


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_overview(busy: Demo, open_page: Open, take: Take, dark: bool) -> None:
    page = open_page(busy, width=1280, dark=dark).page
    expect(page.locator(".provider-row.severity-3")).to_be_visible(timeout=15_000)
    take(page, f"overview-{'dark' if dark else 'light'}")


def test_phone(busy: Demo, open_page: Open, take: Take) -> None:
    page = open_page(busy, width=390, device_scale_factor=2).page
    expect(page.locator(".provider-row.severity-3")).to_be_visible(timeout=15_000)
    take(page, "phone")


def test_provider(busy: Demo, open_page: Open, take: Take) -> None:
    page = open_page(busy, "#overview/demo/flaky", width=1280, dark=True).page
    expect(page.locator(".panel .chart canvas").first).to_be_visible()
    take(page, "provider", whole=True)


def test_metrics(busy: Demo, open_page: Open, take: Take) -> None:
    page = open_page(busy, "#metrics", width=1280).page
    expect(page.locator("table.matrix")).to_be_visible()
    take(page, "metrics", whole=True)


def test_races(busy: Demo, open_page: Open, take: Take) -> None:
    page = open_page(busy, "#races", width=1280, dark=True).page
    expect(page.locator("svg.hist").first).to_be_visible()
    take(page, "races")


def test_try_it(busy: Demo, open_page: Open, take: Take) -> None:
    page = open_page(busy, "#try", width=1280).page
    page.get_by_label("Strategy").first.select_option("fastest")
    page.get_by_label("Race").select_option("5")
    page.get_by_role("button", name="Call", exact=True).click()
    expect(page.locator(".timeline")).to_be_visible()
    take(page, "try-it", whole=True)


def test_the_docs_show_every_picture_there_is_and_no_other() -> None:
    text = (DOCS / "dashboard.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"images/(dashboard-[\w-]+\.png)", text))
    assert shown == {path.name for path in (DOCS / "images").glob("dashboard-*.png")}
