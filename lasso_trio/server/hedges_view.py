"""What hedging won and cost, as the APIs show it. Pure reading."""

from __future__ import annotations

from typing import Any

from lasso_trio.routing.routed_chain import ChainCounts

Row = dict[str, Any]


def hedges_row(counts: ChainCounts) -> Row:
    """`extra_calls_percent`: hedges per hundred calls that went to providers. `saved_seconds` is a lower bound."""
    hedges = counts.hedges
    return {
        "fired": hedges.fired,
        "won": hedges.won,
        "wasted": hedges.wasted,
        "in_flight": hedges.in_flight,
        "suppressed": dict(sorted(hedges.suppressed.items())),
        "saved_seconds": round(hedges.saved_s, 3),
        "extra_calls_percent": round(100 * hedges.fired / counts.sent, 2) if counts.sent else 0.0,
        "budget_tokens": round(hedges.tokens, 2),
    }
