"""One connection's life: dialled → in use ⇄ idle → closed.

A connection carries one exchange at a time, and the pool is the only one to say when. It maps what the stream raises to
our faults, and keeps the reader of the answer, so a wait that was cancelled can be taken up again without loss.

Closing is synchronous: it happens in the middle of cancellations, where nothing may be awaited. A TLS peer gets no
close_notify; the answer is framed by HTTP, so nobody is misled.
"""

from __future__ import annotations

import trio

from lasso_trio.upstream.dialled import Dialled
from lasso_trio.upstream.faults import NETWORK_ERRORS, lost
from lasso_trio.upstream.raw_stream import CHUNK, RawStream
from lasso_trio.upstream.response import ResponseReader


class Connection:
    """`served`: answers so far; if any, it was kept, and the peer may have hung up. `idle_since`: the pool's clock."""

    __slots__ = ("_raw", "_stream", "closed", "dialled", "idle_since", "reader", "served")

    def __init__(self, dialled: Dialled, max_body: int) -> None:
        self.dialled = dialled
        self._stream = dialled.stream
        self._raw = _transport(dialled.stream)
        self.reader = ResponseReader(max_body)
        self.served = 0
        self.idle_since = 0.0
        self.closed = False

    def __repr__(self) -> str:
        state = "closed" if self.closed else "answering" if self.reader.begun else "open"
        return f"<Connection {state} served={self.served}>"

    # In use…

    async def send(self, request: bytes, reader: ResponseReader) -> None:
        """Begin an exchange. Cancelled: a part may be out, so the connection must be closed. Raises Disconnected."""
        self.reader = reader
        try:
            await self._stream.send_all(request)
        except NETWORK_ERRORS as error:
            raise lost(error) from error

    async def receive(self) -> None:
        """Wait once and feed the reader. Cancelled: nothing is lost. Raises Disconnected, Malformed, TooLarge."""
        reader = self.reader
        try:
            data = await self._stream.receive_some(CHUNK)
        except NETWORK_ERRORS as error:
            raise lost(error, answer_begun=reader.begun) from error
        if data:
            reader.feed(bytes(data))  # no copy unless a test's stream gives a bytearray
        else:
            reader.feed_eof()

    # Idle…

    def is_stale(self) -> bool:
        """Whether an idle connection has become readable: the peer hung up, or speaks out of turn. Never a wait."""
        return self._raw is not None and self._raw.is_readable()

    # Closed…

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            hang_up(self._stream)


def _transport(stream: trio.abc.Stream) -> RawStream | None:
    inner = stream.transport_stream if isinstance(stream, trio.SSLStream) else stream
    return inner if isinstance(inner, RawStream) else None


def hang_up(stream: object) -> None:
    """Close a stream without a checkpoint: TLS by its transport, trio's memory streams (tests) by their halves."""
    if isinstance(stream, trio.SSLStream):
        hang_up(stream.transport_stream)
    elif isinstance(stream, trio.StapledStream):
        hang_up(stream.send_stream)
        hang_up(stream.receive_stream)
    else:
        stream.close()  # type: ignore[attr-defined]  # RawStream, MemorySendStream, MemoryReceiveStream
