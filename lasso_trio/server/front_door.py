"""The front door: one port, every protocol, one task per connection, and nobody's fault is anybody else's.

    serve ─ services ─┬─ sweeper, hang-up watch (supervised) outlive the connections
                      └─ connections ─┬─ one task each
                                      └─ acceptors           end first, by `stop_accepting`

The first request decides the lane: rpc stays here, WebSockets go to theirs, all else to `other`, with the bytes
replayed. This is the one place where a connection's failure is contained: whatever its lane raises is logged, counted,
and ends that connection.

Stopping: `stop_accepting()`, then `drain(deadline)`: connections that lie idle close, calls in flight and those that
come on connections just used are served and say `connection: close`, at the deadline the rest is cancelled, and what
will not be cancelled has its socket closed under it. `serve` returns when the last one is gone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

import structlog
import trio

from lasso_trio.server.address_tally import AddressTally, address_of
from lasso_trio.server.answer import ErrorAnswer, plain_error
from lasso_trio.server.answer_writer import AnswerWriter
from lasso_trio.server.budget import ByteBudget
from lasso_trio.server.calls_per_address import capped
from lasso_trio.server.client_address import Network
from lasso_trio.server.connection import CALL, HANDED, IDLE, WRITING, Connection, Cut, Peer
from lasso_trio.server.door_counters import DoorCounters
from lasso_trio.server.hangup import HangupWatch
from lasso_trio.server.limits import LaneLimits
from lasso_trio.server.listener import Accepting
from lasso_trio.server.refusal import Kind
from lasso_trio.server.replay_stream import ReplayStream
from lasso_trio.server.rpc_lane import Handler, RpcLane
from lasso_trio.server.sweeper import keep_sweeping
from lasso_trio.server.ws_routes import is_ws
from lasso_trio.supervision import Supervisor, supervise
from lasso_trio.upstream.raw_stream import RawStream, Traffic
from lasso_trio.upstream.traffic import count

Other = Callable[[ReplayStream, Peer], Awaitable[None]]
"""Another lane: owns the stream until it returns; the door closes it then."""
WebSockets = Callable[[Connection, bytes], Awaitable[None]]
"""The WebSocket lane: serves a connection of which these bytes were read, a whole request head at least."""

FORCE_AFTER: Final = 1.0
"""Seconds between cancelling the rest of the connections and closing their sockets."""
AT_REST: Final = 1.0
"""Seconds without a call after which nobody is likely to be writing the next one: closing a connection that a balancer
has just picked for a call fails that call, and HTTP/1.1 has no other way to tell than an answer's `connection: close`.
"""
GOODBYE: Final = 1.0
"""Seconds that telling a slow sender (408) may take."""

_CROWDED: Final = b"HTTP/1.1 429 Too Many Requests\r\nconnection: close\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n"
_FULL: Final = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n"

log = structlog.get_logger(__name__)


class FrontDoor:
    """`handler` answers the rpc lane's requests, `websockets` takes WebSocket clients, `other` all other connections.

    `serve` may be called once. Counters and sizes may be read at any time.
    """

    def __init__(
        self,
        handler: Handler,
        other: Other,
        *,
        limits: LaneLimits | None = None,
        budget: ByteBudget | None = None,
        error_answer: ErrorAnswer = plain_error,
        supervisor: Supervisor | None = None,
        websockets: WebSockets | None = None,
        trusted: Sequence[Network] = (),
        calls_per_address: AddressTally | None = None,
    ) -> None:
        self.limits: Final = limits or LaneLimits()
        self.budget: Final = budget or ByteBudget()
        self.counters: Final = DoorCounters()
        self.traffic: Final = Traffic()
        self.per_address: Final = AddressTally(self.limits.max_connections_per_address)
        self.calls_per_address: Final = AddressTally() if calls_per_address is None else calls_per_address
        self._trusted = trusted
        self._other = other
        self._websockets = websockets
        self._supervisor = supervisor or Supervisor()
        lane_handler = capped(handler, self.calls_per_address, trusted)
        self._lane = RpcLane(
            lane_handler,
            self.limits,
            self.budget,
            error_answer,
            self.counters,
            AnswerWriter(self.limits.gzip_min_bytes),
        )
        self._open: set[Connection] = set()
        self._accepting = trio.CancelScope()
        self._hangups: HangupWatch | None = None
        self._empty: trio.Event | None = None

    def __repr__(self) -> str:
        state = "draining" if self._lane.draining else "open"
        return f"<FrontDoor {state} active={self.active} accepted={self.counters.accepted}>"

    @property
    def active(self) -> int:
        """Connections that are open, whatever they do."""
        return len(self._open)

    @property
    def in_flight(self) -> int:
        """Connections of the rpc lane with a call under way or an answer being written. Looks at every connection."""
        return sum(connection.phase in (CALL, WRITING) for connection in self._open)

    # Serving…

    async def serve(
        self, listeners: Sequence[Accepting], *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Accept and serve. Returns after `stop_accepting()` once the last connection is gone.

        Cancelled: connections are cancelled where they wait; use `drain` first to let calls finish.
        """
        self._hangups = HangupWatch(self.counters)
        try:
            async with trio.open_nursery() as services:
                self._supervise(services, "sweeper", self._sweeping)
                self._supervise(services, "hangup_watch", self._hangups.run)
                async with trio.open_nursery() as connections:
                    await self._accept(listeners, connections, task_status)
                services.cancel_scope.cancel()
        finally:
            self._hangups.close()

    def _supervise(self, services: trio.Nursery, name: str, child: Callable[[], Awaitable[object]]) -> None:
        services.start_soon(partial(supervise, name, child, registry=self._supervisor), name=name)

    async def _sweeping(self) -> None:
        await keep_sweeping(self._open, self.limits, self.counters, self._each_sweep)

    async def _accept(
        self, listeners: Sequence[Accepting], connections: trio.Nursery, task_status: trio.TaskStatus[None]
    ) -> None:
        def admit(stream: trio.abc.Stream, peer: Peer) -> None:
            if len(self._open) >= self.limits.max_connections:
                self._turn_away(stream, _FULL)
            elif not self.per_address.take(address := address_of(peer.host, self._trusted)):
                self._turn_away(stream, _CROWDED)
            else:
                self.counters.accepted += 1
                count(stream, self.traffic)
                connections.start_soon(self.serve_stream, stream, peer, address)

        with self._accepting:
            async with trio.open_nursery() as acceptors:
                for listener in listeners:
                    acceptors.start_soon(listener.accept_into, admit, name=f"accept {listener}")
                task_status.started()
                await trio.sleep_forever()  # also without a listener: `serve_stream` may be called by others

    def _turn_away(self, stream: trio.abc.Stream, words: bytes) -> None:
        self.counters.turned_away += 1
        if isinstance(stream, RawStream):
            with contextlib.suppress(OSError):
                stream.socket.send(words)
                stream.socket.recv(self.limits.max_head_bytes)  # closing on unread bytes would destroy what we said
            stream.close()

    async def serve_stream(self, stream: trio.abc.Stream, peer: Peer, counted: str = "") -> None:
        """Serve one connection from its first byte to its end, and close it. Raises nothing but cancellation.

        `counted`: the address that it counts against, until then.
        """
        connection = Connection(stream, peer, trio.current_time(), address=address_of(peer.host, self._trusted))
        self._open.add(connection)
        try:
            self._watch(connection)
            with connection.scope:
                await self._life(connection)
            await self._say_why(connection)
        except* (trio.BrokenResourceError, trio.ClosedResourceError, ConnectionError):
            pass  # the client has gone: its right
        except* Exception as crash:
            self.counters.connection_crashes += 1
            log.exception("connection.crashed", exc_info=crash, phase=connection.phase.name)
        finally:
            self.per_address.give_back(counted)
            await self._end(connection)  # noqa: ASYNC102  (it never waits for the peer)

    async def _life(self, connection: Connection) -> None:
        replay = await self._lane.serve(connection)
        if replay is not None:
            self.counters.handed_over += 1
            connection.phase = HANDED
            if self._websockets is not None and is_ws(replay):
                await self._websockets(connection, replay)
            else:
                await self._other(ReplayStream(connection.stream, replay), connection.peer)

    def _watch(self, connection: Connection) -> None:
        if self._hangups is not None:
            self._hangups.watch(connection)

    async def _say_why(self, connection: Connection) -> None:
        """Tell a sender that was too slow; reset a reader that has stopped, so that the kernel lets go of its bytes."""
        if connection.cut_by in (Cut.HEAD_TIMEOUT, Cut.BODY_TIMEOUT):
            with trio.move_on_after(GOODBYE):
                await self._lane.tell(connection, 408, Kind.TIMEOUT)
        elif connection.cut_by is Cut.WRITE_TIMEOUT:
            connection.abort()

    async def _end(self, connection: Connection) -> None:
        self._lane.release(connection)
        if self._hangups is not None:
            self._hangups.forget(connection)
        self._open.discard(connection)
        if not self._open and self._empty is not None:
            self._empty.set()
        await connection.aclose()

    # Stopping…

    def stop_accepting(self) -> None:
        """Close the listening sockets; connections live on. Idempotent."""
        self._accepting.cancel()

    async def drain(self, deadline: float) -> bool:
        """End every connection, kindly until `deadline` (trio's clock). Returns whether nobody had to be cut.

        Connections that were handed over end when their lane ends them; tell those lanes first.
        """
        self.stop_accepting()
        self._lane.draining = True
        self._close_idle()
        with trio.CancelScope(deadline=deadline):
            await self._until_empty()
            return True
        for connection in tuple(self._open):
            connection.cut(Cut.DRAIN)
        with trio.move_on_after(FORCE_AFTER):
            await self._until_empty()
        for connection in tuple(self._open):
            connection.abort()
        return False

    def _close_idle(self) -> None:
        at_rest = trio.current_time() - AT_REST
        for connection in self._open:
            if connection.phase is IDLE and connection.since <= at_rest and not connection.has_spoken():
                connection.cut(Cut.DRAIN)

    async def _until_empty(self) -> None:
        while self._open:
            self._empty = trio.Event()
            await self._empty.wait()

    def _each_sweep(self) -> None:
        self._lane.writer.refresh()
        if self._lane.draining:  # connections that became idle, or were still in the kernel's queue
            self._close_idle()
