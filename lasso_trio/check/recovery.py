"""Rows D1 to D5: a provider, a node or a region fails, somebody knows what to do, the first days are watched. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from lasso_trio.check.facts import Facts, there
from lasso_trio.check.metric_page import MetricPage
from lasso_trio.check.row import Need, Row
from lasso_trio.check.verdict import Verdict, failed, passed, skipped, warned
from lasso_trio.config.cluster_terms import BOTH
from lasso_trio.config.settings import KNOWN

MOST_ERRORS: Final = 0.01
SLOW_P95_S: Final = 1.0
SLOW_P99_S: Final = 5.0
TRIPS_PER_HOUR: Final = 3
WATCHED_S: Final = 48 * 3600
LATENCY: Final = "lasso_upstream_latency_seconds"
TOPICS: Final = {
    "restarting": r"restart",
    "troubleshooting": r"troubleshoot",
    "the dashboard": r"dashboard",
    "common issues": r"common (issues|problems|failures)|when something is wrong|what goes wrong",
}
SETTINGS_PAGE: Final = "docs/settings.md"
VARIABLES: Final = KNOWN | {"SECRET_KEY_BASE", "PHX_HOST", "PHX_SERVER", "PHX_SCHEME", "PORT", *BOTH}
_GONE: Final = ("disconnected", "unresponsive")


def judge_failover(facts: Facts) -> Verdict:
    """D1."""
    seen = there(facts.failover)
    by_hand = "POST /admin/providers/{which}/uncordon takes it back: see docs/admin.md"
    if seen.cordoned and not seen.restored:
        return failed(
            f"{seen.first} was cordoned and could not be taken back: {seen.fault}", by_hand, provider=seen.first
        )
    if seen.alone:
        return failed("the chain has one provider: nobody takes over", "add a second provider to the profile")
    if seen.fault:
        return failed(f"failover was not shown: {seen.fault}", "`lasso probe` asks the endpoints; see the dashboard")
    if seen.first in seen.then:
        return failed(f"{seen.first} was cordoned, and went on answering", "are there several nodes behind the URL?")
    names = ", ".join(dict.fromkeys(seen.then))
    told = f"with {seen.first} cordoned, {names} answered ({len(seen.then)} calls); it was taken back"
    return passed(told, first=seen.first, then=list(seen.then))


def judge_node_failure(facts: Facts) -> Verdict:
    """D2. It looks and never kills: what a stopped node would do is seen when one is stopped."""
    page, mates = there(facts.cluster), facts.mates
    row = page.row
    if page.status != 200 or "enabled" not in row:
        return failed(f"/api/cluster: {page.said}", "see the node's log")
    if not row["enabled"]:
        return skipped(
            "a lone node: nobody takes over", "see docs/clustering.md, and put a load balancer before two nodes"
        )
    coverage: dict[str, Any] = row.get("coverage") or {}
    expected, responding = coverage.get("expected", 0), coverage.get("responding", 0)
    gone = [str(node.get("id")) for node in row.get("nodes", ()) if node.get("state") in _GONE]
    counted = row.get("nodes_counted", responding)
    figures = {"expected": expected, "responding": responding, "gone": gone}
    if expected < 2:
        return failed("the cluster has one node", "see E9", **figures)
    if counted > responding:
        return failed(f"figures of {counted} nodes are added up, and {responding} respond", "please report", **figures)
    if row.get("status") == "critical":
        return failed(f"{responding} of {expected} nodes respond", "start the others; see /api/cluster", **figures)
    silent = [] if mates is None else [address for address, problem in mates.problems.items() if problem]
    if gone:
        told = f"{', '.join(gone)} shown as gone and left out; {responding} of {expected} serve"
        return warned(told, "start it again, or let DNS forget it", **figures)
    if silent or responding < expected:
        return failed(
            f"{responding} of {expected} respond, {', '.join(silent) or 'one'} does not serve", "see E9", **figures
        )
    told = f"{responding} of {expected} respond and serve; stop one and check again to see it left out"
    return passed(told, **figures)


def judge_regions(facts: Facts) -> Verdict:
    """D3."""
    problems = there(facts.regions).problems
    down = {url: problem for url, problem in problems.items() if problem}
    todo = "see docs/geo.md"
    if down:
        url, problem = next(iter(down.items()))
        return failed(f"{len(down)} of {len(problems)} regions are not ready: {url}: {problem}", todo)
    if len(problems) < 2:
        return warned("one region: there is nowhere to go", todo)
    return passed(f"{len(problems)} regions are ready; that the name moves is the DNS provider's health check")


def judge_runbook(facts: Facts) -> Verdict:
    """D4."""
    seen = there(facts.shipped)
    if seen.runbook is None:
        return skipped("no docs/runbook.md here", "give --runbook FILE, or --source DIR for the shipped one")
    lacking = [topic for topic, words in TOPICS.items() if not re.search(words, seen.runbook, re.IGNORECASE)]
    if lacking:
        return failed(f"the runbook says nothing on {', '.join(lacking)}", "write it down before it is needed")
    page = seen.files.get(SETTINGS_PAGE)
    if page is not None and (unsaid := sorted(name for name in VARIABLES if name not in page)):
        return failed(f"variables without documentation: {', '.join(unsaid)}", f"add them to {SETTINGS_PAGE}")
    return passed(f"it has {', '.join(TOPICS)}" + ("; every variable is documented" if page is not None else ""))


def judge_first_days(facts: Facts) -> Verdict:
    """D5."""
    page, log = there(facts.metrics), facts.log
    calls, errors = page.total("lasso_calls_total"), page.total("lasso_call_errors_total")
    if not calls:
        return skipped("no calls yet", "check again when clients have come")
    rate = errors / calls
    hours = page.total("lasso_uptime_seconds") / 3600
    trips = page.total("lasso_breaker_opened_total")
    memory = int(page.total("process_resident_memory_bytes"))
    told = f"{calls:.0f} calls in {hours:.1f} h, {rate:.2%} errors, {trips:.0f} breaker trips, {memory >> 20} MiB"
    figures = {"calls": int(calls), "error_rate": round(rate, 5), "trips": int(trips), "hours": round(hours, 2)}
    if rate >= MOST_ERRORS:
        return failed(told, "errors of the calls themselves count too: the log has each with its category", **figures)
    remarks = list(_remarks(page, trips, hours))
    if log is not None and log.errors:
        remarks.append(f"{log.errors} lines of level error in the log, such as {log.error_example}")
    if remarks:
        return warned(f"{told}; {'; '.join(remarks)}", "see docs/alerts.md for each of them", **figures)
    return passed(told, **figures)


def _remarks(page: MetricPage, trips: float, hours: float) -> Iterator[str]:
    for q, most in ((0.95, SLOW_P95_S), (0.99, SLOW_P99_S)):
        slow = page.quantile(LATENCY, q)
        if slow is not None and slow > most:
            yield f"upstreams' p{q * 100:.0f} is {slow:g} s"
    if trips > TRIPS_PER_HOUR * max(1.0, hours):
        yield "breakers trip often"
    if page.total("lasso_breaker_quarantined"):
        yield "an upstream is quarantined"
    if page.total("lasso_crashes_total"):
        yield "errors of our own were contained (lasso_crashes_total)"


ROWS: Final = (
    Row("D1", "Provider failover", "docs/admin.md", judge_failover, {Need.FAILOVER}),
    Row("D2", "Node failure", "docs/clustering.md#what-happens", judge_node_failure, {Need.CLUSTER}, {Need.MATES}),
    Row("D3", "Regional failover", "docs/geo.md", judge_regions, {Need.REGIONS}),
    Row("D4", "Runbook", "docs/runbook.md", judge_runbook, {Need.SHIPPED}),
    Row("D5", "The first 48 hours", "docs/runbook.md#the-first-48-hours", judge_first_days, {Need.METRICS}, {Need.LOG}),
)
