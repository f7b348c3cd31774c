"""The table method × provider with the providers' ranking, from the counts that `/api/metrics` is made of.

A large table is worth some tens of milliseconds, so it is made cell by cell and calls go in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import trio

from lasso_trio.dashboard.provider_view import by_provider, milliseconds, percent, percentiles
from lasso_trio.providers.latency import Window
from lasso_trio.routing.candidate import Candidate
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.server.metrics_view import COLD_START_CALLS, score, timestamp

Row = dict[str, Any]


async def metrics_page(routed: RoutedChain, now: float) -> Row:
    """Cancelled: stops between two cells."""
    groups = by_provider(routed)
    methods = sorted({method for c in routed.candidates for method in c.channel.evidence})
    ranked = sorted([await _provider(mine, now) for mine in groups], key=lambda row: (row["cold"], -row["score"]))
    rows = [await _method(method, groups, now) for method in methods]
    return {
        "chain": routed.chain.key,
        "at": timestamp(),
        "providers": [{"rank": rank, **row} for rank, row in enumerate(ranked, 1)],
        "methods": sorted(rows, key=lambda row: -row["calls"]),
    }


async def _provider(mine: Sequence[Candidate], now: float) -> Row:
    attempts, answered = sum(c.tally.attempts for c in mine), sum(c.tally.answered for c in mine)
    average_ms = milliseconds(sum(c.tally.seconds for c in mine) / answered) if answered else None
    figures = percentiles(await _window(mine, None, now))
    p50, p99 = figures["p50_ms"], figures["p99_ms"]
    return {
        "provider": mine[0].provider.id,
        "name": mine[0].provider.name,
        "cold": attempts < COLD_START_CALLS,
        "score": score(answered / attempts if attempts else 1.0, average_ms, attempts),
        "avg_ms": average_ms,
        **figures,
        "p99_to_p50": round(p99 / p50, 2) if p50 and p99 else None,
        "success_percent": percent(answered, attempts),
        "calls": attempts,
    }


async def _method(method: str, groups: Sequence[Sequence[Candidate]], now: float) -> Row:
    cells = [await _cell(method, mine, now) for mine in groups if any(method in c.channel.evidence for c in mine)]
    return {"method": method, "calls": sum(cell["calls"] for cell in cells), "cells": cells}


async def _cell(method: str, mine: Sequence[Candidate], now: float) -> Row:
    evidence = [c.channel.evidence[method] for c in mine if method in c.channel.evidence]
    window = await _window(mine, method, now)
    successes, failures = sum(e.successes_total for e in evidence), sum(e.failures_total for e in evidence)
    return {
        "provider": mine[0].provider.id,
        "avg_ms": milliseconds(window.latency.mean),
        "p90_ms": milliseconds(window.quantile(0.9)),
        **percentiles(window),
        "success_percent": percent(successes, successes + failures),
        "calls": successes + failures,
    }


async def _window(mine: Sequence[Candidate], method: str | None, now: float) -> Window:
    """What is still believed of a method, or of all."""
    whole = Window()
    for candidate in mine:
        for name, evidence in tuple(candidate.channel.evidence.items()):
            if method in (None, name):
                whole.merge(evidence.window(now))
        await trio.lowlevel.checkpoint()
    return whole
