"""A setup and facts with which every row passes, for tests that break one thing at a time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

from lasso_trio.check import checklist
from lasso_trio.check.facts import (
    DoorsSeen,
    Facts,
    FailoverSeen,
    GitSeen,
    LimitSeen,
    LoadSeen,
    LogSeen,
    MachineSeen,
    MatesSeen,
    NodeSeen,
    PublicSeen,
    RegionsSeen,
    ShippedSeen,
    SocketSeen,
    StrategiesSeen,
)
from lasso_trio.check.health import LOGS, RULES
from lasso_trio.check.metric_page import MetricPage
from lasso_trio.check.page import Page
from lasso_trio.check.recovery import SETTINGS_PAGE, VARIABLES
from lasso_trio.check.setup import Setup
from lasso_trio.check.verdict import Verdict
from lasso_trio.probe.finding import WebSocket

ROOT = Path(__file__).resolve().parents[2]
ENVIRON = {
    "LASSO_ENV": "prod",
    "SECRET_KEY_BASE": "".join(chr(33 + n) for n in range(80)),
    "PHX_HOST": "rpc.example.com",
    "PHX_SERVER": "true",
    "LASSO_NODE_ID": "us-east-1",
    "PORT": "4000",
    "LASSO_OPS_PORT": "4001",
    "LASSO_ADMIN_TOKEN": "0123456789abcdef",
    "LASSO_TRUSTED_PROXIES": "10.0.0.2",
    "CLUSTER_DNS_QUERY": "lasso.internal",
    "CLUSTER_NODE_BASENAME": "lasso",
    "DRPC_KEY": "k" * 24,
}
PROFILE = b"""\
---
name: Public
slug: public
---
chains:
  ethereum:
    chain_id: 1
    providers:
      - id: drpc
        url: https://drpc.example/${DRPC_KEY}
      - id: own
        url: https://own.example
        capabilities:
          limits: {max_block_range: 1000}
