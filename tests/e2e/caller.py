"""One kept-alive client connection, cheap enough that thousands fit into a test: a socket and a buffer.

It reads answers by their Content-Length, and holds the proxy to it: a closed connection, a status line that is no
HTTP, bytes behind the answer are errors.
"""

from __future__ import annotations

import re
from typing import Final

import attrs
from trio.socket import AF_INET, SOCK_STREAM, SocketType, socket

_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_READ: Final = 262_144


class WrongAnswer(Exception):
    """What came is not an answer as HTTP and this test know them."""


@attrs.frozen
class Answer:
    status: int
    head: bytes
    body: bytes

    def header(self, name: str) -> str | None:
        found = re.search(rb"\r\n%b:[ \t]*([^\r\n]*)" % name.encode(), self.head, re.IGNORECASE)
        return found[1].decode("latin-1") if found else None


@attrs.define(eq=False)
class Caller:
    """`path` is where its calls go. Not for concurrent use."""

    sock: SocketType
    path: str
    _inbox: bytearray = attrs.field(factory=bytearray)

    @classmethod
    async def connect(cls, port: int, path: str, source: str = "127.0.0.1") -> Caller:
        """`source`: the loopback address to call from; ports run short on one for ten thousand."""
        sock = socket(AF_INET, SOCK_STREAM)
        try:
            await sock.bind((source, 0))
            await sock.connect(("127.0.0.1", port))
        except BaseException:
            sock.close()
            raise
        return cls(sock, path)

    async def call(self, body: bytes, headers: bytes = b"") -> Answer:
        """Post `body`. Raises OSError, WrongAnswer."""
        await self.send(self.request(body, headers))
        return await self.receive()

    def request(self, body: bytes, headers: bytes = b"") -> bytes:
        head = b"POST %b HTTP/1.1\r\nHost: lasso\r\nContent-Type: application/json\r\n%bContent-Length: %d\r\n\r\n%b"
        return head % (self.path.encode(), headers, len(body), body)

    async def send(self, data: bytes) -> None:
        with memoryview(data) as view:
            sent = 0
            while sent < len(data):
                sent += await self.sock.send(view[sent:])

    async def receive(self) -> Answer:
        head = await self._head()
        length = _LENGTH.search(head)
        if length is None or not head.startswith(b"HTTP/1.1 "):
            raise WrongAnswer(head[:300])
        body = await self._body(int(length[1]))
        return Answer(int(head[9:12]), head, body)

    async def _head(self) -> bytes:
        while (end := self._inbox.find(b"\r\n\r\n")) < 0:
            await self._read()
        head = bytes(self._inbox[: end + 2])
        del self._inbox[: end + 4]
        return head

    async def _body(self, length: int) -> bytes:
        while len(self._inbox) < length:
            await self._read()
        if len(self._inbox) > length:
            raise WrongAnswer(f"{len(self._inbox) - length} bytes behind an answer")
        body = bytes(self._inbox)
        self._inbox.clear()
        return body

    async def _read(self) -> None:
        data = await self.sock.recv(_READ)
        if not data:
            raise WrongAnswer(f"closed after {bytes(self._inbox[:200])!r}")
        self._inbox += data

    def close(self) -> None:
        self.sock.close()
