"""What waits to be written to one end of the bus: bounded in bytes, because who does not read must not cost memory.

Whoever puts something in never waits. What does not fit is refused and counted; once the queue has come down to half of
its bound, `relieved` is called, so that who was refused can tell its whole state again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, NoReturn

import trio

MOST: Final = 8 * 1024 * 1024
"""Bytes that wait for one receiver."""
_AT_ONCE: Final = 65_536


class Outbox:
    """`dropped`: how many frames were refused since the beginning."""

    __slots__ = ("_bell", "_queue", "_refused", "_waiting", "dropped", "most", "relieved")

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self.dropped = 0
        self.relieved: Callable[[], None] = _nobody
        self._queue: deque[bytes] = deque()
        self._waiting = 0
        self._refused = False
        self._bell = trio.Event()

    def __repr__(self) -> str:
        return f"<Outbox {self._waiting} bytes dropped={self.dropped}>"

    def put(self, data: bytes) -> bool:
        """False when it does not fit, and is dropped."""
        if self._waiting + len(data) > self.most:
            self.dropped += 1
            self._refused = True
            return False
        self.press(data)
        return True

    def press(self, data: bytes) -> None:
        """Put it in whatever else is there: for the few short frames that nobody could make good."""
        self._queue.append(data)
        self._waiting += len(data)
        self._bell.set()

    async def write_to(self, stream: trio.abc.SendStream) -> NoReturn:
        """Until cancelled, or until the stream breaks (trio's resource errors). Cancelled: what was being sent may be
        cut, the stream is of no further use.
        """
        while True:
            await self._bell.wait()
            while self._queue:
                data = self._chunk()
                await stream.send_all(data)
                self._waiting -= len(data)
                self._relieve()
            self._bell = trio.Event()

    def _chunk(self) -> bytes:
        parts, size = [self._queue.popleft()], 0
        while self._queue and (size := size + len(parts[-1])) < _AT_ONCE:
            parts.append(self._queue.popleft())
        return b"".join(parts)

    def _relieve(self) -> None:
        if self._refused and self._waiting <= self.most // 2:
            self._refused = False
            self.relieved()


def _nobody() -> None:
    """Nobody is waiting for room."""
