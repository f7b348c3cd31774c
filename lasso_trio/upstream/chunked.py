"""The chunked transfer coding (RFC 9112 §7.1), decoded without I/O and strictly.

Lines end in CRLF, sizes are hexadecimal digits, extensions and trailers are checked and dropped. Data is passed on in
slices as it arrives; only an unfinished line is kept between feeds.

    SIZE ──n > 0──► DATA ──n bytes──► END ──CRLF──► SIZE          SIZE ──0──► TRAILER ──empty line──► done
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import Final

from lasso_trio.upstream.faults import Malformed, TooLarge
from lasso_trio.upstream.response_head import FIELD, MAX_HEAD

MAX_LINE: Final = 4_096
"""Bytes of a size line with its extensions: nobody uses them, and they are a known way to make readers work."""

_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15}+)(?:;[^\r\n\0]*+|[ \t]*+)\r\n")
_TRAILER: Final = re.compile(rb"(?:" + FIELD + rb"\r\n)*\r\n")


class _At(Enum):
    SIZE = auto()
    DATA = auto()
    END = auto()
    TRAILER = auto()


class ChunkedDecoder:
    """`feed` until it returns something else than None. `max_body` bounds what all chunks together may announce."""

    __slots__ = ("_announced", "_at", "_left", "_line", "_max_body")

    def __init__(self, max_body: int) -> None:
        self._at = _At.SIZE
        self._left = 0
        self._line = b""
        self._announced = 0
        self._max_body = max_body

    def feed(self, data: bytes, out: list[bytes]) -> bytes | None:
        """Append body pieces to `out`; None while more must come, else the bytes after the message's end.

        Raises Malformed or TooLarge.
        """
        if self._line:
            data, self._line = self._line + data, b""
        position = 0
        while True:
            if self._at is _At.DATA:
                position = self._data(data, position, out)
                if self._left:
                    return None
            if self._at is _At.TRAILER:
                return self._trailer(data, position)
            after = self._end(data, position) if self._at is _At.END else self._size(data, position)
            if after is None:
                return None
            position = after

    def _data(self, data: bytes, position: int, out: list[bytes]) -> int:
        piece = data[position : position + self._left]
        if piece:
            out.append(piece)
            self._left -= len(piece)
        if not self._left:
            self._at = _At.END
        return position + len(piece)

    def _end(self, data: bytes, position: int) -> int | None:
        end = data[position : position + 2]
        if end == b"\r\n":
            self._at = _At.SIZE
            return position + 2
        if end not in (b"", b"\r"):
            raise Malformed("chunk", "a chunk is longer than its size")
        self._line = end
        return None

    def _size(self, data: bytes, position: int) -> int | None:
        match = _SIZE.match(data, position)
        if match is None:
            self._keep(data[position:], b"\r\n", MAX_LINE)
            return None
        size = int(match[1], 16)
        self._announced += size
        if self._announced > self._max_body:
            raise TooLarge("body", f"more than {self._max_body} bytes")
        self._left = size
        self._at = _At.DATA if size else _At.TRAILER
        return match.end()

    def _trailer(self, data: bytes, position: int) -> bytes | None:
        match = _TRAILER.match(data, position)
        if match is not None:
            return data[match.end() :]
        self._keep(data[position:], b"\r\n\r\n", MAX_HEAD)
        return None

    def _keep(self, line: bytes, terminator: bytes, limit: int) -> None:
        if terminator in line or len(line) > limit:
            raise Malformed("chunk", "a chunk's size or the trailer is not as RFC 9112 has it")
        self._line = line
