"""A small HTTP/1.1 server over any trio stream, able to answer wrongly on purpose.

h11 reads requests, except the plain ones (a POST that arrived whole), which are recognised by one pattern: that keeps
the simulation cheap. Answers are written here as bytes, because h11 rightly refuses to write the broken ones.
"""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Awaitable, Callable
from enum import Enum, auto
from http import HTTPStatus
from typing import Final

import attrs
import h11
import trio

MAX_BODY: Final = 32 * 1024 * 1024
MAX_HEAD: Final = 64 * 1024
_CHUNK: Final = 65536
_DRIP_INTERVAL_S: Final = 0.1
_PLAIN: Final = re.compile(rb"POST (\S+) HTTP/1\.1\r\n((?:[!-9;-~]+:[^\r\n]*\r\n)+)\r\n")
_LENGTH: Final = re.compile(rb"(?i)^content-length: *(\d{1,9}) *\r$", re.MULTILINE)
_UNUSUAL: Final = re.compile(
    rb"(?i)^(?:transfer-encoding|connection|upgrade|expect|origin):(?! *keep-alive *\r$)", re.MULTILINE
)


@attrs.frozen
class Request:
    """`raw` is everything read for it so far, to be replayed when the connection changes protocol."""

    method: str
    target: str
    body: bytes
    keep_alive: bool = True
    wants_websocket: bool = False
    from_browser: bool = False
    """A web page sent it: there was an `Origin`."""
    raw: bytes = b""


class Ending(Enum):
    """What becomes of the connection after an answer."""

    KEEP = auto()
    CLOSE = auto()
    VANISH = auto()
    """Closed without having said so."""
    RESET = auto()
    """A TCP reset, or just the end on streams that are not sockets."""
    HANG = auto()
    """Nothing more, until the peer closes."""


@attrs.frozen
class Reply:
    """`status` None: not a byte is sent. `sent`: only so much of the body, whatever the head promises."""

    status: int | None
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)
    sent: int | None = None
    bytes_per_s: float | None = None
    ending: Ending = Ending.KEEP


