"""A client's connection as trio-websocket sees it: a stream that begins with a plain handshake and keeps order.

trio-websocket reads a socket's frames, answers its pings and closes. What it would do worse is done here:

* It is given a handshake of our own making, equal for everybody; the client's was checked by `ws_routes`. What came
  behind the client's head is held until the handshake is over: its parser would drop it.
* What it sends goes through the `Sender`, so that it cannot come between the bytes of somebody else's frame.
* A long unfinished message is charged to the node's byte budget, and one in countless fragments is refused: each costs
  memory, also when it is empty.
* It may not close the connection: the lane wants to say why first.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Final, final

import trio
from trio_websocket import WebSocketConnection

from lasso_trio.server.budget import ByteBudget
from lasso_trio.server.connection import Connection
from lasso_trio.server.ws_sender import CLOSE, Sender

_TOO_BIG: Final = b"\x03\xf1"
"""1009: the one close that trio-websocket says before the client did."""
FREE_BYTES: Final = 65_536
"""Of an unfinished message, that are not charged to anybody."""
MOST_FRAGMENTS: Final = 16_384
"""Of one message. What a network splits into segments is far from it."""
NO_BUDGET: Final = (1013, "no room for this message on the node; try again later")
FRAGMENTS: Final = (1008, "a message in too many fragments")


def plain_handshake(key: bytes) -> bytes:
    """What trio-websocket needs to read of an upgrade request."""
    return (
        b"GET / HTTP/1.1\r\nhost: lasso\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
        b"sec-websocket-version: 13\r\nsec-websocket-key: %b\r\n\r\n" % key
    )


@final
class SocketStream(trio.abc.Stream):
    """Reads `handshake`, then waits for `open`, then `early` and whatever `connection` receives.

    `refuse` is told code and reason when a message cannot be taken. `heard_at`: trio's clock at the last bytes from
    the client. `message_since`: when the message that is not finished began; infinity when there is none.
    """

    __slots__ = (
        "_budget",
        "_closed",
        "_connection",
        "_early",
        "_opened",
        "_refuse",
        "_sender",
        "_socket",
        "handshake",
        "heard_at",
        "message_since",
        "was_closed",
    )

    def __init__(
        self,
        connection: Connection,
        sender: Sender,
        handshake: bytes,
        early: bytes,
        budget: ByteBudget,
        refuse: Callable[[tuple[int, str]], None],
    ) -> None:
        self._connection = connection
        self._sender = sender
        self.handshake = handshake
        self._early = early
        self._budget = budget
        self._refuse = refuse
        self._opened: trio.Event | None = trio.Event()
        self._socket: WebSocketConnection | None = None
        self._closed = False
        self.was_closed = False
        """The client has said its close, or has ended the connection: nothing more will come."""
        self.heard_at = trio.current_time()
        self.message_since = inf

    def open(self, socket: WebSocketConnection) -> None:
        """The handshake is answered: frames may be read."""
        assert self._opened is not None, "opened once"
        self._socket = socket
        self._opened.set()
        self._opened = None

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        if self._closed:
            raise trio.ClosedResourceError("the reader has closed it")
        if self.handshake:
            data, self.handshake = self.handshake, b""
            return data
        if self._opened is not None:
            await self._opened.wait()
        if self._early:
            data, self._early = self._early, b""
        else:
            self._charge()
            data = bytes(await self._connection.stream.receive_some(max_bytes))
        self.was_closed = self.was_closed or not data
        self.heard_at = trio.current_time()
        return data

    def _charge(self) -> None:
        """Hold as much of the byte budget as the message needs that is not finished yet."""
        assert self._socket is not None
        # What its reader has put aside; no public name tells.
        size, fragments = self._socket._message_size, len(self._socket._message_parts)
        self._note_message(fragments)
        if fragments > MOST_FRAGMENTS:
            self._refuse(FRAGMENTS)
        held = self._connection.reserved
        if held and (size == 0 or size > held):
            self._budget.release(held, self._connection.address)
            self._connection.reserved = held = 0
        if size > max(held, FREE_BYTES):
            if self._budget.reserve(2 * size, self._connection.address):
                self._connection.reserved = 2 * size
            else:
                self._refuse(NO_BUDGET)

    def _note_message(self, fragments: int) -> None:
        if not fragments:
            self.message_since = inf
        elif self.message_since == inf:
            self.message_since = self.heard_at

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """A pong, a close, or the handshake's answer. A close that comes after ours has been said already."""
        frame = bytes(data)
        if frame[0] == CLOSE:
            self.was_closed = not frame.startswith(_TOO_BIG, 2)
            if self._sender.ended:
                return
        await self._sender.send_all(frame)

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        """The reader is done. The connection stays open: it is the door's."""
        self._closed = True
        await trio.lowlevel.checkpoint()
