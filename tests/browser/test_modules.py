"""The page's own decisions, asked where they run: in the browser's engine, with values and no clock of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.tools import Demo


@pytest.fixture(scope="module")
def page(browser: Browser, demo: Demo) -> Iterator[Page]:
    """One for all: nothing here changes the page."""
    page = browser.new_page()
    page.goto(f"{demo.url}/dashboard")
    yield page
    page.close()


def asked(page: Page, module: str, expression: str, value: Any = None) -> Any:
    """`expression` over `m`, the module, and `v`."""
    code = f"""async (v) => {{
      const main = document.querySelector('script[type=module]').src;
      const m = await import(new URL({module + ".js"!r}, main));
      return {expression};
    }}"""
    return page.evaluate(code, value)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ("count(1234567)", "1,234,567"),
        ("count(null)", "–"),
        ("ms(0.834)", "0.83"),
        ("ms(1520)", "1,520"),
        ("percent(0.9999999)", ">99.99 %"),
        ("percent(1)", "100 %"),
        ("duration(850)", "850 ms"),
        ("duration(7_200_000)", "2 h"),
        ("bytes(0)", "0 B"),
        ("bytes(12_900_000)", "12.3 MiB"),
        ("lag(-1)", "1 block behind"),
        ("lag(null)", "height unknown"),
        ("rate(0)", "0"),
    ],
)
def test_numbers_are_written_as_people_read_them(page: Page, call: str, text: str) -> None:
    assert asked(page, "format", f"m.{call}") == text


def snapshot(*statuses: str, chain: str = "degraded", readiness: str = "ready", failing: float = 0) -> Any:
    providers = [{"provider": f"p{i}", "name": f"P{i}", "status": one, "why": ""} for i, one in enumerate(statuses)]
    return {
        "readiness": readiness,
        "headline": {"error_percent": failing},
        "chains": [{"chain": "c", "name": "C", "status": chain, "providers": providers}],
    }


@pytest.mark.parametrize(
    ("seen", "tone", "part"),
    [
        (snapshot("healthy", "healthy", chain="healthy"), "good", "All 2 providers are healthy"),
        (snapshot("healthy", "lagging"), "warn", "1 of 2 providers is not at its best"),
        (snapshot("healthy", "circuit_open", "lagging"), "bad", "1 of 3 providers takes no calls"),
        (snapshot("circuit_open", "cordoned", chain="down"), "bad", "C cannot serve"),
        (snapshot("healthy", chain="healthy", readiness="draining"), "bad", "takes no traffic: draining"),
        (snapshot("healthy", chain="healthy", failing=7.5), "bad", "one call in twenty"),
    ],
)
def test_the_verdict_names_the_worst(page: Page, seen: Any, tone: str, part: str) -> None:
    verdict = asked(page, "health", "m.verdict(v)", seen)
    assert verdict["tone"] == tone
    assert part in verdict["text"]


def clustered(**cluster: Any) -> Any:
    return snapshot("healthy", chain="healthy") | {"cluster": {"nodes": 3, "problems": []} | cluster}


@pytest.mark.parametrize(
    ("seen", "tone", "part"),
    [
        (clustered(disconnected=["a"]), "warn", "1 of 3 nodes is out of the picture"),
        (clustered(disconnected=["a"], unresponsive=["b"]), "warn", "2 of 3 nodes are out of the picture"),
        (clustered(problems=["dns"]), "warn", "Something is wrong with the cluster"),
        (clustered(), "good", "healthy"),
    ],
)
def test_a_missing_node_is_said_when_all_providers_are_well(page: Page, seen: Any, tone: str, part: str) -> None:
    verdict = asked(page, "health", "m.verdict(v)", seen)
    assert verdict["tone"] == tone
    assert part in verdict["text"]


def test_dead_nodes_come_before_those_that_do_not_answer(page: Page) -> None:
    rows = asked(page, "health", "m.missing(v)", clustered(disconnected=["b"], unresponsive=["a"]))
    assert [(row["node"], row["status"]) for row in rows] == [("b", "disconnected"), ("a", "unresponsive")]


def side(p50: float | None, success: float | None = 1.0, calls: int = 50) -> Any:
    return {"p50_latency_ms": p50, "success_rate": success, "total_calls": calls}


@pytest.mark.parametrize(
    ("cell", "kind"),
    [
        (side(10), "best"),
        (side(29), ""),
        (side(31), "slow"),
        (side(31, 0.9), "failing"),
        (side(31, 0.5, calls=4), "slow"),
        (side(None, None), ""),
    ],
)
def test_a_side_is_judged_beside_the_best_of_its_row(page: Page, cell: Any, kind: str) -> None:
    assert asked(page, "cluster", "m.kind(v, m.best([{p50_latency_ms: 10}, {p50_latency_ms: null}]))", cell) == kind


def test_troubles_come_worst_first(page: Page) -> None:
    rows = asked(page, "health", "m.troubles(v)", snapshot("lagging", "healthy", "circuit_open", "rate_limited"))
    assert [row["status"] for row in rows] == ["circuit_open", "rate_limited", "lagging"]


def test_a_row_is_kept_once_and_a_restarted_node_begins_anew(page: Page) -> None:
    assert asked(page, "data", "m.newest([{seq: 1}, {seq: 2}], [{seq: 2}, {seq: 3}], 2)") == [{"seq": 2}, {"seq": 3}]
    assert asked(page, "data", "m.newest([{seq: 90}], [{seq: 1}], 9)") == [{"seq": 1}]


@pytest.mark.parametrize(
    ("hash_", "place"),
    [
        ("", ["overview", None, None]),
        ("#metrics/demo", ["metrics", "demo", None]),
        ("#overview/a%2Fb/c", ["overview", "a/b", "c"]),
        ("#nonsense/x", ["overview", None, None]),
    ],
)
def test_the_address_says_where_one_is(page: Page, hash_: str, place: list[str | None]) -> None:
    assert asked(page, "place", "Object.values(m.parsed(v))", hash_) == place


STREAM = """
(() => {
  let now = 0; const told = []; const sources = [];
  const source = () => { const on = {}; const one = {on, closed: false, close() { this.closed = true; },
    addEventListener(kind, f) { on[kind] = f; }}; sources.push(one); return one; };
  const stream = new m.Stream('/x', (n) => told.push(n.state), {source, now: () => now});
  const at = (t) => { now = t; stream.beat(); };
  const hear = () => sources.at(-1).on.snapshot({data: '{}'});
  const fail = () => sources.at(-1).on.error();
  SCRIPT
  return {told, opened: sources.length, closed: sources.filter((one) => one.closed).length};
})()
"""


def streamed(page: Page, script: str) -> Any:
    return asked(page, "stream", STREAM.strip().replace("SCRIPT", script))


def test_a_stream_that_is_heard_is_live(page: Page) -> None:
    seen = streamed(page, "hear(); at(4000); hear(); at(8000);")
    assert (seen["told"], seen["opened"]) == (["connecting", "live", "live"], 1)


def test_a_silent_stream_is_lost_and_made_anew(page: Page) -> None:
    seen = streamed(page, "hear(); at(5001); at(5400); at(5502); hear();")
    assert seen == {"told": ["connecting", "live", "lost", "connecting", "live"], "opened": 2, "closed": 1}


def test_a_stream_that_never_opens_is_given_up_and_tried_again(page: Page) -> None:
    seen = streamed(page, "at(5001); at(5600);")
    assert seen == {"told": ["connecting", "lost", "connecting"], "opened": 2, "closed": 1}


def test_waits_between_tries_double_up_to_ten_seconds(page: Page) -> None:
    script = """const waits = [];
      for (let i = 0; i < 7; i++) { fail(); waits.push(stream.retryAt - now); at(stream.retryAt); }
      told.splice(0, told.length, ...waits);"""
    assert streamed(page, script)["told"] == [500, 1000, 2000, 4000, 8000, 10_000, 10_000]


def test_a_stream_that_rests_is_closed_and_goes_on_at_once(page: Page) -> None:
    seen = streamed(page, "hear(); stream.rest(); stream.rest(); at(60_000); stream.wake(); hear(); at(64_000);")
    assert seen == {"told": ["connecting", "live", "resting", "live"], "opened": 2, "closed": 1}


def test_a_stream_that_wakes_to_a_node_that_is_gone_is_lost(page: Page) -> None:
    seen = streamed(page, "hear(); stream.rest(); stream.wake(); fail(); stream.wake(); at(stream.retryAt); hear();")
    assert seen["told"] == ["connecting", "live", "resting", "lost", "connecting", "live"]


def test_a_page_that_nobody_sees_rests_after_a_while(page: Page) -> None:
    script = """const page = Object.assign(new EventTarget(), {hidden: false}); let due = null; hear();
      const forget = m.mindSeen(stream, {page, later: (f) => (due = f), never: () => { due = null; }});
      const see = (hidden) => { page.hidden = hidden; page.dispatchEvent(new Event("visibilitychange")); };
      see(true); see(false); told.push(due === null); see(true); due(); see(false); hear();
      see(true); forget(); told.push(due === null); see(false);"""
    seen = streamed(page, script)
    assert seen["told"] == ["connecting", "live", True, "resting", "live", True]
    assert (seen["opened"], seen["closed"]) == (2, 1)


def test_fine_buckets_fold_into_bands_of_latency(page: Page) -> None:
    heat = {"edges_ms": [1, 1.5, 3, 12, 30], "rows": [[4, 0, 1, 2], [0, 0, 3, 0]]}
    folded = asked(page, "heat", "m.folded(v)", heat)
    assert [row[:5] for row in folded["rows"]] == [[4, 0, 1, 0, 2], [0, 0, 3, 0, 0]]
    assert (folded["low"], folded["high"]) == (0, 4)


def test_histograms_with_other_stretches_of_the_grid_are_laid_over_each_other(page: Page) -> None:
    laid = asked(page, "histogram", "m.laid({edges_ms: [2, 3, 4], counts: [7, 8]}, [1, 2, 3, 4, 5])")
    assert laid == [0, 7, 8, 0]


def test_time_line_steps_are_round_and_few(page: Page) -> None:
    for end in (0.3, 7, 44.9, 1234):
        steps = asked(page, "timeline", "m.ticks(v)", end)
        assert 3 <= len(steps) <= 6
        assert steps[0] == 0


@pytest.mark.parametrize(
    ("limit", "offered", "first"),
    [(None, [1, 5, 15, 30, 100], 15), (10, [1, 5], 5), (15, [1, 5, 15], 15), (1, [1], 1)],
)
def test_a_load_stays_within_the_profiles_limit(page: Page, limit: int | None, offered: list[int], first: int) -> None:
    assert asked(page, "load", "[m.rates(v), m.usualRate(v)]", limit) == [offered, first]


def test_a_load_is_offered_where_it_can_be_sent(page: Page) -> None:
    assert asked(page, "load", "m.whyNot({load: true}, {needs_key: false})") == ""
    assert "operators' port" in asked(page, "load", "m.whyNot({load: false}, {needs_key: false})")
    assert "key" in asked(page, "load", "m.whyNot({load: true}, {needs_key: true})")


@pytest.mark.parametrize("hash_", ["#overview/%", "#%E0%A4%A", "#nothing/x", ""])
def test_a_place_that_cannot_be_read_is_the_overview(page: Page, hash_: str) -> None:
    assert asked(page, "place", "m.parsed(v).tab", hash_) == "overview"
