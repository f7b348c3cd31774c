"""What goes over the wire: the calls each workload sends, and a client connection that checks what comes back.

Every call differs (a counter is in its id and its params), so nothing on the way may answer one call for another, and
an answer with the wrong id, no result or a wrong status ends the row.
"""

from __future__ import annotations

import re
import socket
from urllib.parse import urlsplit

import attrs

IDS = re.compile(rb'"id"\s*:\s*(\d+)')
LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding:\s*chunked", re.IGNORECASE)
LAST_CHUNK = b"\r\n0\r\n\r\n"
READ = memoryview(bytearray(262_144))  # shared: asking for a fresh large buffer per read costs more than the read


class WrongAnswer(Exception):
    """A target gave something that is not the answer to the call."""


@attrs.frozen
class Workload:
    """`items` calls per HTTP request; `template` takes the call's number twice."""

    name: str
    template: bytes
    items: int = 1
    batch: bool = False
    min_body: int = 1

    def body(self, number: int) -> bytes:
        if not self.batch:
            return self.template % (number, number)
        first = number * self.items
        return b"[" + b",".join(self.template % (n, n) for n in range(first, first + self.items)) + b"]"


BALANCE = b'{"jsonrpc":"2.0","id":%d,"method":"eth_getBalance","params":["0x%040x","latest"]}'
LOGS = b'{"jsonrpc":"2.0","id":%d,"method":"eth_getLogs","params":[{"address":"0x%040x","fromBlock":"latest"}]}'
CALL = Workload("one call", BALANCE)
BATCH = Workload("batch of 10", BALANCE, items=10, batch=True)
BIG = Workload("1 MiB result", LOGS, min_body=1_048_576)


class Connection:
    """One kept-alive client connection, non-blocking. `ask` sends; `collect` is True once the whole answer is in."""

    __slots__ = ("due", "end", "head", "inbox", "number", "sock", "workload")

    def __init__(self, url: str, workload: Workload, headers: str = "") -> None:
        """`headers`: further lines of every request's head, each with its line end."""
        parts = urlsplit(url)
        assert parts.hostname is not None
        self.sock = socket.create_connection((parts.hostname, parts.port or 80))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)
        self.head = (
            f"POST {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
            f"Content-Type: application/json\r\n{headers}Content-Length: "
        ).encode() + b"%d\r\n\r\n%b"
        self.workload = workload
        self.inbox = bytearray()
        self.end = 0
        self.number = 0
        self.due = 0.0

    def ask(self, number: int, due: float = 0.0) -> None:
        """Requests are far smaller than an empty send buffer: one send takes them whole."""
        body = self.workload.body(number)
        request = self.head % (len(body), body)
        self.number, self.due, self.end = number, due, 0
        if self.sock.send(request) != len(request):
            raise WrongAnswer("the target does not read what it is sent")

    def collect(self) -> bool:
        try:
            size = self.sock.recv_into(READ)
        except BlockingIOError:
            return False
        if not size:
            raise WrongAnswer(f"connection closed before the answer: {bytes(self.inbox[:400])!r}")
        self.inbox += READ[:size]
        if not self.is_whole():
            return False
        self.check()
        self.inbox.clear()
        return True

    def is_whole(self) -> bool:
        if not self.end:
            split = self.inbox.find(b"\r\n\r\n")
            if split < 0:
                return False
            found = LENGTH.search(self.inbox, 0, split + 2)
            self.end = split + 4 + int(found.group(1)) if found else -1
            if not found and not CHUNKED.search(self.inbox, 0, split + 2):
                raise WrongAnswer(f"an answer without a length: {bytes(self.inbox[:400])!r}")
        return len(self.inbox) >= self.end if self.end > 0 else self.inbox.endswith(LAST_CHUNK)

    def check(self) -> None:
        if not (self.inbox.startswith(b"HTTP/1.1 200") and self.is_expected()):
            raise WrongAnswer(f"call {self.number} was answered with {bytes(self.inbox[:600])!r}")

    def is_expected(self) -> bool:
        inbox, workload = self.inbox, self.workload
        if workload.batch:
            first = self.number * workload.items
            expected = [b"%d" % number for number in range(first, first + workload.items)]
            return IDS.findall(inbox) == expected and b'"error"' not in inbox
        edges = inbox if len(inbox) < 4_096 else inbox[:2_048] + inbox[-2_048:]
        return b'"result"' in edges and IDS.findall(edges) == [b"%d" % self.number] and len(inbox) >= workload.min_body

    def close(self) -> None:
        self.sock.close()
