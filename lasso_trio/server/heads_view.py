"""What is known of heads and what probing costs, for the metrics page. Pure reading; heights are block numbers.

`lag` is with credit for the time since the last look and what routing goes by, `raw_lag` is without; both are negative
for who is behind, and null where they are not known.
"""

from __future__ import annotations

from typing import Any

from lasso_trio.providers.head import Head
from lasso_trio.providers.prober import Prober
from lasso_trio.routing.candidate import Candidate
from lasso_trio.routing.routed_chain import RoutedChain

Row = dict[str, Any]


def chain_head(routed: RoutedChain, now: float) -> Row:
    heads = routed.heads
    view = heads.view(now)
    return {
        "consensus": view.consensus,
        "tip": heads.tip,
        "safe": view.safe,
        "finalized": view.finalized,
        "block_time_ms": round(1000 * heads.block_time.seconds),
        "block_time_measured": heads.block_time.measured,
        "max_lag_blocks": routed.chain.selection.max_lag_blocks,
        "rollbacks": heads.rollbacks,
        "plans_where_all_lagged": heads.kept_all,
    }


def provider_head(routed: RoutedChain, candidate: Candidate, now: float) -> Row:
    """The head of one provider and its probes (null where nobody probes)."""
    id_ = candidate.channel.instance_id
    instance = routed.registry.instances.get(id_)  # a reload may have taken it away
    prober = None if instance is None else instance.prober
    head = _head(candidate.head, now) | {"lag": routed.heads.lag(id_, now), "raw_lag": routed.heads.raw_lag(id_, now)}
    return {"head": head, "probes": None if prober is None else _probes(prober, now)}


def _head(head: Head, now: float) -> Row:
    return {
        "height": head.height,
        "age_ms": None if head.height is None else int((now - head.at) * 1000),
        "safe": head.safe,
        "finalized": head.finalized,
        "syncing": head.syncing,
        "jumps_back": head.jumps_back,
        "chain": head.check.value,
        "wrong_chain_id": head.told_chain,
    }


def _probes(prober: Prober, now: float) -> Row:
    schedule = prober.schedule
    return {
        "status": schedule.status.value,
        "calls_last_hour": prober.calls.last_hour(now),
        "calls_total": prober.calls.total,
        "interval_ms": int(schedule.interval_s * 1000),
        "backoff_ms": int(schedule.backoff_s * 1000),
        "consecutive_failures": schedule.failures,
        "last_error": prober.last_error or None,
        "last_ms": None if prober.last_s is None else round(prober.last_s * 1000, 2),
    }
