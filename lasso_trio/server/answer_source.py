"""The bytes of a streamed answer, piece by piece: body, then stream, counted against the declared length, compressed.

A plain object and not an async generator: one that is dropped half-way (the client has gone) leaves nothing for the
garbage collector to finish. Every failure of the source comes out as `BrokenAnswer`, so that it cannot be taken for a
failure of the client's connection. Whoever made it calls `aclose`, which closes the answer's own stream.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final, Protocol, runtime_checkable

import structlog
import trio

from lasso_trio.server.answer import Answer, parts_of
from lasso_trio.server.content_coding import StreamCompressor
from lasso_trio.server.request_id import of_lines

CLOSE_GRACE: Final = 1.0
"""Seconds that closing an answer's stream may take, also when we are cancelled."""

log = structlog.get_logger(__name__)


class BrokenAnswer(Exception):
    """The answer ended before its end (or went beyond it) after its head was sent: the connection must be reset.

    `request_id`: of the request that it answers; empty if the answer told none.
    """

    def __init__(self, words: str, request_id: str = "") -> None:
        super().__init__(words)
        self.request_id = request_id


@runtime_checkable
class _Closable(Protocol):
    async def aclose(self) -> object: ...


class AnswerSource:
    """`await next()` gives the next piece (it may be empty), then None."""

    __slots__ = ("_compressor", "_ended", "_given", "_headers", "_length", "_parts", "_stream")

    def __init__(self, answer: Answer, stream: AsyncIterator[bytes], *, gzip: bool) -> None:
        self._parts = iter(parts_of(answer.body))
        self._stream = stream
        self._length = answer.length
        self._headers = answer.headers
        self._given = 0
        self._ended = False
        self._compressor = StreamCompressor() if gzip else None

    async def next(self) -> bytes | None:
        """Raises `BrokenAnswer`."""
        if self._ended:
            return None
        piece = await self._raw()
        if piece is None:
            self._ended = True
            self._check_end()
            return self._compressor.finish() if self._compressor else None
        self._count(piece)
        return await self._compressor.feed(piece) if self._compressor else piece

    async def _raw(self) -> bytes | None:
        for part in self._parts:
            return part
        try:
            return await anext(self._stream)
        except StopAsyncIteration:
            return None
        except Exception as error:
            raise self._broken(f"the answer's source failed: {error!r}") from error

    def _count(self, piece: bytes) -> None:
        self._given += len(piece)
        if self._length is not None and self._given > self._length:
            raise self._broken(f"the answer is longer than its length, {self._length}")

    def _check_end(self) -> None:
        if self._length is not None and self._given != self._length:
            raise self._broken(f"the answer ended at {self._given} of {self._length} bytes")

    def _broken(self, words: str) -> BrokenAnswer:
        return BrokenAnswer(words, of_lines(self._headers))

    async def aclose(self) -> None:
        """Close the answer's stream, also when cancelled, within `CLOSE_GRACE`."""
        if not isinstance(self._stream, _Closable):
            return
        with trio.CancelScope(deadline=trio.current_time() + CLOSE_GRACE, shield=True):
            try:
                await self._stream.aclose()
            except Exception:
                log.exception("answer.close_failed")
