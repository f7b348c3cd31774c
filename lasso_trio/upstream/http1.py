"""The pool of HTTP/1.1 connections to one instance: who gets which one, when one is opened and when it is closed.

Kept connections are a stack (the warmest is used next, the others may expire), connections in all are capped, callers
beyond the cap queue first come first served. There is no timeout in here: the caller's cancel scope is the deadline,
and a cancel at any point gives everything back (`call` says how).

Invariants: `busy + idle <= max_connections`; every open connection is idle, or owned by one call, reply stream or the
reaper; every slot is owned by one of these or by a dial; while somebody waits nothing is idle.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from functools import partial
from math import inf
from typing import Final

import attrs
import trio

from lasso_trio.upstream.alarm import Alarm
from lasso_trio.upstream.call import Call
from lasso_trio.upstream.connection import Connection
from lasso_trio.upstream.dial import Dialer
from lasso_trio.upstream.dialled import Dial
from lasso_trio.upstream.endpoint import Endpoint
from lasso_trio.upstream.faults import PoolClosed, PoolFull
from lasso_trio.upstream.raw_stream import Traffic
from lasso_trio.upstream.reaper import Abandoned, Reaper
from lasso_trio.upstream.reply import Reply, ReplyStream, Timings
from lasso_trio.upstream.slots import Slots
from lasso_trio.upstream.traffic import count

TRUSTED_S: Final = 0.01
"""For so long after an answer the kernel is not asked whether the peer hung up: that news would travel longer."""

NEGLECT_S: Final = 0.5
"""A passed-on answer whose reader has not come back for so long gives up its connection when others wait for one."""


@attrs.define
class Counters:
    """Since the pool was made. `closed` by reason: expired, stale, abandoned, server_closed, unread, distrusted,
    or a fault's."""

    opened: int = 0
    reused: int = 0
    retried: int = 0
    closed: Counter[str] = attrs.field(factory=Counter)


