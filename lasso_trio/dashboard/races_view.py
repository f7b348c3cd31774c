"""Hedged calls: what they won and cost, and how long calls took with and without. Pure reading."""

from __future__ import annotations

from collections import Counter
from typing import Any

from lasso_trio.dashboard import bins
from lasso_trio.dashboard.board import Board
from lasso_trio.dashboard.provider_view import milliseconds, percent
from lasso_trio.providers.latency import LogHistogram
from lasso_trio.routing.directory import RoutedProfile
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.server.hedges_view import hedges_row

Row = dict[str, Any]


def race_sums(profile: RoutedProfile) -> Row:
    """Of all chains of a profile, since start."""
    hedges = [routed.counts.hedges for routed in profile.chains]
    fired, sent = sum(h.fired for h in hedges), sum(routed.counts.sent for routed in profile.chains)
    won = sum(h.won for h in hedges)
    return {
        "fired": fired,
        "won": won,
        "wasted": sum(h.wasted for h in hedges),
        "in_flight": sum(h.in_flight for h in hedges),
        "win_percent": percent(won, fired),
        "saved_s": round(sum(h.saved_s for h in hedges), 3),
        "extra_calls_percent": percent(fired, sent) or 0.0,
        "suppressed": dict(sorted(sum((h.suppressed for h in hedges), Counter()).items())),
    }


def races_page(board: Board, profile: RoutedProfile) -> Row:
    """`with_hedge`, `without_hedge`: calls of all profiles that were seen while somebody looked on.

    `recent`: the profile's last races of that time, newest first.
    """
    activity = board.activity
    return {
        "chains": [{"chain": routed.chain.key, **_chain(board, routed)} for routed in profile.chains],
        "recent": activity.recent_races(profile.profile.slug),
        "with_hedge": _durations(activity.raced),
        "without_hedge": _durations(activity.plain),
    }


def _chain(board: Board, routed: RoutedChain) -> Row:
    counts, policy = routed.counts, routed.chain.routing.hedge
    window = board.collector.window(list({id(c.channel): c.channel for c in routed.candidates}.values()))
    return {
        **hedges_row(counts),
        "win_percent": percent(counts.hedges.won, counts.hedges.fired),
        "calls": counts.calls,
        "policy": {"enabled": policy.enabled, "quantile": policy.quantile, "budget_percent": 100 * policy.budget},
        "latency": _counted(window.latency),
    }


def _durations(histogram: LogHistogram) -> Row:
    figures = {f"p{q}_ms": milliseconds(histogram.quantile(q / 100)) for q in (50, 95, 99)}
    return {"n": histogram.count, **figures, **_counted(histogram)}


def _counted(histogram: LogHistogram) -> Row:
    found = bins.of_buckets(histogram.buckets)
    if not found:
        return {"edges_ms": [], "counts": []}
    first, end = min(found), max(found) + 1
    return {"edges_ms": bins.EDGES_MS[first : end + 1], "counts": bins.row(found, first, end)}
