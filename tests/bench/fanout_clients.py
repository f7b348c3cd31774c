"""Many subscribers in one process: plain sockets and one epoll, so that what is measured is the server."""

from __future__ import annotations

import select
import socket
import time

HANDSHAKE = (
    b"GET /ws/rpc/bench HTTP/1.1\r\nhost: bench\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
SUBSCRIBE = b'{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}'
TIMEOUT_S = 60.0


class TooSlow(Exception):
    """The server did not deliver in time."""


class Crowd:
    """`join` subscribers one after the other; `collect` what is published to them."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._epoll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}

    def __len__(self) -> int:
        return len(self._sockets)

    def join(self, count: int) -> None:
        for _ in range(count):
            sock = socket.create_connection(("127.0.0.1", self._port))
            sock.settimeout(TIMEOUT_S)
            sock.sendall(HANDSHAKE)
            self._until(sock, b"\r\n\r\n")
            sock.sendall(masked(SUBSCRIBE))
            self._until(sock, b'"result":')
            sock.setblocking(False)
            self._epoll.register(sock, select.EPOLLIN)
            self._sockets[sock.fileno()] = sock

    @staticmethod
    def _until(sock: socket.socket, end: bytes) -> None:
        data = b""
        while end not in data:
            piece = sock.recv(65_536)
            if not piece:
                raise TooSlow(f"closed with {data!r}")
            data += piece

    def collect(self, size: int) -> float:
        """Read until everybody has `size` bytes; when the last had them (monotonic seconds)."""
        missing = size * len(self._sockets)
        deadline = time.monotonic() + TIMEOUT_S
        while missing > 0:
            if time.monotonic() > deadline:
                raise TooSlow(f"{missing} bytes are missing")
            for fd, _ in self._epoll.poll(1.0, 1024):
                missing -= len(self._sockets[fd].recv(262_144))
        return time.monotonic()

    def leave(self) -> None:
        for sock in self._sockets.values():
            sock.close()
        self._sockets.clear()
        self._epoll.close()


def masked(text: bytes) -> bytes:
    """A client's text frame, with the mask that changes nothing."""
    assert len(text) < 126, "a short message"
    return bytes([0x81, 0x80 | len(text)]) + b"\0\0\0\0" + text
