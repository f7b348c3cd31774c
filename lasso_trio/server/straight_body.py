"""Pieces of an answer's body, written to the client's socket by whoever has them, past hypercorn.

For answers that never end and go to many: the same bytes, framed once, cost each client one system call instead of a
task's turn through the web stack. Only over HTTP/1.1 on a socket, where a piece is a chunk (RFC 9112, 7.1) of its own
and nobody else writes: hypercorn does so only when the application sends. So the application must not send meanwhile,
and a piece that the kernel took a part of must be finished before anything else is sent.
"""

from __future__ import annotations

from typing import Any, Final, Self, final

import attrs
import trio

from lasso_trio.upstream.raw_stream import RawStream

STREAM: Final = "lasso_trio.stream"
"""Where the state of an ASGI scope has the client's `RawStream`; the lane puts it there."""
SEND_LIMIT: Final = 15.0
"""Seconds that the rest of a piece may take."""


def chunk(piece: bytes) -> bytes:
    """`piece`, which must not be empty, as `write` wants it."""
    return b"%x\r\n%b\r\n" % (len(piece), piece)


@final
@attrs.define(eq=False)
class StraightBody:
    """Usable between two sends of the application, once the head of the answer has left."""

    _stream: RawStream
    _limit: float = SEND_LIMIT
    _begun: bytes = b""
    _sent: int = 0

    @classmethod
    def of(cls, scope: Any) -> Self | None:  # noqa: ANN401 (ASGI)
        """None where the answer is not sent in chunks, or has no body."""
        stream = scope.get("state", {}).get(STREAM)
        is_chunked = scope["http_version"] == "1.1" and scope["method"] != "HEAD"
        return cls(stream) if is_chunked and isinstance(stream, RawStream) else None

    def write(self, framed: bytes) -> bool:
        """Give the kernel a `chunk`, without a wait. False: it did not take everything, and `finish` must follow."""
        try:
            sent = self._stream.send_now(framed)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            sent = 0  # `finish` will see it
        if sent != len(framed):
            self._begun, self._sent = framed, sent
        return not self._begun

    async def finish(self) -> bool:
        """Write what is left of a piece. False: the client is gone, or took too long; its connection is closed.

        Cancelled, it closes the connection too: nothing can follow half a piece.
        """
        if not self._begun:
            return True
        done = False
        try:
            with trio.fail_after(self._limit):
                await self._stream.send_rest(self._begun, self._sent)
            self._begun, done = b"", True
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
            pass
        finally:
            if not done:
                self._stream.close()
        return done
