"""What waits for one WebSocket client, in its order, and how much of it may: made for a client that is behind only.

    answers        as many as are asked for: who asked waits until they are out
    notifications  `queue_messages` and `queue_bytes`; one more is refused, and its client closed
    beyond these   what comes in one go without the client being slow: a replay it asked for, and a burst

A burst is what was published at once and needs several pieces, as the logs of a large block do: a client that reads as
fast as it can is behind by all of it, for a moment. So it may wait whole, once, and leaves the ordinary room to what
follows: a burst that comes while one is waiting that began more than `BURST_S` ago has the ordinary limits too. Its
frames are the same for all who subscribed alike, so that a crowd that is behind holds them once.

What was replaced keeps its place, empty, until it is reached or until such places are more than half of the queue: a
client that reads nothing holds no more of them than of what waits.
"""

from __future__ import annotations

from collections import deque
from typing import Final, final

import attrs
import trio

from lasso_trio.server.ws_limits import WsCounters, WsLimits
from lasso_trio.subscriptions.fanout import BURST, REPLAYED

BURST_S: Final = 1.0
"""Several subscriptions have their share of one block, and hear of it one after the other."""


@attrs.define(eq=False)
class Waiting:
    """A frame. `written` is for an answer's caller; notifications have none. `topic`: as it was published."""

    frame: bytes
    topic: object | None = None
    written: trio.Event | None = None
    replaced: bool = False


@final
class Backlog:
    """Of one client. Times are trio's clock."""

    __slots__ = (
        "_beyond_bytes",
        "_burst_frames",
        "_burst_since",
        "_counters",
        "_held_bytes",
        "_held_messages",
        "_limits",
        "_queue",
        "_replaced",
        "_topics",
    )

    def __init__(self, limits: WsLimits, counters: WsCounters) -> None:
        self._limits = limits
        self._counters = counters
        self._queue: deque[Waiting] = deque()
        self._topics: dict[object, Waiting] = {}
        self._replaced = 0
        self._held_messages = 0
        self._held_bytes = 0
        self._beyond_bytes = 0
        self._burst_frames = 0
        self._burst_since = 0.0

    def __repr__(self) -> str:
        return f"<Backlog {len(self._queue)} frames, {self._held_bytes} + {self._beyond_bytes} bytes>"

    def __len__(self) -> int:
        return len(self._queue)

    def add(self, waiting: Waiting) -> None:
        """An answer, or a close: never refused."""
        self._queue.append(waiting)

    def keep(self, frame: bytes, topic: object | None, now: float) -> bool:
        """A notification. Returns False, and keeps nothing, when there is no room."""
        kept = self._keep(frame, topic, now)
        self._counters.published += kept
        return kept

    def _keep(self, frame: bytes, topic: object | None, now: float) -> bool:
        if topic is REPLAYED:
            return self._keep_beyond(Waiting(frame, topic))
        if topic is BURST:
            if self._may_burst(now) and self._keep_beyond(Waiting(frame, topic)):
                return True
            topic = None
        elif topic is not None:
            self._replace(topic)
        return self._keep_within(Waiting(frame, topic))

    def _fits(self, frame: bytes) -> bool:
        limits = self._limits
        return self._held_messages < limits.queue_messages and self._held_bytes + len(frame) <= limits.queue_bytes

    def _may_burst(self, now: float) -> bool:
        if not self._burst_frames:
            self._burst_since = now
        return now - self._burst_since <= BURST_S

    def _replace(self, topic: object) -> None:
        older = self._topics.pop(topic, None)
        if older is not None:
            self._let_go(older)
            older.replaced, older.frame = True, b""
            self._counters.conflated += 1
            self._replaced += 1
            if self._replaced * 2 > len(self._queue):
                self._drop_replaced()

    def _drop_replaced(self) -> None:
        self._queue = deque([waiting for waiting in self._queue if not waiting.replaced])
        self._replaced = 0

    def _keep_within(self, waiting: Waiting) -> bool:
        if not self._fits(waiting.frame):
            return False
        self._held_messages += 1
        self._held_bytes += len(waiting.frame)
        self._queue.append(waiting)
        if waiting.topic is not None:
            self._topics[waiting.topic] = waiting
        return True

    def _keep_beyond(self, waiting: Waiting) -> bool:
        if self._beyond_bytes + len(waiting.frame) > self._limits.max_held_bytes:
            return False
        self._beyond_bytes += len(waiting.frame)
        self._burst_frames += waiting.topic is BURST
        self._queue.append(waiting)
        return True

    def _let_go(self, waiting: Waiting) -> None:
        """It does not wait any more."""
        if waiting.written is not None:
            return
        if waiting.topic is REPLAYED or waiting.topic is BURST:
            self._beyond_bytes -= len(waiting.frame)
            self._burst_frames -= waiting.topic is BURST
        else:
            self._held_messages -= 1
            self._held_bytes -= len(waiting.frame)

    def take(self, most: int) -> list[Waiting]:
        """The next that may be written together: `most` bytes, or one that is longer. Empty when nothing waits."""
        batch: list[Waiting] = []
        size, queue = 0, self._queue
        while queue and (not batch or size + len(queue[0].frame) <= most):
            waiting = queue.popleft()
            if waiting.replaced:
                self._replaced -= 1
                continue
            self._topics.pop(waiting.topic, None)
            self._let_go(waiting)
            batch.append(waiting)
            size += len(waiting.frame)
        return batch

    def give_up(self) -> list[Waiting]:
        """Forget all that waits; it was this."""
        return self.take(2**62)
