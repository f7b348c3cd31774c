"""A stream whose first bytes were already read by somebody else, who now gives both back.

The door reads until it knows whose connection it is; the lane that gets it must see every byte from the start.
"""

from __future__ import annotations

import socket
from typing import final

import trio

from lasso_trio.upstream.raw_stream import RawStream


@final
class ReplayStream(trio.abc.HalfCloseableStream):
    """`ReplayStream(stream, replay)`: `receive_some` gives `replay` first, everything else goes to `stream`.

    `replay` (what is left of it) is a whole request head when the front door made this. `socket` is the accepted
    socket; there is none (`AttributeError`) over a memory stream. Closing closes `stream`.
    """

    __slots__ = ("_stream", "replay")

    def __init__(self, stream: trio.abc.Stream, replay: bytes) -> None:
        self._stream = stream
        self.replay = replay

    @property
    def socket(self) -> socket.socket:
        if isinstance(self._stream, RawStream):
            return self._stream.socket
        raise AttributeError("not over a socket")

    @property
    def raw(self) -> RawStream | None:
        """The accepted socket's stream, if there is a socket below."""
        return self._stream if isinstance(self._stream, RawStream) else None

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        if not self.replay:
            return await self._stream.receive_some(max_bytes)
        await trio.lowlevel.checkpoint()
        size = len(self.replay) if max_bytes is None else max_bytes
        data, self.replay = self.replay[:size], self.replay[size:]
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        if isinstance(self._stream, trio.abc.HalfCloseableStream):
            await self._stream.send_eof()

    async def aclose(self) -> None:
        await self._stream.aclose()
