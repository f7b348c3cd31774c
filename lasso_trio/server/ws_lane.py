"""The WebSocket lane: from a handshake's bytes to the end of the client, for every client of the node.

The door hands a connection over with what it has read of it; the lane answers the handshake (101, or a refusal with
its reason), lives with the client, and reads on a little at the end so that the client gets to see our close. Nothing
is closed here: that is the door's, as is containing whatever goes wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import attrs
import trio

from lasso_trio.jsonrpc.errors import NULL_ID, RpcError
from lasso_trio.routing.client_limit import client_key
from lasso_trio.routing.directory import Directory
from lasso_trio.server import request_id, rpc_answer
from lasso_trio.server.answer import Answer
from lasso_trio.server.answer_writer import AnswerWriter
from lasso_trio.server.batch import Record
from lasso_trio.server.budget import ByteBudget
from lasso_trio.server.call_teller import CallTeller
from lasso_trio.server.client_address import client_address
from lasso_trio.server.connection import LINGER, WRITING, Connection
from lasso_trio.server.guarded import refusal
from lasso_trio.server.limits import LaneLimits
from lasso_trio.server.refusal import BadRequest, Kind
from lasso_trio.server.routes import Route
from lasso_trio.server.rpc import RpcHandler
from lasso_trio.server.ws_heartbeat import keep_beating
from lasso_trio.server.ws_limits import WsCounters, WsLimits
from lasso_trio.server.ws_routes import Refused, guarded_route, read_handshake, refusal_of
from lasso_trio.server.ws_session import Session, Words
from lasso_trio.server.ws_subscriptions import Hub
from lasso_trio.server.ws_unary import Unary

RESTART: Final[Words] = (1012, "the node is restarting; connect again")


@attrs.define(eq=False)
class WsLane:
    """`serve` is called per connection; `run` is a service beside the door; `drain` when the node stops.

    `limits.max_held_bytes` and the like are per client; `door` has those of a request's head and of lingering.
    """

    directory: Callable[[], Directory]
    unary: Unary
    door: LaneLimits
    budget: ByteBudget
    limits: WsLimits = attrs.field(factory=WsLimits)
    hub: Hub | None = None
    draining: bool = False
    sessions: set[Session] = attrs.field(factory=set)
    _writer: AnswerWriter = attrs.field(factory=partial(AnswerWriter, 2**62))

    @classmethod
    def of(cls, handler: RpcHandler, door: LaneLimits, budget: ByteBudget, hub: Hub | None) -> WsLane:
        """The lane beside `handler`'s: the same configuration, service, limits and records."""
        settings = handler.settings
        unary = Unary(handler.service, settings, _over_websocket(handler.record), WsCounters(), handler.gates)
        limits = WsLimits(
            max_message_bytes=settings.max_body_bytes,
            max_subscriptions=settings.ws_max_subscriptions,
            queue_messages=settings.ws_queue_messages,
            queue_bytes=settings.ws_queue_bytes,
            max_held_bytes=settings.max_response_bytes,
            ping_s=settings.ws_ping_s,
            idle_s=settings.ws_idle_s,
        )
        return cls(lambda: handler.directory, unary, door, budget, limits, hub)

    @property
    def counters(self) -> WsCounters:
        return self.unary.counters

    @property
    def behind(self) -> int:
        """Clients that have not yet taken all that was written to them."""
        return sum(session.sender.busy for session in self.sessions)

    async def run(self) -> None:
        """Pings and time limits, until cancelled."""
        await keep_beating(self.sessions, self.limits, self.counters)

    async def serve(self, connection: Connection, replay: bytes) -> None:
        """Serve one client to its end. `replay`: what was read of it, a whole request head at least.

        May raise anything; the caller contains it and closes the connection.
        """
        end = replay.find(b"\r\n\r\n") + 4
        try:
            session = self._open(connection, replay[:end])
        except Refused as refused:
            await self._refuse(connection, refused.answer)
        except BadRequest as bad:
            await self._refuse(connection, rpc_answer.of_refusal(bad.status, bad.kind))
        else:
            await self._live(connection, session, replay[end:])

    def _open(self, connection: Connection, head: bytes) -> Session:
        if self.draining:
            raise BadRequest(503, Kind.RESTARTING, "draining")
        destination, route = read_handshake(head, self.door.max_headers, self.directory())
        trusted = self.unary.settings.trusted_proxies
        host = client_address(connection.peer.host, destination.forwarded_for, trusted)
        route = guarded_route(route, destination, self.unary.gates)
        error = None if route.guard is None else route.guard.admit(host, self.unary.gates.clock())
        if error is not None:
            raise Refused(self._unauthorized(error, route, host))
        if route.error is not None:
            raise Refused(refusal_of(route.error))
        return Session(connection, destination, route, host, self.unary, self.hub, self.directory, self.limits)

    def _unauthorized(self, error: RpcError, route: Route, host: str) -> Answer:
        """As over HTTP: it counts against the limit of its address."""
        limit, id_ = route.routed_profile.limit, request_id.made()
        wait = limit.take(client_key(host), 1, trio.current_time())
        return rpc_answer.limited(limit.rate, wait, id_, NULL_ID) if wait else refusal(error, id_)

    async def _live(self, connection: Connection, session: Session, early: bytes) -> None:
        self.counters.opened += 1
        self.sessions.add(session)
        try:
            await session.live(early, self.budget)
        finally:
            self.sessions.discard(session)
        if not session.stream.was_closed:
            await self._linger(connection)

    async def _refuse(self, connection: Connection, answer: Answer) -> None:
        self.counters.refused += 1
        self._writer.refresh()
        connection.enter(WRITING, trio.current_time())
        await self._writer.write(connection, None, answer, close=True)
        await self._linger(connection)

    async def _linger(self, connection: Connection) -> None:
        """Closing on unread bytes would destroy what we said last. The sweeper bounds it in time."""
        connection.enter(LINGER, trio.current_time())
        if isinstance(connection.stream, trio.abc.HalfCloseableStream):
            await connection.stream.send_eof()
        left = self.door.linger_bytes
        while left > 0:
            data = await connection.stream.receive_some()
            if not data:
                return
            left -= len(data)

    # Stopping…

    async def drain(self, deadline: float) -> None:
        """Close every client with 1012: at once, or when what it asked is answered, but no later than `deadline`.

        Returns then; cancel it when everybody has gone earlier.
        """
        self.draining = True
        for session in tuple(self.sessions):
            session.drain(RESTART)
        await trio.sleep_until(deadline)
        for session in tuple(self.sessions):
            session.close(RESTART)


def _over_websocket(record: Record) -> Record:
    return attrs.evolve(record, transport="ws") if isinstance(record, CallTeller) else record
