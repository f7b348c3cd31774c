"""Clients that send an empty line behind a body (RFC 9112, 2.2): their connection is idle afterwards, not in a head."""

from __future__ import annotations

import trio
from trio.testing import MockClock, memory_stream_pair, wait_all_tasks_blocked

from lasso_trio.server.answer import Answer
from lasso_trio.server.connection import Peer
from lasso_trio.server.front_door import FrontDoor
from lasso_trio.server.http_request import HttpRequest
from lasso_trio.server.limits import LaneLimits
from lasso_trio.server.replay_stream import ReplayStream

REQUEST = b"POST /rpc/eth HTTP/1.1\r\nhost: node\r\ncontent-length: 2\r\n\r\n{}"
LIMITS = LaneLimits(head_timeout=10.0, idle_timeout=75.0)


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
