"""A line between the proxy and a node that can be made slow: TCP is forwarded, and what the proxy sends waits a while.

It knows what is under way on it: how many connections there are, and whether anything was sent.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import trio


@attrs.define(eq=False)
class SlowLine:
    """`delay_s` holds back each piece that goes to the node, from now on. `open`: connections of the proxy."""

    node_port: int
    delay_s: float = 0.0
    port: int = 0
    open: int = 0
    busy: trio.Event = attrs.field(factory=trio.Event)
    """Set when the proxy sends something."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, stream: trio.SocketStream) -> None:
        self.open += 1
        try:
            node = await trio.open_tcp_stream("127.0.0.1", self.node_port)
            async with stream, node, trio.open_nursery() as both:
                both.start_soon(self._pass_on, stream, node, both.cancel_scope, True)
                both.start_soon(self._pass_on, node, stream, both.cancel_scope, False)
        finally:
            self.open -= 1

    async def _pass_on(
        self, source: trio.SocketStream, target: trio.SocketStream, both: trio.CancelScope, slowly: bool
    ) -> None:
        """Pieces are read at once, so that a hang-up is noticed while they wait."""
        send, receive = trio.open_memory_channel[bytes](100)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._deliver, receive, target, slowly)
            try:
                async for piece in source:
                    if slowly:
                        self.busy.set()
                    await send.send(piece)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass
            both.cancel()

    async def _deliver(
        self, receive: trio.MemoryReceiveChannel[bytes], target: trio.SocketStream, slowly: bool
    ) -> None:
        async for piece in receive:
            try:
                if slowly:
                    await trio.sleep(self.delay_s)
                await target.send_all(piece)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return


@asynccontextmanager
async def lines(*nodes: int) -> AsyncIterator[list[SlowLine]]:
    """One line for each node's port."""
    async with trio.open_nursery() as nursery:
        made = []
        for node in nodes:
            line = SlowLine(node)
            listeners = await nursery.start(trio.serve_tcp, line.serve, 0)
            line.port = listeners[0].socket.getsockname()[1]
            made.append(line)
        yield made
        nursery.cancel_scope.cancel()
