"""The front door from its first byte on: empty lines between requests, bodies in all sizes of reads, limits."""

from __future__ import annotations

import tracemalloc

import pytest
import trio
from trio.testing import MockClock, memory_stream_pair, wait_all_tasks_blocked

from lasso_trio.server.answer import Answer
from lasso_trio.server.connection import Peer
from lasso_trio.server.front_door import FrontDoor
from lasso_trio.server.http_request import HttpRequest, RequestReader
from lasso_trio.server.limits import LaneLimits
from lasso_trio.server.refusal import BadRequest, Kind
from lasso_trio.server.replay_stream import ReplayStream

REQUEST = b"POST /rpc/eth HTTP/1.1\r\nhost: node\r\ncontent-length: 2\r\n\r\n{}"
LIMITS = LaneLimits(head_timeout=10.0, idle_timeout=75.0)


# Clients that send an empty line behind a body (RFC 9112, 2.2): idle afterwards, not in a head…


async def handler(_: HttpRequest, __: Peer) -> Answer:
    return Answer(200, b"", b"{}")


async def other(_: ReplayStream, __: Peer) -> None:
    raise AssertionError("nothing here is for another lane")


async def test_an_empty_line_behind_a_body_does_not_begin_a_head(autojump_clock: MockClock) -> None:
    client, server = memory_stream_pair()
    door = FrontDoor(handler, other, limits=LIMITS)
    async with trio.open_nursery() as nursery:
        await nursery.start(door.serve, [])
        nursery.start_soon(door.serve_stream, server, Peer("127.0.0.1", 1))
        for _ in range(2):
            await client.send_all(REQUEST + b"\r\n")
            assert (await client.receive_some()).startswith(b"HTTP/1.1 200 ")
            await trio.sleep(LIMITS.head_timeout + 2)
        assert door.counters.head_timeouts == 0
        nursery.cancel_scope.cancel()


async def test_half_an_empty_line_is_the_beginning_of_something(autojump_clock: MockClock) -> None:
    client, server = memory_stream_pair()
    door = FrontDoor(handler, other, limits=LIMITS)
    async with trio.open_nursery() as nursery:
        await nursery.start(door.serve, [])
        nursery.start_soon(door.serve_stream, server, Peer("127.0.0.1", 1))
        await client.send_all(REQUEST + b"\r")
        assert (await client.receive_some()).startswith(b"HTTP/1.1 200 ")
        await wait_all_tasks_blocked()
        await trio.sleep(LIMITS.head_timeout + 2)
        assert door.counters.head_timeouts == 1
        nursery.cancel_scope.cancel()


# Bodies that come in one read, in many, or larger than allowed…


def request(body: bytes, framing: bytes) -> bytes:
    return b"POST /rpc/eth HTTP/1.1\r\nhost: node\r\n" + framing + b"\r\n\r\n" + body


@pytest.mark.parametrize("behind", [b"", b"POST /rpc/eth HTTP/1.1\r\n"])
def test_a_body_beyond_the_limit_is_refused_although_it_came_whole(behind: bytes) -> None:
    for _ in range(2):  # a refused head is not remembered
        reader = RequestReader(LaneLimits(max_body_bytes=10))
        raw = request(b"x" * 11, b"content-length: 11") + behind
        assert reader.take(raw) is None
        with pytest.raises(BadRequest) as refused:
            reader.next()
        assert (refused.value.status, refused.value.kind) == (413, Kind.BODY_TOO_LARGE)


def test_a_body_of_just_the_limit_is_taken() -> None:
    reader = RequestReader(LaneLimits(max_body_bytes=10))
    reader.feed(request(b"x" * 10, b"content-length: 10"))
    taken = reader.next()
    assert taken is not None
    assert taken.body == b"x" * 10  # type: ignore[union-attr]


@pytest.mark.parametrize("framing", [b"content-length: 200000", b"transfer-encoding: chunked"])
def test_a_body_in_tiny_reads_takes_little_more_memory_than_it_has_bytes(framing: bytes) -> None:
    reader = RequestReader(LaneLimits())
    reader.feed(request(b"", framing) + (b"30d40\r\n" if b"chunked" in framing else b""))
    assert reader.next() is None
    tracemalloc.start()
    try:
        for _ in range(99_999):
            reader.feed(bytes(bytearray(b"xy")))
            assert reader.next() is None
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used < 3 * 200_000
