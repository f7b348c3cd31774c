"""The table method × provider with the providers' ranking, from the counts that `/api/metrics` is made of.

A large table is worth some tenths of a second, so it is made a few cells at a time and calls go in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import attrs
import trio

from lasso_trio.dashboard.provider_view import by_provider, milliseconds, percent, percentiles
from lasso_trio.providers.latency import Window
from lasso_trio.routing.candidate import Candidate
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.server.metrics_view import COLD_START_CALLS, score, timestamp

Row = dict[str, Any]
AT_ONCE: Final = 8
"""Cells made without a pause: half a millisecond."""


@attrs.frozen(eq=False)
class _Evidence:
    """One provider's: what is still believed of each method, and of all."""

    mine: Sequence[Candidate]
    methods: dict[str, Window]
    whole: Window


async def metrics_page(routed: RoutedChain, now: float) -> Row:
    """Cancelled: stops between two cells."""
    found = [await _read(mine, now) for mine in by_provider(routed)]
    methods = sorted({method for evidence in found for method in evidence.methods})
    ranked = sorted([_provider(evidence) for evidence in found], key=lambda row: (row["cold"], -row["score"]))
    rows = [await _method(method, found) for method in methods]
    return {
        "chain": routed.chain.key,
        "at": timestamp(),
        "providers": [{"rank": rank, **row} for rank, row in enumerate(ranked, 1)],
        "methods": sorted(rows, key=lambda row: -row["calls"]),
    }


async def _read(mine: Sequence[Candidate], now: float) -> _Evidence:
    """Each evidence is read once."""
    methods, whole = dict[str, Window](), Window()
    for candidate in mine:
        for number, (method, evidence) in enumerate(tuple(candidate.channel.evidence.items())):
            if number % AT_ONCE == 0:
                await trio.lowlevel.checkpoint()
            window = evidence.window(now)
            whole.merge(window)
            if method in methods:
                methods[method].merge(window)
            else:
                methods[method] = window
    return _Evidence(mine, methods, whole)


def _provider(found: _Evidence) -> Row:
    mine = found.mine
    attempts, answered = sum(c.tally.attempts for c in mine), sum(c.tally.answered for c in mine)
    average_ms = milliseconds(sum(c.tally.seconds for c in mine) / answered) if answered else None
    figures = percentiles(found.whole)
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


async def _method(method: str, found: Sequence[_Evidence]) -> Row:
    cells: list[Row] = []
    for evidence in found:
        if method in evidence.methods:
            if len(cells) % AT_ONCE == 0:
                await trio.lowlevel.checkpoint()
            cells.append(_cell(method, evidence.mine, evidence.methods[method]))
    return {"method": method, "calls": sum(cell["calls"] for cell in cells), "cells": cells}


def _cell(method: str, mine: Sequence[Candidate], window: Window) -> Row:
    evidence = [found for c in mine if (found := c.channel.evidence.get(method)) is not None]
    successes, failures = sum(e.successes_total for e in evidence), sum(e.failures_total for e in evidence)
    p50, p90, p95, p99 = map(milliseconds, window.quantiles(0.50, 0.90, 0.95, 0.99))
    return {
        "provider": mine[0].provider.id,
        "avg_ms": milliseconds(window.latency.mean),
        "p90_ms": p90,
        "p50_ms": p50,
        "p95_ms": p95,
        "p99_ms": p99,
        "success_percent": percent(successes, successes + failures),
        "calls": successes + failures,
    }
