"""One connection's life: dialled → in use ⇄ idle → closed.

A connection carries one exchange at a time, and the pool is the only one to say when. It maps what the stream raises to
our faults. An answer that does not come in one read has a reader, which stays here, so a wait that was cancelled can be
taken up again without loss.

Closing is synchronous: it happens in the middle of cancellations, where nothing may be awaited.
"""

from __future__ import annotations

import trio

from lasso_trio.upstream.dialled import Dialled
from lasso_trio.upstream.faults import NETWORK_ERRORS, Disconnected, lost
from lasso_trio.upstream.raw_stream import CHUNK, RawStream
from lasso_trio.upstream.response import ResponseReader
from lasso_trio.upstream.response_head import ResponseHead, parse_whole
from lasso_trio.upstream.tls_stream import TlsStream


class Connection:
    """`served`: answers so far; if any, it was kept, and the peer may have hung up. `idle_since`: the pool's clock."""

    __slots__ = (
        "_max_body",
        "_socket",
        "_stream",
        "closed",
        "dialled",
        "distrusted",
        "idle_since",
        "plain",
        "reader",
        "served",
    )

    def __init__(self, dialled: Dialled, max_body: int) -> None:
        self.dialled = dialled
        self._stream = dialled.stream
        self._socket = dialled.stream if isinstance(dialled.stream, RawStream | TlsStream) else None
        # Asked at every exchange, and `isinstance` of an abstract class is not cheap: so it is asked once.
        self.plain = self._socket.raw if isinstance(self._socket, TlsStream) else self._socket
        """The stream of the socket below, if there is one: what an `Alarm` can wake."""
        self._max_body = max_body
        self.reader: ResponseReader | None = None
        """Of the answer that is coming; None as long as nothing of it came, and when it came whole."""
        self.served = 0
        self.idle_since = 0.0
        self.closed = False
        self.distrusted = False
        """An answer on it was to something else than was asked: the next one may be as well."""

    def __repr__(self) -> str:
        state = "closed" if self.closed else "answering" if self.reader else "open"
        return f"<Connection {state} served={self.served}>"

    # In use…

    def begin(self, request: bytes) -> int:
        """Begin an exchange with what can be sent without a wait; that many bytes are out. Raises Disconnected."""
        self.reader = None
        if self._socket is None:
            return 0
        try:
            return self._socket.send_now(request)
        except NETWORK_ERRORS as error:
            raise lost(error) from error

    async def send_rest(self, request: bytes, sent: int) -> None:
        """What `begin` left. Cancelled: a part may be out, so the connection must be closed. Raises Disconnected."""
        try:
            if self._socket is not None:
                await self._socket.send_rest(request, sent)
            else:
                await self._stream.send_all(request)
        except NETWORK_ERRORS as error:
            raise lost(error) from error

    async def receive(self) -> tuple[ResponseHead, bytes] | None:
        """Wait for one read. The whole answer if that is what it was; else None, and `reader` has it.

        Cancelled: nothing is lost. Raises Disconnected, Malformed, TooLarge.
        """
        try:
            data = await self._stream.receive_some(CHUNK)
        except NETWORK_ERRORS as error:
            raise lost(error, answer_begun=self.reader is not None) from error
        if self.reader is None:
            data = bytes(data)  # no copy, except of the byte arrays that the streams of tests give
            whole = parse_whole(data, self._max_body)
            if whole is not None:
                return whole
            if not data:
                raise Disconnected("eof", "the connection ended before the answer")
            self.reader = ResponseReader(self._max_body)
        if data:
            self.reader.feed(bytes(data))
        else:
            self.reader.feed_eof()
        return None

    @property
    def left(self) -> int:
        """Body bytes still to come, as far as is known: 0 also when it is not."""
        return self.reader.left or 0 if self.reader is not None else 0

    @property
    def reusable(self) -> bool:
        """Asked after the answer's end: whether another exchange may follow."""
        return not self.distrusted and (self.reader is None or self.reader.reusable)

    # Idle…

    def is_stale(self) -> bool:
        """Whether an idle connection has become readable: the peer hung up, or speaks out of turn. Never a wait."""
        return self._socket is not None and self._socket.is_readable()

    # Closed…

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            hang_up(self._stream)


def hang_up(stream: object) -> None:
    """Close a stream without a checkpoint; trio's memory streams (tests) by their halves."""
    if isinstance(stream, trio.StapledStream):
        hang_up(stream.send_stream)
        hang_up(stream.receive_stream)
    else:
        stream.close()  # type: ignore[attr-defined]  # RawStream, TlsStream, MemorySendStream, MemoryReceiveStream
