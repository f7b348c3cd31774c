"""What a worker says of its own process."""

from __future__ import annotations

import os

import trio

from lasso_trio.workers.usage import usage_of
from tests.dashboard.boards import board_of, channel, routed_of
from tests.dashboard.test_streams_view import with_streams


async def test_it_says_what_it_uses_what_it_holds_and_what_it_did() -> None:
    board = with_streams(board_of(), '["newHeads"]', '["logs",{}]')
    board.connections, board.viewers, board.clients = (lambda: (7, 2)), lambda: 3, lambda: {"open": 4}
    routed_of(board).counts.calls = 9
    channel(board, "beta:http").in_flight = 2
    usage = usage_of(board, True, trio.current_time())
    assert (usage.pid, usage.keeping, usage.calls) == (os.getpid(), True, 9)
    assert (usage.connections, usage.requests, usage.viewers) == (7, 2, 3)
    assert (usage.in_flight, usage.clients) == ({"1:beta:0 http": 2}, {"open": 4})
    assert usage.memory_mb > 1 <= usage.tasks
    assert [(stream.profile, stream.chain, stream.members) for stream in usage.streams] == [
        ("public", "eth", 0),
        ("public", "eth", 1),
        ("other", "eth", 2),
    ]
    assert len({stream.mark for stream in usage.streams}) == 3


async def test_what_is_switched_off_is_not_read() -> None:
    usage = usage_of(board_of(vm_metrics=False), False, trio.current_time())
    assert (usage.memory_mb, usage.tasks, usage.streams) == (0, 0, [])
