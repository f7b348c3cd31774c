"""A large result on its way to a client: the JSON side spliced, the HTTP side pulled piece by piece.

Once the head of the answer has left, nothing can be taken back: a fault on the way raises, and the lane breaks the
connection so that the client sees a broken answer and not a short one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final, Self

import attrs
import trio

from lasso_trio.jsonrpc.reply import BrokenReply
from lasso_trio.routing.outcome import Large
from lasso_trio.upstream.faults import UpstreamFault

STALL_S: Final = 10.0
"""How long an upstream may pause within a result before it is given up."""


@attrs.define(eq=False)
class LargeBody(AsyncIterator[bytes]):
    """The pieces after `large.json.first`. `extra`: members to add before the closing brace."""

    large: Large
    extra: bytes = b""
    _ended: bool = False

    @property
    def length(self) -> int | None:
        """Bytes of the whole answer, when the upstream said how long its own is."""
        known = self.large.http.content_length
        return None if known is None else known + self.large.json.growth + len(self.extra)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """Raises UpstreamFault, BrokenReply or TooSlowError when the result breaks off."""
        if self._ended:
            raise StopAsyncIteration
        try:
            return await self._next()
        except (UpstreamFault, BrokenReply, trio.TooSlowError) as fault:
            self._ended = True
            if not (isinstance(fault, UpstreamFault) and fault.local):
                self.large.broke_off(trio.current_time())
            raise

    async def _next(self) -> bytes:
        rest = self.large.http.rest
        assert rest is not None, "a large result has a rest"
        while True:
            with trio.fail_after(STALL_S):
                piece = await anext(rest, None)
            if piece is None:
                self._ended = True
                return self.large.json.finish(self.extra)
            ready = self.large.json.feed(piece)
            if ready:
                return ready

    async def aclose(self) -> None:
        if self.large.http.rest is not None:
            await self.large.http.rest.aclose()
