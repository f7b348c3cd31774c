from __future__ import annotations

from types import SimpleNamespace

import trio

from lasso_trio.dashboard.provider_view import by_provider, milliseconds, percent, provider_panel, provider_row
from lasso_trio.providers.breaker import State
from lasso_trio.supervision import Supervised
from tests.dashboard.boards import KEY, NOW, answered, board_of, candidate, channel, collect, routed_of


async def test_a_row_says_how_a_provider_does() -> None:
    board = board_of()
    answered(board, "alpha:http", 20, 0.02)
    collect(board)
    alpha, _ = by_provider(routed_of(board))
    row = provider_row(board, routed_of(board), alpha, 40, NOW)
    assert (row["provider"], row["status"], row["attempts_total"], row["traffic_percent"]) == (
        "alpha",
        "healthy",
        20,
        50.0,
    )
    assert (row["success_percent"], round(row["p50_ms"])) == (100.0, 20)
    assert [c["transport"] for c in row["channels"]] == ["http", "ws"]
    assert [c["live"] for c in row["channels"]] == [True, False]
    assert row["channels"][0]["breaker"] == State.CLOSED


async def test_a_silent_provider_has_no_figures() -> None:
    board = board_of()
    row = provider_row(board, routed_of(board), by_provider(routed_of(board))[1], 0, NOW)
    assert (row["traffic_percent"], row["success_percent"], row["p99_ms"], row["lag"]) == (None, None, None, None)


async def test_the_panel_tells_everything_that_is_known() -> None:
    board = board_of()
    answered(board, "alpha:http", 3, 0.02)
    answered(board, "alpha:http", 5, 0.02, "eth_getLogs")
    board.issues.add("cooldown.begun", "warning", {"instance": "1:alpha:0", "transport": "http", "seconds": 1})
    board.supervisor.children.append(Supervised("prober 1:alpha:0", trio.current_time(), restarts=2, last_error="x"))
    instance = routed_of(board).registry.instances["1:alpha:0"]
    instance.keeper = SimpleNamespace(
        connected=False, sessions=3, since=NOW - 1, last_ending=SimpleNamespace(reason="eof")
    )
    feeds = SimpleNamespace(
        feeds={"1:alpha:0": SimpleNamespace(is_open=True), "1:beta:0": None},
        quality=lambda _: SimpleNamespace(score=lambda _: 0.25),
    )
    board.hub = SimpleNamespace(streams={"k": SimpleNamespace(key="public eth heads", feeds=feeds)})  # type: ignore[assignment]
    panel = provider_panel(board, routed_of(board), by_provider(routed_of(board))[0], NOW)
    assert [row["method"] for row in panel["methods"]] == ["eth_getLogs", "eth_call"]
    assert panel["methods"][0]["calls"] == 5
    assert panel["restarts"][0]["restarts"] == 2
    assert panel["keeper"] == {"connected": False, "sessions": 3, "since_ms": 1000, "last_ending": "eof"}
    assert panel["feeds"] == [{"stream": "public eth heads", "open": True, "score_s": 0.25}]
    assert len(panel["issues"]) == 1
    assert panel["channel_details"][0]["endpoint"] == "https://alpha.example/***"
    assert KEY not in str(panel)


async def test_a_provider_that_a_reload_took_away_can_still_be_shown() -> None:
    board = board_of()
    del routed_of(board).registry.instances["1:beta:0"]
    panel = provider_panel(board, routed_of(board), by_provider(routed_of(board))[1], NOW)
    assert (panel["keeper"], panel["probes"]) == (None, None)


async def test_a_channel_that_is_kept_out_says_so() -> None:
    board = board_of()
    channel(board, "beta:http").cordon(out=True)
    row = provider_row(board, routed_of(board), [candidate(board, "beta:http")], 0, NOW)
    assert (row["cordoned"], row["status"]) == (True, "cordoned")


def test_figures_are_rounded_and_nothing_is_no_figure() -> None:
    assert (milliseconds(0.0123456), milliseconds(None)) == (12.35, None)
    assert (percent(1, 3), percent(1, 0)) == (33.33, None)
