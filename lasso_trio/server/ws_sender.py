"""What one WebSocket client is sent, in one order, whoever sends it: answers, notifications, pongs, pings, the close.

Everything given to a sender is a whole frame, so frames of many origins can follow each other. When nothing waits, a
frame is written at once by whoever brings it: ten thousand sockets are served without waking a task. Only when the
kernel did not take all of it does a task begin (`_drain`), and it ends when nothing waits any more.

    push      never waits: for notifications; bounded, and says so when there is no room
    send_all  waits until the frame is written: for answers, so that a client that does not read stops being served

A frame that was begun is always finished, also when its sender was cancelled; only breaking the connection stops it.
"""

from __future__ import annotations

from collections import deque
from typing import Final, final

import attrs
import trio

from lasso_trio.server.ws_limits import WsCounters, WsLimits
from lasso_trio.subscriptions.fanout import REPLAYED
from lasso_trio.upstream.raw_stream import FAIR_SENDS, RawStream

PIECE: Final = 131_072
"""Bytes of a long frame that are given to the kernel at a time, so that progress can be seen."""
JOINED: Final = 65_536
"""Bytes of short frames that are written together."""
CLOSE: Final = 0x88


@attrs.define(eq=False)
class Waiting:
    """A frame, and the bytes of it that are out. `written` is for an answer's caller; notifications have none."""

    frame: bytes
    topic: object | None = None
    written: trio.Event | None = None
    replaced: bool = False
    replayed: bool = False


@final
class Sender:
    """The sending side of `stream`. `drainer` is where the task for what waits is started.

    `progress_at`: trio's clock, when the kernel last took something of what waits; only meaningful while `busy`.
    """

    __slots__ = (
        "_counters",
        "_drainer",
        "_held_bytes",
        "_held_messages",
        "_limits",
        "_queue",
        "_raw",
        "_replayed_bytes",
        "_streak",
        "_stream",
        "_topics",
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
        self._queue: deque[Waiting] | None = None
        self._topics: dict[object, Waiting] | None = None
        self._held_messages = 0
        self._held_bytes = 0
        self._replayed_bytes = 0
        self._streak = 0
        self.busy = False
        """Something waits, or is being written."""
        self.ended = False
        """A close was sent, or is among what waits: nothing may follow it."""
        self.broken = False
        self.progress_at = 0.0

    def __repr__(self) -> str:
        return f"<Sender {'busy' if self.busy else 'free'} held={self._held_messages}>"

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
        return self._keep(frame, topic)

    def _keep(self, frame: bytes, topic: object | None) -> bool:
        limits = self._limits
        if topic is REPLAYED:
            return self._keep_replayed(frame)
        if topic is not None:
            self._replace(topic)
        if self._held_messages >= limits.queue_messages or self._held_bytes + len(frame) > limits.queue_bytes:
            return False
        self._counters.published += 1
        self._held_messages += 1
        self._held_bytes += len(frame)
        self._append(Waiting(frame, topic))
        return True

    def _keep_replayed(self, frame: bytes) -> bool:
        if self._replayed_bytes + len(frame) > self._limits.max_held_bytes:
            return False
        self._counters.published += 1
        self._replayed_bytes += len(frame)
        self._append(Waiting(frame, replayed=True))
        return True

    def _replace(self, topic: object) -> None:
        older = self._topics.pop(topic, None) if self._topics else None
        if older is not None:
            older.replaced = True
            self._let_go(older)
            self._counters.conflated += 1

    def _append(self, waiting: Waiting) -> None:
        if self._queue is None:  # most clients never need one
            self._queue = deque()
        self._queue.append(waiting)
        if waiting.topic is not None:
            if self._topics is None:
                self._topics = {}
            self._topics[waiting.topic] = waiting

    def _let_go(self, waiting: Waiting) -> None:
        """It does not wait any more."""
        if waiting.replayed:
            self._replayed_bytes -= len(waiting.frame)
        elif waiting.written is None:
            self._held_messages -= 1
            self._held_bytes -= len(waiting.frame)

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
        if drop and self._queue is not None:
            self._tell(self._queue)
            self._queue.clear()
        await self.written(self._put(close))

    def _put(self, frame: bytes) -> Waiting | None:
        sent = 0 if self.busy else self._try(frame)
        if sent == len(frame):
            return None
        self._refuse_if_broken()
        waiting = Waiting(frame, written=trio.Event())
        if self.busy:
            self._append(waiting)
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
            self._tell(self._queue or ())
        finally:
            self.busy = False

    async def _write(self, data: bytes, sent: int) -> None:
        with memoryview(data) as view:
            while sent < len(view):
                with view[sent : sent + PIECE] as piece:
                    if self._raw is not None:
                        await self._raw.send_rest(piece, 0)
                    else:
                        await self._stream.send_all(piece)
                    sent += len(piece)
                self.progress_at = trio.current_time()

    def _next_batch(self) -> list[Waiting]:
        batch: list[Waiting] = []
        size = 0
        queue = self._queue
        while queue and (not batch or size + len(queue[0].frame) <= JOINED):
            waiting = queue.popleft()
            if waiting.replaced:
                continue
            if waiting.topic is not None and self._topics is not None:
                self._topics.pop(waiting.topic, None)
            self._let_go(waiting)
            batch.append(waiting)
            size += len(waiting.frame)
        if not queue:
            self._queue = None
        return batch

    def _tell(self, batch: deque[Waiting] | list[Waiting] | tuple[()]) -> None:
        for waiting in batch:
            if waiting.written is not None:
                waiting.written.set()
