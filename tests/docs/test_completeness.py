"""What the pages list is all there is: events of the log, errors of our own, alerts, headers. And links are links."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from lasso_trio.config.settings import KNOWN
from lasso_trio.jsonrpc import errors
from lasso_trio.jsonrpc.errors import RpcError
from tests.docs.pages import OTHERS, PAGES, ROOT
from tests.scripts.expressions import problems

SOURCES = {path: path.read_text(encoding="utf-8") for path in sorted((ROOT / "lasso_trio").rglob("*.py"))}
EVENT = re.compile(r'\blog(?:ger)?\.(?:debug|info|warning|error|exception)\(\s*f?"([a-z]+(?:\.[a-z_]+)+)"')
PATH_LOGGED = re.compile(r'\blog\.\w+\(\s*"([^"]+)",[^\n]*\bpath=(\w+)')
MORE_EVENTS = {
    "rpc.request.completed", "log.dropped", "traces.dropped", "traces.failed", "admin.cordon", "admin.uncordon",
    "channel.cordoned", "channel.uncordoned", "keeper.ended", "keeper.not_connected",
}  # fmt: skip
"""Their names are no literal beside the logger."""
METRIC = re.compile(r"\b(?:(?:lasso|process)_[a-z_]+?(?:_total|_seconds|_bytes|_available|_connections))(?=_bucket|\b)")
LINK = re.compile(r"\]\((https?://[^)\s]+)\)|<(https?://[^>\s]+)>")
ROUTE = re.compile(r'@app\.(?:get|post)\("(/(?!admin/providers/)[^"]*)"')
OF_SCRIPTS = {"LASSO_PYTHON", "LASSO_IMAGE", "LASSO_PROFILES"}
LOCAL = ("127.0.0.1", "localhost")
SAMPLES = {
    "detail": "", "reason": "r", "why": "w", "path": "/rpc/x", "limit": 1, "retry_after_ms": 1, "slug": "s",
    "name": "n", "profile": "p", "provider": "x", "chain_id": 1, "method": "m", "retry_after_s": 1.0, "status": 502,
    "others_shut": False,
}  # fmt: skip


def events() -> set[str]:
    return {event for text in SOURCES.values() for event in EVENT.findall(text)} | MORE_EVENTS


@pytest.mark.parametrize("event", sorted(events()))
def test_every_event_of_the_log_is_explained(event: str) -> None:
    assert f"`{event}`" in PAGES["docs/observability.md"]


def test_no_event_is_explained_that_there_is_not() -> None:
    page = PAGES["docs/observability.md"]
    table = page[page.index("### Events") : page.index("### Reading them")]
    named = {word for word in re.findall(r"`([a-z]+(?:\.[a-z_]+)+)`", table) if "/" not in word}
    assert named <= events()


def test_a_path_is_logged_by_two_events_only_and_masked_there() -> None:
    told = [
        found for text in SOURCES.values() for found in re.findall(r'\blog\.\w+\(\s*"([^"]+)",[^\n]*\bpath=(\w+)', text)
    ]
    assert sorted(told) == [("admin.refused", "masked"), ("web.client_stalled", "masked")]
    assert all(f"`{event}`" in PAGES["docs/access.md"] for event, _ in told)


MAKERS = [
    make
    for _, make in inspect.getmembers(errors, inspect.isfunction)
    if make.__module__ == errors.__name__ and inspect.signature(make).return_annotation == "RpcError"
]


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_every_error_of_our_own_is_on_the_page_of_the_api(make: Callable[..., RpcError]) -> None:
    error = make(**{wanted: SAMPLES[wanted] for wanted in inspect.signature(make).parameters})
    rows = [row.split("|") for row in PAGES["docs/api.md"].splitlines() if row.startswith(f"| {error.code} |")]
    texts = [text for row in rows if str(error.status) in row[4] for text in re.findall(r"`([^`]+)`", row[2])]
    assert any(fits(text, error.message) for text in texts), (error.code, error.message, error.status)


def fits(shown: str, message: str) -> bool:
    return re.fullmatch(re.escape(shown).replace("…", ".*"), message) is not None


def test_every_alert_is_explained_and_has_something_to_be_done() -> None:
    rules = (ROOT / "deploy" / "prometheus" / "lasso.rules.yml").read_text(encoding="utf-8")
    alerts = set(re.findall(r"- alert: (\w+)", rules))
    assert alerts
    assert alerts == set(re.findall(r"^## (Lasso\w+)", PAGES["docs/alerts.md"], re.MULTILINE))
    assert alerts == set(re.findall(r"`(Lasso\w+)`", PAGES["docs/runbook.md"].split("## Common issues")[0]))


@pytest.mark.parametrize(
    "page", ["docs/runbook.md", "docs/capacity.md", "docs/observability.md", "docs/contributing.md"]
)
def test_every_metric_that_a_page_names_exists(page: str) -> None:
    told = PAGES["docs/metrics.md"]
    for name in set(METRIC.findall(PAGES[page])):
        assert f"`{name}`" in told, name


@pytest.mark.parametrize("page", PAGES)
def test_every_query_of_metrics_names_what_there_is(page: str) -> None:
    for query in re.findall(r"`([^`]*(?:rate|histogram_quantile|increase)\([^`]+)`", PAGES[page]):
        assert not list(problems(query)), query


@pytest.mark.parametrize("page", sorted(PAGES.keys() - {"docs/migration.md"}))
def test_every_variable_that_a_page_names_exists(page: str) -> None:
    assert set(re.findall(r"\bLASSO_[A-Z_]+[A-Z]\b(?!_)(?!…)", PAGES[page])) <= KNOWN | OF_SCRIPTS


@pytest.mark.parametrize("path", sorted({path for text in SOURCES.values() for path in ROUTE.findall(text)}))
def test_every_path_is_on_the_page_of_the_api_or_of_the_orders(path: str) -> None:
    shown = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", path)
    assert re.search(rf"[ `]{re.escape(shown)}`", PAGES["docs/api.md"] + PAGES["docs/admin.md"])


@pytest.mark.parametrize("header", sorted(set(re.findall(r'"(x-lasso-[a-z-]+)"', "".join(SOURCES.values())))))
def test_every_header_of_ours_is_documented(header: str) -> None:
    named = {word.lower() for text in PAGES.values() for word in re.findall(r"X-[A-Za-z-]+", text)}
    assert header in named


@pytest.mark.parametrize("page", OTHERS)
def test_links_of_pages_outside_the_site_lead_somewhere(page: str) -> None:
    """Those of the site's own are looked at when it is built (nox -s docs)."""
    for link in re.findall(r"\]\(([^):]+)\)", PAGES[page]):
        name, _, anchor = link.partition("#")
        target = (ROOT / page).parent / name
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), link


def anchors(text: str) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES)
def test_links_to_elsewhere_are_well_formed_and_encrypted(page: str) -> None:
    for url in (first or second for first, second in LINK.findall(PAGES[page])):
        parts = urlsplit(url)
        assert parts.hostname
        assert parts.scheme == "https" or parts.hostname in LOCAL, url
