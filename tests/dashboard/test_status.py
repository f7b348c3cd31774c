from __future__ import annotations

from collections.abc import Callable
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from lasso_trio.dashboard.board import Board
from lasso_trio.dashboard.provider_view import by_provider
from lasso_trio.dashboard.status import Status, chain_status, provider_status
from lasso_trio.providers.catalogue import Category
from lasso_trio.providers.head import ChainCheck
from lasso_trio.providers.watched import Watched
from tests.dashboard.boards import NOW, answered, board_of, candidate, channel, routed_of


def told(board: Board, provider: str = "beta") -> tuple[Status, str]:
    (mine,) = [group for group in by_provider(routed_of(board)) if group[0].provider.id == provider]
    return provider_status(routed_of(board), mine, NOW)


def fail(board: Board, label: str, times: int) -> None:
    for _ in range(times):
        channel(board, label).breaker.failure(Category.SERVER_ERROR, NOW, Random(1), NOW)


async def test_nobody_heard_of_is_unknown_and_who_answered_is_healthy() -> None:
    board = board_of()
    assert told(board) == (Status.UNKNOWN, "nothing was heard of it yet")
    answered(board, "beta:http", 1, 0.01)
    assert told(board) == (Status.HEALTHY, "")


async def test_a_socket_that_is_being_dialled_is_told_but_does_no_harm() -> None:
    board = board_of()
    answered(board, "alpha:http", 1, 0.01)
    assert told(board, "alpha") == (Status.HEALTHY, "its WebSocket is being connected")
    channel(board, "alpha:http").pool = None
    assert told(board, "alpha") == (Status.RECONNECTING, "its WebSocket is being connected")


@pytest.mark.parametrize(
    ("act", "status", "why"),
    [
        (lambda b: channel(b, "beta:http").cordon(out=True), Status.CORDONED, "an operator"),
        (lambda b: fail(b, "beta:http", 5), Status.CIRCUIT_OPEN, "http breaker open: server_error"),
        (lambda b: fail(b, "beta:http", 3), Status.DEGRADED, "3 http failures in a row"),
        (lambda b: channel(b, "beta:http").cooldown.begin(NOW, 30.0, Random(1)), Status.RATE_LIMITED, "30 s left"),
    ],
)
async def test_what_is_wrong_is_said(act: Callable[[Board], Any], status: Status, why: str) -> None:
    board = board_of()
    answered(board, "beta:http", 1, 0.01)
    act(board)
    found = told(board)
    assert found[0] is status
    assert why in found[1]


async def test_a_breaker_that_tries_again_is_half_open() -> None:
    board = board_of()
    channel(board, "beta:http").breaker.quarantine("operator", NOW)
    channel(board, "beta:http").breaker.release(NOW, "ordered")
    assert told(board)[0] is Status.HALF_OPEN


async def test_one_shut_channel_of_two_is_a_degraded_provider() -> None:
    board = board_of()
    channel(board, "alpha:ws").pool = channel(board, "alpha:http").pool
    fail(board, "alpha:ws", 5)
    assert told(board, "alpha") == (Status.DEGRADED, "ws breaker open: server_error")


async def test_a_tenth_of_failed_calls_is_too_much() -> None:
    board = board_of()
    answered(board, "beta:http", 18, 0.01)
    fail(board, "beta:http", 2)
    assert told(board) == (Status.DEGRADED, "2 of the last 20 http calls failed")


async def test_who_serves_another_chain_is_out() -> None:
    board = board_of()
    head = candidate(board, "beta:http").head
    head.check, head.told_chain = ChainCheck.WRONG, 5
    assert told(board) == (Status.CIRCUIT_OPEN, "it serves chain 5")


async def test_who_is_behind_lags_by_what_the_profile_forgives() -> None:
    board = board_of()
    candidate(board, "alpha:http").head.tell(1000, NOW, 12.0)
    candidate(board, "beta:http").head.tell(990, NOW, 12.0)
    found = told(board)
    assert found[0] is Status.LAGGING
    assert "blocks behind" in found[1]


async def test_a_socket_that_was_lost_is_told_and_one_that_never_was_is_not() -> None:
    board = board_of()
    answered(board, "alpha:http", 1, 0.01)
    keeper = SimpleNamespace(connected=False, sessions=0)
    routed_of(board).registry.instances["1:alpha:0"].keeper = keeper
    assert told(board, "alpha")[0] is Status.HEALTHY
    keeper.sessions = 1
    assert told(board, "alpha") == (Status.DEGRADED, "its WebSocket was lost and is being connected again")
    keeper.connected = True
    assert told(board, "alpha")[0] is Status.HEALTHY


async def test_probes_that_fail_are_told() -> None:
    board = board_of()
    instance = routed_of(board).registry.instances["1:beta:0"]
    instance.prober = SimpleNamespace(schedule=SimpleNamespace(failures=2))  # type: ignore[assignment]
    answered(board, "beta:http", 1, 0.01)
    assert told(board) == (Status.DEGRADED, "2 probes in a row failed")
    del routed_of(board).registry.instances["1:beta:0"]
    assert told(board)[0] is Status.HEALTHY


async def test_what_the_keeping_worker_sees_is_told_by_all() -> None:
    board = board_of()
    instance = routed_of(board).registry.instances["1:alpha:0"]
    answered(board, "alpha:http", 1, 0.01)
    instance.watched_elsewhere = Watched(failures=2, connected=True, sessions=1)
    assert told(board, "alpha") == (Status.DEGRADED, "2 probes in a row failed")
    instance.watched_elsewhere = Watched(sessions=1)
    assert told(board, "alpha") == (Status.DEGRADED, "its WebSocket was lost and is being connected again")


@pytest.mark.parametrize(
    ("statuses", "told"),
    [
        ([], "healthy"),
        ([Status.HEALTHY, Status.UNKNOWN], "healthy"),
        ([Status.HEALTHY, Status.LAGGING], "degraded"),
        ([Status.CIRCUIT_OPEN, Status.RATE_LIMITED], "degraded"),
        ([Status.CIRCUIT_OPEN, Status.CORDONED, Status.RECONNECTING], "down"),
    ],
)
def test_a_chain_is_down_when_nobody_can_serve(statuses: list[Status], told: str) -> None:
    assert chain_status(statuses) == told
