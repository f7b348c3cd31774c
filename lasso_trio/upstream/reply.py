"""What an exchange gives back: status, headers, the body (or its beginning and a stream of the rest), and the timings.

A reply without `rest` owns nothing. A reply with `rest` owns a connection and a slot of its pool until the stream is
exhausted or closed: whoever holds it must `await rest.aclose()` in a `finally`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, Self

import attrs

from lasso_trio.upstream.connection import Connection
from lasso_trio.upstream.content_coding import Gunzip, decoder_for
from lasso_trio.upstream.faults import Disconnected, UpstreamFault
from lasso_trio.upstream.response import ResponseReader
from lasso_trio.upstream.response_head import ResponseHead


@attrs.define(eq=False)
class Timings:
    """Seconds. `waited` for a free connection; `resolve`, `connect`, `tls`: 0.0 when a kept connection was used.

    `first_byte` and `last_byte` count from the moment a connection was there to send on. With `rest`, `last_byte` is
    when the body's beginning was there, and moves to the true end when the stream is exhausted.
    """

    waited: float = 0.0
    resolve: float = 0.0
    connect: float = 0.0
    tls: float = 0.0
    queued: bool = False
    """Still waiting for a free connection: nothing that happens now is the upstream's doing."""
    first_byte: float = 0.0
    last_byte: float = 0.0


class BodySource:
    """The decoded body, pulled: nothing is read from the connection that was not asked for."""

    __slots__ = ("_collected", "_connection", "_decoder", "_reader", "_size", "head")

    def __init__(self, connection: Connection, reader: ResponseReader, head: ResponseHead, max_body: int) -> None:
        self.head = head
        self._connection = connection
        self._reader = reader
        self._collected: list[bytes] = []
        self._size = 0
        self._decoder: Gunzip | None = decoder_for(head.encoding, max_body)

    async def collect(self, threshold: int) -> tuple[bytes, bool]:
        """The body up to its end or just beyond `threshold` bytes; whether that is all. Cancelled: call it again."""
        piece = b"more"
        while piece and (self._size <= threshold or self._is_all_here()):
            piece = await self.next()
            self._collected.append(piece)
            self._size += len(piece)
        body = b"".join(self._collected)
        self._collected.clear()
        return body, not piece

    def _is_all_here(self) -> bool:
        """Everything was received and nothing is compressed: what is left comes without a wait."""
        return self._decoder is None and self._reader.complete

    async def next(self) -> bytes:
        """At most 64 KiB; empty at the end. Cancelled: nothing is lost. Raises what `Connection.receive` raises."""
        reader, decoder = self._reader, self._decoder
        while True:
            piece = reader.take()
            if decoder is not None:
                decoder.push(piece)
                piece = decoder.pull()
            if piece:
                return piece
            if reader.complete:
                break
            await self._connection.receive()
        if decoder is not None:
            decoder.finish()
        return b""


class Finish(Protocol):
    """Called exactly once, releases or discards the connection."""

    def __call__(self, fault: UpstreamFault | None, *, exhausted: bool) -> None: ...


class ReplyStream:
    """The rest of a large body: `async for piece in rest`, pieces of at most 64 KiB, read from the socket when asked.

    The connection goes back to its pool at the end, and is closed by a fault or by `aclose()` before the end. A
    cancelled `__anext__` has lost nothing and may be repeated.
    """

    __slots__ = ("_clock", "_cut", "_finish", "_open", "_source", "_taken_at")

    def __init__(self, source: BodySource, finish: Finish, clock: Callable[[], float]) -> None:
        self._source = source
        self._finish = finish
        self._clock = clock
        self._open = True
        self._cut: Disconnected | None = None
        self._taken_at: float | None = clock()
        """When the last piece was taken away; None while the next one is being waited for."""

    def neglected_s(self, now: float) -> float:
        """For how long nobody has asked for the next piece, though it may be there: the reader's client is slow."""
        return 0.0 if self._taken_at is None else now - self._taken_at

    def cut(self) -> None:
        """Somebody else needs the connection more: the reader, when it comes back, gets Disconnected("neglected")."""
        if self._open:
            self._cut = Disconnected("neglected", "its client did not read, and others waited", local=True)
            self._close(self._cut, exhausted=False)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """Raises Disconnected, Malformed, TooLarge; StopAsyncIteration at the end and ever after."""
        if self._cut is not None:
            raise self._cut
        if not self._open:
            raise StopAsyncIteration
        self._taken_at = None
        try:
            piece = await self._source.next()
        except UpstreamFault as fault:
            self._close(fault, exhausted=False)
            raise
        finally:
            self._taken_at = self._clock()
        if not piece:
            self._close(None, exhausted=True)
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        """Idempotent and without a checkpoint. Before the end it closes the connection."""
        self.abandon()

    def abandon(self) -> None:
        """`aclose` for those who cannot wait."""
        self._close(None, exhausted=False)

    def _close(self, fault: UpstreamFault | None, *, exhausted: bool) -> None:
        if self._open:
            self._open = False
            self._finish(fault, exhausted=exhausted)


@attrs.define(eq=False)
class Reply:
    """`body`: all of it when `rest` is None, else its first 256 KiB or more. Decoded when it was gzip."""

    _head: ResponseHead = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    rest: ReplyStream | None
    timings: Timings
    connection: Connection | None = attrs.field(default=None, repr=False)
    """What it came on: no longer the reply's own, for `Pool.distrust` only."""

    @property
    def status(self) -> int:
        return self._head.status

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """Built on each access: names in lower case, values stripped."""
        return self._head.headers

    def header(self, name: bytes) -> bytes | None:
        """The first value of `name` (lower-case), None if absent."""
        return next((value for key, value in self._head.headers if key == name), None)

    @property
    def content_length(self) -> int | None:
        """The whole body's size where it is known beforehand: not for chunked, close-delimited or gzip answers."""
        return None if self._head.encoding else self._head.length
