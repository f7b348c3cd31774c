"""A stream whose sends cannot wait for ever, for libraries that shield theirs from cancellation.

The bound is a scope of our own inside the library's shield, where it still fires. A send that was cut has left an
unknown part behind, so the stream is closed and the library told that it is broken.
"""

from __future__ import annotations

import socket
from typing import final

import trio

from lasso_trio.server.replay_stream import ReplayStream


@final
class BoundedSend(trio.abc.HalfCloseableStream):
    """`BoundedSend(stream, limit)`: one `send_all` may take `limit` seconds; then `BrokenResourceError`."""

    __slots__ = ("_limit", "_stream")

    def __init__(self, stream: ReplayStream, limit: float) -> None:
        self._stream = stream
        self._limit = limit

    @property
    def socket(self) -> socket.socket:
        return self._stream.socket

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        with trio.move_on_after(self._limit) as bound:
            await self._stream.send_all(data)
        if bound.cancelled_caught:
            await trio.aclose_forcefully(self._stream)
            raise trio.BrokenResourceError(f"the peer took nothing for {self._limit} s")

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self._stream.receive_some(max_bytes)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        await self._stream.send_eof()

    async def aclose(self) -> None:
        await self._stream.aclose()
