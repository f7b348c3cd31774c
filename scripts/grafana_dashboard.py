"""Writes deploy/grafana/lasso.json, the Grafana dashboard: `python scripts/grafana_dashboard.py`.

A panel is a title, a unit and its queries; the grid and everything Grafana wants besides is worked out here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, Final

import attrs

FILE = Path(__file__).resolve().parent.parent / "deploy" / "grafana" / "lasso.json"
SOURCE: Final = {"type": "prometheus", "uid": "${source}"}
CHAIN: Final = 'instance=~"$node",profile=~"$profile",chain=~"$chain"'
NODE: Final = 'instance=~"$node"'
RATE: Final = "$__rate_interval"
COLUMNS: Final = 24


@attrs.frozen
class Panel:
    """`queries`: legend by expression. `unit`: Grafana's name for it."""

    title: str
    unit: str
    queries: dict[str, str]
    kind: str = "timeseries"
    width: int = 8
    height: int = 8


def per(labels: str, metric: str, by: str) -> str:
    return f"sum by ({by}) (rate({metric}{{{labels}}}[{RATE}]))"


def latency(q: float, by: str) -> str:
    return f"histogram_quantile({q}, {per(NODE, 'lasso_upstream_latency_seconds_bucket', f'{by}, le')})"


ROWS: Final[dict[str, list[Panel]]] = {
    "Now": [
        Panel("Calls", "reqps", {f"sum(rate(lasso_calls_total{{{CHAIN}}}[{RATE}]))": "calls"}, "stat", 4, 4),
        Panel(
            "Errors",
            "percentunit",
            {
                f"sum(rate(lasso_call_errors_total{{{CHAIN}}}[{RATE}]))"
                f" / sum(rate(lasso_calls_total{{{CHAIN}}}[{RATE}]))": "errors"
            },
            "stat",
            4,
            4,
        ),
        Panel("Upstreams' p95", "s", {latency(0.95, "instance"): "{{instance}}"}, "stat", 4, 4),
        Panel(
            "Providers out",
            "none",
            {f"count(lasso_provider_available{{{CHAIN}}} == 0) or vector(0)": "out"},
            "stat",
            4,
            4,
        ),
        Panel("Open breakers", "none", {f'sum(lasso_breaker_state{{{NODE},state="open"}})': "open"}, "stat", 4, 4),
        Panel("Ready", "none", {f"lasso_ready{{{NODE}}}": "{{instance}}"}, "stat", 4, 4),
    ],
    "Calls": [
        Panel("Calls", "reqps", {per(CHAIN, "lasso_calls_total", "profile, chain"): "{{profile}}/{{chain}}"}),
        Panel(
            "Calls answered with an error",
            "reqps",
            {per(CHAIN, "lasso_call_errors_total", "profile, chain"): "{{profile}}/{{chain}}"},
        ),
        Panel(
            "Failovers, calls given up and limited",
            "reqps",
            {
                per(CHAIN, "lasso_failovers_total", "chain"): "{{chain}} failovers",
                per(CHAIN, "lasso_calls_cancelled_total", "chain"): "{{chain}} client left",
                per(CHAIN, "lasso_calls_limited_total", "chain"): "{{chain}} limited",
            },
        ),
        Panel(
            "Hedges",
            "reqps",
            {
                per(CHAIN, "lasso_hedges_won_total", "chain"): "{{chain}} won",
                per(CHAIN, "lasso_hedges_wasted_total", "chain"): "{{chain}} wasted",
                per(CHAIN, "lasso_hedges_suppressed_total", "chain, reason"): "{{chain}} not: {{reason}}",
            },
        ),
        Panel(
            "Calls of the nodes themselves",
            "reqps",
            {
                per(CHAIN, "lasso_own_calls_total", "profile, chain"): "{{profile}}/{{chain}}",
                per(CHAIN, "lasso_own_call_errors_total", "profile, chain"): "{{profile}}/{{chain}} failed",
            },
        ),
        Panel(
            "Seconds that hedges saved at least, per second",
            "s",
            {per(CHAIN, "lasso_hedges_saved_seconds_total", "chain"): "{{chain}}"},
        ),
        Panel(
            "Shared and cached",
            "reqps",
            {
                per(CHAIN, "lasso_coalesced_calls_total", "chain"): "{{chain}} shared",
                per(CHAIN, "lasso_cache_calls_total", "chain, outcome"): "{{chain}} {{outcome}}",
            },
        ),
    ],
    "Providers": [
        Panel("Attempts", "reqps", {per(CHAIN, "lasso_attempts_total", "chain, provider"): "{{chain}} {{provider}}"}),
        Panel(
            "Failed and throttled attempts",
            "reqps",
            {
                per(CHAIN, "lasso_attempts_failed_total", "chain, provider"): "{{chain}} {{provider}} failed",
                per(CHAIN, "lasso_attempts_throttled_total", "chain, provider"): "{{chain}} {{provider}} throttled",
            },
        ),
        Panel("Available", "none", {f"lasso_provider_available{{{CHAIN}}}": "{{profile}}/{{chain}} {{provider}}"}),
        Panel("p50 by upstream", "s", {latency(0.5, "upstream"): "{{upstream}}"}),
        Panel("p99 by upstream", "s", {latency(0.99, "upstream"): "{{upstream}}"}),
        Panel("p95 by method", "s", {latency(0.95, "method"): "{{method}}"}),
        Panel("Blocks behind", "none", {f"lasso_provider_lag_blocks{{{CHAIN}}}": "{{chain}} {{provider}}"}),
        Panel(
            "Breakers that opened",
            "none",
            {f"increase(lasso_breaker_opened_total{{{NODE}}}[{RATE}])": "{{upstream}} {{transport}}"},
        ),
        Panel(
            "Cooldowns",
            "s",
            {f"lasso_cooldown_remaining_seconds{{{NODE}}} > 0": "{{upstream}} {{transport}}"},
        ),
    ],
    "Heads and streams": [
        Panel("Height", "none", {f"lasso_chain_consensus_height{{{CHAIN}}}": "{{profile}}/{{chain}}"}),
        Panel(
            "Streams and their members",
            "none",
            {
                f"lasso_streams{{{CHAIN}}}": "{{chain}} {{kind}} streams",
                f"lasso_stream_members{{{CHAIN}}}": "{{chain}} {{kind}} members",
                f"lasso_stream_feeds{{{CHAIN}}}": "{{chain}} {{kind}} feeds",
            },
        ),
        Panel(
            "Filled, lost, failed over",
            "none",
            {
                per(CHAIN, "lasso_stream_filled_total", "chain, kind"): "{{chain}} {{kind}} filled",
                per(CHAIN, "lasso_stream_gaps_total", "chain, kind"): "{{chain}} {{kind}} gaps",
                per(CHAIN, "lasso_stream_failovers_total", "chain, kind"): "{{chain}} {{kind}} failovers",
            },
        ),
        Panel("WebSocket clients", "none", {f"lasso_ws_clients{{{NODE}}}": "{{instance}}"}),
        Panel(
            "From an event to the last of a large crowd, p99",
            "s",
            {f"histogram_quantile(0.99, {per(NODE, 'lasso_fanout_seconds_bucket', 'instance, le')})": "{{instance}}"},
        ),
        Panel(
            "Slow WebSocket clients",
            "none",
            {
                f"lasso_ws_clients_behind{{{NODE}}}": "{{instance}} behind",
                per(NODE, "lasso_ws_overflows_total", "instance"): "{{instance}} overflows",
                per(NODE, "lasso_ws_timeouts_total", "instance, phase"): "{{instance}} {{phase}}",
            },
        ),
        Panel("Notifications", "reqps", {per(NODE, "lasso_ws_published_total", "instance"): "{{instance}}"}),
    ],
    "Node": [
        Panel("Loop lag", "s", {f"lasso_loop_lag_seconds{{{NODE}}}": "{{instance}} p{{percentile}}"}),
        Panel("CPU", "percentunit", {f"rate(process_cpu_seconds_total{{{NODE}}}[{RATE}])": "{{instance}}"}),
        Panel("Memory", "bytes", {f"process_resident_memory_bytes{{{NODE}}}": "{{instance}}"}),
        Panel(
            "Tasks and connections",
            "none",
            {
                f"lasso_tasks{{{NODE}}}": "{{instance}} tasks",
                f"lasso_door_connections{{{NODE}}}": "{{instance}} connections",
            },
        ),
        Panel(
            "Restarts and crashes",
            "none",
            {
                f"increase(lasso_restarts_total{{{NODE}}}[{RATE}])": "{{instance}} restarts",
                f"increase(lasso_crashes_total{{{NODE}}}[{RATE}])": "{{instance}} {{where}}",
            },
        ),
        Panel(
            "Retry budget",
            "none",
            {
                f"lasso_retry_budget_tokens{{{NODE}}}": "{{instance}} tokens",
                per(NODE, "lasso_retries_refused_total", "instance"): "{{instance}} refused",
            },
        ),
    ],
    "Cluster": [
        Panel("Nodes, as each sees them", "none", {f"lasso_cluster_nodes{{{NODE}}} > 0": "{{instance}} {{state}}"}),
        Panel("What is wrong", "none", {f"lasso_cluster_problems{{{NODE}}} > 0": "{{instance}} {{kind}}"}),
        Panel(
            "Questions to other nodes",
            "reqps",
            {per(NODE, "lasso_cluster_exchanges_total", "instance, outcome"): "{{instance}} {{outcome}}"},
        ),
    ],
}


