"""What every viewer of a profile gets each second: one value, built once and encoded once. Pure reading.

A large profile is worth some tens of milliseconds, so it is built chain by chain and calls go in between: its chains
may be some milliseconds apart.
"""

from __future__ import annotations

from typing import Any, Final

import trio

from lasso_trio import __version__
from lasso_trio.dashboard.board import Board
from lasso_trio.dashboard.chain_view import chain_row, last_minute
from lasso_trio.dashboard.cluster_view import cluster_summary
from lasso_trio.dashboard.issues import Sight
from lasso_trio.dashboard.provider_view import percent
from lasso_trio.dashboard.races_view import race_sums
from lasso_trio.dashboard.status import WELL, Status
from lasso_trio.dashboard.streams_view import streams_summary
from lasso_trio.dashboard.system_view import system_summary
from lasso_trio.routing.directory import RoutedProfile
from lasso_trio.server.metrics_view import timestamp

Row = dict[str, Any]
ACTIVITY: Final = 40
ISSUES: Final = 20
TROUBLE_S: Final = 300.0


async def snapshot(board: Board, profile: RoutedProfile, tick: int) -> Row:
    """Cancelled: stops between two chains."""
    chains: list[Row] = []
    for routed in profile.chains:
        await trio.lowlevel.checkpoint()
        chains.append(chain_row(board, routed, trio.current_time()))
    await trio.lowlevel.checkpoint()
    return _whole(board, profile, tick, chains, trio.current_time())


def _whole(board: Board, profile: RoutedProfile, tick: int, chains: list[Row], now: float) -> Row:
    races = race_sums(profile)
    sight = Sight.of(profile)
    return {
        "tick": tick,
        "at": timestamp(),
        "profile": profile.profile.slug,
        "node": board.node.id,
        "version": __version__,
        "uptime_s": int(board.node.uptime_s(now)),
        "readiness": board.node.readiness.value,
        "generation": board.directory().generation,
        "viewers": board.viewers(),
        "headline": {
            **_traffic(board, profile, now),
            **_raced(races),
            **_providers(chains),
            "issues_last_5m": board.issues.troubles(sight, TROUBLE_S),
        },
        "chains": chains,
        "activity": board.activity.rows(profile.profile.slug, ACTIVITY),
        "activity_rate": board.activity.rate(now),
        "issues": board.issues.rows(sight, ISSUES),
        "races": races,
        "streams": streams_summary(board, profile),
        "system": system_summary(board, now),
        "cluster": cluster_summary(board.cluster),
    }


def _traffic(board: Board, profile: RoutedProfile, now: float) -> Row:
    counts = [routed.counts for routed in profile.chains]
    minute = [last_minute(board, routed) for routed in profile.chains]
    calls, errors = sum(m[0] for m in minute), sum(m[1] for m in minute)
    channels = [c.channel for routed in profile.chains for c in routed.candidates]
    return {
        "calls_per_second": round(sum(c.call_rate.per_second(now) for c in counts), 2),
        "calls_total": sum(c.calls for c in counts),
        "errors_total": sum(c.errors for c in counts),
        "failovers_total": sum(c.failovers for c in counts),
        "cancelled_total": sum(c.cancelled for c in counts),
        "rate_limited_total": sum(c.limited for c in counts),
        "success_percent": percent(calls - errors, calls),
        "error_percent": percent(errors, calls),
        **board.collector.figures(channels).percentiles,
        "calls_last_minute": sum(c.call_rate.total(now) for c in counts),
        "failovers_last_minute": sum(c.failover_rate.total(now) for c in counts),
    }


def _raced(races: Row) -> Row:
    return {
        "hedges_fired": races["fired"],
        "hedges_won": races["won"],
        "extra_calls_percent": races["extra_calls_percent"],
        "saved_s": races["saved_s"],
    }


def _providers(chains: list[Row]) -> Row:
    statuses = [Status(provider["status"]) for chain in chains for provider in chain["providers"]]
    return {"providers_healthy": sum(s in WELL for s in statuses), "providers_total": len(statuses)}
