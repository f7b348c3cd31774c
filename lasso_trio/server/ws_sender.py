"""What one WebSocket client is sent, in one order, whoever sends it: answers, notifications, pongs, pings, the close.

Everything given to a sender is a whole frame, so frames of many origins can follow each other. When nothing waits, a
frame is written at once by whoever brings it: ten thousand sockets are served without waking a task. Only when the
kernel did not take all of it does a task begin (`_drain`), and it ends when nothing waits any more.

    push      never waits: for notifications; bounded, and says so when there is no room
    send_all  waits until the frame is written: for answers, so that a client that does not read stops being served

A frame that was begun is always finished, also when its sender was cancelled; only breaking the connection stops it.
"""

from __future__ import annotations

from fcntl import ioctl
from sys import byteorder
from termios import TIOCOUTQ
from typing import Final, final

import trio

from lasso_trio.server.ws_backlog import Backlog, Waiting
from lasso_trio.server.ws_limits import WsCounters, WsLimits
from lasso_trio.upstream.raw_stream import FAIR_SENDS, RawStream

PIECE: Final = 131_072
"""Bytes of a long frame that are given to the kernel at a time, so that progress can be seen."""
JOINED: Final = 65_536
"""Bytes of short frames that are written together."""
CLOSE: Final = 0x88


def undelivered(stream: RawStream) -> int:
    """Bytes that our kernel has taken and the client's has not; -1 where that is not told."""
    try:
        return int.from_bytes(ioctl(stream.socket, TIOCOUTQ, bytes(4)), byteorder)
    except (OSError, ValueError):  # it was closed
        return -1


@final
class Sender:
    """The sending side of `stream`. `drainer` is where the task for what waits is started.

    `progress_at`: trio's clock, when something of what waits was last known to go on; only meaningful while `busy`.
    """

    __slots__ = (
        "_backlog",
        "_counters",
        "_drainer",
        "_limits",
        "_raw",
        "_streak",
        "_stream",
        "_undelivered",
        "broken",
        "busy",
        "ended",
        "progress_at",
    )

    def __init__(self, stream: trio.abc.Stream, drainer: trio.Nursery, limits: WsLimits, counters: WsCounters) -> None:
        self._stream = stream
        self._raw = stream if isinstance(stream, RawStream) else None
        self._drainer = drainer
        self._limits = limits
        self._counters = counters
        self._backlog: Backlog | None = None
        self._undelivered = -1
        self._streak = 0
        self.busy = False
        """Something waits, or is being written."""
        self.ended = False
        """A close was sent, or is among what waits: nothing may follow it."""
        self.broken = False
        self.progress_at = 0.0

    def __repr__(self) -> str:
        return f"<Sender {'busy' if self.busy else 'free'} {self._backlog}>"

    def stuck_s(self, now: float) -> float:
        """Seconds in which a client for whom something waits has taken nothing, as far as its kernel tells ours.

        Ours takes more only when a good part of its buffer is free again, which a slow client's may not be for long.
        """
        if not self.busy:
            return 0.0
        left = -1 if self._raw is None else undelivered(self._raw)
        if left != self._undelivered:
            self._undelivered, self.progress_at = left, now
        return now - self.progress_at

    def push(self, frame: bytes, topic: object | None = None) -> bool:
        """Write a notification now or keep it. Returns False, and keeps nothing, when there is no room."""
        if self.ended or self.broken:
            return True
        if not self.busy:
            sent = self._try(frame)
            if sent != len(frame) and not self.broken:
                self._begin(Waiting(frame), sent)
            self._counters.published += 1
            return True
        return self._behind.keep(frame, topic, trio.current_time())

    @property
    def _behind(self) -> Backlog:
        if self._backlog is None:  # most clients never need one
            self._backlog = Backlog(self._limits, self._counters)
        return self._backlog

    async def send_all(self, frame: bytes) -> None:
        """Return when the frame is written. Raises BrokenResourceError or ClosedResourceError.

        Cancelled, the frame goes out all the same.
        """
        await self.written(self.put(frame))

    def put(self, frame: bytes) -> Waiting | None:
        """The first half of `send_all`: the frame has its place among the others. Raises as it does."""
        if self.ended:
            raise trio.ClosedResourceError("a close was sent, nothing may follow it")
        if frame[0] == CLOSE:
            self.ended = True
        return self._put(frame)

    async def written(self, waiting: Waiting | None) -> None:
        """The second half: what `put` gave is out."""
        if waiting is None:
            await self._be_fair()
            return
        assert waiting.written is not None, "only of answers it is told when they are out"
        await waiting.written.wait()
        self._refuse_if_broken()

    async def finish(self, close: bytes, *, drop: bool) -> None:
        """Send the close frame as the last, unless one was sent. `drop`: what waits and was not begun is forgotten.

        Raises as `send_all` does.
        """
        if self.ended:
            return
        self.ended = True
        if drop:
            self._give_up()
        await self.written(self._put(close))

    def _put(self, frame: bytes) -> Waiting | None:
        sent = 0 if self.busy else self._try(frame)
        if sent == len(frame):
            return None
        self._refuse_if_broken()
        waiting = Waiting(frame, written=trio.Event())
        if self.busy:
            self._behind.add(waiting)
        else:
            self._begin(waiting, sent)
        return waiting

    def _refuse_if_broken(self) -> None:
        if self.broken:
            raise trio.BrokenResourceError("the client has gone")

    async def _be_fair(self) -> None:
        self._streak += 1
        if self._streak >= FAIR_SENDS:
            self._streak = 0
            await trio.lowlevel.checkpoint()

    # Writing…

    def _try(self, frame: bytes) -> int:
        """Bytes that went out without a wait."""
        if self._raw is None:
            return 0
        try:
            return self._raw.send_now(frame)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.broken = True
            return 0

    def _begin(self, waiting: Waiting, sent: int) -> None:
        self.busy = True
        self.progress_at = trio.current_time()
        self._drainer.start_soon(self._drain, waiting, sent, name="ws sender")

    async def _drain(self, first: Waiting, sent: int) -> None:
        """Write what waits until nothing does."""
        batch = [first]
        try:
            await self._write(first.frame, sent)
            self._tell(batch)
            while batch := self._next_batch():
                await self._write(b"".join([waiting.frame for waiting in batch]), 0)
                self._tell(batch)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.broken = True
            self._tell(batch)
            self._give_up()
        finally:
            self.busy = False

    def _next_batch(self) -> list[Waiting]:
        batch = [] if self._backlog is None else self._backlog.take(JOINED)
        if not self._backlog:
            self._backlog = None
        return batch

    def _give_up(self) -> None:
        if self._backlog is not None:
            self._tell(self._backlog.give_up())

    async def _write(self, data: bytes, sent: int) -> None:
        with memoryview(data) as view:
            while sent < len(view):
                with view[sent : sent + PIECE] as piece:
                    went = await self._write_some(piece)
                if went:
                    self.progress_at = trio.current_time()
                sent += went

    async def _write_some(self, piece: memoryview) -> int:
        if self._raw is None:
            await self._stream.send_all(piece)
            return len(piece)
        await self._raw.wait_send_all_might_not_block()
        return self._raw.send_now(piece)

    def _tell(self, batch: list[Waiting]) -> None:
        for waiting in batch:
            if waiting.written is not None:
                waiting.written.set()
