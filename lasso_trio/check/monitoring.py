"""Rows M1 to M4: what people and Prometheus can see of the node, and who may look. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lasso_trio.check.facts import DoorsSeen, Facts, there
from lasso_trio.check.metric_page import MetricPage
from lasso_trio.check.row import Need, Row
from lasso_trio.check.verdict import Verdict, failed, passed, warned

REQUESTS: Final = (
    "lasso_calls_total",
    "lasso_call_errors_total",
    "lasso_attempts_total",
    "lasso_upstream_latency_seconds",
    "lasso_breaker_state",
)
SYSTEM: Final = ("process_cpu_seconds_total", "process_resident_memory_bytes", "lasso_tasks", "lasso_tasks_runnable")
LOOP: Final = ("lasso_loop_lag_seconds",)
PROVIDERS: Final = (
    "lasso_provider_available",
    "lasso_upstream_latency_seconds",
    "lasso_breaker_opened_total",
    "lasso_failovers_total",
)
LATE_S: Final = 0.05
LOGIN: Final = "/dashboard/login"
DOCS: Final = "docs/dashboard.md#who-may-look"
_CLOSED: Final = (401, 403)
_MOVED: Final = (302, 303, 307)


def judge_dashboard(facts: Facts) -> Verdict:
    """M1."""
    doors = there(facts.doors)
    todo = "set LASSO_DASHBOARD_PASSWORD, or put LASSO_OPS_PORT behind a firewall, a VPN or the proxy's own login"
    if faults := list(_open_doors(doors)):
        return failed("; ".join(faults), todo)
    page, off = doors.dashboard, facts.setup.get("LASSO_DASHBOARD").lower() == "off"
    if page.status == 404 and off:
        return passed("there is none (LASSO_DASHBOARD=off)")
    if page.status in _CLOSED:
        return passed(f"closed to strangers ({page.said})")
    if page.status in _MOVED:
        return passed("HTML, behind a login" if LOGIN in page.location else f"sent on to {page.location}")
    if page.status != 200 or page.kind != "text/html":
        return failed(f"{page.url}: {page.said} {page.kind}".strip(), "with LASSO_OPS_PORT, give --ops-url")
    why = f"everybody who reaches {page.url} may look"
    return failed(why, todo) if facts.setup.is_prod else warned(why, todo)


def _open_doors(doors: DoorsSeen) -> Iterator[str]:
    if doors.admin.status in (200, 204):
        yield "the admin API answers without a token"
    if doors.on_main is not None and doors.on_main.status not in (0, 404, *_CLOSED):
        yield f"it is on the main port as well: {doors.on_main.url}"
    if doors.dashboard.status in _MOVED and LOGIN in doors.dashboard.location:
        login = doors.login
        if login is None or login.status != 200 or login.kind != "text/html":
            yield f"its login page: {'not found' if login is None else login.said}"
        if doors.inside.status == 200:
            yield "what is behind its login can be read without one"


def judge_requests(facts: Facts) -> Verdict:
    """M2."""
    return _families(there(facts.metrics), REQUESTS, "calls, errors, latencies by provider and method, breakers")


def judge_system(facts: Facts) -> Verdict:
    """M3."""
    page = there(facts.metrics)
    found = _families(page, SYSTEM, "")
    if page.lacks(SYSTEM):
        return found
    if not page.total("lasso_loop_lag_samples_total"):
        return warned("CPU, memory and tasks; the event loop is not measured", "leave LASSO_VM_METRICS_ENABLED out")
    if page.lacks(LOOP):
        return _families(page, LOOP, "")
    late = max((value for labels, value in page.samples[LOOP[0]] if labels.get("percentile") == "99"), default=0.0)
    told = f"CPU, memory, tasks, event loop (p99 {late * 1000:.1f} ms late)"
    if late > LATE_S:
        return warned(told, "too little CPU, or something holds the loop: see LassoLoopLag", p99_s=late)
    return passed(told, p99_s=late, memory=int(page.total(SYSTEM[1])))


def judge_providers(facts: Facts) -> Verdict:
    """M4."""
    page = there(facts.metrics)
    found = _families(page, PROVIDERS, "")
    if page.lacks(PROVIDERS):
        return found
    rows = page.samples.get(PROVIDERS[0], ())
    down = sorted({f"{row['profile']}/{row['chain']}/{row['provider']}" for row, value in rows if not value})
    if rows and len(down) == len(rows):
        return failed("no provider is available", "`lasso probe` asks the endpoints themselves", down=down)
    if down:
        return warned(f"not available: {', '.join(down)}", "`lasso probe` asks the endpoints themselves", down=down)
    return passed(f"{len(rows)} available; latency, breaker trips and failovers are told")


def _families(page: MetricPage, names: tuple[str, ...], told: str) -> Verdict:
    if lacking := page.lacks(names):
        return failed(f"/metrics does not have {', '.join(lacking)}", "is it the node's own page, and of this version?")
    return passed(told)


_METRICS: Final = "docs/metrics.md"
ROWS: Final = (
    Row("M1", "Dashboard, and who may look", DOCS, judge_dashboard, {Need.DOORS}),
    Row("M2", "Request metrics", f"{_METRICS}#calls-and-chains", judge_requests, {Need.METRICS}, {Need.STRATEGIES}),
    Row("M3", "System metrics", f"{_METRICS}#the-node", judge_system, {Need.METRICS}),
    Row("M4", "Provider metrics", f"{_METRICS}#providers", judge_providers, {Need.METRICS}, {Need.STRATEGIES}),
)
