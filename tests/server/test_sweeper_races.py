"""A time limit and a request in the same moment: the request was first."""

from __future__ import annotations

import socket

import trio

from lasso_trio.server.connection import Connection, Cut, Peer, Phase
from lasso_trio.server.door_counters import DoorCounters
from lasso_trio.server.limits import LaneLimits
from lasso_trio.server.sweeper import sweep, time_limits
from lasso_trio.upstream.raw_stream import RawStream


async def test_an_idle_connection_whose_request_has_just_come_is_not_cut() -> None:
    limits = LaneLimits(idle_timeout=5.0)
    ours, theirs = socket.socketpair()
    with theirs:
        late = trio.current_time() - 6
        connection = Connection(RawStream(ours), Peer("127.0.0.1", 1), late, Phase.IDLE)
        theirs.send(b"POST")
        await sweep([connection], time_limits(limits), DoorCounters())
        assert connection.cut_by is None
        ours.recv(10)
        await sweep([connection], time_limits(limits), DoorCounters())
        assert connection.cut_by is Cut.IDLE_TIMEOUT
        connection.close()


async def test_a_request_that_has_begun_is_cut_whatever_lies_in_the_socket() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        late = trio.current_time() - 11
        connection = Connection(RawStream(ours), Peer("127.0.0.1", 1), late, Phase.HEAD)
        theirs.send(b"x")
        await sweep([connection], time_limits(LaneLimits(head_timeout=10.0)), DoorCounters())
        assert connection.cut_by is Cut.HEAD_TIMEOUT
        connection.close()
