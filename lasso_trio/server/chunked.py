"""Transfer-Encoding: chunked, inbound, read strictly (RFC 9112, 7.1).

    SIZE ──size > 0──► DATA ──► DATA_END ──► SIZE
      └───size = 0──► TRAILER ──empty line──► DONE

Extensions and trailers are checked for form, bounded and forgotten. Lines end in CRLF, nothing else. What a sender can
make us spend is bounded four ways: bytes of data, bytes of a line, bytes of trailers, and the number of chunks (a
body cut into single bytes would otherwise cost a microsecond of CPU each).
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import Final

from lasso_trio.server.refusal import body_too_large, malformed

MAX_LINE_BYTES: Final = 256
MAX_TRAILER_BYTES: Final = 8_192
FREE_CHUNKS: Final = 16_384
MIN_MEAN_CHUNK: Final = 64
"""Bytes per chunk on average, once `FREE_CHUNKS` are spent."""

_SIZE_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,8})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?")
_TRAILER_LINE: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*")


class _State(Enum):
    SIZE = auto()
    DATA = auto()
    DATA_END = auto()
    TRAILER = auto()
    DONE = auto()


class ChunkedBody:
    """Feed bytes until `feed` says that the body is complete; then `body()` is the data and `rest` what follows it."""

    __slots__ = ("_buffer", "_chunks", "_data", "_left", "_limit", "_size", "_state", "_trailers", "rest")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._state = _State.SIZE
        self._buffer = b""
        self._data = bytearray()
        self._size = 0
        self._left = 0
        self._chunks = 0
        self._trailers = 0
        self.rest = b""

    def feed(self, data: bytes) -> bool:
        """Whether the body is complete. Raises `BadRequest` (400, or 413 over the limit)."""
        buffer = self._buffer + data if self._buffer else data
        position = 0
        while self._state is not _State.DONE:
            moved = self._step(buffer, position)
            if moved < 0:
                self._buffer = buffer[position:]
                return False
            position = moved
        self._buffer = b""
        self.rest = buffer[position:]
        return True

    def began(self) -> bool:
        return bool(self._buffer) or self._chunks > 0

    def body(self) -> bytes:
        return bytes(self._data)

    def _step(self, buffer: bytes, position: int) -> int:
        """Take one element at `position`; the position after it, or -1 when it is not all there."""
        if self._state is _State.SIZE:
            return self._take_size(buffer, position)
        if self._state is _State.DATA:
            return self._take_data(buffer, position)
        if self._state is _State.DATA_END:
            return self._take_data_end(buffer, position)
        return self._take_trailer(buffer, position)

    def _take_size(self, buffer: bytes, position: int) -> int:
        end = _line_end(buffer, position, MAX_LINE_BYTES)
        if end < 0:
            return -1
        match = _SIZE_LINE.fullmatch(buffer, position, end)
        if match is None:
            raise malformed("malformed chunk size")
        self._begin_chunk(int(match[1], 16))
        return end + 2

    def _begin_chunk(self, size: int) -> None:
        self._size += size
        if self._size > self._limit:
            raise body_too_large()
        self._chunks += 1
        if self._chunks > FREE_CHUNKS + self._size // MIN_MEAN_CHUNK:
            raise malformed("too many small chunks")
        self._left = size
        self._state = _State.DATA if size else _State.TRAILER

    def _take_data(self, buffer: bytes, position: int) -> int:
        part = buffer[position : position + self._left]
        if not part:
            return -1
        self._data += part
        self._left -= len(part)
        if not self._left:
            self._state = _State.DATA_END
        return position + len(part)

    def _take_data_end(self, buffer: bytes, position: int) -> int:
        ending = buffer[position : position + 2]
        if not b"\r\n".startswith(ending):
            raise malformed("chunk is longer than its size")
        if len(ending) < 2:
            return -1
        self._state = _State.SIZE
        return position + 2

    def _take_trailer(self, buffer: bytes, position: int) -> int:
        end = _line_end(buffer, position, MAX_TRAILER_BYTES - self._trailers)
        if end < 0:
            return -1
        if end == position:
            self._state = _State.DONE
        elif _TRAILER_LINE.fullmatch(buffer, position, end) is None:
            raise malformed("malformed trailer")
        self._trailers += end + 2 - position
        return end + 2


def _line_end(buffer: bytes, position: int, limit: int) -> int:
    """Where the line at `position` ends (its CRLF begins), or -1 when the end is not there yet."""
    newline = buffer.find(b"\n", position, position + limit + 2)
    if newline < 0:
        if len(buffer) - position > limit:
            raise malformed("line in a chunked body is too long")
        return -1
    if newline == position or buffer[newline - 1] != 0x0D:
        raise malformed("bare LF in a chunked body")
    return newline - 1