class BadRequest(Exception):
    """The peer does not speak HTTP, or too much of it; `status` is the answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


Handler = Callable[[Request], Awaitable[Reply]]
Upgrade = Callable[["Replay"], Awaitable[None]]


async def open_port(host: str, port: int) -> list[trio.SocketListener]:
    """Listen on it (0: any). Raises OSError, which names the port, when it is taken."""
    try:
        return await trio.open_tcp_listeners(port, host=host)
    except OSError as error:
        raise OSError(f"cannot listen on {host}, port {port}: {error.strerror}") from error


async def converse(stream: trio.abc.Stream, handler: Handler, upgrade: Upgrade | None = None) -> None:
    """Serve one connection until it ends. The stream is always closed on the way out, without waiting.

    Raises what the handler raises; a peer that vanishes or talks nonsense just ends the connection.
    """
    try:
        await _converse(_Reader(stream), handler, upgrade)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass
    finally:
        await trio.aclose_forcefully(stream)


async def _converse(reader: _Reader, handler: Handler, upgrade: Upgrade | None) -> None:
    try:
        while (request := await reader.next()) is not None:
            if request.wants_websocket and upgrade is not None:
                return await upgrade(Replay(reader.stream, request.raw))
            reply = await handler(request)
            await _deliver(reader.stream, reply, head_only=request.method == "HEAD")
            if reply.ending is not Ending.KEEP or not request.keep_alive:
                return None
    except BadRequest as bad:
        text = str(bad).encode()
        await _deliver(reader.stream, Reply(bad.status, text, (("content-type", "text/plain"),), ending=Ending.CLOSE))


async def _deliver(stream: trio.abc.Stream, reply: Reply, *, head_only: bool = False) -> None:
    if reply.status is not None:
        body = b"" if head_only else reply.body[: reply.sent]
        if reply.bytes_per_s is None:
            await stream.send_all(_head(reply) + body)
        else:
            await stream.send_all(_head(reply))
            await _drip(stream, body, reply.bytes_per_s)
    if reply.ending is Ending.RESET and isinstance(stream, trio.SocketStream):
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if reply.ending is Ending.HANG:
        while await stream.receive_some(_CHUNK):
            pass


def _head(reply: Reply) -> bytes:
    status = reply.status or 500
    phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Unknown"
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in reply.headers)]
    lines.append(f"content-length: {len(reply.body)}")
    if reply.ending is Ending.CLOSE:
        lines.append("connection: close")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


async def _drip(stream: trio.abc.Stream, body: bytes, bytes_per_s: float) -> None:
    size = max(1, int(bytes_per_s * _DRIP_INTERVAL_S))
    for start in range(0, len(body), size):
        await trio.sleep(size / bytes_per_s)
        await stream.send_all(body[start : start + size])


@attrs.define
class _Reader:
    """The requests of one connection, one by one; `buffer` is what came after the last."""

    stream: trio.abc.Stream
    buffer: bytes = b""

    async def next(self) -> Request | None:
        """None at the end of the connection. Raises `BadRequest`."""
        if not self.buffer:
            self.buffer = bytes(await self.stream.receive_some(_CHUNK))
        if not self.buffer:
            return None
        return self._plain() or await self._parsed()

    def _plain(self) -> Request | None:
        """The request in the buffer, if it is whole and has nothing unusual about it."""
        head = _PLAIN.match(self.buffer)
        if head is None or _UNUSUAL.search(head[2]):
            return None
        lengths = _LENGTH.findall(head[2])
        if len(lengths) != 1 or len(self.buffer) < head.end() + int(lengths[0]):
            return None
        end = head.end() + int(lengths[0])
        body, self.buffer = self.buffer[head.end() : end], self.buffer[end:]
        return Request("POST", head[1].decode("latin-1"), body)

    async def _parsed(self) -> Request | None:
        connection, seen, self.buffer = h11.Connection(h11.SERVER, MAX_HEAD), [self.buffer], b""
        connection.receive_data(seen[0])
        try:
            head = await self._event(connection, seen)
            if not isinstance(head, h11.Request):
                return None
            if _is_upgrade(head):
                return Request("GET", head.target.decode("latin-1"), b"", wants_websocket=True, raw=b"".join(seen))
            body = await self._body(connection)
        except h11.RemoteProtocolError as wrong:
            raise BadRequest(wrong.error_status_hint, str(wrong)) from wrong
        self.buffer = connection.trailing_data[0]
        keep_alive = connection.their_state is h11.DONE
        from_browser = any(name == b"origin" for name, _ in head.headers)
        return Request(head.method.decode(), head.target.decode("latin-1"), body, keep_alive, from_browser=from_browser)

    async def _event(self, connection: h11.Connection, seen: list[bytes] | None = None) -> h11.Event:
        """The next event, reading as much as it takes; what is read is added to `seen`."""
        while (event := connection.next_event()) is h11.NEED_DATA:
            if connection.they_are_waiting_for_100_continue:
                go_on = connection.send(h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue"))
                await self.stream.send_all(go_on or b"")
            data = bytes(await self.stream.receive_some(_CHUNK))
            if seen is not None:
                seen.append(data)
            connection.receive_data(data)
        assert isinstance(event, h11.Event)
        return event

    async def _body(self, connection: h11.Connection) -> bytes:
        parts: list[bytes] = []
        size = 0
        while isinstance(event := await self._event(connection), h11.Data):
            size += len(event.data)
            if size > MAX_BODY:
                raise BadRequest(413, "request body too large")
            parts.append(bytes(event.data))
        return b"".join(parts)


def _is_upgrade(head: h11.Request) -> bool:
    return head.method == b"GET" and any(n == b"upgrade" and v.lower() == b"websocket" for n, v in head.headers)


@attrs.define(eq=False)
class Replay(trio.abc.Stream):
    """A stream whose first bytes were read already: they come first again."""

    inner: trio.abc.Stream
    first: bytes

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        if not self.first:
            return await self.inner.receive_some(max_bytes)
        await trio.lowlevel.checkpoint()
        size = len(self.first) if max_bytes is None else max_bytes
        given, self.first = self.first[:size], self.first[size:]
        return given

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self.inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self.inner.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self.inner.aclose()
