"""A scripted provider over memory streams: what the pool's tests dial instead of a socket."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import trio
from trio.testing import memory_stream_pair

from lasso_trio.config.secret import SecretUrl
from lasso_trio.upstream.dialled import Dialled
from lasso_trio.upstream.endpoint import Endpoint

OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b"


def ok(body: bytes) -> bytes:
    return OK % (len(body), body)


class Line:
    """The provider's end of one connection."""

    def __init__(self, number: int, ours: trio.StapledStream, theirs: trio.StapledStream) -> None:
        self.number = number
        self.stream = theirs
        self.client = ours
        self.requests = 0
        self._seen = b""

    async def read_request(self) -> bytes | None:
        """The next request's body; None when the client hung up."""
        while b"\r\n\r\n" not in self._seen:
            if not await self._more():
                return None
        head, _, rest = self._seen.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        while len(rest) < length:
            self._seen = rest
            if not await self._more():
                return None
            rest = self._seen
        self._seen = rest[length:]
        self.requests += 1
        return bytes(rest[:length])

    async def _more(self) -> bool:
        try:
            data = await self.stream.receive_some(65536)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return False
        self._seen += data
        return bool(data)

    async def say(self, data: bytes) -> None:
        """Say it, if the client is still there: it may have left, that is its right."""
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await self.stream.send_all(data)

    async def hang_up(self) -> None:
        await self.stream.aclose()

    @property
    def client_closed(self) -> bool:
        return bool(self.client.receive_stream._closed)


Script = Callable[[Line], Awaitable[None]]


class Provider:
    """`dial` for a Pool; every connection runs `script`, which may be replaced at any time."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self.lines: list[Line] = []
        self.script: Script = self.echo
        self.dial_fault: Exception | None = None
        self.before_dial: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint
        self.endpoint = Endpoint.from_url(SecretUrl("http://provider.test/key"))

    async def dial(self) -> Dialled:
        await self.before_dial()
        if self.dial_fault is not None:
            raise self.dial_fault
        ours, theirs = memory_stream_pair()
        line = Line(len(self.lines), ours, theirs)
        self.lines.append(line)
        self._nursery.start_soon(self.script, line)
        return Dialled(ours, 0.1, 0.2, 0.3)

    async def echo(self, line: Line) -> None:
        while (body := await line.read_request()) is not None:
            await line.say(ok(body))

    @property
    def open_lines(self) -> int:
        return sum(not line.client_closed for line in self.lines)


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with trio.open_nursery() as nursery:
        yield Provider(nursery)
        nursery.cancel_scope.cancel()
