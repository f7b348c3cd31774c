"""`/api/metrics/:chain`: the live counters of one profile's chain, in the shape the original documents.

Pure reading: nothing is kept for this page. Latencies are of the last five minutes at most, calls since start.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from math import log10
from typing import Any, Final

from lasso_trio.providers.latency import Evidence, Window
from lasso_trio.routing.candidate import Candidate
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.server.channel_view import channel_row
from lasso_trio.server.heads_view import chain_head, provider_head
from lasso_trio.server.hedges_view import hedges_row
from lasso_trio.telemetry.node import Node, memory_mib, task_figures
from lasso_trio.telemetry.usage import Usage

Row = dict[str, Any]
COLD_START_CALLS = 10
ALONE: Final[Mapping[int, Usage]] = {}


def timestamp() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 2)


def chain_metrics(routed: RoutedChain, node: Node, now: float, usages: Mapping[int, Usage] = ALONE) -> Row:
    """`usages`: of the workers' processes, where there are several."""
    stamp = timestamp()
    methods = sorted({method for c in routed.candidates for method in c.channel.evidence})
    return {
        "profile": routed.profile.slug,
        "chain": routed.chain.key,
        "chain_id": routed.chain.chain_id,
        "timestamp": stamp,
        "system_metrics": workers_metrics(usages) if usages else system_metrics(node, now),
        "chain_performance": _performance(routed, now),
        "hedges": hedges_row(routed.counts),
        "head": chain_head(routed, now),
        "providers": [_provider(routed, provider, candidates, now) for provider, candidates in _by_provider(routed)],
        "rpc_methods": methods,
        "rpc_performance_by_provider": [
            {"provider_id": provider, "provider_name": candidates[0].provider.name, "methods": _rows(candidates, now)}
            for provider, candidates in _by_provider(routed)
        ],
        "rpc_performance_by_method": [
            {"method": method, "providers": _method_rows(routed, method, now)} for method in methods
        ],
        "last_updated": stamp,
    }


def system_metrics(node: Node, now: float) -> Row:
    living, runnable = task_figures()
    return {
        "memory_mb": memory_mib(),
        "cpu_percent": node.cpu_percent(now),
        "process_count": living,
        "run_queue": runnable,
    }


def workers_metrics(usages: Mapping[int, Usage]) -> Row:
    """Of all processes together, and of each."""
    rows = {worker: _usage_row(usage) for worker, usage in usages.items()}
    whole = {key: sum(row[key] for row in rows.values()) for key in ("memory_mb", "cpu_percent")}
    return {
        **{key: round(value, 1) for key, value in whole.items()},
        **{key: sum(row[key] for row in rows.values()) for key in ("process_count", "run_queue")},
        "workers": [{"worker": worker, **row} for worker, row in rows.items()],
    }


def _usage_row(usage: Usage) -> Row:
    return {
        "pid": usage.pid,
        "memory_mb": usage.memory_mb,
        "cpu_percent": usage.cpu_percent,
        "process_count": usage.tasks,
        "run_queue": usage.runnable,
        "connections": usage.connections,
        "calls": usage.calls,
        "calls_per_second": usage.calls_per_second,
        "keeping": usage.keeping,
    }


def _performance(routed: RoutedChain, now: float) -> Row:
    counts = routed.counts
    latency = _merged((e for c in routed.candidates for e in c.channel.evidence.values()), now)
    error_rate = counts.errors / counts.calls if counts.calls else 0.0
    live = {c.provider.id for c in routed.candidates if c.channel.live and c.channel.breaker.retry_after(now) == 0}
    return {
        "total_calls": counts.calls,
        "success_rate": round(1.0 - error_rate, 4),
        "error_rate_percent": round(100.0 * error_rate, 2),
        "p50_latency": _ms(latency.quantile(0.50)),
        "p95_latency": _ms(latency.quantile(0.95)),
        "failovers_last_minute": counts.failover_rate.total(now),
        "rate_limited_calls": counts.limited,
        "cancelled_calls": counts.cancelled,
        "connected_providers": len(live),
        "total_providers": len(routed.chain.providers),
        "recent_activity": counts.call_rate.total(now),
        "rpc_calls_per_second": round(counts.call_rate.per_second(now), 2),
    }


def _merged(evidence: Iterable[Evidence], now: float) -> Window:
    whole = Window()
    for row in evidence:
        whole.merge(row.window(now))
    return whole


def _by_provider(routed: RoutedChain) -> list[tuple[str, list[Candidate]]]:
    groups: dict[str, list[Candidate]] = {}
    for candidate in routed.candidates:
        groups.setdefault(candidate.provider.id, []).append(candidate)
    return list(groups.items())


def _provider(routed: RoutedChain, provider_id: str, candidates: list[Candidate], now: float) -> Row:
    attempts = sum(c.tally.attempts for c in candidates)
    answered = sum(c.tally.answered for c in candidates)
    seconds = sum(c.tally.seconds for c in candidates)
    success = answered / attempts if attempts else 1.0
    average_ms = 1000 * seconds / answered if answered else None
    return {
        "id": provider_id,
        "name": candidates[0].provider.name,
        "score": score(success, average_ms, attempts),
        "success_rate": round(success, 4),
        "total_calls": attempts,
        "avg_latency_ms": None if average_ms is None else round(average_ms, 2),
        "calls_last_minute": sum(c.tally.rates.total(now) for c in candidates),
        "failures": sum(c.tally.failures for c in candidates),
        "rate_limited": sum(c.tally.throttled for c in candidates),
        "channels": [channel_row(c.channel, now) for c in candidates],
        **provider_head(routed, candidates[0], now),
    }


def score(success: float, average_ms: float | None, calls: int) -> float:
    """As the original: success rate (0…1) × 1000 / (1000 + average ms) × log10 of the calls; 0 below ten calls."""
    if calls < COLD_START_CALLS:
        return 0
    return round(success * 1000 / (1000 + (average_ms or 0.0)) * log10(calls), 2)


def _rows(candidates: list[Candidate], now: float) -> list[Row]:
    methods = sorted({method for c in candidates for method in c.channel.evidence})
    return [_row(method, candidates, now) for method in methods]


def _method_rows(routed: RoutedChain, method: str, now: float) -> list[Row]:
    return [
        {**_row(method, candidates, now), "provider_id": provider, "provider_name": candidates[0].provider.name}
        for provider, candidates in _by_provider(routed)
        if any(method in c.channel.evidence for c in candidates)
    ]


def _row(method: str, candidates: list[Candidate], now: float) -> Row:
    evidence = [c.channel.evidence[method] for c in candidates if method in c.channel.evidence]
    window = _merged(evidence, now)
    successes = sum(e.successes_total for e in evidence)
    total = successes + sum(e.failures_total for e in evidence)
    return {
        "method": method,
        "avg_latency_ms": _ms(window.latency.mean),
        **{f"p{q}_latency_ms": _ms(window.quantile(q / 100)) for q in (50, 90, 95, 99)},
        "success_rate": round(successes / total, 4) if total else None,
        "total_calls": total,
        "last_updated": timestamp(),
    }
