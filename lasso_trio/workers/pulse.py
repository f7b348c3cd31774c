"""Finds workers that hang: each that takes calls is asked for a sign of life, and killed when it gives none for long.

A worker's answer comes from its loop, so one that is stopped, or stuck in a computation, gives none. Several questions
in a row must stay unanswered: when it was the parent that slept (a suspended machine), only the first one does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final, NoReturn, Protocol

import attrs
import trio

from lasso_trio.workers.topics import Act, BusFault

PULSE: Final = "pulse"
EVERY_S: Final = 2.0
PATIENCE_S: Final = 2.0
MISSES: Final = 5
"""In a row: ten seconds. A busy loop is late by milliseconds."""


class Asking(Protocol):
    """The parent's end of the bus."""

    @property
    def ready(self) -> list[int]: ...

    async def ask(self, topic: str, payload: bytes, to: int, timeout_s: float) -> bytes: ...


class Answering(Protocol):
    """A worker's."""

    def answer(self, topic: str, act: Act) -> None: ...


@attrs.define(eq=False)
class Pulse:
    """`hangs(worker)` is called once it has been silent for so long: whoever made us kills it."""

    bus: Asking
    hangs: Callable[[int], None]
    _missed: Counter[int] = attrs.field(factory=Counter)

    async def watch(self) -> NoReturn:
        """Until cancelled."""
        while True:
            due = trio.current_time() + EVERY_S
            async with trio.open_nursery() as nursery:
                for worker in self.bus.ready:
                    nursery.start_soon(self._ask, worker)
            await trio.sleep_until(due)

    async def _ask(self, worker: int) -> None:
        try:
            await self.bus.ask(PULSE, b"", worker, PATIENCE_S)
            del self._missed[worker]
        except BusFault:
            self._miss(worker)

    def _miss(self, worker: int) -> None:
        self._missed[worker] += 1
        if worker not in self.bus.ready:  # gone meanwhile: its successor begins anew
            del self._missed[worker]
        elif self._missed[worker] >= MISSES:
            del self._missed[worker]
            self.hangs(worker)


def give(bus: Answering) -> None:
    """Have a worker answer. Before its bus runs."""

    async def act(sender: int, payload: bytes) -> bytes:
        return b""

    bus.answer(PULSE, act)
