"""From bytes to requests, without I/O: `RequestReader` is fed what the socket gave and hands out what is complete.

    read_head() ──Head──► read_body() ──bytes──► read_head() …
        │ FOREIGN: the request is for another lane; nothing of it was consumed, `leftover()` has it whole
        └ None: feed more

Head and body are two steps because the lane decides in between (room for the body? "100 Continue"?). Pipelined requests
stay in the buffer, unparsed, until they are asked for: the reader is fed only when it said None, so it never holds more
than one request and one read beyond it. After a `BadRequest` the reader is spent: there is no way to know where the
next request would begin.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum
from typing import Final, Literal

import attrs

from lasso_trio.server.chunked import ChunkedBody
from lasso_trio.server.head_cache import HeadCache
from lasso_trio.server.http_head import Head, parse_head
from lasso_trio.server.limits import LaneLimits
from lasso_trio.server.refusal import BadRequest, Kind, body_too_large, malformed

_BARE_LF: Final = re.compile(rb"(?<!\r)\n")
_MAX_BLANK: Final = 4
"""Bytes of empty lines before a request that are passed over (RFC 9112, 2.2: some clients send one after a body)."""


class Foreign(Enum):
    """The type of `FOREIGN`: a request for another lane."""

    FOREIGN = "foreign"


FOREIGN: Final = Foreign.FOREIGN


@attrs.define(eq=False)
class HttpRequest:
    """A whole request. `received_at`: trio's clock, seconds, when its last byte was there and its turn had come."""

    head: Head
    body: bytes
    received_at: float


class SizedBody:
    """A body of declared length that comes in several reads: in one buffer, for a list of tiny reads would take many
    times the bytes that the budget was charged for.
    """

    __slots__ = ("_data", "_size", "rest")

    def __init__(self, size: int) -> None:
        self._size = size
        self._data = bytearray()
        self.rest = b""

    def feed(self, data: bytes) -> bool:
        """Whether the body is complete."""
        missing = self._size - len(self._data)
        if len(data) < missing:
            self._data += data
            return False
        self._data += data[:missing]
        self.rest = data[missing:]
        return True

    def began(self) -> bool:
        return bool(self._data)

    def body(self) -> bytes:
        return bytes(self._data)


