from __future__ import annotations

from lasso_trio.dashboard.series import Range
from lasso_trio.dashboard.series_page import Question, series_page
from tests.dashboard.boards import NOW, WALL, answered, board_of, candidate, collect, routed_of


async def test_each_question_has_its_line() -> None:
    board = board_of()
    candidate(board, "alpha:http").head.tell(1000, NOW, 12.0)
    answered(board, "alpha:http", 7, 0.02)
    answered(board, "alpha:http", 2, 0.02, "eth_getLogs")
    answered(board, "beta:http", 4, 0.05)
    collect(board)
    board.wall = lambda: WALL + 5

    def calls(**asked: str) -> int:
        row = series_page(board, routed_of(board), Question(Range.MINUTES, **asked))
        assert row is not None
        return sum(row["calls"])

    assert calls() == 13
    assert calls(provider="alpha") == 9
    assert calls(provider="alpha", method="eth_getLogs") == 2
    assert calls(method="eth_call") == 11
    assert calls(transport="http") == 13
    assert calls(transport="ws") == 0
    assert calls(provider="beta", method="eth_nothing") == 0


async def test_what_a_line_cannot_know_is_null() -> None:
    board = board_of()
    candidate(board, "alpha:http").head.tell(1000, NOW, 12.0)
    answered(board, "alpha:http", 1, 0.02)
    collect(board)
    whole = series_page(board, routed_of(board), Question())
    own = series_page(board, routed_of(board), Question(provider="alpha"))
    assert whole is not None
    assert own is not None
    assert (whole["lag"], own["hedges"], own["failovers"]) == (None, None, None)
    assert len(whole["hedges"]) == len(own["lag"]) == 60


async def test_the_line_of_an_unknown_provider_and_of_a_silent_one_is_empty() -> None:
    board = board_of()
    for name in ("nobody", "beta"):
        silent = series_page(board, routed_of(board), Question(provider=name))
        assert silent["t"] == silent["calls"] == []
    never = series_page(board, routed_of(board), Question())
    assert never["t"] == []
