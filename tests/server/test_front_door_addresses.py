"""What one client address may have of the door: so many connections, and no more."""

from __future__ import annotations

from ipaddress import ip_network

import trio
from trio.testing import memory_stream_pair, wait_all_tasks_blocked

from lasso_trio.server.answer import Answer
from lasso_trio.server.connection import Peer
from lasso_trio.server.front_door import FrontDoor
from lasso_trio.server.http_request import HttpRequest
from lasso_trio.server.limits import LaneLimits
from lasso_trio.server.listener import open_listeners
from lasso_trio.server.replay_stream import ReplayStream
from tests.server.conftest import MemoryListener

CALL = b"POST /rpc HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
ONE_EACH = LaneLimits(max_connections_per_address=1)


async def pong(request: HttpRequest, peer: Peer) -> Answer:
    return Answer(200, body=b"pong")


async def nobody(stream: ReplayStream, peer: Peer) -> None:
    raise AssertionError("nothing is for another lane")


async def test_beyond_its_share_an_address_is_told_429_and_another_is_served(nursery: trio.Nursery) -> None:
    door = FrontDoor(pong, nobody, limits=ONE_EACH)
    listeners = await open_listeners("127.0.0.1", 0)
    await nursery.start(door.serve, listeners)
    port = listeners[0].port
    async with await trio.open_tcp_stream("127.0.0.1", port) as first:
        await first.send_all(CALL)
        await first.receive_some()
        async with await trio.open_tcp_stream("127.0.0.1", port) as second:
            assert (await second.receive_some()).startswith(b"HTTP/1.1 429 ")
        async with await trio.open_tcp_stream("127.0.0.1", port, local_address="127.0.0.2") as other:
            await other.send_all(CALL)
            assert (await other.receive_some()).endswith(b"pong")
    assert (door.counters.turned_away, door.per_address.refused) == (1, 1)


async def test_the_place_of_a_connection_is_given_back_when_it_ends(nursery: trio.Nursery) -> None:
    door, listener = FrontDoor(pong, nobody, limits=ONE_EACH), MemoryListener()
    await nursery.start(door.serve, [listener])
    await wait_all_tasks_blocked()
    assert listener.admit is not None
    for number in range(3):
        theirs, ours = memory_stream_pair()
        listener.admit(ours, Peer("2001:db8::1", number))
        listener.admit(memory_stream_pair()[1], Peer("2001:db8::2", number))  # of the same /64
        assert (len(door.per_address), door.per_address.refused) == (1, number + 1)
        await theirs.aclose()
        await wait_all_tasks_blocked()
        assert len(door.per_address) == 0


async def test_connections_of_a_trusted_proxy_are_not_counted(nursery: trio.Nursery) -> None:
    door = FrontDoor(pong, nobody, limits=ONE_EACH, trusted=(ip_network("10.0.0.0/8"),))
    listener = MemoryListener()
    await nursery.start(door.serve, [listener])
    await wait_all_tasks_blocked()
    assert listener.admit is not None
    for number in range(3):
        listener.admit(memory_stream_pair()[1], Peer("10.0.0.1", number))
    await wait_all_tasks_blocked()
    assert (door.active, door.counters.turned_away, len(door.per_address)) == (3, 0, 0)