class Pool:
    """`await pool.exchange(body, replay_safe=…)`; `expire` now and then; `wind_down` or `aclose` at the end."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        dial: Dial | None = None,
        reaper: Reaper | None = None,
        alarm: Alarm | None = None,
        max_connections: int = 256,
        idle_expiry_s: float = 60.0,
        max_response_bytes: int = 128 * 1024 * 1024,
        stream_threshold: int = 256 * 1024,
        waiters_cap: int = 1_024,
        clock: Callable[[], float] = trio.current_time,
    ) -> None:
        self.endpoint = endpoint
        self.max_response_bytes = max_response_bytes
        self.stream_threshold = stream_threshold
        self.clock = clock
        self.counters = Counters()
        self.traffic = Traffic()
        self._dial = dial if dial is not None else Dialer(endpoint).dial
        self._reaper = reaper
        self._alarm = alarm
        self._idle_expiry_s = idle_expiry_s
        self._waiters_cap = waiters_cap
        self._slots: Slots[Connection] = Slots(max_connections)
        self._idle: deque[Connection] = deque()
        self._open: set[Connection] = set()
        self.streams: dict[Connection, ReplyStream] = {}
        """Answers that are being passed on, by the connection they hold."""
        self._retired = False
        self._leaving = False

    def __repr__(self) -> str:
        state = " retired" if self._retired else f" waiting={self.waiting}" if self.waiting else ""
        return f"<Pool {self.endpoint.origin} idle={self.idle} busy={self.busy}{state}>"

    @property
    def idle(self) -> int:
        return len(self._idle)

    @property
    def busy(self) -> int:
        """Slots in use: exchanges, dials, streams being read, losers being drained."""
        return self._slots.busy

    @property
    def waiting(self) -> int:
        return self._slots.waiting

    # For those who call…

    async def exchange(
        self, body: bytes, *, replay_safe: bool, gzip: bool = False, until: float = inf, lines: bytes = b""
    ) -> Reply:
        """POST `body` and wait for the answer, until the absolute time `until`. Raises an UpstreamFault.

        `replay_safe`: sending it twice does no harm, so a stale kept connection is silently replaced, once. `lines`:
        header lines of this request. Cancelled while waiting: the connection goes to the reaper.
        """
        call, alarm = Call(self, self.endpoint.request(body, gzip=gzip, lines=lines), replay_safe), self._alarm
        if alarm is not None and alarm.running:
            reply = await call.quick_answer(alarm, until)
            if reply is not None:
                return reply
        return await call.answer_by(until)

    async def ask(
        self, body: bytes, *, replay_safe: bool, gzip: bool, until: float, late: float, lines: bytes = b""
    ) -> Reply | Call:
        """`exchange`, but a call that is under way at the time `late`, or that cannot be sent at once, is given
        back as it is: the caller then owns it, and takes it up with `answer_by` or abandons it. At once, for -inf.
        """
        call, alarm = Call(self, self.endpoint.request(body, gzip=gzip, lines=lines), replay_safe), self._alarm
        if late == -inf:
            return call
        if alarm is not None and alarm.running:
            reply = await call.quick_answer(alarm, min(until, late))
            if reply is not None:
                return reply
        if late >= until:
            return await call.answer_by(until)
        return await call.answer_till(late) or call if call.send_now() else call

    def call(self, body: bytes, *, replay_safe: bool, gzip: bool = False) -> Call:
        """The same in steps, for races: `await call.answer()` can be cancelled and awaited again, or `abandon`ed."""
        return Call(self, self.endpoint.request(body, gzip=gzip), replay_safe)

    # For those who keep house…

    def expire(self, now: float) -> None:
        """Close what has been idle for too long. The stack is ordered: the oldest lie at the bottom."""
        while self._idle and now - self._idle[0].idle_since > self._idle_expiry_s:
            self._close(self._idle.popleft(), "expired")

    def wind_down(self) -> None:
        """Keep no connection any more. Who still holds this pool may call; when the last call ends, all is closed."""
        self._leaving = True
        while self._idle:
            self._close(self._idle.pop(), "retired")

    def retire(self) -> None:
        """Take no more calls; those in flight finish. What is idle closes now, the rest when it comes back."""
        self._retired = True
        self._slots.turn_away(self._closed_fault())
        self.wind_down()

    async def aclose(self) -> None:
        """Close everything now: calls in flight raise Disconnected("closed"). Idempotent."""
        self.retire()
        for connection in list(self._open):
            self._close(connection, "retired")
        await trio.lowlevel.checkpoint()

    # For a call: ownership of connections…

    def take_kept(self, now: float) -> Connection | None:
        """The warmest kept connection that is still good. Never a wait."""
        idle = self._idle
        while idle:
            connection = idle.pop()
            if now - connection.idle_since > self._idle_expiry_s:
                self._close(connection, "expired")
            elif now - connection.idle_since > TRUSTED_S and connection.is_stale():
                self._close(connection, "stale")
            else:
                self._slots.busy += 1
                self.counters.reused += 1
                return connection
        return None

    async def connect(self, timings: Timings, now: float, *, fresh: bool = False) -> Connection:
        """Own a connection: one that is handed over, or (always if `fresh`) a new one. Cancelled: nothing is owned."""
        if self._retired:
            raise self._closed_fault()
        if not self._slots.try_take():
            handed = await self._wait(timings, now)
            if handed is not None:
                if not fresh and not handed.distrusted:
                    self.counters.reused += 1
                    return handed
                self._close(handed, "stale")
        elif self._idle and self.idle + self.busy > self._slots.capacity:
            self._close(self._idle.popleft(), "stale")  # only for a fresh one: else nothing idle is left by now
        return await self._dial_in_slot(timings)

    def settle(self, connection: Connection, now: float) -> None:
        """The exchange is over and its answer was read to the end: keep the connection if it can be kept."""
        if self._leaving or not connection.reusable:
            self.discard(connection, "retired" if self._leaving else "server_closed")
            return
        connection.served += 1
        connection.idle_since = now
        if not self._slots.hand_over(connection):
            self._slots.busy -= 1
            self._idle.append(connection)

    def discard(self, connection: Connection, reason: str) -> None:
        """Close the connection and give its slot back."""
        self._close(connection, reason)
        self._slots.give_back()

    def abandon(self, connection: Connection, patience_s: float) -> None:
        """Its caller has gone and its answer is on the way. Not worth the patience while others wait for the slot."""
        reaper = self._reaper if not self._leaving and not self._slots.waiting else None
        way_out = Abandoned(connection, partial(self._keep, connection), partial(self.discard, connection), patience_s)
        if reaper is None or not reaper.submit(way_out):
            self.discard(connection, "abandoned")

    def distrust(self, reply: Reply) -> None:
        """`reply` answers something else than was asked, and so may whatever comes next on its connection.

        The connection closes now if it is idle, else instead of being used next or kept. Never a wait.
        """
        connection = reply.connection
        if connection is not None:
            connection.distrusted = True
            if connection in self._idle:
                self._idle.remove(connection)
                self._close(connection, "distrusted")

    # In here…

    def _keep(self, connection: Connection) -> None:
        self.settle(connection, self.clock())

    async def _wait(self, timings: Timings, now: float) -> Connection | None:
        if self._slots.waiting >= self._waiters_cap:
            raise PoolFull("pool_full", f"{self._slots.waiting} calls wait for {self._slots.capacity} connections")
        self._relieve(now)
        if self._slots.try_take():  # what was relieved went to nobody else
            return None
        if self.streams and self._alarm is not None:
            self._alarm.nag(self._relieve)
        timings.queued = True
        handed = await self._slots.wait()
        timings.queued = False
        timings.waited += self.clock() - now
        return handed

    def _relieve(self, now: float) -> bool:
        """Callers wait, and clients that do not read hold connections: take one from them. Whether to look again."""
        neglected = max(self.streams.values(), key=lambda stream: stream.neglected_s(now), default=None)
        if neglected is not None and neglected.neglected_s(now) > NEGLECT_S:
            neglected.cut()
        return bool(self._slots.waiting and self.streams)

    async def _dial_in_slot(self, timings: Timings) -> Connection:
        """The slot is ours; if the dial does not end in a connection, it is given back."""
        try:
            dialled = await self._dial()
        except BaseException:
            self._slots.give_back()
            raise
        connection = Connection(dialled, self.max_response_bytes)
        count(dialled.stream, self.traffic)
        self._open.add(connection)
        self.counters.opened += 1
        timings.resolve, timings.connect, timings.tls = dialled.resolve, dialled.connect, dialled.tls
        if self._retired:
            self.discard(connection, "retired")
            raise self._closed_fault()
        return connection

    def _close(self, connection: Connection, reason: str) -> None:
        if not connection.closed:
            connection.close()
            self._open.discard(connection)
            self.counters.closed["distrusted" if connection.distrusted else reason] += 1

    def _closed_fault(self) -> PoolClosed:
        return PoolClosed("pool_closed", "the pool was retired").at(self.endpoint.origin)