"""
CLUSTER = {
    "enabled": True,
    "status": "healthy",
    "coverage": {"expected": 2, "connected": 2, "responding": 2},
    "nodes": [{"id": "us-east-1", "state": "responding"}, {"id": "eu-west-1", "state": "responding"}],
    "problems": [],
    "nodes_counted": 2,
}
HEALTH = {
    "status": "healthy",
    "timestamp": "2026-11-21T14:29:03.711142Z",
    "uptime_seconds": 7,
    "version": "0.1.0",
    "node_id": "us-east-1",
    "restarts": 0,
    "cluster": {"enabled": True, "status": "healthy", "nodes_total": 2, "problems": []},
}
CALL = {
    "event": "rpc.request.completed",
    "timestamp": "2026-11-21T14:29:03.711Z",
    "request_id": "lasso-check-1",
    "strategy": "fastest",
    "chain": "ethereum",
    "jsonrpc_method": "eth_blockNumber",
    "routing": {"selected_provider": {"id": "drpc", "protocol": "http"}, "retries": 0},
    "timing": {"upstream_latency_ms": 7.1, "end_to_end_latency_ms": 8},
}
METRICS = """\
# TYPE lasso_calls counter
lasso_calls_total{chain="ethereum"} 1000
# TYPE lasso_call_errors counter
lasso_call_errors_total{chain="ethereum"} 2
# TYPE lasso_attempts counter
lasso_attempts_total{provider="drpc"} 1000
# TYPE lasso_failovers counter
lasso_failovers_total{chain="ethereum"} 1
# TYPE lasso_breaker_opened counter
lasso_breaker_opened_total{upstream="a"} 1
# TYPE lasso_breaker_state gauge
lasso_breaker_state{upstream="a",state="closed"} 1
# TYPE lasso_provider_available gauge
lasso_provider_available{profile="public",chain="ethereum",provider="drpc"} 1
lasso_provider_available{profile="public",chain="ethereum",provider="own"} 1
# TYPE lasso_upstream_latency_seconds histogram
lasso_upstream_latency_seconds_bucket{upstream="a",le="0.1"} 990
lasso_upstream_latency_seconds_bucket{upstream="a",le="2.5"} 999
lasso_upstream_latency_seconds_bucket{upstream="a",le="+Inf"} 1000
lasso_upstream_latency_seconds_count{upstream="a"} 1000
lasso_upstream_latency_seconds_sum{upstream="a"} 40
# TYPE lasso_loop_lag_seconds gauge
lasso_loop_lag_seconds{percentile="99"} 0.004
# TYPE lasso_loop_lag_samples counter
lasso_loop_lag_samples_total 100
# TYPE lasso_tasks gauge
lasso_tasks 50
# TYPE lasso_tasks_runnable gauge
lasso_tasks_runnable 1
# TYPE lasso_uptime_seconds gauge
lasso_uptime_seconds 3600
# TYPE process_cpu_seconds counter
process_cpu_seconds_total 12
# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes 80000000
"""


def json_page(row: object, status: int = 200, **rest: Any) -> Page:
    return Page("http://node/", status, "application/json", json.dumps(row).encode(), **rest)


def setup_of(folder: Path, environ: Mapping[str, str] = {}, text: bytes = PROFILE) -> Setup:
    """As `Setup.read` would, of ENVIRON changed by `environ` ('' unsets) and one profile."""
    merged = {name: value for name, value in {**ENVIRON, **environ}.items() if value}
    (folder / "public.yml").write_bytes(text)
    return Setup.read(merged, folder)


def without(text: str, *names: str) -> MetricPage:
    """The page less the lines that begin with these names."""
    kept = [line for line in text.splitlines() if not any(name in line for name in names)]
    return MetricPage.of("\n".join(kept) + "\n")


@attrs.frozen
class World:
    """`facts` pass every row; `say` judges one of them after changes."""

    facts: Facts
    folder: Path

    def say(self, id_: str, environ: Mapping[str, str] = {}, text: bytes | None = None, **facts: Any) -> Verdict:
        """The verdict of row `id_`, with variables changed ('' unsets), another profile, and other facts."""
        changed = attrs.evolve(self.facts, **facts)
        if environ or text is not None:
            changed = attrs.evolve(changed, setup=setup_of(self.folder, environ, text or PROFILE))
        row = next(row for row in checklist.ROWS if row.id == id_)
        return row.judge(changed)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(good_facts(setup_of(tmp_path)), tmp_path)


def good_facts(setup: Setup) -> Facts:
    html = Page("http://node:4001/dashboard", 200, "text/html", b"<!doctype html>")
    moved = Page("http://node:4001/dashboard", 303, location="/dashboard/login?next=%2Fdashboard")
    nothing = json_page({"errors": {"detail": "Not Found"}}, 404)
    return Facts(
        setup=setup,
        url="http://node:4000",
        git=GitSeen(works=True),
        shipped=ShippedSeen(
            {name: (ROOT / name).read_text() for name in ("Containerfile", RULES, *LOGS)}
            | {SETTINGS_PAGE: " ".join(VARIABLES)},
            "Restarting, troubleshooting, the dashboard, common issues",
        ),
        machine=MachineSeen(2, 8 << 30, 100 << 30),
        node=NodeSeen((json_page(HEALTH),) * 3, json_page({"status": "ready"}), json_page({"chains": []})),
        doors=DoorsSeen(moved, html, json_page({}, 401), json_page({}, 401), nothing),
        public=PublicSeen(
            "https://rpc.example.com", json_page(HEALTH, version="HTTP/2"), nothing, nothing, json_page({}, 403)
        ),
        socket=SocketSeen("wss://rpc.example.com/ws", True, WebSocket(True, 1, 2.0, True, 1.5)),
        strategies=StrategiesSeen({"fastest": "", "priority": ""}),
        cluster=json_page(CLUSTER),
        mates=MatesSeen(problems={"10.0.0.1:4000": "", "10.0.0.2:4000": ""}),
        regions=RegionsSeen({"https://us": "", "https://eu": ""}),
        failover=FailoverSeen("drpc", ("own",) * 5, cordoned=True, restored=True),
        load=LoadSeen(1000, 1, 0, 1.0, 5.0, 9.0, 20.0, cpu_s=0.3, memory=80 << 20, concurrency=20),
        metrics=MetricPage.of(METRICS),
        limit=LimitSeen("public", 20, 100, 150, 40, told_when=True),
        log=LogSeen(9, CALL, True, ("public",), started=True),
    )


def all_names() -> str:
    from lasso_trio.check.recovery import VARIABLES

    return " ".join(VARIABLES)


ALL_NAMES = all_names()
