"""Each tab shows real numbers, and they are the API's."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.browser.tools import Demo


def figure(page: Page, term: str) -> str:
    """The number that stands under `term`."""
    return page.locator(".figure", has=page.get_by_text(term, exact=True)).locator(".value").inner_text()


def number(text: str) -> float:
    found = re.match(r"[\d,.]+", text)
    assert found is not None, text
    return float(found[0].replace(",", ""))


def test_the_overview_shows_every_provider_with_its_state_in_words(demo: Demo, open_page: Open) -> None:
    page = open_page(demo).page
    rows = page.locator(".provider-row")
    expect(rows).to_have_count(4)
    told = {one["name"]: one["status"] for one in demo.get("/dashboard/api/demo/snapshot")["chains"][0]["providers"]}
    assert [rows.nth(i).locator("b").first.inner_text() for i in range(4)] == list(told)
    expect(page.locator(".provider-row", has_text="Lagging").last).to_contain_text("6 blocks behind")
    expect(page.get_by_role("button", name=re.compile("Lagging.*behind")).first).to_be_visible()


def test_headline_numbers_are_the_snapshots(used: Demo, open_page: Open) -> None:
    page = open_page(used).page
    expect(page.locator(".figures.headline")).to_be_visible()
    headline = used.get("/dashboard/api/demo/snapshot")["headline"]
    under = page.locator(".figure", has=page.get_by_text("Calls per second", exact=True)).locator(".under")
    expect(under).to_have_text(f"{headline['calls_total']:,} since start")
    p50 = page.locator(".figure", has=page.get_by_text("p50", exact=True)).locator(".value")
    expect(p50).to_have_text(re.compile(r"\d"), timeout=30_000)  # figures are refreshed every five seconds
    headline = used.get("/dashboard/api/demo/snapshot")["headline"]
    assert number(figure(page, "p50")) == pytest.approx(headline["p50_ms"], rel=0.5)


def test_calls_appear_as_they_happen_with_their_reason(demo: Demo, open_page: Open) -> None:
    page = open_page(demo).page
    expect(page.locator(".link-state")).to_have_text("Live")
    demo.ask("POST", "/rpc/priority/demo", {"jsonrpc": "2.0", "id": 1, "method": "eth_syncing", "params": []})
    row = page.locator(".feed li", has_text="eth_syncing").first
    expect(row).to_contain_text("priority")
    expect(row).to_contain_text(re.compile(r"\d ms"))


def test_a_paused_feed_stands_still_and_counts_what_it_holds_back(demo: Demo, open_page: Open) -> None:
    page = open_page(demo).page
    page.get_by_role("button", name="Pause").click()
    page.mouse.move(0, 0)
    demo.ask("POST", "/rpc/demo", {"jsonrpc": "2.0", "id": 1, "method": "net_version", "params": []})
    expect(page.get_by_text(re.compile("paused, [1-9]"))).to_be_visible()
    expect(page.locator(".feed li", has_text="net_version")).to_have_count(0)
    page.get_by_role("button", name="Resume").click()
    page.mouse.move(0, 0)
    expect(page.locator(".feed li", has_text="net_version").first).to_be_visible()


def test_a_chosen_provider_shows_its_head_breaker_and_latencies(used: Demo, open_page: Open) -> None:
    page = open_page(used).page
    page.locator(".provider-row", has_text="Steady").click()
    panel = page.locator(".panel")
    expect(panel.get_by_role("heading", name="Steady")).to_be_visible()
    expect(panel).to_contain_text("closed")
    expect(panel.locator(".u-legend").first).to_contain_text("p95 ms")
    expect(panel.locator("svg.heat rect:not(.none)").first).to_be_attached()
    panel.get_by_label("Method", exact=True).select_option("eth_gasPrice")
    expect(panel.locator(".u-legend").first).to_contain_text("p95 ms")
    told = used.get("/dashboard/api/demo/chains/demo/providers/steady")
    expect(panel).to_contain_text(f"{told['attempts_total']:,} attempts")
    page.keyboard.press("Escape")
    expect(panel).to_have_count(0)


def test_a_chosen_chain_shows_heads_and_who_answered(demo: Demo, open_page: Open) -> None:
    page = open_page(demo, "#overview/demo").page
    panel = page.locator(".panel")
    expect(panel.get_by_text("Consensus")).to_be_visible()
    shown = panel.locator("dd").first.inner_text().replace(",", "")
    consensus = demo.get("/dashboard/api/demo/snapshot")["chains"][0]["consensus"]
    assert consensus - 2 <= int(shown) <= consensus


def test_metrics_rank_providers_and_cross_methods_with_them(used: Demo, open_page: Open) -> None:
    page = open_page(used, "#metrics").page
    matrix = page.locator("table.matrix")
    expect(matrix).to_be_visible()
    told = used.get("/dashboard/api/demo/metrics/demo")
    first = told["methods"][0]
    row = matrix.locator("tbody tr", has_text=first["method"])
    expect(row.locator("td").first).to_have_text(f"{first['calls']:,}")
    ranked = page.locator("table.data").first.locator("tbody th")
    expect(ranked.first).to_contain_text(told["providers"][0]["name"])


@pytest.mark.parametrize("span", ["5 min", "1 h", "24 h"])
def test_series_are_drawn_for_each_span_of_time(demo: Demo, open_page: Open, span: str) -> None:
    page = open_page(demo, "#metrics").page
    page.get_by_role("button", name=span).click()
    expect(page.locator(".chart canvas").first).to_be_visible()
    expect(page.locator(".chart").first).to_have_attribute("aria-label", re.compile("latest median"))


def test_streams_show_a_subscription_while_there_is_one(demo: Demo, open_page: Open) -> None:
    page = open_page(demo, "#streams").page
    expect(page.locator(".figure", has_text="Subscribers").locator(".value")).to_have_text("0")
    page.evaluate(
        """async (url) => { const ws = new WebSocket(url); globalThis.subscriber = ws;
        await new Promise((done) => { ws.onmessage = done; ws.onopen = () => ws.send(JSON.stringify(
          {jsonrpc: "2.0", id: 1, method: "eth_subscribe", params: ["newHeads"]})); }); }""",
        f"{demo.url.replace('http', 'ws')}/ws/rpc/demo",
    )
    expect(page.get_by_role("table", name="Streams").locator("tbody tr")).to_contain_text("newHeads")
    expect(page.locator(".figure", has_text="Subscribers").locator(".value")).to_have_text("1")
    page.evaluate("globalThis.subscriber.close()")
    expect(page.locator(".figure", has_text="Subscribers").locator(".value")).to_have_text("0")


def test_races_show_what_hedging_did(demo: Demo, open_page: Open) -> None:
    page = open_page(demo, "#races").page
    expect(page.locator("svg.hist rect").first).to_be_attached()
    fired = demo.get("/dashboard/api/demo/snapshot")["races"]["fired"]
    expect(page.locator(".figure", has_text="Races run").locator(".value")).to_have_text(f"{fired:,}")


def test_a_race_that_was_just_run_is_drawn_with_its_loser(demo: Demo, open_page: Open) -> None:
    page = open_page(demo, "#races").page
    expect(page.locator(".link-state")).to_have_text("Live")
    body = {"jsonrpc": "2.0", "id": 1, "method": "eth_getBalance", "params": ["0x" + 40 * "0", "latest"]}
    for _ in range(5):  # the budget is for all of these tests
        demo.ask("POST", "/rpc/priority/demo", body, {"x-lasso-hedge": "1"})
    race = page.locator(".race").first
    expect(race).to_contain_text("eth_getBalance")
    expect(race.locator(".timeline")).to_contain_text(re.compile("answered"))
    expect(page.locator(".race", has_text="given up").first).to_contain_text(re.compile(r"after [\d.]+ ms"))


def test_the_system_tab_shows_the_living_task_tree(demo: Demo, open_page: Open) -> None:
    page = open_page(demo, "#system").page
    tree = page.locator(".tree")
    expect(tree).to_contain_text("prober")
    expect(tree).to_contain_text("running")
    assert 0 <= number(figure(page, "Loop busy")) <= 100
    assert number(figure(page, "Memory")) == pytest.approx(demo.get("/dashboard/api/system")["memory_mb"], rel=0.2)


def test_a_call_can_be_tried_and_is_explained(demo: Demo, open_page: Open) -> None:
    page = open_page(demo, "#try").page
    page.get_by_label("Provider").select_option("steady")
    page.get_by_role("button", name="Call", exact=True).click()
    expect(page.get_by_role("heading", name="Answered by steady")).to_be_visible()
    expect(page.locator(".timeline rect.won")).to_be_visible()
    assert re.fullmatch(r'"0x[0-9a-f]+"', page.get_by_label("Result").inner_text())
    expect(page.locator("ol.plan")).to_contain_text("steady")


def test_a_raced_call_names_who_lost_and_what_he_had_taken(demo: Demo, open_page: Open) -> None:
    page = open_page(demo, "#try").page
    page.get_by_label("Race").select_option("5")
    page.get_by_label("Strategy").first.select_option("priority")
    for _ in range(8):  # a provider may be quicker than that
        page.get_by_role("button", name="Call", exact=True).click()
        expect(page.get_by_role("button", name="Call", exact=True)).to_be_enabled()
        lost = page.locator(".timeline g", has_text="given up")
        if lost.count():
            break
    expect(lost.first).to_contain_text(re.compile("(steady|flaky|lagging|throttled).*after [0-9.]+ ms"))
    expect(page.locator(".chooser")).to_contain_text("asked after 5.00 ms")


def test_a_call_can_be_explained_without_being_made(demo: Demo, open_page: Open) -> None:
    page = open_page(demo, "#try").page
    before = demo.get("/dashboard/api/demo/snapshot")["headline"]["calls_total"]
    page.get_by_role("button", name="Explain only").click()
    expect(page.locator("ul.plan")).to_contain_text("lagging")
    expect(page.locator(".timeline")).to_have_count(0)
    assert demo.get("/dashboard/api/demo/snapshot")["headline"]["calls_total"] == before


def test_a_load_runs_and_stops(demo: Demo, open_page: Open) -> None:
    page = open_page(demo, "#try").page
    page.get_by_role("button", name="30/s").click()
    page.get_by_role("button", name="Run").click()
    expect(page.locator(".figure", has_text="Answered").locator(".value")).to_have_text(re.compile("[1-9][0-9]"))
    expect(page.locator(".figure", has_text="Errors").locator(".value")).to_have_text("0")
    page.get_by_role("button", name="Stop").click()
    assert number(figure(page, "Rate")) <= 31
    expect(page.get_by_role("button", name="Run")).to_be_visible()


def test_endpoints_follow_the_chosen_strategy(demo: Demo, open_page: Open) -> None:
    page = open_page(demo).page
    page.get_by_role("button", name="priority").click()
    expect(page.get_by_text(f"{demo.url}/rpc/priority/demo", exact=True)).to_be_visible()
    expect(page.get_by_text(f"{demo.url.replace('http', 'ws')}/ws/rpc/priority/demo", exact=True)).to_be_visible()
