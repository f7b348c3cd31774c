from __future__ import annotations

from lasso_trio.routing.routed_chain import ChainCounts
from lasso_trio.server.hedges_view import hedges_row


def test_without_calls_there_is_nothing_to_tell() -> None:
    row = hedges_row(ChainCounts())
    assert (row["fired"], row["extra_calls_percent"], row["suppressed"]) == (0, 0.0, {})


def test_what_was_won_and_what_it_cost_is_told() -> None:
    counts = ChainCounts(calls=900, sent=200)
    hedges = counts.hedges
    for won in (True, False, True):
        hedges.fire()
        hedges.end(won=won)
    hedges.fire()
    hedges.saved_s = 1.23456
    hedges.suppressed.update(["budget", "budget", "cooldown"])
    assert hedges_row(counts) == {
        "fired": 4,
        "won": 2,
        "wasted": 1,
        "in_flight": 1,
        "suppressed": {"budget": 2, "cooldown": 1},
        "saved_seconds": 1.235,
        "extra_calls_percent": 2.0,
        "budget_tokens": 16.0,
    }
