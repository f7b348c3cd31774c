from __future__ import annotations

import socket

import pytest
import trio
from trio.testing import memory_stream_pair

from lasso_trio.server.connection import BODY, Connection, Cut, Peer
from lasso_trio.upstream.raw_stream import RawStream

PEER = Peer("192.0.2.1", 1)


async def test_cut_ends_the_task_where_it_waits_and_the_first_reason_stays() -> None:
    ours, _theirs = memory_stream_pair()
    connection = Connection(ours, PEER, 0.0)
    connection.cut(Cut.HANGUP)
    connection.cut(Cut.DRAIN)
    with connection.scope:
        await ours.receive_some()
    assert connection.scope.cancelled_caught
    assert connection.cut_by is Cut.HANGUP


def test_progress_pays_for_the_bytes_and_earns_no_credit() -> None:
    connection = Connection(memory_stream_pair()[0], PEER, 0.0)
    connection.enter(BODY, 100.0)
    connection.progress(1_000, 100.0, now=120.0)
    assert connection.since == 110.0
    connection.progress(1_000_000, 100.0, now=121.0)
    assert connection.since == 121.0


async def test_aborted_socket_is_reset() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        accepted, _ = server.accept()
    connection = Connection(RawStream(accepted), PEER, 0.0)
    connection.abort()
    with client, pytest.raises(ConnectionResetError):
        client.recv(1)


async def test_aclose_closes_any_stream() -> None:
    ours, theirs = memory_stream_pair()
    connection = Connection(ours, PEER, 0.0)
    connection.close()  # nothing to do by force
    connection.abort()
    await connection.aclose()
    assert await theirs.receive_some() == b""
    left, right = socket.socketpair()
    with right:
        await Connection(RawStream(left), PEER, 0.0).aclose()
        assert right.recv(1) == b""


def test_peer_is_a_value() -> None:
    assert Peer("192.0.2.1", 1) == PEER
    assert len({PEER, Peer("192.0.2.1", 1), trio}) == 2
