"""The provider behind every target: one epoll loop on raw sockets, as cheap as Python gets, plain or TLS.

It answers every JSON-RPC call with the caller's id spliced in; eth_getLogs gets 1 MiB. `GET /count` tells how many of
the benchmark's own calls arrived, which shows what hedges and retries add. Prints its port, then serves until killed.

    python upstream.py [--tls CERT_WITH_KEY.pem]
"""

from __future__ import annotations

import json
import re
import select
import socket
import ssl
import sys
import time

CHAIN_ID = 31337
BIG_RESULT = b'["' + b"0123456789abcdef" * 65_536 + b'"]'
SMALL_RESULT = b'"0x1bc16d674ec80000"'
BLOCK_HASH = b'"0x' + b"ab" * 32 + b'"'
STARTED = time.monotonic()

ID = re.compile(rb'"id"\s*:\s*("[^"]*"|[-+\d.eE]+|null)')
METHOD = re.compile(rb'"method"\s*:\s*"(\w+)"')
READ = memoryview(bytearray(65_536))
LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)


class Counted:
    calls = 0


def height() -> bytes:
    """A head that moves every two seconds, for proxies that watch it."""
    return b'"0x%x"' % (0x1000 + int(time.monotonic() - STARTED) // 2)


def block() -> bytes:
    fields = (height(), BLOCK_HASH, BLOCK_HASH, b'"0x%x"' % int(time.time()))  # noqa: TID251 — a block's own stamp
    return b'{"number":%b,"hash":%b,"parentHash":%b,"timestamp":%b,"transactions":[]}' % fields


def result(call: bytes) -> bytes:
    if b"eth_getBalance" in call:
        Counted.calls += 1
        return SMALL_RESULT
    if b"eth_getLogs" in call:
        Counted.calls += 1
        return BIG_RESULT
    found = METHOD.search(call)
    method = found.group(1) if found else b""
    if method == b"eth_getBlockByNumber":
        return block()
    return {b"eth_chainId": b'"0x%x"' % CHAIN_ID, b"net_version": b'"%d"' % CHAIN_ID}.get(method, height())


def answer(call: bytes) -> bytes:
    found = ID.search(call)
    return b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (found.group(1) if found else b"null", result(call))


def respond(body: bytes) -> bytes:
    """One HTTP response for one request body: a call, a batch, or nothing (then the count is asked)."""
    if body[:1] == b"[":
        content = b"[" + b",".join(answer(json.dumps(item).encode()) for item in json.loads(body)) + b"]"
    else:
        content = answer(body) if body else b"%d" % Counted.calls
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
        len(content),
        content,
    )


class Connection:
    """One kept-alive client. `pump` reads and answers all it can without waiting; False means it is over."""

    __slots__ = ("inbox", "outbox", "sock")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.inbox = b""
        self.outbox = b""

    def pump(self) -> bool:
        try:
            while True:
                size = self.sock.recv_into(READ)
                if not size:
                    return False
                self.inbox += READ[:size]
                self.answer_all()
                if not isinstance(self.sock, ssl.SSLSocket):
                    return self.flush()
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return self.flush()
        except OSError:
            return False

    def answer_all(self) -> None:
        while (split := self.inbox.find(b"\r\n\r\n")) >= 0:
            found = LENGTH.search(self.inbox, 0, split + 2)
            end = split + 4 + (int(found.group(1)) if found else 0)
            if len(self.inbox) < end:
                return
            self.outbox += respond(self.inbox[split + 4 : end])
            self.inbox = self.inbox[end:]

    def flush(self) -> bool:
        try:
            while self.outbox:
                self.outbox = self.outbox[self.sock.send(self.outbox) :]
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except OSError:
            return False
        return True

    def interest(self) -> int:
        return select.EPOLLIN | (select.EPOLLOUT if self.outbox else 0)


def serve(listener: socket.socket, tls: ssl.SSLContext | None) -> None:
    poll = select.epoll()
    poll.register(listener, select.EPOLLIN)
    connections: dict[int, Connection] = {}
    while True:
        for fd, event in poll.poll():
            if fd == listener.fileno():
                accept(listener, tls, poll, connections)
                continue
            connection = connections[fd]
            before = connection.interest()
            alive = connection.pump() if event & ~select.EPOLLOUT else connection.flush()
            if not alive:
                poll.unregister(fd)
                connections.pop(fd).sock.close()
            elif connection.interest() != before:
                poll.modify(fd, connection.interest())


def accept(
    listener: socket.socket, tls: ssl.SSLContext | None, poll: select.epoll, connections: dict[int, Connection]
) -> None:
    sock, _ = listener.accept()
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if tls is not None:
        sock = tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
    connections[sock.fileno()] = Connection(sock)
    poll.register(sock, select.EPOLLIN)


def main() -> None:
    tls = None
    if sys.argv[1:2] == ["--tls"]:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(sys.argv[2])
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(listener.getsockname()[1], flush=True)
    serve(listener, tls)


if __name__ == "__main__":
    main()
