"""A large result on its way to a client: the JSON side spliced, the HTTP side pulled piece by piece.

Once the head of the answer has left, nothing can be taken back: a fault on the way raises, and the lane breaks the
connection so that the client sees a broken answer and not a short one.

A deadline that the client gave binds the whole body. The time that its method has does not: it is made for answers, and
would cut a large one on a slow line; such a body may take as long as its pieces keep coming.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from math import inf
from typing import Final, Self

import attrs
import trio

from lasso_trio.jsonrpc.reply import BrokenReply
from lasso_trio.routing.outcome import Large
from lasso_trio.upstream.faults import UpstreamFault

STALL_S: Final = 10.0
"""How long an upstream may pause within a result before it is given up."""


class OutOfTime(trio.TooSlowError):
    """The client's own deadline passed. Whether its provider, itself or the line was slow is not known."""


@attrs.define(eq=False)
class LargeBody(AsyncIterator[bytes]):
    """The pieces after `large.json.first`. `extra`: members to add before the closing brace. `until` (trio's
    clock): when the client wants to have all of it.
    """

    large: Large
    extra: bytes = b""
    until: float = inf
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
            if not (isinstance(fault, OutOfTime) or (isinstance(fault, UpstreamFault) and fault.local)):
                self.large.broke_off(trio.current_time())
            raise

    async def _next(self) -> bytes:
        rest = self.large.http.rest
        assert rest is not None, "a large result has a rest"
        while True:
            piece = await self._piece(rest)
            if piece is None:
                self._ended = True
                return self.large.json.finish(self.extra)
            ready = self.large.json.feed(piece)
            if ready:
                return ready

    async def _piece(self, rest: AsyncIterator[bytes]) -> bytes | None:
        """What comes next of the upstream's answer; None at its end. The client takes its time between two of them."""
        now = trio.current_time()
        if now < self.until:
            with trio.move_on_at(min(now + STALL_S, self.until)):
                return await anext(rest, None)
        if trio.current_time() >= self.until:
            raise OutOfTime("the client's deadline passed")
        raise trio.TooSlowError(f"nothing came for {STALL_S:.0f} s")

    async def aclose(self) -> None:
        if self.large.http.rest is not None:
            await self.large.http.rest.aclose()
