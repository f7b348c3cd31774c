"""One WebSocket client: its messages are read and answered side by side, its notifications taken, its end announced.

    sockets ─ trio-websocket's reader · the sender, while something waits        end last: they carry the close
     └─ calls ─ a task per message that is being answered                        cancelled at once when the client goes

Its own task reads, so that pings are answered and a close is heard. Beyond `max_in_flight` messages the next wait here,
and whoever is done answers them. When very many wait it does not read, and soon neither does trio-websocket: the client
is held back by TCP. While it is not read, the door's hang-up watch tells whether it has gone.

`close` may be called by anybody at any time, and never waits; the first reason counts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from math import inf
from typing import Final, final

import structlog
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_server_stream

from lasso_trio.routing.directory import Directory
from lasso_trio.routing.room import Room
from lasso_trio.server.budget import ByteBudget
from lasso_trio.server.connection import CALL, HANDED, Connection, Cut
from lasso_trio.server.routes import Route
from lasso_trio.server.turns import Turns
from lasso_trio.server.ws_dialogue import Dialogue
from lasso_trio.server.ws_limits import WsLimits
from lasso_trio.server.ws_routes import Destination
from lasso_trio.server.ws_sender import Sender
from lasso_trio.server.ws_stream import SocketStream, plain_handshake
from lasso_trio.server.ws_subscriptions import Hub, Subscriptions
from lasso_trio.server.ws_unary import Unary
from lasso_trio.subscriptions.frames import close_frame, text_frame

Words = tuple[int, str]
"""A close's code and reason."""

NORMAL: Final = 1000
NO_STATUS: Final = 1005
ABNORMAL: Final = 1006
OVERFLOW: Final = 1013
SLOW_CLIENT: Final[Words] = (OVERFLOW, "too slow: more notifications were waiting than are kept; subscribe again")
READ_BYTES: Final = 65_536

log = structlog.get_logger(__name__)


