"""Rows H1 to H6: the node says that it lives, TLS ends before it, its log can be read, somebody is called. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from lasso_trio.check.facts import Facts, NodeSeen, PublicSeen, SocketSeen, there
from lasso_trio.check.page import Page
from lasso_trio.check.row import Need, Row
from lasso_trio.check.verdict import Verdict, failed, passed, skipped, warned
from lasso_trio.config.settings import LogFormat
from lasso_trio.metrics.registry import BY_NAME

LIVENESS_S: Final = 5.0
READINESS_S: Final = 3.0
SLOW_S: Final = 1.0
MEMBERS: Final = {"status": str, "timestamp": str, "uptime_seconds": int, "version": str, "node_id": str}
HEALTHCHECK: Final = {"interval": "30s", "timeout": "10s", "retries": "3", "start-period": "40s"}
HEALTH_PATH: Final = "/api/health"
CALL_MEMBERS: Final[Mapping[str, type | tuple[type, ...]]] = {
    "request_id": str,
    "strategy": str,
    "chain": str,
    "jsonrpc_method": str,
    "routing.selected_provider.id": str,
    "routing.retries": int,
    "timing.upstream_latency_ms": (int, float),
    "timing.end_to_end_latency_ms": (int, float),
}
ALERTS: Final = {
    "a high error rate": "lasso_call_errors_total",
    "breaker openings": "lasso_breaker_opened_total",
    "provider failures": "lasso_attempts_failed_total",
    "slow responses": "lasso_upstream_latency_seconds",
}
RULES: Final = "deploy/prometheus/lasso.rules.yml"
LOGS: Final = ("deploy/compose/compose.yaml", "deploy/logs/kubelet.yaml", "deploy/systemd/lasso.service")
_TIMESTAMP: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d)")
_DERIVED: Final = re.compile(r"_(bucket|count|sum)$")
_DEPLOYMENT: Final = "docs/deployment.md"


def judge_health(facts: Facts) -> Verdict:
    """H1."""
    seen = there(facts.node)
    slowest = max(page.seconds for page in seen.health)
    todo = "look at the node's log; /api/health answers as long as the process lives"
    for page in seen.health:
        if wrong := _wrong_health(page):
            return failed(wrong, todo, seconds=round(slowest, 3))
    if wrong := _wrong_readiness(seen):
        return failed(f"alive, and not ready: {wrong}", "it starts or drains, or no provider answers: see its log")
    if trouble := _shared_trouble(facts):
        return trouble
    if slowest > SLOW_S:
        return warned(f"it answered after {slowest:.1f} s", "too little CPU? see LassoLoopLag", seconds=slowest)
    told = f"healthy and ready, within {slowest * 1000:.0f} ms ({len(seen.health)} times)"
    return passed(told, seconds=round(slowest, 4), node_id=facts.health.get("node_id"))


def _shared_trouble(facts: Facts) -> Verdict | None:
    """What the node says of Redis, where one is configured."""
    if not facts.setup.get("LASSO_REDIS_URL"):
        return None
    shared = facts.health.get("shared")
    if not isinstance(shared, dict):
        return failed("LASSO_REDIS_URL is set, and the node shares nothing", "start the node with this environment")
    lanes = shared.get("lanes") or {}
    down = [f"{name}: {lane.get('reason')}" for name, lane in lanes.items() if lane.get("state") == "down"]
    if not down:
        return None
    return warned(f"Redis is not reached, each node is for itself ({'; '.join(down)})", "see the log and Redis itself")


def _wrong_health(page: Page) -> str:
    if page.status != 200:
        return f"/api/health: {page.said}"
    if page.seconds > LIVENESS_S:
        return f"/api/health needs {page.seconds:.1f} s, and liveness waits {LIVENESS_S:g} s"
    row = page.row
    if page.kind != "application/json" or not row:
        return f"/api/health is no JSON object but {page.kind or 'of no type'}"
    lacking = [name for name, type_ in MEMBERS.items() if not isinstance(row.get(name), type_)]
    if lacking:
        return f"/api/health lacks {', '.join(lacking)}"
    return "" if row["status"] == "healthy" else f"/api/health says {row['status']}"


def _wrong_readiness(seen: NodeSeen) -> str:
    ready = seen.ready
    if ready.status != 200:
        return str(ready.row.get("reason") or ready.said)
    return f"it needs {ready.seconds:.1f} s to say so" if ready.seconds > READINESS_S else ""


def judge_container(facts: Facts) -> Verdict:
    """H2."""
    text = there(facts.shipped).files.get("Containerfile")
    todo = "HEALTHCHECK " + " ".join(f"--{name}={value}" for name, value in HEALTHCHECK.items())
    if text is None:
        return skipped("no Containerfile here", "run it in the source, or give --source DIR")
    found = re.search(r"^HEALTHCHECK\s(?:.*\\\n)*.*", text, re.MULTILINE)
    if found is None:
        return failed("the Containerfile has no HEALTHCHECK", todo)
    given = dict(re.findall(r"--([a-z-]+)=(\S+)", found[0]))
    wrong = [
        f"{name} is {given.get(name, 'not set')}" for name, value in HEALTHCHECK.items() if given.get(name) != value
    ]
    if HEALTH_PATH not in found[0]:
        wrong.append(f"it does not ask {HEALTH_PATH}")
    if wrong:
        return failed(", ".join(wrong), todo)
    return passed(f"every {given['interval']}, {given['timeout']} to answer, on {HEALTH_PATH}")


def judge_tls(facts: Facts) -> Verdict:
    """H3."""
    public = there(facts.public)
    problems, remarks = list(_tls_faults(facts, public)), list(_tls_remarks(facts, public))
    todo = f"see {_DEPLOYMENT}#tls-and-the-reverse-proxy; nginx and Caddy configurations are in deploy/"
    figures = {"url": public.url, "http": public.health.version}
    if problems:
        return failed("; ".join(problems), todo, **figures)
    if remarks:
        return warned("; ".join(remarks), todo, **figures)
    return passed(f"{public.url}: TLS, {public.health.version}, WebSockets are let through", **figures)


def _tls_faults(facts: Facts, public: PublicSeen) -> Iterator[str]:
    if not public.url.startswith("https:") and facts.setup.is_prod:
        yield f"{public.url} is not https"
    if public.health.status != 200:
        yield f"{public.url}{HEALTH_PATH}: {public.health.said}"
    elif not public.health.row.get("node_id"):
        yield f"who answers at {public.url} is not the node"
    if facts.socket is not None and facts.socket.public and not facts.socket.found.connected:
        yield f"no WebSocket at {facts.socket.url}: {facts.socket.found.problem}"
    settings = facts.setup.settings
    if settings is not None and any(network.prefixlen == 0 for network in settings.trusted_proxies):
        yield "LASSO_TRUSTED_PROXIES trusts everybody: each client chooses whose limit it uses"


def _tls_remarks(facts: Facts, public: PublicSeen) -> Iterator[str]:
    if not public.url.startswith("https:"):
        yield f"{public.url} is not https"
    elif public.health.version != "HTTP/2":
        yield f"the proxy speaks {public.health.version}, not HTTP/2"
    if facts.socket is None:
        yield "WebSockets were not tried"
    elif facts.socket.public and (problem := _stream_problem(facts.socket)):
        yield problem
    settings = facts.setup.settings
    if settings is not None and not settings.trusted_proxies:
        yield "LASSO_TRUSTED_PROXIES is not set: behind a proxy all clients share one limit"


def _stream_problem(socket: SocketSeen) -> str:
    found = socket.found
    if not found.connected or (found.subscribed and found.first_head_s is not None):
        return ""
    return f"WebSocket: {found.problem or 'no subscription to newHeads'}"


def judge_log(facts: Facts) -> Verdict:
    """H4."""
    log, settings = there(facts.log), facts.setup.settings
    if settings is not None and settings.log_format is LogFormat.PRETTY:
        return failed("LASSO_LOG_FORMAT is pretty", "leave it out, or set it to json")
    if not log.lines:
        return failed("the log has no line of JSON", "leave LASSO_LOG_FORMAT out, or set it to json")
    if log.call is None:
        todo = "LASSO_LOG_LEVEL must be info and LASSO_LOG_SAMPLE_RATE above 0; make a call"
        return failed("no rpc.request.completed with a provider among its lines", todo)
    if wrong := list(_wrong_members(log.call)):
        return failed(f"rpc.request.completed: {', '.join(wrong)}", "is something rewriting the lines?")
    if facts.strategies is not None and not log.is_ours:
        return warned("the line is right, and none of the check's own calls is there", "is it this node's log?")
    return passed("rpc.request.completed has all of its members, and milliseconds")


def _wrong_members(call: Mapping[str, Any]) -> Iterator[str]:
    for path, type_ in CALL_MEMBERS.items():
        value: Any = call
        for part in path.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if not isinstance(value, type_):
            yield f"{path} is {'missing' if value is None else 'of another type'}"
    stamp = call.get("timestamp")
    if not isinstance(stamp, str) or not _TIMESTAMP.fullmatch(stamp):
        yield "timestamp is not ISO 8601 with milliseconds"


def judge_collection(facts: Facts) -> Verdict:
    """H5."""
    files = there(facts.shipped).files
    missing = [name for name in LOGS if name not in files]
    if len(missing) == len(LOGS):
        return skipped("the files under deploy/ are not here", "run it in the source, or give --source DIR")
    if missing:
        return failed(f"not there: {', '.join(missing)}", f"see {_DEPLOYMENT}#logs")
    wrong = [name for name, word in zip(LOGS, ("max-size", "containerLogMaxSize", "journal"), strict=True)
             if word not in files[name]]  # fmt: skip
    if wrong:
        return failed(f"nothing bounds the log in {', '.join(wrong)}", f"see {_DEPLOYMENT}#logs")
    return passed("rotation for containers and Kubernetes, the journal for systemd")


def judge_alerts(facts: Facts) -> Verdict:
    """H6: the rules are there, and every metric they name is one of ours."""
    text = there(facts.shipped).files.get(RULES)
    if text is None:
        return skipped(f"{RULES} is not here", "run it in the source, or give --source DIR")
    exprs = re.sub(r"#.*", "", text)
    if silent := [what for what, metric in ALERTS.items() if metric not in exprs]:
        return failed(f"no alert for {', '.join(silent)}", "compare with deploy/prometheus in the source")
    count = len(re.findall(r"^\s*- alert:", text, re.MULTILINE))
    named = {_DERIVED.sub("", name) for name in re.findall(r"\blasso_[a-z_]+", exprs)}
    if unknown := sorted(name for name in named if name not in BY_NAME):
        return failed(f"rules name metrics that no node tells: {', '.join(unknown)}", "another version's rules?")
    return passed(f"{count} rules; every metric they name is one of this version's")


ROWS: Final = (
    Row("H1", "Health and readiness", "docs/settings.md#what-it-says", judge_health, {Need.NODE}),
    Row("H2", "Container health check", f"{_DEPLOYMENT}#the-image", judge_container, {Need.SHIPPED}),
    Row(
        "H3",
        "TLS at a reverse proxy",
        f"{_DEPLOYMENT}#tls-and-the-reverse-proxy",
        judge_tls,
        {Need.PUBLIC},
        {Need.SOCKET},
    ),
    Row("H4", "JSON logs", "docs/settings.md#what-it-says", judge_log, {Need.LOG}, {Need.STRATEGIES}),
    Row("H5", "Log collection", f"{_DEPLOYMENT}#logs", judge_collection, {Need.SHIPPED}),
    Row("H6", "Alerts", "docs/alerts.md", judge_alerts, {Need.SHIPPED}),
)
