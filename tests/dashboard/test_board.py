from __future__ import annotations

from lasso_trio.config.settings import Settings
from lasso_trio.dashboard.board import Board
from lasso_trio.supervision import Supervisor
from lasso_trio.telemetry.loop import LoopLag
from lasso_trio.telemetry.node import Node
from tests.dashboard.boards import directory_of


def test_a_board_that_was_given_nothing_more_knows_of_no_connections() -> None:
    names = directory_of()
    board = Board(Settings(), Node("n", 0.0), lambda: names, None, Supervisor(), LoopLag())  # type: ignore[arg-type]
    assert board.connections() == (0, 0)
    assert (board.viewers(), board.clients(), board.has_admin) == (0, {}, False)
    assert board.wall() > 1_700_000_000
