from __future__ import annotations

import trio

from lasso_trio.dashboard.chain_view import chain_panel, chain_row, last_minute
from tests.dashboard.boards import (
    KEY,
    NOW,
    answered,
    board_of,
    channel,
    collect,
    exchange_of,
    request_of,
    routed_of,
    served_by,
)


async def test_a_row_says_how_a_chain_does() -> None:
    board = board_of()
    answered(board, "alpha:http", 30, 0.02)
    answered(board, "beta:http", 10, 0.05)
    routed_of(board).counts.errors = 4
    collect(board)
    row = chain_row(board, routed_of(board), NOW)
    assert (row["chain"], row["chain_id"], row["status"], row["default_strategy"]) == ("eth", 1, "healthy", "priority")
    assert (row["calls_total"], row["errors_total"], row["success_percent"]) == (40, 4, 90.0)
    assert [p["traffic_percent"] for p in row["providers"]] == [75.0, 25.0]
    assert round(row["p50_ms"]) == 20
    assert last_minute(board, routed_of(board)) == (40, 4)


async def test_a_chain_without_calls_has_no_success() -> None:
    board = board_of()
    row = chain_row(board, routed_of(board), NOW)
    assert (row["success_percent"], row["p50_ms"], row["consensus"]) == (None, None, None)


async def test_a_chain_with_a_provider_out_is_degraded_and_with_none_left_down() -> None:
    board = board_of()
    channel(board, "beta:http").cordon(out=True)
    assert chain_row(board, routed_of(board), NOW)["status"] == "degraded"
    channel(board, "alpha:http").cordon(out=True)
    assert chain_row(board, routed_of(board), NOW)["status"] == "down"


async def test_the_panel_has_the_last_call_and_who_got_the_traffic() -> None:
    board = board_of()
    answered(board, "beta:http", 2, 0.05)
    now = trio.current_time()
    board.activity.take(exchange_of(board, now), request_of(), served_by(board), now, "http")
    panel = chain_panel(board, routed_of(board), NOW)
    assert panel["last_call"]["provider"] == "alpha"
    assert panel["distribution"] == [
        {"provider": "alpha", "share_percent": 0.0, "calls": 0},
        {"provider": "beta", "share_percent": 100.0, "calls": 2},
    ]
    assert panel["hedges"]["fired"] == 0
    assert "rollbacks" in panel["head"]
    assert KEY not in str(panel)
