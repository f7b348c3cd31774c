"""The stream as the WebSocket library sees it, with what the library does not look after.

* A send is bounded: a peer that does not read must not hold a session for ever. After one that was cut, by that bound
  or by a cancellation, nothing more may be sent (`cut`): half a frame and what follows are read as one.
* An end during the upgrade is told (`opening` is cancelled): the library would wait for the answer's rest.
* A goodbye is over when it is sent (`closing` is cancelled): nobody waits for its echo.
"""

from __future__ import annotations

import re
from typing import Final

import trio

from lasso_trio.upstream.connection import hang_up
from lasso_trio.upstream.faults import NETWORK_ERRORS

SEND_S: Final = 10.0
"""A message that the peer does not take for so long ends the session."""

_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])")


class Wire(trio.abc.Stream):
    """`status`: of the upgrade's answer, if it came so far. `ended`: the peer is gone. `stalled`: it did not read."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self.opening: trio.CancelScope | None = None
        self.closing: trio.CancelScope | None = None
        self.status: int | None = None
        self.ended = False
        self.cut = False
        self.stalled = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        self.cut = True
        with trio.CancelScope(deadline=trio.current_time() + SEND_S) as scope:
            try:
                await self._stream.send_all(data)
            except NETWORK_ERRORS:
                self._gone()
                raise
            self.cut = False
        if scope.cancelled_caught:
            self.stalled = True
            raise trio.BrokenResourceError("the peer does not read")
        if self.closing is not None:
            self.closing.cancel("the goodbye is sent")

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        try:
            data = bytes(await self._stream.receive_some(max_bytes))
        except NETWORK_ERRORS:
            data = b""  # to the library both are an end without a goodbye
        if self.opening is not None:
            self._note(data)
        return data

    def _note(self, data: bytes) -> None:
        """The library waits for ever for the rest of an answer that has ended."""
        status = _STATUS.match(data)
        if status is not None:
            self.status = int(status[1])
        if not data:
            self._gone()

    def _gone(self) -> None:
        self.ended = True
        if self.opening is not None:
            self.opening.cancel("the peer has gone")

    def close(self) -> None:
        hang_up(self._stream)

    async def aclose(self) -> None:
        self.close()
        await trio.lowlevel.checkpoint()
