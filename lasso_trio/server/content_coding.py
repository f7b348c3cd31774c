"""gzip, both ways: what a client may be sent, and what it sent.

Level 1: on JSON it is within a few per cent of the default's size at a third of its time. Small work is done in place
(a worker thread costs about 70 µs to reach), big work in a thread, where zlib lets go of the interpreter's lock.
Inflating never makes more than the allowed number of bytes, however small the input.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Final

import trio

from lasso_trio.server.refusal import BadRequest, Kind, body_too_large, malformed

INLINE_BYTES: Final = 32_768
_LEVEL: Final = 1
_GZIP_WBITS: Final = 31


def accepts_gzip(accept_encoding: bytes) -> bool:
    """Whether gzip is acceptable and not less wanted than no coding at all (RFC 9110, 12.5.3)."""
    weights = dict(_weight(item) for item in accept_encoding.lower().split(b","))
    gzip = weights.get(b"gzip", weights.get(b"x-gzip", weights.get(b"*", 0.0)))
    return gzip > 0.0 and gzip >= weights.get(b"identity", 0.0)


def _weight(item: bytes) -> tuple[bytes, float]:
    coding, *parameters = (part.strip() for part in item.split(b";"))
    for parameter in parameters:
        name, _, value = parameter.partition(b"=")
        if name.strip() == b"q":
            try:
                return coding, min(1.0, max(0.0, float(value)))
            except ValueError:
                return coding, 0.0  # garbled: taken as "no", the safe reading
    return coding, 1.0


async def compress(parts: Sequence[bytes], size: int) -> bytes:
    """`parts` (of `size` bytes together) as one gzip member."""
    if size <= INLINE_BYTES:
        return _compress(parts)
    return await trio.to_thread.run_sync(_compress, parts)


def _compress(parts: Sequence[bytes]) -> bytes:
    deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_WBITS)
    pieces = [deflate.compress(part) for part in parts]
    pieces.append(deflate.flush())
    return b"".join(pieces)


class StreamCompressor:
    """One gzip member, handed on as the compressor gives it: nothing is held back but its own window."""

    __slots__ = ("_deflate",)

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_WBITS)

    async def feed(self, chunk: bytes) -> bytes:
        if len(chunk) <= INLINE_BYTES:
            return self._deflate.compress(chunk)
        return await trio.to_thread.run_sync(self._deflate.compress, chunk)

    def finish(self) -> bytes:
        return self._deflate.flush()


async def inflate(body: bytes, coding: bytes, limit: int) -> bytes:
    """Undo the Content-Encoding `coding`. Raises `BadRequest`: 415 unknown, 413 over `limit` bytes, 400 broken."""
    if coding not in (b"gzip", b"x-gzip"):
        raise BadRequest(415, Kind.BAD_ENCODING, "unknown Content-Encoding")
    engine = zlib.decompressobj(_GZIP_WBITS)
    try:
        first = engine.decompress(body, INLINE_BYTES)
        rest = b""
        if not engine.eof and (engine.unconsumed_tail or len(first) == INLINE_BYTES):  # more: not on the loop's time
            rest = await trio.to_thread.run_sync(engine.decompress, engine.unconsumed_tail, limit + 1)
    except zlib.error as error:
        raise malformed("broken gzip body") from error
    if len(first) + len(rest) > limit:
        raise body_too_large()
    if not engine.eof or engine.unused_data:
        raise malformed("broken gzip body")
    return first + rest
