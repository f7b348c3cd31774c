"""One connection over a real socket: stale ones are noticed, large requests go out whole, closing is at once."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
import trio
from trio.testing import memory_stream_pair, wait_all_tasks_blocked

from lasso_trio.upstream.connection import Connection, hang_up
from lasso_trio.upstream.dialled import Dialled
from lasso_trio.upstream.faults import Disconnected, Malformed
from lasso_trio.upstream.raw_stream import RawStream

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def pair() -> Iterator[tuple[Connection, socket.socket]]:
    ours, theirs = socket.socketpair()
    connection = Connection(Dialled(RawStream(ours)), 1_000)
    yield connection, theirs
    connection.close()
    theirs.close()


async def test_an_answer_in_one_read_needs_no_reader(pair: tuple[Connection, socket.socket]) -> None:
    connection, peer = pair
    assert connection.begin(b"request") == 7
    peer.send(OK)
    whole = await connection.receive()
    assert whole is not None
    assert (whole[0].status, whole[1]) == (200, b"ok")
    assert connection.reader is None
    assert connection.reusable


async def test_an_answer_in_parts_stays_with_the_connection(pair: tuple[Connection, socket.socket]) -> None:
    connection, peer = pair
    connection.begin(b"request")
    peer.send(OK[:-1])
    assert await connection.receive() is None
    assert connection.left == 1
    assert repr(connection) == "<Connection answering served=0>"
    peer.send(OK[-1:])
    assert await connection.receive() is None
    assert connection.reusable


async def test_a_request_beyond_the_kernels_buffer_is_finished(pair: tuple[Connection, socket.socket]) -> None:
    connection, peer = pair
    request = bytes(5_000_000)
    sent = connection.begin(request)
    assert 0 < sent < len(request)
    got, reader = 0, RawStream(peer)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(connection.send_rest, request, sent)
        while got < len(request):
            got += len(await reader.receive_some())
    assert got == len(request)


async def test_an_idle_connection_that_can_be_read_is_stale(pair: tuple[Connection, socket.socket]) -> None:
    connection, peer = pair
    assert not connection.is_stale()
    peer.send(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
    assert connection.is_stale()


async def test_losses_are_named(pair: tuple[Connection, socket.socket]) -> None:
    connection, peer = pair
    connection.begin(b"request")
    peer.recv(100)
    peer.close()
    with pytest.raises(Disconnected) as caught:
        await connection.receive()
    assert (caught.value.reason, caught.value.dispatched) == ("eof", True)
    with pytest.raises(Disconnected) as caught:
        connection.begin(b"request")
    assert (caught.value.reason, caught.value.dispatched) == ("reset", False)


async def test_what_is_not_http_is_malformed(pair: tuple[Connection, socket.socket]) -> None:
    connection, peer = pair
    connection.begin(b"request")
    peer.send(b"\x15\x03\x01\x00\x02")
    with pytest.raises(Malformed):
        await connection.receive()


async def test_closing_wakes_the_reader_and_blames_nobody_else(pair: tuple[Connection, socket.socket]) -> None:
    connection, _ = pair
    connection.begin(b"request")

    async def read() -> None:
        with pytest.raises(Disconnected) as caught:
            await connection.receive()
        assert caught.value.local

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await wait_all_tasks_blocked()
        connection.close()
        connection.close()
    assert connection.is_stale()
    assert "closed" in repr(connection)


async def test_memory_streams_are_closed_at_once_too() -> None:
    ours, theirs = memory_stream_pair()
    hang_up(ours)
    assert await theirs.receive_some() == b""
