"""A demo and a browser for the whole session, and a page for each test that must have stayed clean at its end.

Clean: no error on the console, no exception in a script, no request that leaves the origin, nothing that the content
security policy had to stop.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import attrs
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from tests.browser import tools
from tests.browser.tools import Demo
from tests.e2e.conftest import say as say

COLLECTED_S = 60.0
SEEN_MS = 20_000
"""A busy machine may be late with what is to be seen, by this much."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pictures", action="store_true", help="write the dashboard's pictures to docs/images")


@pytest.hookimpl(tryfirst=True)  # before `-m` selects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    binary = tools.chromium()
    expect.set_options(timeout=SEEN_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def demo(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The session's demo, for tests that leave it as they found it."""
    with tools.demo(tmp_path_factory.mktemp("demo")) as demo:
        use(demo)
        yield demo


@pytest.fixture
def used(demo: Demo) -> Demo:
    """The session's demo after calls of just now: figures of calls are of the last minutes."""
    use(demo)
    return demo


def use(demo: Demo) -> None:
    with demo.under_load(60):
        for _ in range(60):
            demo.ask("POST", "/rpc/fastest/demo", {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []})
        until_collected(demo)


def until_collected(demo: Demo) -> None:
    """The dashboard's memory is written every five seconds: wait for its second line."""
    url, end = "/dashboard/api/demo/series/demo?range=5m&provider=steady", time.monotonic() + COLLECTED_S
    while not any(demo.get(url)["p50_ms"]):
        assert time.monotonic() < end, "nothing was collected"
        time.sleep(0.3)


@attrs.define
class Watched:
    """A page, and what it did that it should not; `expected`: parts of console texts that a test brings about."""

    page: Page
    origin: str
    wrong: list[str] = attrs.field(factory=list)
    expected: list[str] = attrs.field(factory=list)

    def listen(self) -> None:
        self.page.on("console", lambda message: self._console(message))  # playwright marks bound methods
        self.page.on("pageerror", lambda error: self.wrong.append(f"exception: {error}"))
        self.page.on("request", lambda request: self._request(request))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.wrong.append(f"console: {message.text} {message.location}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self.origin, "data:")):
            self.wrong.append(f"off the origin: {request.url}")

    def unexpected(self) -> list[str]:
        return [text for text in self.wrong if not any(part in text for part in self.expected)]


Open = Callable[..., Watched]


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """Open a dashboard: `open_page(demo, "#metrics", width=390, dark=True)`. Every page must have stayed clean."""
    with ExitStack() as stack:
        opened: list[Watched] = []

        def open_one(demo: Demo, place: str = "", width: int = 1440, dark: bool = False, **options: Any) -> Watched:
            scheme = "dark" if dark else "light"
            height = 900 if width > 600 else 844
            context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, **options)
            stack.callback(context.close)
            watched = Watched(context.new_page(), demo.url)
            watched.listen()
            opened.append(watched)
            watched.page.goto(f"{demo.url}/dashboard{place}")
            return watched

        yield open_one
        assert [text for watched in opened for text in watched.unexpected()] == []
