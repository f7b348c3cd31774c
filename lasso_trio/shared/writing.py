"""Tells the engine what was kept and what is over, behind the calls: a bounded queue, emptied in batches.

What finds no room is not told, and what the engine refuses is dropped: nothing hangs on it but another node's look-up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, NoReturn

import attrs
import trio

from lasso_trio.shared.lane import Lane
from lasso_trio.shared.line import Command, EngineFault

TIMEOUT_S: Final = 1.0
MOST_BYTES: Final = 8 * 1024 * 1024
BATCH_BYTES: Final = 1024 * 1024
BATCH: Final = 64
EACH: Final = 256
"""Bytes that a task is counted besides its own."""

Task = Callable[[], Command]
"""Makes a command when its turn has come: what that costs is not the call's."""


@attrs.define(eq=False)
class Writing:
    """`held`: bytes in the queue. `dropped`: tasks that were not carried out, or not certainly."""

    lane: Lane
    held: int = 0
    dropped: int = 0
    _queue: deque[tuple[Task, int]] = attrs.field(factory=deque)
    _bell: trio.Event = attrs.field(factory=trio.Event)

    def __len__(self) -> int:
        return len(self._queue)

    def offer(self, task: Task, size: int = 0) -> None:
        """Have it done soon, perhaps. `size`: bytes that are held for it. Never waits."""
        size += EACH
        if self.held + size > MOST_BYTES:
            self.dropped += 1
            return
        self._queue.append((task, size))
        self.held += size
        self._bell.set()

    async def run(self) -> NoReturn:
        """Until cancelled."""
        while True:
            await self._bell.wait()
            batch = self._batch()
            try:
                await self.lane.ask(*(task() for task in batch), timeout_s=TIMEOUT_S)
            except EngineFault:
                self.dropped += len(batch)
                await trio.sleep(self.lane.delay_s())

    def _batch(self) -> list[Task]:
        batch: list[Task] = []
        size = 0
        while self._queue and len(batch) < BATCH and size < BATCH_BYTES:
            task, each = self._queue.popleft()
            batch.append(task)
            size += each
        self.held -= size
        if not self._queue:
            self._bell = trio.Event()
        return batch
