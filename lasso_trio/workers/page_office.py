"""The parent's part in the node's metrics: it asks all workers, adds up, and remembers those that are gone.

It is the parent's because it outlives workers: what it has once told it tells again when a worker is dead or hangs, so
no counter falls. What a worker counted after it was last asked is lost with it.
"""

from __future__ import annotations

import resource
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final, Protocol

import attrs
import trio

from lasso_trio.telemetry.node import memory_mib
from lasso_trio.workers import told_page
from lasso_trio.workers.frame import MAX_PAYLOAD
from lasso_trio.workers.told_page import SeatFigures, Whole
from lasso_trio.workers.topics import Act, BusFault

WHOLE: Final = "metrics.whole"
"""Asked of the parent: the page of the node, packed."""
PART: Final = "metrics.part"
"""Asked of a worker: its own."""
PATIENCE_S: Final = 1.0
"""For one worker; then its last page is taken, and it is told to be missing."""


class Switchboard(Protocol):
    """The parent's end of the bus."""

    @property
    def keeper(self) -> int | None: ...

    @property
    def ready(self) -> list[int]: ...

    async def ask(self, topic: str, payload: bytes, to: int, timeout_s: float) -> bytes: ...

    def answer(self, topic: str, act: Act) -> None: ...

    def on_leave(self, call: Callable[[int], None]) -> None: ...


@attrs.define(eq=False)
class PageOffice:
    """`replaced`: how often each worker's process has ended, for all there are."""

    bus: Switchboard
    replaced: Callable[[], dict[int, int]]
    _last: dict[int, bytes] = attrs.field(factory=dict)
    _gone: list[bytes] = attrs.field(factory=list)
    """Of those that are gone: added up, as one at most."""
    _left: list[tuple[int, bytes]] = attrs.field(factory=list)
    """Gone since the last page was made."""
    _turn: trio.Lock = attrs.field(factory=trio.Lock)

    def serve(self) -> None:
        """Before a worker comes."""
        self.bus.answer(WHOLE, self._whole)
        self.bus.on_leave(self._lose)

    def _lose(self, worker: int) -> None:
        page = self._last.pop(worker, None)
        if page is not None:
            self._left.append((worker, page))

    async def _whole(self, sender: int, payload: bytes) -> bytes:
        async with self._turn:
            seats = self._seats(await self._gather())
            living, left, keeper = dict(self._last), self._left[:], self.bus.keeper
            make = partial(_made, living, self._gone, left, keeper, seats, cpu_seconds(), resident_bytes())
            whole, self._gone = await trio.to_thread.run_sync(make)
            del self._left[: len(left)]
        if len(whole) > MAX_PAYLOAD:
            raise BusFault(f"a page of {len(whole)} bytes is too large")
        return whole

    async def _gather(self) -> set[int]:
        """Who takes calls and did not tell."""
        missing = set(self.bus.ready)
        async with trio.open_nursery() as nursery:
            for worker in self.bus.ready:
                nursery.start_soon(self._ask, worker, missing)
        return missing

    async def _ask(self, worker: int, missing: set[int]) -> None:
        with suppress(BusFault):
            self._last[worker] = await self.bus.ask(PART, b"", worker, PATIENCE_S)
            missing.discard(worker)

    def _seats(self, missing: set[int]) -> list[SeatFigures]:
        up, keeper = set(self.bus.ready), self.bus.keeper
        return [
            SeatFigures(worker, worker in up, worker == keeper, worker in missing, times)
            for worker, times in self.replaced().items()
        ]


def _made(
    living: dict[int, bytes],
    gone: list[bytes],
    left: list[tuple[int, bytes]],
    keeper: int | None,
    seats: list[SeatFigures],
    cpu_s: float,
    resident: int,
) -> tuple[bytes, list[bytes]]:
    """The whole page, and what is remembered of those that are gone. In a thread."""
    if left:
        gone = [told_page.folded([*gone, *(told_page.departed(page, worker) for worker, page in left)])]
    whole = Whole(told_page.total(living, gone, keeper), seats, cpu_s, resident)
    return told_page.packed(whole), gone


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def resident_bytes() -> int:
    return round(memory_mib() * 1024 * 1024)
