"""What a handler gives back, and how its head is spelled on the wire.

Framing (content-length, chunked, connection) is the lane's: `Answer.headers` holds none of it. The status line and the
handler's own headers are prebuilt bytes, so an answer is a join of a few pieces.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from http import HTTPStatus
from typing import Final

import attrs

from lasso_trio.server.refusal import Kind

Body = bytes | Sequence[bytes]

BODILESS: Final = frozenset({204, 304})
"""Statuses that have neither a body nor a content-length (RFC 9110, 8.6)."""

CLOSE: Final = b"connection: close\r\n"
KEEP_ALIVE: Final = b"connection: keep-alive\r\n"

STATUS_LINES: Final = {
    status.value: b"HTTP/1.1 %d %s\r\n" % (status.value, status.phrase.encode("ascii")) for status in HTTPStatus
}


@attrs.define(eq=False)
class Answer:
    """`headers`: whole lines, each with its CRLF. `body` comes first, then what `stream` gives.

    `length`: bytes of body and stream together, when known; None makes the lane frame it (chunked, or until the end
    for HTTP/1.0). The lane closes `stream` (its `aclose`, if it has one) whatever happens. A stream that raises, or
    gives less or more than `length`, ends the connection with a reset, so that the client sees a broken answer.
    """

    status: int
    headers: bytes = b""
    body: Body = b""
    stream: AsyncIterator[bytes] | None = None
    length: int | None = None
    close: bool = False


ErrorAnswer = Callable[[int, Kind], Answer]
"""Shapes the answer to a request that was refused with this status for this reason."""


def plain_error(status: int, kind: Kind) -> Answer:
    """The reason as a line of text: what a door answers that was not told better."""
    return Answer(status, b"content-type: text/plain; charset=utf-8\r\n", kind.value.encode("ascii") + b"\n")


def parts_of(body: Body) -> Sequence[bytes]:
    return (body,) if isinstance(body, bytes) else body


def status_line(status: int) -> bytes:
    return STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status


def date_line(now: datetime | None = None) -> bytes:
    """`date: Sat, 21 Nov 2026 12:00:00 GMT` with its CRLF; for this moment, or `now` (UTC)."""
    return b"date: %s\r\n" % format_datetime(now or datetime.now(UTC), usegmt=True).encode("ascii")


def persistence(version: int, keep_alive: bool, close: bool) -> bytes:
    """The connection header: nothing where the version's default says it."""
    if close or not keep_alive:
        return CLOSE
    return b"" if version == 1 else KEEP_ALIVE