def dashboard() -> dict[str, Any]:
    """As Grafana imports it (schema 39: Grafana 11 and later)."""
    return {
        "title": "lasso_trio",
        "uid": "lasso-trio",
        "tags": ["lasso"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": list(_variables())},
        "panels": list(_panels()),
    }


def _variables() -> Iterator[dict[str, Any]]:
    yield {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    for name, query in {
        "node": "label_values(lasso_build_info, instance)",
        "profile": 'label_values(lasso_calls_total{instance=~"$node"}, profile)',
        "chain": 'label_values(lasso_calls_total{instance=~"$node",profile=~"$profile"}, chain)',
    }.items():
        yield {
            "name": name,
            "type": "query",
            "datasource": SOURCE,
            "query": {"query": query, "refId": name},
            "refresh": 2,
            "multi": True,
            "includeAll": True,
            "current": {"text": "All", "value": "$__all"},
        }


def _panels() -> Iterator[dict[str, Any]]:
    ids, y = count(1), 0
    for title, panels in ROWS.items():
        yield {
            "id": next(ids),
            "type": "row",
            "title": title,
            "collapsed": False,
            "panels": [],
            "gridPos": _at(0, y, COLUMNS, 1),
        }
        x, y = 0, y + 1
        for panel in panels:
            if x + panel.width > COLUMNS:
                x, y = 0, y + panel.height
            yield _panel(panel, next(ids), _at(x, y, panel.width, panel.height))
            x += panel.width
        y += panels[-1].height


def _at(x: int, y: int, w: int, h: int) -> dict[str, int]:
    return {"x": x, "y": y, "w": w, "h": h}


def _panel(panel: Panel, id_: int, place: dict[str, int]) -> dict[str, Any]:
    targets = [
        {"refId": chr(ord("A") + at), "datasource": SOURCE, "expr": expr, "legendFormat": legend}
        for at, (expr, legend) in enumerate(panel.queries.items())
    ]
    return {
        "id": id_,
        "type": panel.kind,
        "title": panel.title,
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
        "targets": targets,
    }


def render() -> str:
    return json.dumps(dashboard(), indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    FILE.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
