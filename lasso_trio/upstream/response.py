"""One response, read without I/O: bytes go in, the head and the body's bytes come out, and at the end it is known
whether the connection may be used again.

The reader belongs to one exchange on one connection and survives a cancelled wait: whatever was fed stays. It knows
nothing of content codings (`content_coding`) or of what a status means.

A connection is reusable when the answer is complete, framed by a length or chunks, the server did not say otherwise,
and nothing came after the end: bytes after the end belong to no request of ours.
"""

from __future__ import annotations

from typing import Final

from lasso_trio.upstream.chunked import ChunkedDecoder
from lasso_trio.upstream.faults import Disconnected, Malformed, TooLarge
from lasso_trio.upstream.response_head import MAX_HEAD, ResponseHead, parse_head

MAX_INTERIM: Final = 16
"""Interim (1xx) responses before the final one."""


class ResponseReader:
    """`feed` what was read, `feed_eof` when the peer ends; `head` is set once known, `take` gives body bytes so far.

    All of them raise Malformed, TooLarge or Disconnected; after that the connection is of no use.
    """

    __slots__ = (
        "_chunks",
        "_interim",
        "_left",
        "_max_body",
        "_pending",
        "_pieces",
        "_reusable",
        "complete",
        "head",
    )

    def __init__(self, max_body: int) -> None:
        self.head: ResponseHead | None = None
        self.complete = False
        self._reusable = False
        self._pending = b""
        self._pieces: list[bytes] = []
        self._chunks: ChunkedDecoder | None = None
        self._left = 0
        self._interim = 0
        self._max_body = max_body

    @property
    def reusable(self) -> bool:
        return self.complete and self._reusable

    @property
    def left(self) -> int | None:
        """Body bytes still to come, or None when unknown (no head yet, chunked, up to the end)."""
        if self.complete:
            return 0
        return self._left if self.head is not None and self.head.length is not None else None

    def feed(self, data: bytes) -> None:
        """`data` must not be empty: that is `feed_eof`."""
        if self.head is None:
            self._feed_head(self._pending + data if self._pending else data)
        else:
            self._feed_body(self.head, data)

    def feed_eof(self) -> None:
        head = self.head
        if head is None or head.chunked or head.length is not None:
            raise Disconnected("truncated", "the connection ended in the middle of the answer")
        self.complete = True

    def take(self) -> bytes:
        """The body bytes that were fed and not yet taken, in one piece."""
        pieces = self._pieces
        taken = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        return taken

    # The head…

    def _feed_head(self, data: bytes) -> None:
        if self._pending and not self._may_parse(data):
            return
        parsed = parse_head(data)
        while parsed is not None and parsed[0].status < 200:
            self._skip_interim(parsed[0])
            data = data[parsed[1] :]
            parsed = parse_head(data)
        if parsed is None:
            self._pending = data
            return
        head, end = parsed
        self._begin_body(head)
        rest = data[end:]
        if rest or head.length == 0:
            self._feed_body(head, rest)

    def _may_parse(self, data: bytes) -> bool:
        """Whether a head that came in parts is worth parsing again: a dripped one must not cost its square."""
        seen = len(self._pending)
        self._pending = data
        return seen < 8 or len(data) > MAX_HEAD or data.find(b"\r\n\r\n", seen - 3) >= 0

    def _skip_interim(self, head: ResponseHead) -> None:
        self._interim += 1
        if head.status == 101:
            raise Malformed("framing", "an upgrade nobody asked for")
        if self._interim > MAX_INTERIM:
            raise Malformed("framing", "too many interim responses")

    def _begin_body(self, head: ResponseHead) -> None:
        self.head = head
        self._reusable = head.keep_alive
        if head.length is not None:
            self._left = head.length
            if head.length > self._max_body:
                raise TooLarge("body", f"{head.length} bytes announced, {self._max_body} allowed")
        elif head.chunked:
            self._chunks = ChunkedDecoder(self._max_body)
        else:
            self._reusable = False
            self._left = self._max_body

    # The body…

    def _feed_body(self, head: ResponseHead, data: bytes) -> None:
        if self._chunks is not None:
            rest = self._chunks.feed(data, self._pieces)
            if rest is not None:
                self._end(rest)
        elif head.length is None:
            self._feed_until_eof(data)
        elif len(data) < self._left:
            self._pieces.append(data)
            self._left -= len(data)
        else:
            self._pieces.append(data[: self._left])
            self._end(data[self._left :])

    def _feed_until_eof(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left < 0:
            raise TooLarge("body", f"more than {self._max_body} bytes")
        self._pieces.append(data)

    def _end(self, rest: bytes) -> None:
        self._left = 0
        self.complete = True
        if rest:
            self._reusable = False
