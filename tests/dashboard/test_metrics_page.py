from __future__ import annotations

import pytest
import trio

from lasso_trio.dashboard.metrics_page import AT_ONCE, metrics_page
from lasso_trio.providers.catalogue import VERDICTS, Category
from lasso_trio.providers.latency import Evidence, Window
from lasso_trio.server.metrics_view import chain_metrics
from tests.dashboard.boards import KEY, NOW, answered, board_of, channel, routed_of


async def test_its_numbers_are_those_of_the_api() -> None:
    board = board_of()
    answered(board, "alpha:http", 20, 0.02)
    answered(board, "alpha:http", 5, 0.4, "eth_getLogs")
    answered(board, "beta:http", 12, 0.05)
    channel(board, "beta:http").failed("eth_call", VERDICTS[Category.SERVER_ERROR], 0.1, NOW)
    page = await metrics_page(routed_of(board), NOW)
    api = chain_metrics(routed_of(board), board.node, NOW)
    told = {(row["method"], p["provider_id"]): p for row in api["rpc_performance_by_method"] for p in row["providers"]}
    cells = {(row["method"], cell["provider"]): cell for row in page["methods"] for cell in row["cells"]}
    assert cells.keys() == told.keys()
    for key, cell in cells.items():
        for ours, theirs in (("avg_ms", "avg_latency_ms"), ("p50_ms", "p50_latency_ms"), ("p99_ms", "p99_latency_ms")):
            assert cell[ours] == told[key][theirs]
        assert cell["calls"] == told[key]["total_calls"]
    scores = {row["id"]: row["score"] for row in api["providers"]}
    assert {row["provider"]: row["score"] for row in page["providers"]} == scores
    assert cells["eth_call", "beta"]["success_percent"] == 92.31
    assert KEY not in str(page)


async def test_providers_are_ranked_and_those_with_few_calls_come_last() -> None:
    board = board_of()
    answered(board, "alpha:http", 3, 0.001)
    answered(board, "beta:http", 20, 0.5)
    rows = (await metrics_page(routed_of(board), NOW))["providers"]
    assert [(row["rank"], row["provider"], row["cold"]) for row in rows] == [(1, "beta", False), (2, "alpha", True)]
    assert rows[0]["p99_to_p50"] == 1.0


async def test_methods_come_by_how_often_they_were_called() -> None:
    board = board_of()
    answered(board, "alpha:http", 2, 0.02, "eth_a")
    answered(board, "alpha:http", 3, 0.02, "eth_b")
    rows = (await metrics_page(routed_of(board), NOW))["methods"]
    assert [(row["method"], row["calls"]) for row in rows] == [("eth_b", 3), ("eth_a", 2)]
    assert [cell["provider"] for cell in rows[0]["cells"]] == ["alpha"]


async def test_before_the_first_call_there_is_nothing() -> None:
    page = await metrics_page(routed_of(board_of()), NOW)
    assert page["methods"] == []
    assert [row["p50_ms"] for row in page["providers"]] == [None, None]
    assert [row["p99_to_p50"] for row in page["providers"]] == [None, None]


async def test_each_evidence_is_read_once_however_many_cells_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    board, read, window = board_of(), list[Evidence](), Evidence.window
    for number in range(20):
        answered(board, "alpha:http", 1, 0.02, f"eth_{number}")
        answered(board, "beta:http", 1, 0.02, f"eth_{number}")

    def counted(evidence: Evidence, now: float) -> Window:
        read.append(evidence)
        return window(evidence, now)

    monkeypatch.setattr(Evidence, "window", counted)
    page = await metrics_page(routed_of(board), NOW)
    assert len(page["methods"]) == 20
    assert len(read) == 40


async def test_others_may_run_while_it_is_made(nursery: trio.Nursery) -> None:
    board, turns = board_of(), 0
    for number in range(10 * AT_ONCE):
        answered(board, "alpha:http", 1, 0.02, f"eth_{number}")

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await trio.lowlevel.checkpoint()

    nursery.start_soon(others)
    await metrics_page(routed_of(board), NOW)
    assert turns >= 10
