"""The gzip content coding, undone piece by piece so that a small answer cannot become a large memory.

What comes out is bounded twice: a piece is at most 64 KiB, and all pieces together at most the response cap. Several
members in a row are one body (RFC 1952 §2.2).
"""

from __future__ import annotations

import zlib
from typing import Final

from lasso_trio.upstream.faults import Malformed, TooLarge

PIECE: Final = 65_536
_GZIP: Final = 16 + zlib.MAX_WBITS
_AS_IT_IS: Final = (b"", b"identity")


def decoder_for(encoding: bytes, max_body: int) -> Gunzip | None:
    """What undoes `content-encoding` (lower-case); None if there is nothing to undo. Raises Malformed if we cannot."""
    if encoding in _AS_IT_IS:
        return None
    if encoding not in (b"gzip", b"x-gzip"):
        raise Malformed("encoding", "a content-encoding that was not asked for")
    return Gunzip(max_body)


class Gunzip:
    """`push` what came, `pull` until it gives nothing, `finish` at the end. Raises Malformed and TooLarge."""

    __slots__ = ("_begun", "_input", "_left", "_member")

    def __init__(self, max_body: int) -> None:
        self._member = zlib.decompressobj(_GZIP)
        self._input = b""
        self._begun = False
        self._left = max_body

    def push(self, data: bytes) -> None:
        self._input = self._input + data if self._input else data

    def pull(self) -> bytes:
        """Up to 64 KiB; empty: more input is needed."""
        while True:
            piece = self._decompress()
            if piece or not self._next_member():
                return piece

    def finish(self) -> None:
        """The message is over: the last member must be, too."""
        if self._begun and not self._member.eof:
            raise Malformed("encoding", "the gzip body ends in the middle")

    def _decompress(self) -> bytes:
        self._begun = self._begun or bool(self._input)
        try:
            piece = self._member.decompress(self._input, PIECE)
        except zlib.error as error:
            raise Malformed("encoding", "the body is not gzip") from error
        self._input = self._member.unconsumed_tail
        self._left -= len(piece)
        if self._left < 0:
            raise TooLarge("body", "the decompressed body is beyond the cap")
        return piece

    def _next_member(self) -> bool:
        """Whether the member ended with bytes left over, which then begin the next one."""
        rest = self._member.unused_data
        if not self._member.eof or not rest:
            return False
        self._input = rest + self._input
        self._member = zlib.decompressobj(_GZIP)
        return True
