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

import trio

from lasso_trio.upstream.alarm import Alarm
from lasso_trio.upstream.connection import Connection
from lasso_trio.upstream.faults import Disconnected, Expired, UpstreamFault
from lasso_trio.upstream.raw_stream import Woken
from lasso_trio.upstream.reaper import HASTE_S, PATIENCE_S
from lasso_trio.upstream.reply import BodySource, Reply, ReplyStream, Timings

if TYPE_CHECKING:
    from lasso_trio.upstream.http1 import Pool


class Call:
    """Made by `Pool.call`. `timings` is filled while the call goes on."""

    __slots__ = (
        "_connection",
        "_cut",
        "_out",
        "_pool",
        "_replay_safe",
        "_request",
        "_retried",
        "_sent",
        "_since",
        "_source",
        "patient",
        "timings",
    )

    def __init__(self, pool: Pool, request: bytes, replay_safe: bool) -> None:
        self._pool = pool
        self._request = request
        self._replay_safe = replay_safe
        self._connection: Connection | None = None
        self._since = 0.0
        self._out = 0
        self._cut = False
        self._sent = False
        self._retried = False
        self._source: BodySource | None = None
        self.timings = Timings()
        self.patient = False
        """Lost a race: once abandoned, its answer is worth waiting for a little longer."""

    def __repr__(self) -> str:
        state = "sent" if self._sent else "sending" if self._connection else "begun"
        return f"<Call {self._pool.endpoint.origin} {state}>"

    @property
    def sent(self) -> bool:
        """The whole request went out: a cancelled `answer()` can be taken up where it was."""
        return self._sent

    def send_now(self) -> bool:
        """Whether the whole request is out, or could be sent without a wait."""
        return self._sent or self._send_on_kept()

    async def answer(self) -> Reply:
        """Raises an UpstreamFault. Cancelled: await it again, or `abandon()`.

        A cancel during the send cuts the request in two; then the next `answer()` raises Disconnected("send_cut").
        """
        while True:
            try:
                if not self._sent and not self._send_on_kept():
                    await self._send()
                return await self._read()
            except UpstreamFault as fault:
                self._after(fault)

    async def quick_answer(self, alarm: Alarm, until: float) -> Reply | None:
        """The common case without a cancel scope: sent on a plain kept connection, answered in one read.

        None: it is not that case, or not any more; `answer()` takes it up from here. Raises an UpstreamFault. Whatever
        it raises, the call is over.
        """
        try:
            stream = self._connection.plain if self._send_on_kept() and self._connection is not None else None
            if stream is None:
                return None
            alarm.set(stream, until)
            try:
                return await self._read_once()
            finally:
                alarm.clear(stream)
        except Woken:
            return None
        except UpstreamFault as fault:
            self._after(fault)
            return None
        except BaseException:
            self.abandon()
            raise

    async def answer_till(self, late: float) -> Reply | None:
        """`answer()`, if it is there by the absolute time `late`; then the call goes on. For calls that are `sent`."""
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
            if self.timings.queued:
                raise Expired("queued", dispatched=False, local=True)
            raise Expired("deadline", dispatched=self.sent)
        except BaseException:
            self.abandon()
            raise

    def _after(self, fault: UpstreamFault) -> None:
        """Forget a stale connection, or raise `fault`."""
        if not self._retries_after(fault):
            self._drop(fault.reason)
            fault.at(self._pool.endpoint.origin)
            raise fault
        self._forget_stale()

    def abandon(self) -> None:
        """Nobody waits any more. Idempotent, never a wait: the reaper drains what is short, the rest is closed."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._sent:
            self._pool.abandon(connection, PATIENCE_S if self.patient else HASTE_S)
        else:
            self._pool.discard(connection, "send_cut")

    # Getting a connection and sending…

    def _send_on_kept(self) -> bool:
        """The common case, without a wait: a kept connection whose kernel takes the whole request at once."""
        pool = self._pool
        if self._retried or self._connection is not None:
            return False
        now = self._since = pool.clock()
        connection = pool.take_kept(now)
        return connection is not None and self._begin(connection, now)

    async def _send(self) -> None:
        """Every other case: no connection yet, or a request larger than the kernel's buffer."""
        pool = self._pool
        if self._cut:
            raise Disconnected("send_cut", "the request was cut by a cancelled send", local=True)
        connection = self._connection
        if connection is None:
            connection = await pool.connect(self.timings, self._since, fresh=self._retried)
            if self._begin(connection, pool.clock()):
                return
        self._cut = True
        await connection.send_rest(self._request, self._out)
        self._cut, self._sent = False, True

    def _begin(self, connection: Connection, now: float) -> bool:
        """From here on the connection is ours. Whether the whole request is out."""
        self._connection = connection
        self._since = now
        self._out = connection.begin(self._request)
        self._sent = self._out == len(self._request)
        return self._sent

    def _retries_after(self, fault: UpstreamFault) -> bool:
        """A kept connection may have been hung up on while it was idle: that is nobody's fault, once."""
        connection = self._connection
        if self._retried or connection is None or not connection.served:
            return False
        if not isinstance(fault, Disconnected) or fault.local or connection.reader is not None:
            return False
        return self._replay_safe or not fault.dispatched

    def _forget_stale(self) -> None:
        """The next turn takes a fresh connection: the other kept ones may be as stale."""
        self._pool.counters.retried += 1
        self._drop("stale")
        self._sent = self._cut = False
        self._retried = True

    # The answer…

    async def _read(self) -> Reply:
        connection = self._connection
        assert connection is not None
        if self._source is None:
            if connection.reader is None:
                reply = await self._read_once()
                if reply is not None:
                    return reply
            self._source = await self._read_head(connection)
        return await self._read_body(connection, self._source)

    async def _read_once(self) -> Reply | None:
        """Wait for one read; the reply if that was all of it."""
        connection, timings = self._connection, self.timings
        assert connection is not None
        whole = await connection.receive()
        now = self._pool.clock()
        timings.first_byte = timings.last_byte = now - self._since
        if whole is None:
            return None
        self._connection = None
        self._pool.settle(connection, now)
        return Reply(whole[0], whole[1], None, timings, connection)

    async def _read_head(self, connection: Connection) -> BodySource:
        reader = connection.reader
        assert reader is not None
        while reader.head is None:
            await connection.receive()
        return BodySource(connection, reader, reader.head, self._pool.max_response_bytes)

    async def _read_body(self, connection: Connection, source: BodySource) -> Reply:
        """More than one read: collect up to the threshold, then leave the rest to be streamed."""
        body, is_whole = await source.collect(self._pool.stream_threshold)
        self._connection = None
        if is_whole:
            self._ended(connection, None, exhausted=True)
            return Reply(source.head, body, None, self.timings, connection)
        self.timings.last_byte = self._pool.clock() - self._since
        rest = ReplyStream(source, partial(self._ended, connection), self._pool.clock)
        self._pool.streams[connection] = rest
        return Reply(source.head, body, rest, self.timings, connection)

    def _ended(self, connection: Connection, fault: UpstreamFault | None, *, exhausted: bool) -> None:
        """The answer is over, with or without the caller having read it all: the connection goes home or goes down."""
        now = self._pool.clock()
        self.timings.last_byte = now - self._since
        self._pool.streams.pop(connection, None)
        if exhausted:
            self._pool.settle(connection, now)
        else:
            self._pool.discard(connection, fault.at(self._pool.endpoint.origin).reason if fault else "unread")

    def _drop(self, reason: str) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._pool.discard(connection, reason)