@final
class Session:
    """A client whose handshake was good. `live` is its whole life and may be called once.

    Times are trio's clock: `spoken_at` of the last message, `pinged_at` of the last ping (see `ws_heartbeat`).
    """

    __slots__ = (
        "_calls",
        "_connection",
        "_farewell",
        "_limits",
        "_room_again",
        "_to",
        "_waiting",
        "_waiting_bytes",
        "counters",
        "dialogue",
        "in_flight",
        "missed",
        "pinged_at",
        "sender",
        "spoken_at",
        "stream",
        "subscriptions",
        "wants_gaps",
        "words",
    )

    def __init__(
        self,
        connection: Connection,
        to: Destination,
        route: Route,
        host: str,
        unary: Unary,
        hub: Hub | None,
        directory: Callable[[], Directory],
        limits: WsLimits,
    ) -> None:
        self._connection = connection
        self._to = to
        self._limits = limits
        self.counters = unary.counters
        self.wants_gaps = to.wants_gaps
        self.subscriptions = Subscriptions(hub, self, limits.max_subscriptions)
        generation, room, turns = directory().generation, Room(limits.max_held_bytes), Turns(limits.max_in_flight)
        self.dialogue = Dialogue(
            to, route, host, unary, directory, generation, self.subscriptions, self._put, room, turns
        )
        self._calls: trio.Nursery | None = None
        self._room_again: trio.Event | None = None
        self._waiting: deque[bytes] | None = None
        self._waiting_bytes = 0
        self._farewell: Words | None = None
        """What is to be said when the last answer is out."""
        self.words: Words | None = None
        """Why it ends. None: it does not."""
        self.in_flight = 0
        self.sender: Sender
        self.stream: SocketStream
        self.spoken_at = self.pinged_at = trio.current_time()
        self.missed = 0

    def __repr__(self) -> str:
        return f"<Session {self.dialogue.host} in_flight={self.in_flight} subscriptions={len(self.subscriptions)}>"

    @property
    def is_read(self) -> bool:
        """Whether the client would be heard if it said something."""
        return self._room_again is None and not self.sender.busy

    # Its life…

    async def live(self, early: bytes, budget: ByteBudget) -> None:
        """Serve until one side ends it. `early`: what the client sent behind its handshake. The connection stays open.

        Cancelled, nothing is said to the client.
        """
        try:
            async with trio.open_nursery() as sockets:
                socket = await self._shake_hands(sockets, early, budget)
                await self._serve(socket)
                with trio.move_on_after(self._limits.close_s):
                    await self._part(socket)
                sockets.cancel_scope.cancel()
        finally:
            self.subscriptions.close()

    async def _shake_hands(self, sockets: trio.Nursery, early: bytes, budget: ByteBudget) -> WebSocketConnection:
        connection, limits = self._connection, self._limits
        self.sender = Sender(connection.stream, sockets, limits, self.counters)
        self.stream = SocketStream(connection, self.sender, plain_handshake(self._to.key), early, budget, self.close)
        request = await wrap_server_stream(
            sockets, self.stream, 1, max_message_size=limits.max_message_bytes, receive_buffer_size=READ_BYTES
        )
        try:
            socket = await request.accept()
        except ConnectionClosed as closed:
            raise trio.BrokenResourceError("the client has gone") from closed
        self.stream.open(socket)
        return socket

    async def _serve(self, socket: WebSocketConnection) -> None:
        async with trio.open_nursery() as calls:
            self._calls = calls
            if self.words is None:
                await self._read(socket, calls)
            calls.cancel_scope.cancel()  # whoever was to be answered has gone
        self._calls = None
        self.subscriptions.close()

    async def _part(self, socket: WebSocketConnection) -> None:
        """Say the close, unless the client did; then wait for it to answer. Bounded by the caller."""
        code, reason = self.words or (NORMAL, "")
        try:
            if code not in (NO_STATUS, ABNORMAL):
                await self.sender.finish(close_frame(code, reason), drop=code == OVERFLOW)
            while True:
                await socket.get_message()
        except (ConnectionClosed, trio.BrokenResourceError, trio.ClosedResourceError):
            pass

    # Messages…

    async def _read(self, socket: WebSocketConnection, calls: trio.Nursery) -> None:
        while True:
            try:
                message = await socket.get_message()
            except ConnectionClosed as closed:
                self._note_end(closed)
                return
            if self._farewell is not None:
                continue  # its close is on the way
            self.counters.messages += 1
            self.spoken_at = trio.current_time()
            self._take(message.encode() if isinstance(message, str) else message, calls)
            if not self._has_room:
                await self._until_room()

    def _take(self, message: bytes, calls: trio.Nursery) -> None:
        if self.in_flight < self._limits.max_in_flight:
            self.in_flight += 1
            calls.start_soon(self._answer, message, name="ws call")
            return
        if self._waiting is None:  # most clients never need one
            self._waiting = deque()
        self._waiting.append(message)
        self._waiting_bytes += len(message)

    @property
    def _has_room(self) -> bool:
        """Whether another message may be read."""
        limits = self._limits
        if self.in_flight < limits.max_in_flight:
            return True
        waiting = 0 if self._waiting is None else len(self._waiting)
        return waiting < limits.max_waiting and self._waiting_bytes < limits.waiting_bytes

    def _note_end(self, closed: ConnectionClosed) -> None:
        """The client's close, a lost connection, or a breach of the protocol, whose code it is told."""
        reason = closed.reason
        if self.words is None:
            self.words = (ABNORMAL, "") if reason is None else (reason.code, reason.reason or "")

    async def _until_room(self) -> None:
        self._room_again = trio.Event()
        self._connection.enter(CALL, -inf)  # from here on the door notices a hang-up, at once
        await self._room_again.wait()
        self._room_again = None
        self._connection.phase = HANDED

    async def _answer(self, message: bytes | None) -> None:
        """Answer it, and then whatever waits."""
        try:
            while message is not None:
                await self._answer_one(message)
                message = self._next()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # it has gone, or was told to: the reader knows
        finally:
            self._answered()

    async def _answer_one(self, message: bytes) -> None:
        try:
            await self.dialogue.answer(message)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise
        except Exception:
            self.counters.call_crashes += 1
            log.exception("ws.message_crashed")

    def _next(self) -> bytes | None:
        if not self._waiting:
            return None
        message = self._waiting.popleft()
        self._waiting_bytes -= len(message)
        self._tell_reader()
        return message

    def _tell_reader(self) -> None:
        if self._room_again is not None and self._has_room:
            self._room_again.set()

    def _answered(self) -> None:
        self.in_flight -= 1
        self._tell_reader()
        if self._farewell is not None and not self.in_flight:
            self.close(self._farewell)

    def _put(self, *texts: bytes) -> Awaitable[None]:
        frame = text_frame(texts[0]) if len(texts) == 1 else b"".join(map(text_frame, texts))
        return self.sender.written(self.sender.put(frame))

    # As everybody else sees it…

    def send_frame(self, frame: bytes, topic: object | None) -> None:
        """Take a notification. Never waits, never raises; beyond the limits the client is closed, with a reason."""
        if self.words is None and not self.sender.push(frame, topic):
            self.counters.overflows += 1
            self.close(SLOW_CLIENT)

    def close(self, words: Words) -> None:
        """End it: calls are cancelled, the client is told why. Idempotent, never waits."""
        if self.words is None:
            self.words = words
            if self._calls is not None:
                self._calls.cancel_scope.cancel()

    def sever(self) -> None:
        """Break the connection: the client takes nothing, so nothing can be said."""
        self._connection.cut(Cut.WRITE_TIMEOUT)

    def drain(self, words: Words) -> None:
        """End it when what is being answered is answered; nothing new is taken."""
        if self._farewell is None:
            self._farewell = words
            if not self.in_flight:
                self.close(words)
