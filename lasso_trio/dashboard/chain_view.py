"""One chain of a profile: its row in each snapshot, and its panel. Pure reading."""

from __future__ import annotations

from typing import Any

from lasso_trio.dashboard.board import Board
from lasso_trio.dashboard.collector import chain_key
from lasso_trio.dashboard.provider_view import by_provider, percent, provider_row
from lasso_trio.dashboard.status import Status, chain_status
from lasso_trio.dashboard.streams_view import stream_sums
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.server.heads_view import chain_head
from lasso_trio.server.hedges_view import hedges_row

Row = dict[str, Any]
MINUTE: int = 60


def chain_row(board: Board, routed: RoutedChain, now: float) -> Row:
    traffic = sum(c.tally.rates.total(now) for c in routed.candidates)
    providers = [provider_row(board, routed, mine, traffic, now) for mine in by_provider(routed)]
    sums = stream_sums(board, chain_key(routed))
    return {
        **_configured(routed),
        "status": chain_status([Status(row["status"]) for row in providers]),
        **_head(routed, now),
        **_traffic(board, routed, now),
        **board.collector.figures([c.channel for c in routed.candidates]).percentiles,
        "streams": sums["streams"],
        "subscribers": sums["subscribers"],
        "providers": providers,
    }


def _configured(routed: RoutedChain) -> Row:
    chain = routed.chain
    return {
        "chain": chain.key,
        "chain_id": chain.chain_id,
        "name": chain.name,
        "color": chain.topology.color,
        "size": chain.topology.size,
        "max_lag_blocks": chain.selection.max_lag_blocks,
        "default_strategy": chain.routing.default_strategy.value,
    }


def _head(routed: RoutedChain, now: float) -> Row:
    view = routed.heads.view(now)
    return {
        "consensus": view.consensus,
        "tip": routed.heads.tip,
        "safe": view.safe,
        "finalized": view.finalized,
        "block_time_ms": round(1000 * routed.heads.block_time.seconds),
    }


def _traffic(board: Board, routed: RoutedChain, now: float) -> Row:
    counts = routed.counts
    calls, errors = last_minute(board, routed)
    return {
        "calls_per_second": round(counts.call_rate.per_second(now), 2),
        "calls_total": counts.calls,
        "errors_total": counts.errors,
        "failovers_last_minute": counts.failover_rate.total(now),
        "success_percent": percent(calls - errors, calls),
    }


def last_minute(board: Board, routed: RoutedChain) -> tuple[int, int]:
    """Calls and failed ones, as of the collector's last round."""
    line = board.collector.chains.get(chain_key(routed))
    point = None if line is None else line.recent(MINUTE, board.wall())
    return (0, 0) if point is None else (point.calls, min(point.errors, point.calls))


def chain_panel(board: Board, routed: RoutedChain, now: float) -> Row:
    row = chain_row(board, routed, now)
    return {
        **row,
        "head": chain_head(routed, now),
        "hedges": hedges_row(routed.counts),
        "last_call": board.activity.last(*chain_key(routed)),
        "distribution": [
            {
                "provider": mine[0].provider.id,
                "share_percent": provider["traffic_percent"],
                "calls": sum(c.tally.rates.total(now) for c in mine),
            }
            for mine, provider in zip(by_provider(routed), row["providers"], strict=True)
        ],
    }
