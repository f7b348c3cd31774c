"""One call over a WebSocket: posted, sent, answered or given up. To routing it is what `call.Call` is over HTTP.

    begun ──post──► waiting in the outbox ──► sent ──hear──► over
                                └────── abandon(), or `lose` ─────►

`answer()` may be cancelled and awaited again; the owner must come to an end with the call: an answer, a fault, or
`abandon()`. An abandoned call that was not sent never is; the answer to one that was is nobody's, but `heard` all the
same by who asked for that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

import trio

from lasso_trio.upstream.alarm import Alarm
from lasso_trio.upstream.faults import Disconnected, Expired, UpstreamFault
from lasso_trio.upstream.reply import Reply, Timings
from lasso_trio.upstream.response_head import ResponseHead
from lasso_trio.upstream.ws_message import sent_id

Hear = Callable[[bytes], None]
"""Called with the answer the moment it is read, before anything that came behind it. Must not raise."""

_OK: Final = ResponseHead(200, b"", None, False, True, b"")


class Link(Protocol):
    """What a call needs of the link it goes over."""

    @property
    def origin(self) -> str: ...
    @property
    def clock(self) -> Callable[[], float]: ...

    def submit(self, call: WsCall) -> None:
        """Have it sent. Raises PoolFull or Disconnected."""

    def forget(self, call: WsCall) -> None:
        """It was given up."""


class WsCall:
    """Made by `WsLink.call`. `answer()` may be cancelled and awaited again; `abandon()` ends it otherwise."""

    __slots__ = ("_done", "_fault", "_link", "_message", "_since", "body", "heard_by", "id", "sent", "timings")

    def __init__(self, link: Link, body: bytes, hear: Hear | None = None) -> None:
        self.id = sent_id(body)
        self.body = body
        self.sent = False
        """It was taken from the outbox: the provider may have seen it."""
        self.timings = Timings()
        self._link = link
        self.heard_by = hear
        self._since = 0.0
        self._done: trio.Event | None = None
        self._message: bytes | None = None
        self._fault: UpstreamFault | None = None

    def __repr__(self) -> str:
        state = "over" if self.over else "sent" if self.sent else "waiting" if self._done is not None else "begun"
        return f"<WsCall {self.id} {state}>"

    @property
    def over(self) -> bool:
        return self._message is not None or self._fault is not None

    def post(self) -> None:
        """Put it in the outbox, if it is not there. Raises PoolFull or Disconnected."""
        if self._done is None:
            self._since = self._link.clock()
            self._link.submit(self)
            self._done = trio.Event()  # only now: a call that was refused is none that could be given up

    async def answer(self) -> Reply:
        """Raises an UpstreamFault. Cancelled: await it again, or `abandon()`."""
        self.post()
        assert self._done is not None
        await self._done.wait()
        if self._fault is not None:
            raise self._fault
        assert self._message is not None
        return Reply(_OK, self._message, None, self.timings)

    async def quick_answer(self, alarm: Alarm, until: float) -> Reply | None:
        """There is no quicker way here: None, always. `answer()` takes it up."""
        return None

    async def answer_till(self, late: float) -> Reply | None:
        """`answer()`, if it is there by the absolute time `late`; then the call goes on."""
        try:
            with trio.CancelScope(deadline=late):
                return await self.answer()
        except BaseException:
            self.abandon()
            raise
        return None

    async def answer_by(self, until: float) -> Reply:
        """`answer()` until the absolute time `until`. Raises an UpstreamFault. Whatever it raises, the call is over."""
        try:
            with trio.CancelScope(deadline=until):
                return await self.answer()
            raise Expired("deadline", dispatched=self.sent).at(self._link.origin)
        except BaseException:
            self.abandon()
            raise

    def abandon(self) -> None:
        """Nobody waits any more. Idempotent, never a wait. If it was not sent yet, it will not be."""
        if self._done is not None and not self.over:
            self._fault = Disconnected("closed", "given up by its caller", dispatched=self.sent, local=True)
            self._link.forget(self)

    # For the link…

    def hear(self, message: bytes) -> None:
        self.timings.first_byte = self.timings.last_byte = self._link.clock() - self._since
        self._message = message
        if self.heard_by is not None:
            self.heard_by(message)
        self._finish()

    def lose(self, fault: UpstreamFault) -> None:
        if not self.over:
            self._fault = fault
            self._finish()

    def _finish(self) -> None:
        if self._done is not None:
            self._done.set()
