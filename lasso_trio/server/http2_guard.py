"""What hypercorn's HTTP/2 needs around an application, as ASGI middleware. Two traps of hypercorn 0.18:

* an application fails after the head of its answer has left: the stream is neither ended nor reset, and the client
  waits for the rest for ever. It is reset here, on hypercorn's own objects, which are not public API: hence the pinned
  minor version, and the test that breaks an answer on a real connection;
* DATA that comes after the answer crashes the connection, and an early refusal may be lost with it. So an answer waits
  for the end of the request's body, as long as that is neither far nor slow.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import attrs
import trio
from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError

from lasso_trio.server.limits import LaneLimits

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


@attrs.frozen(eq=False)
class Http2Guard:
    """Whatever `app` raises passes through. HTTP/1.1 and WebSockets are left alone."""

    app: Callable[[Any, Any, Any], Awaitable[None]]
    limits: LaneLimits

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:  # noqa: ANN401 (ASGI)
        if scope["type"] != "http" or scope["http_version"] != "2":
            return await self.app(scope, receive, send)
        exchange = _Exchange(receive, send, self.limits)
        try:
            await self.app(scope, exchange.receive, exchange.send)
        except Exception:
            await _reset(send)
            raise


@attrs.define(eq=False)
class _Exchange:
    _receive: Receive
    _send: Send
    _limits: LaneLimits
    _received: int = 0
    _enough: trio.Event = attrs.field(factory=trio.Event)

    async def receive(self) -> Message:
        message = await self._receive()
        self._received += len(message.get("body", b""))
        bound = self._limits.max_body_bytes + self._limits.linger_bytes
        if not message.get("more_body", False) or self._received > bound:
            self._enough.set()
        return message

    async def send(self, message: Message) -> None:
        """The application goes on receiving while this waits."""
        if message["type"] == "http.response.start":
            with trio.move_on_after(self._limits.linger_timeout):
                await self._enough.wait()
        await self._send(message)


async def _reset(send: Any) -> None:  # noqa: ANN401 (ASGI)
    """Reset the stream behind `send`, a bound method of hypercorn's HTTPStream."""
    stream = send.__self__
    protocol = stream.send.__self__
    with contextlib.suppress(ProtocolError):  # ended, or reset by the client
        protocol.connection.reset_stream(stream.stream_id, ErrorCodes.INTERNAL_ERROR)
        await protocol._flush()
