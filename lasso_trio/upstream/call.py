"""One call on its way to an upstream: getting a connection, sending, waiting, and giving everything back.

    begun ──connection──► held ──send──► sent ──answer──► answered
      ▲                    │               │
      └──stale, once───────┴───────────────┘        any of them ──abandon──► over

`answer()` may be cancelled and awaited again: once the request is sent a cancelled wait loses nothing, because the
answer's reader lives on the connection. That is how a race waits for its first runner without a nursery. The owner must
come to an end with the call: an answer, a fault, or `abandon()`.

Ownership: while `_connection` is set, this call owns it and its slot. Every path out hands both to exactly one of: the
pool (released or discarded), the reply's stream, the reaper.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from lasso_trio.upstream.connection import Connection
from lasso_trio.upstream.faults import Disconnected, UpstreamFault
from lasso_trio.upstream.reply import BodySource, Reply, ReplyStream, Timings
from lasso_trio.upstream.response import ResponseReader
from lasso_trio.upstream.response_head import ResponseHead

if TYPE_CHECKING:
    from lasso_trio.upstream.http1 import Pool


class Call:
    """Made by `Pool.call`. `timings` is filled while the call goes on."""

    __slots__ = (
        "_connection",
        "_parts",
        "_pool",
        "_replay_safe",
        "_request",
        "_retried",
        "_sent",
        "_sent_at",
        "_size",
        "_source",
        "timings",
    )

    def __init__(self, pool: Pool, request: bytes, replay_safe: bool) -> None:
        self._pool = pool
        self._request = request
        self._replay_safe = replay_safe
        self._connection: Connection | None = None
        self._sent = False
        self._sent_at = 0.0
        self._retried = False
        self._source: BodySource | None = None
        self._parts: list[bytes] = []
        self._size = 0
        self.timings = Timings()

    def __repr__(self) -> str:
        state = "sent" if self._sent else "sending" if self._connection else "begun"
        return f"<Call {self._pool.endpoint.origin} {state}>"

    @property
    def sent(self) -> bool:
        """The whole request went out: a cancelled `answer()` can be taken up where it was."""
        return self._sent

    async def answer(self) -> Reply:
        """Raises an UpstreamFault. Cancelled: await it again, or `abandon()`.

        A cancel during the send cuts the request in two; then the next `answer()` raises Disconnected("send_cut").
        """
        while True:
            try:
                if self._connection is None:
                    await self._begin()
                elif not self._sent:
                    raise Disconnected("send_cut", "the request was cut by a cancelled send", local=True)
                return await self._read()
            except UpstreamFault as fault:
                if not self._retries_after(fault):
                    self._drop(fault.reason)
                    fault.at(self._pool.endpoint.origin)
                    raise
                self._forget_stale()

    def abandon(self) -> None:
        """Nobody waits any more. Idempotent, never a wait: the reaper drains what is short, the rest is closed."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._sent:
            self._pool.abandon(connection)
        else:
            self._pool.discard(connection, "send_cut")

    # Getting a connection and sending…

    async def _begin(self) -> None:
        pool = self._pool
        now = pool.clock()
        connection = None if self._retried else pool.take_kept(now)
        if connection is None:
            connection = await pool.connect(self.timings, now, fresh=self._retried)
            now = pool.clock()
        self._connection = connection
        self._sent_at = now
        await connection.send(self._request, ResponseReader(pool.max_response_bytes))
        self._sent = True

    def _retries_after(self, fault: UpstreamFault) -> bool:
        """A kept connection may have been hung up on while it was idle: that is nobody's fault, once."""
        connection = self._connection
        if self._retried or connection is None or not connection.served:
            return False
        if not isinstance(fault, Disconnected) or fault.local or connection.reader.begun:
            return False
        return self._replay_safe or not fault.dispatched

    def _forget_stale(self) -> None:
        """The next turn takes a fresh connection: the other kept ones may be as stale."""
        self._pool.counters.retried += 1
        self._drop("stale")
        self._sent = False
        self._retried = True

    # The answer…

    async def _read(self) -> Reply:
        connection, timings = self._connection, self.timings
        assert connection is not None
        reader = connection.reader
        while reader.head is None:
            await connection.receive()
        if not timings.first_byte:
            timings.first_byte = timings.last_byte = self._pool.clock() - self._sent_at
        if reader.complete and self._source is None and not reader.head.encoding:
            self._connection = None
            self._pool.settle(connection, self._sent_at + timings.first_byte)
            return Reply(reader.head, reader.take(), None, timings)
        return await self._read_large(connection, reader.head)

    async def _read_large(self, connection: Connection, head: ResponseHead) -> Reply:
        """More than one read: collect up to the threshold, then leave the rest to be streamed."""
        if self._source is None:
            self._source = BodySource(connection, head, self._pool.max_response_bytes)
        source, piece = self._source, b"more"
        while piece and (self._size <= self._pool.stream_threshold or source.ended):
            piece = await source.next()
            self._parts.append(piece)
            self._size += len(piece)
        self._connection = None
        body = b"".join(self._parts)
        if not piece:
            self._ended(connection, None, exhausted=True)
            return Reply(head, body, None, self.timings)
        self.timings.last_byte = self._pool.clock() - self._sent_at
        return Reply(head, body, ReplyStream(source, partial(self._ended, connection)), self.timings)

    def _ended(self, connection: Connection, fault: UpstreamFault | None, *, exhausted: bool) -> None:
        """The answer is over, with or without the caller having read it all: the connection goes home or goes down."""
        now = self._pool.clock()
        self.timings.last_byte = now - self._sent_at
        if exhausted:
            self._pool.settle(connection, now)
        else:
            self._pool.discard(connection, fault.at(self._pool.endpoint.origin).reason if fault else "unread")

    def _drop(self, reason: str) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._pool.discard(connection, reason)
