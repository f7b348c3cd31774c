"""Owns what goes on after its call was answered: writes that one provider has accepted and others are still sent.

    services ─ afterwork ─ write · write · …     each bounded by its call's deadline, `limit` of them at most

`run` is the nursery. Where it does not run, is full or drains, `start` says no, and whoever asked does without. A
piece of work that crashes is contained here: it is logged, and no other is touched.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, NoReturn

import attrs
import structlog
import trio

log = structlog.get_logger(__name__)

LIMIT: Final = 1024

Work = Callable[[], Awaitable[None]]


@attrs.define(eq=False)
class Afterwork:
    """`running`: pieces of work under way, calls that still wait for theirs included."""

    limit: int = LIMIT
    running: int = 0
    crashes: int = 0
    _nursery: trio.Nursery | None = None
    _draining: bool = False
    _idle: trio.Event = attrs.field(factory=trio.Event)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> NoReturn:
        """Until cancelled, which cuts what is under way: `drain` first."""
        try:
            async with trio.open_nursery() as self._nursery:
                task_status.started()
                await trio.sleep_forever()
        finally:
            self._nursery = None
        raise AssertionError("it never ends by itself")

    def start(self, work: Work, name: str) -> bool:
        """Let `work` run beyond the caller's life, if there is room. It must end by itself."""
        if self._nursery is None or self._draining or self.running >= self.limit:
            return False
        self.running += 1
        self._nursery.start_soon(self._life, work, name, name=name)
        return True

    async def drain(self, deadline: float) -> bool:
        """Take no more, and wait for what is under way until `deadline` (trio's clock). Whether all of it ended."""
        self._draining = True
        with trio.CancelScope(deadline=deadline):
            while self.running:
                self._idle = trio.Event()
                await self._idle.wait()
        return self.running == 0

    async def _life(self, work: Work, name: str) -> None:
        try:
            await work()
        except Exception:
            self.crashes += 1
            log.exception("afterwork.crashed", work=name)
        finally:
            self.running -= 1
            if not self.running:
                self._idle.set()
