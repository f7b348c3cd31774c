from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from lasso_trio.server.straight_body import STREAM, StraightBody, chunk
from lasso_trio.upstream.raw_stream import RawStream

Pair = tuple[StraightBody, RawStream, socket.socket]
LARGE = chunk(b"x" * 4_000_000)


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    stream = RawStream(ours)
    yield StraightBody(stream), stream, theirs
    stream.close()
    theirs.close()


def scope(stream: object, version: str = "1.1", method: str = "GET") -> dict[str, Any]:
    return {"http_version": version, "method": method, "state": {STREAM: stream}}


async def test_only_answers_in_chunks_on_a_socket_can_be_written_straight(pair: Pair) -> None:
    _, stream, _ = pair
    assert StraightBody.of(scope(stream)) is not None
    assert StraightBody.of(scope(stream, "1.0")) is None
    assert StraightBody.of(scope(stream, "2")) is None
    assert StraightBody.of(scope(stream, method="HEAD")) is None
    assert StraightBody.of(scope(None)) is None
    assert StraightBody.of({"http_version": "1.1", "method": "GET"}) is None


def test_a_chunk_says_its_size_in_hexadecimal() -> None:
    assert chunk(b"y" * 26) == b"1a\r\n" + b"y" * 26 + b"\r\n"


async def test_what_the_kernel_takes_is_written_without_a_wait(pair: Pair) -> None:
    body, _, peer = pair
    assert body.write(chunk(b"one"))
    assert body.write(chunk(b"two"))
    assert peer.recv(100) == b"3\r\none\r\n3\r\ntwo\r\n"
    assert await body.finish()


async def test_what_it_did_not_take_is_written_as_the_client_reads(pair: Pair, nursery: trio.Nursery) -> None:
    body, _, peer = pair
    assert not body.write(LARGE)
    reader, got = RawStream(peer), bytearray()
    finished: list[bool] = []

    async def finish() -> None:
        finished.append(await body.finish())
        assert body.write(chunk(b"next"))

    nursery.start_soon(finish)
    while len(got) < len(LARGE) + len(chunk(b"next")):
        got += await reader.receive_some()
    assert bytes(got) == LARGE + chunk(b"next")
    assert finished == [True]


async def test_a_client_that_takes_nothing_has_its_connection_closed_in_the_end() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        stream = RawStream(ours)
        body = StraightBody(stream, limit=0.01)
        assert not body.write(LARGE)
        assert not await body.finish()
        with pytest.raises(trio.ClosedResourceError):
            stream.send_now(b"")


async def test_half_a_piece_is_never_followed_by_anything_else(pair: Pair) -> None:
    body, stream, _ = pair
    assert not body.write(LARGE)
    async with trio.open_nursery() as finishing:
        finishing.start_soon(body.finish)
        await wait_all_tasks_blocked()
        finishing.cancel_scope.cancel()
    with pytest.raises(trio.ClosedResourceError):
        stream.send_now(b"")


async def test_a_client_that_has_gone_is_noticed_when_the_piece_is_finished(pair: Pair) -> None:
    body, stream, peer = pair
    peer.close()
    assert not body.write(chunk(b"x"))
    assert not await body.finish()
    stream.close()
    assert not await body.finish()