class RequestReader:
    """One connection's requests, in order.

    `belongs(raw)` says from the raw first line(s) whether a request is ours; without it, all are. Heads that were
    parsed once are taken from `heads`, which holds only ours. Raises `BadRequest`.
    """

    __slots__ = ("_belongs", "_buffer", "_head", "_heads", "_limits", "_pending", "_searched")

    def __init__(
        self, limits: LaneLimits, heads: HeadCache | None = None, belongs: Callable[[bytes], bool] | None = None
    ) -> None:
        self._limits = limits
        self._heads = HeadCache() if heads is None else heads
        self._belongs = belongs
        self._buffer = b""
        self._searched = 0
        self._head: Head | None = None
        self._pending: SizedBody | ChunkedBody | None = None

    def feed(self, data: bytes | bytearray) -> None:
        self._buffer = self._buffer + data if self._buffer else bytes(data)  # bytes of bytes is no copy

    def take(self, data: bytes | bytearray) -> HttpRequest | None:
        """The short way: `data` is one whole request with a plain head that was seen before, and nothing else.

        Then it is returned (with `received_at` yet to be set) and nothing remains; else None, and `data` was fed.
        """
        if not self._buffer and type(data) is bytes:
            end = data.find(b"\r\n\r\n") + 4
            head = self._heads.young.get(data[:end])
            if head is not None and head.plain and len(data) - end == head.content_length:
                return HttpRequest(head, data[end:], 0.0)
        self.feed(data)
        return None

    def next(self, received_at: float = 0.0) -> HttpRequest | Literal[Foreign.FOREIGN] | None:
        """Head and body in one step, for callers with nothing to decide in between."""
        if self._head is None:
            head = self.read_head()
            if head is None or head is FOREIGN:
                return head
            self._head = head
        body = self.read_body(self._head)
        if body is None:
            return None
        request = HttpRequest(self._head, body, received_at)
        self._head = None
        return request

    def leftover(self) -> bytes:
        """What was fed and not consumed."""
        return self._buffer

    def has_unread(self) -> bool:
        """Whether something was fed and not consumed: the next request, or its beginning."""
        return bool(self._buffer)

    def body_began(self) -> bool:
        """Whether any byte of the body in progress was fed."""
        return self._pending is not None and self._pending.began()

    # The head…

    def read_head(self) -> Head | Literal[Foreign.FOREIGN] | None:
        """Consume a whole head, or nothing."""
        buffer = self._buffer
        end = buffer.find(b"\r\n\r\n", self._searched) + 4
        if end == 3:
            return self._unfinished_head()
        raw = buffer[:end]
        head = self._heads.get(raw)
        if head is None:
            return self._new_head(raw)
        self._buffer = buffer[end:]
        self._searched = 0
        return head

    def _new_head(self, raw: bytes) -> Head | Literal[Foreign.FOREIGN] | None:
        if raw.startswith(b"\r\n"):
            self._skip_blank()
            return self.read_head()
        if len(raw) > self._limits.max_head_bytes:
            raise BadRequest(431, Kind.HEAD_TOO_LARGE, "request head too large")
        if self._belongs is not None and not self._belongs(raw):
            return FOREIGN
        head = parse_head(raw, self._limits.max_headers)
        if (
            head.content_length > self._limits.max_body_bytes
        ):  # here, and not where the body is read: it may be all here
            raise body_too_large()
        self._heads.put(raw, head)
        self._buffer = self._buffer[len(raw) :]
        self._searched = 0
        return head

    def _unfinished_head(self) -> Literal[Foreign.FOREIGN] | None:
        buffer = self._buffer
        if buffer.startswith(b"\r\n"):
            self._skip_blank()
            return self._unfinished_head()
        if buffer and not (buffer[0:1].isalnum() or buffer == b"\r"):  # a TLS hello, say: no more of it will help
            raise malformed("not HTTP")
        if _BARE_LF.search(buffer, max(0, self._searched - 1)):
            # It may be a lenient reader's whole request, so whoever owns it decides; we refuse ours.
            if self._belongs is not None and not self._belongs(buffer):
                return FOREIGN
            raise malformed("bare LF in a request head")
        if len(buffer) > self._limits.max_head_bytes:
            raise BadRequest(431, Kind.HEAD_TOO_LARGE, "request head too large")
        self._searched = max(0, len(buffer) - 3)
        return None

    def _skip_blank(self) -> None:
        rest = self._buffer.lstrip(b"\r\n")
        blank = len(self._buffer) - len(rest)
        if blank > _MAX_BLANK:
            raise malformed("empty lines instead of a request")
        if not rest and self._buffer.endswith(b"\r"):
            rest = b"\r"  # half of the next empty line
        self._buffer = rest
        self._searched = 0

    # The body…

    def read_body(self, head: Head) -> bytes | None:
        """The body of the request whose head was read last; None until all of it was fed."""
        if self._pending is None:
            size = head.content_length
            if not head.chunked and len(self._buffer) >= size:
                return self._cut(size)
            self._pending = ChunkedBody(self._limits.max_body_bytes) if head.chunked else SizedBody(size)
        data, self._buffer = self._buffer, b""
        if not self._pending.feed(data):
            return None
        pending, self._pending = self._pending, None
        self._buffer = pending.rest
        return pending.body()

    def _cut(self, size: int) -> bytes:
        buffer = self._buffer
        if len(buffer) == size:
            self._buffer = b""
            return buffer
        self._buffer = buffer[size:]
        return buffer[:size]
