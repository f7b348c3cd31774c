from __future__ import annotations

from lasso_trio.dashboard.races_view import race_sums, races_page
from tests.dashboard.boards import KEY, answered, board_of, collect, routed_of


async def test_sums_say_what_hedging_won_and_cost() -> None:
    board = board_of()
    counts = routed_of(board).counts
    counts.calls, counts.sent = 900, 100
    for won in (True, True, False, True):
        counts.hedges.fire()
        counts.hedges.end(won=won)
    counts.hedges.saved_s = 1.23456
    counts.hedges.suppressed["budget"] += 2
    assert race_sums(board.directory().default) == {
        "fired": 4,
        "won": 3,
        "wasted": 1,
        "in_flight": 0,
        "win_percent": 75.0,
        "saved_s": 1.235,
        "extra_calls_percent": 4.0,
        "suppressed": {"budget": 2},
    }


async def test_before_the_first_call_nothing_was_won() -> None:
    row = race_sums(board_of().directory().default)
    assert (row["win_percent"], row["extra_calls_percent"], row["suppressed"]) == (None, 0.0, {})


async def test_the_page_has_each_chain_and_how_long_calls_took() -> None:
    board = board_of()
    answered(board, "alpha:http", 10, 0.02)
    collect(board)
    board.activity.raced.add(0.5)
    page = races_page(board, board.directory().default)
    (chain,) = page["chains"]
    assert (chain["chain"], sum(chain["latency"]["counts"]), chain["policy"]["budget_percent"]) == ("eth", 10, 5.0)
    assert len(chain["latency"]["edges_ms"]) == len(chain["latency"]["counts"]) + 1
    assert (page["with_hedge"]["n"], page["without_hedge"]["n"]) == (1, 0)
    assert page["without_hedge"]["p50_ms"] is None
    assert page["without_hedge"]["counts"] == []
    assert KEY not in str(page)
