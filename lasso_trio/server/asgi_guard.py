"""What hypercorn 0.18 and quart-trio need between them to end well, as ASGI middleware. Seven traps:

* hypercorn says `http.disconnect` while the application's last `send` is still closing the connection (or starting its
  idle clock), and quart-trio cancels the sender when it hears that: the connection stays open for ever. So the word is
  held back until the send is through;
* over HTTP/2, DATA that comes after the answer crashes the connection, and an early refusal may be lost with it. So an
  answer waits for the end of the request's body, as long as that is neither far nor slow;
* over HTTP/2, when an application fails after the head of its answer has left, the stream is neither ended nor reset,
  and the client waits for the rest for ever. It is reset here, on hypercorn's own objects, which are not public API:
  hence the pinned minor version, and the test that breaks an answer on a real connection;
* over HTTP/2, hypercorn takes an answer faster than the client does, without bound, and then waits for the client
  without bound. So a body is sent in pieces, each waits until it is taken, and what is too slow is reset;
* quart-trio closes the body of an answer only if it came to sending it: cancelled before that, a streamed answer would
  keep its upstream connection. So whoever makes one has it closed `at_end`;
* a connection of HTTP/1.1 that came to this lane for a page does not leave it: a WebSocket's upgrade that follows on it
  is none here, and calls that follow are slow. A balancer that keeps connections sends one client's page and another's
  upgrade over the same. So an answer over HTTP/1.1 is its connection's last;
* a target without a path or that is no URL, or a Host that cannot be a name, is an accident to quart. It is answered
  400 here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final
from urllib.parse import urlsplit

import attrs
import structlog
import trio
from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError

from lasso_trio.access.credential import masked
from lasso_trio.server.answer_source import BrokenAnswer
from lasso_trio.server.answer_writer import PIECE_BYTES
from lasso_trio.server.limits import LaneLimits

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

HELD_BACK: Final = 1.0
"""Seconds by which the news that the client has gone may be late."""

_ANSWERED: Final = frozenset({"http", "websocket"})
_AT_END: Final = "lasso_trio.at_end"

log = structlog.get_logger(__name__)


def at_end(scope: Any, close: Callable[[], Awaitable[None]]) -> None:  # noqa: ANN401 (ASGI)
    """Have `close` awaited when the exchange of this ASGI `scope` is over, however it ends; then perhaps cancelled."""
    scope.setdefault(_AT_END, []).append(close)


@attrs.frozen(eq=False)
class AsgiGuard:
    """Whatever `app` raises passes through, but for an answer that broke off, which is no accident. WebSockets are left
    alone.
    """

    app: Callable[[Any, Any, Any], Awaitable[None]]
    limits: LaneLimits

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:  # noqa: ANN401 (ASGI)
        app = _refuse if scope["type"] in _ANSWERED and is_malformed(scope) else self.app
        if scope["type"] != "http":
            return await app(scope, receive, send)
        is_http2 = scope["http_version"] == "2"
        exchange = _Exchange(receive, send, self.limits, is_http2)
        try:
            await app(scope, exchange.receive, exchange.send)
        except Exception as error:
            if is_http2:
                await _reset(send)  # noqa: ASYNC120  (a cancel goes before any failure)
            if (broken := _broken(error)) is not None:
                log.warning("rpc.answer.broken", reason=str(broken), request_id=broken.request_id)
            elif exchange.stalled:
                log.info("web.client_stalled", path=masked(scope["path"]))
            else:
                raise
        finally:
            for close in scope.get(_AT_END, ()):
                await close()  # noqa: ASYNC102  (each shields itself, for a bounded time)


def _broken(error: Exception) -> BrokenAnswer | None:
    """The answer that broke off, if that is all it was: it comes out of the nurseries of quart-trio."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error if isinstance(error, BrokenAnswer) else None


def is_malformed(scope: Any) -> bool:  # noqa: ANN401 (ASGI)
    """Whether the request cannot be about anything here."""
    host = next((value for name, value in scope.get("headers", ()) if name == b"host"), b"")
    try:
        host.decode("latin-1").partition(":")[0].lower().encode("idna")
        path = scope.get("path", "/")
        if not path.startswith("/"):
            urlsplit(path)  # the absolute form: RFC 9112, 3.2.2
    except ValueError:  # its own, or a UnicodeError of the host
        return True
    return bool(path == "")


async def _refuse(scope: Any, receive: Receive, send: Send) -> None:  # noqa: ANN401 (ASGI)
    if scope["type"] == "websocket":
        return await send({"type": "websocket.close", "code": 1008})
    await send({"type": "http.response.start", "status": 400, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


@attrs.define(eq=False)
class _Exchange:
    _receive: Receive
    _send: Send
    _limits: LaneLimits
    _is_http2: bool
    _received: int = 0
    _enough: trio.Event = attrs.field(factory=trio.Event)
    _last_sent: trio.Event | None = None
    stalled: bool = False
    """The client took nothing for as long as a send may take."""

    async def receive(self) -> Message:
        message = await self._receive()
        self._received += len(message.get("body", b""))
        bound = self._limits.max_body_bytes + self._limits.linger_bytes
        if not message.get("more_body", False) or self._received > bound:
            self._enough.set()
        if message["type"] == "http.disconnect" and self._last_sent is not None:
            with trio.move_on_after(HELD_BACK):
                await self._last_sent.wait()
        return message

    async def send(self, message: Message) -> None:
        """The application goes on receiving while this waits."""
        if message["type"] == "http.response.start":
            if self._is_http2:
                with trio.move_on_after(self._limits.linger_timeout):
                    await self._enough.wait()
            else:
                message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
        if message["type"] != "http.response.body" or message.get("more_body", False):
            return await self._send_in_pieces(message)
        self._last_sent = trio.Event()
        try:
            await self._send_in_pieces(message)
        finally:
            self._last_sent.set()

    async def _send_in_pieces(self, message: Message) -> None:
        body, start = message.get("body", b""), 0
        while len(body) - start > PIECE_BYTES:
            piece = body[start : start + PIECE_BYTES]
            await self._send_piece({"type": message["type"], "body": piece, "more_body": True})
            start += PIECE_BYTES
        await self._send_piece({**message, "body": body[start:]} if start else message)

    async def _send_piece(self, message: Message) -> None:
        with trio.move_on_after(self._limits.write_timeout) as limit:
            await self._send(message)
            if self._is_http2 and message.get("more_body", False):
                await _until_taken(self._send)
        if limit.cancelled_caught:
            self.stalled = True
            raise trio.TooSlowError


async def _until_taken(send: Any) -> None:  # noqa: ANN401 (ASGI)
    """Wait until the client has made room for all that was sent through `send`, a bound method of HTTPStream."""
    stream = send.__self__
    buffer = stream.send.__self__.stream_buffers.get(stream.stream_id)
    if buffer is not None and buffer.buffer:  # else the stream has ended, or nothing is left
        await buffer.drain()


async def _reset(send: Any) -> None:  # noqa: ANN401 (ASGI)
    """Reset the stream behind `send`, a bound method of hypercorn's HTTPStream."""
    stream = send.__self__
    protocol = stream.send.__self__
    with contextlib.suppress(ProtocolError):  # ended, or reset by the client
        protocol.connection.reset_stream(stream.stream_id, ErrorCodes.INTERNAL_ERROR)
        await protocol._flush()
