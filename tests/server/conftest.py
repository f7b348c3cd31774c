"""A front door whose clients are the ends of memory streams."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import attrs
import pytest
import trio
from trio.testing import memory_stream_pair, wait_all_tasks_blocked

from lasso_trio.routing.directory import Directory
from lasso_trio.server.answer import Answer
from lasso_trio.server.budget import ByteBudget
from lasso_trio.server.connection import Peer
from lasso_trio.server.front_door import FrontDoor, Other
from lasso_trio.server.http_request import HttpRequest
from lasso_trio.server.limits import LaneLimits
from lasso_trio.server.listener import Admit
from lasso_trio.server.replay_stream import ReplayStream
from lasso_trio.server.rpc_lane import Handler
from tests.server.ws_world import World, directory, make_world

PEER = Peer("192.0.2.1", 4242)


async def echo(request: HttpRequest, peer: Peer) -> Answer:
    """Answers with method, target and body of the request."""
    text = f"{request.head.method} {request.head.target} ".encode()
    return Answer(200, b"content-type: text/plain\r\n", text + request.body)


async def say_other(stream: ReplayStream, peer: Peer) -> None:
    """The lane of all other requests: answers with the bytes that were replayed to it, and waits for the end."""
    await stream.send_all(b"other:" + stream.replay)
    while await stream.receive_some():
        pass


@attrs.define
class MemoryListener:
    """Connections come from the test. Keeps admitting when the door has stopped, as a kernel's queue would."""

    admit: Admit | None = None

    async def accept_into(self, admit: Admit) -> None:
        self.admit = admit
        await trio.sleep_forever()


@attrs.define
class MemoryDoor:
    door: FrontDoor
    listener: MemoryListener

    def connect(self, pair: Callable[[], tuple[trio.StapledStream, trio.StapledStream]] = memory_stream_pair) -> Client:
        theirs, ours = pair()
        assert self.listener.admit is not None
        self.listener.admit(ours, PEER)
        return Client(theirs)

    async def exchange(self, wire: bytes) -> bytes:
        """What a client that sends `wire` and then nothing reads until things come to rest."""
        client = self.connect()
        return await client.say(wire)


@attrs.define
class Client:
    stream: trio.StapledStream

    async def read_now(self) -> bytes:
        """What has come once everything is at rest."""
        data = bytearray()

        async def collect() -> None:
            while chunk := await self.stream.receive_some():
                data.extend(chunk)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(collect)
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        return bytes(data)

    async def say(self, wire: bytes) -> bytes:
        await self.stream.send_all(wire)
        return await self.read_now()

    async def read_to_end(self) -> bytes:
        data = b""
        while chunk := await self.stream.receive_some():
            data += chunk
        return data


Open = Callable[..., Awaitable[MemoryDoor]]


@pytest.fixture
def open_door(nursery: trio.Nursery) -> Open:
    """`await open_door(handler, other, budget, **limits)`, all of them optional: a serving `MemoryDoor`."""

    async def open_(
        handler: Handler = echo, other: Other = say_other, budget: ByteBudget | None = None, **limits: float
    ) -> MemoryDoor:
        door = FrontDoor(handler, other, limits=LaneLimits(**limits), budget=budget)
        listener = MemoryListener()
        await nursery.start(door.serve, [listener])
        await wait_all_tasks_blocked()
        return MemoryDoor(door, listener)

    return open_


@pytest.fixture
def ws_world(nursery: trio.Nursery) -> Callable[..., World]:
    """`ws_world(names=…, settings={…}, **limits)`, all of them optional: a door for WebSocket clients."""

    def make(names: Directory | None = None, settings: Mapping[str, Any] = {}, **limits: Any) -> World:
        return make_world(nursery, settings, names or directory(), **limits)

    return make
