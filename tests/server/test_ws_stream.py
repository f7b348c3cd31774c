"""What trio-websocket is given to read, what is charged for it, and the one private name of its that is used."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import pytest
import trio
from trio.testing import memory_stream_pair
from trio_websocket import WebSocketConnection
from wsproto import ConnectionType, WSConnection
from wsproto.events import TextMessage

from lasso_trio.server.budget import ByteBudget
from lasso_trio.server.connection import Connection
from lasso_trio.server.ws_limits import WsCounters, WsLimits
from lasso_trio.server.ws_sender import Sender
from lasso_trio.server.ws_stream import FRAGMENTS, FREE_BYTES, MOST_FRAGMENTS, SocketStream, plain_handshake
from tests.server.ws_world import KEY, PEER, World

Make = Callable[..., World]


def part(client: object, size: int, *, last: bool = False) -> TextMessage:
    return TextMessage(data="x" * size, message_finished=last)


async def test_the_handshake_comes_first_then_what_was_early_then_the_rest(nursery: trio.Nursery) -> None:
    ours, theirs = memory_stream_pair()
    connection = Connection(ours, PEER, 0.0)
    sender = Sender(ours, nursery, WsLimits(), WsCounters())
    stream = SocketStream(connection, sender, b"shake", b"early", ByteBudget(), lambda _: None)
    assert await stream.receive_some() == b"shake"
    with trio.move_on_after(0.01):
        await stream.receive_some()
        pytest.fail("nothing is read before the handshake was answered")
    stream.open(WebSocketConnection(ours, WSConnection(ConnectionType.SERVER)))
    assert await stream.receive_some() == b"early"
    await theirs.send_all(b"rest")
    assert await stream.receive_some() == b"rest"
    await theirs.send_eof()
    assert not stream.was_closed
    assert await stream.receive_some() == b""
    assert stream.was_closed
    await stream.aclose()
    with pytest.raises(trio.ClosedResourceError):
        await stream.receive_some()
    await ours.send_all(b"the connection is the door's")


def test_the_handshake_is_one_that_wsproto_takes() -> None:
    server = WSConnection(ConnectionType.SERVER)
    server.receive_data(plain_handshake(KEY.encode()))
    (request,) = server.events()
    assert type(request).__name__ == "Request"


async def test_trio_websocket_still_keeps_the_size_of_an_unfinished_message_where_we_look(ws_world: Make) -> None:
    world = ws_world()
    client = await world.connect()
    await client.raw(client.protocol.send(part(client, 100)))
    await world.settle()
    (session,) = world.lane.sessions
    socket = session.stream._socket
    assert socket is not None
    assert (socket._message_size, len(socket._message_parts)) == (100, 1)
    assert session.stream.message_since < inf


async def test_a_long_message_is_charged_while_it_is_not_finished(ws_world: Make) -> None:
    world = ws_world()
    client = await world.connect()
    budget = world.lane.budget
    await client.raw(client.protocol.send(part(client, FREE_BYTES)))
    await world.settle()
    assert budget.used == 0
    await client.raw(client.protocol.send(part(client, FREE_BYTES)))
    await world.settle()
    assert budget.used > 3 * FREE_BYTES
    await client.raw(client.protocol.send(part(client, 1, last=True)))
    assert (await client.json())["error"]["code"] == -32700
    await world.settle()
    assert budget.used == 0
    (session,) = world.lane.sessions
    assert session.stream.message_since == inf


async def test_the_charge_is_given_back_when_the_client_goes(ws_world: Make) -> None:
    world = ws_world()
    client = await world.connect()
    await client.raw(client.protocol.send(part(client, 2 * FREE_BYTES)))
    await world.settle()
    assert world.lane.budget.used > 0
    await client.stream.aclose()
    await world.settle()
    assert world.lane.budget.used == 0


async def test_a_message_for_which_the_node_has_no_room_closes_its_socket_with_1013(ws_world: Make) -> None:
    world = ws_world()
    client = await world.connect()
    assert world.lane.budget.reserve(world.lane.budget.limit)
    await client.raw(client.protocol.send(part(client, 2 * FREE_BYTES)))
    code, reason = await client.closed() or (0, "")
    assert (code, reason[:7]) == (1013, "no room")


async def test_a_message_in_countless_fragments_is_refused_though_they_are_empty(ws_world: Make) -> None:
    world = ws_world()
    client = await world.connect()
    empty = client.protocol.send(part(client, 0))
    await client.raw(empty + (b"\x00\x80" + bytes(4)) * (MOST_FRAGMENTS + 1))
    await world.settle()
    assert await client.closed() == FRAGMENTS
