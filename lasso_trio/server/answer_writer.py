"""Putting an answer on the wire: one send where it fits, pieces with back-pressure where it does not.

While it writes, the connection is in phase WRITING and `since` moves with every piece the kernel took, so that the
sweeper can tell a slow reader from one that has stopped. Cancelled or failed half-way, the connection is useless and
the caller must close it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final

import attrs
import trio

from lasso_trio.server.answer import BODILESS, STATUS_LINES, Answer, date_line, parts_of, persistence, status_line
from lasso_trio.server.answer_source import AnswerSource
from lasso_trio.server.connection import CALL, WRITING, Connection
from lasso_trio.server.content_coding import compress
from lasso_trio.server.http_head import Head

ONE_SEND_BYTES: Final = 65_536
"""Up to here head and body are joined into one send; beyond, joining costs more than a second system call."""
PIECE_BYTES: Final = 131_072
"""Big bodies go in pieces of this size, so that progress can be seen."""

_GZIP: Final = b"content-encoding: gzip\r\n"
_VARY: Final = b"vary: accept-encoding\r\n"
_CHUNKED: Final = b"transfer-encoding: chunked\r\n"


@attrs.define(eq=False)
class AnswerWriter:
    """Writes the answers of all connections; holds what they share. `refresh()` must be called about once a second."""

    gzip_min_bytes: int
    date: bytes = attrs.field(factory=date_line)

    def refresh(self) -> None:
        self.date = date_line()

    async def write(self, connection: Connection, head: Head | None, answer: Answer, close: bool) -> bool:
        """Send `answer` to the request `head` (None: it could not be read). Returns whether to close now.

        The caller has put the connection into phase WRITING. Raises `BrokenAnswer`, or what the connection's stream
        raises when the peer is gone.
        """
        body = answer.body
        if (
            answer.stream is not None
            or close
            or head is None
            or not head.plain
            or type(body) is not bytes
            or len(body) >= self.gzip_min_bytes
            or answer.status in BODILESS
        ):
            return await self._write_any(connection, head, answer, close)
        # What nearly every answer is, in one send: this function is on the path of each call.
        line = STATUS_LINES.get(answer.status) or status_line(answer.status)
        await connection.stream.send_all(
            b"%b%b%bcontent-length: %d\r\n\r\n%b" % (line, self.date, answer.headers, len(body), body)
        )
        return False

    async def _write_any(self, connection: Connection, head: Head | None, answer: Answer, close: bool) -> bool:
        if answer.stream is not None:
            return await self._write_stream(connection, head, answer, answer.stream, close)
        parts = parts_of(answer.body)
        size = sum(map(len, parts))
        headers = answer.headers
        if size >= self.gzip_min_bytes and b"content-encoding:" not in headers:
            headers += _VARY
            if head is not None and head.accepts_gzip:
                parts = (await compress(parts, size),)
                size = len(parts[0])
                headers += _GZIP
        framing = b"" if answer.status in BODILESS else b"content-length: %d\r\n" % size
        lines = (status_line(answer.status), self.date, headers, _persistence(head, close), framing, b"\r\n")
        if size <= ONE_SEND_BYTES:
            await connection.stream.send_all(b"".join((*lines, *parts)))
        else:
            await _send_parts(connection, (b"".join(lines), *parts))
        return close

    async def _write_stream(
        self, connection: Connection, head: Head | None, answer: Answer, stream: AsyncIterator[bytes], close: bool
    ) -> bool:
        version = 1 if head is None else head.version
        headers, length, gzip = answer.headers, answer.length, False
        if b"content-encoding:" not in headers and (length is None or length >= self.gzip_min_bytes):
            headers += _VARY
            gzip = version == 1 and head is not None and head.accepts_gzip
        if gzip:
            headers, length = headers + _GZIP, None
        source = AnswerSource(answer, stream, gzip=gzip)
        try:
            framing = _stream_framing(length, version)
            close = close or not framing
            lines = (status_line(answer.status), self.date, headers, _persistence(head, close), framing, b"\r\n")
            await _send(connection, b"".join(lines))
            await _send_source(connection, source, chunked=framing is _CHUNKED)
        finally:
            await source.aclose()
        return close


def _persistence(head: Head | None, close: bool) -> bytes:
    if head is None:
        return persistence(1, keep_alive=False, close=True)
    return persistence(head.version, head.keep_alive, close)


async def _send_parts(connection: Connection, parts: Sequence[bytes]) -> None:
    for part in parts:
        if len(part) <= PIECE_BYTES:
            await _send(connection, part)
            continue
        view = memoryview(part)
        for start in range(0, len(part), PIECE_BYTES):
            await _send(connection, view[start : start + PIECE_BYTES])


async def _send(connection: Connection, piece: bytes | memoryview) -> None:
    if piece:
        await connection.stream.send_all(piece)
        connection.since = trio.current_time()


def _stream_framing(length: int | None, version: int) -> bytes:
    """Empty for HTTP/1.0 without a length: the end of the connection is the end of the answer."""
    if length is not None:
        return b"content-length: %d\r\n" % length
    return _CHUNKED if version == 1 else b""


async def _send_source(connection: Connection, source: AnswerSource, *, chunked: bool) -> None:
    while True:
        connection.phase = CALL  # waiting for the source: the call's own deadline is in charge
        chunk = await source.next()
        connection.enter(WRITING, trio.current_time())
        if chunk is None:
            break
        if chunk and chunked:
            chunk = b"%x\r\n%b\r\n" % (len(chunk), chunk)
        await _send_parts(connection, (chunk,))
    if chunked:
        await connection.stream.send_all(b"0\r\n\r\n")
