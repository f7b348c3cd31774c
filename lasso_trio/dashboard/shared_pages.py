"""Pages that several viewers ask for: made for the first of them, and given to the others while it is fresh.

How long that is goes by what the page cost: looking on takes no more than `1 / REST` of the loop's time for each page,
however many look and however large it is. What other tasks take while it is made is not its cost: a busy node's pages
are as fresh as an idle one's. Memory is bounded by a number of pages; those that are no longer fresh go first.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from functools import partial
from time import thread_time
from typing import Any, Final

import attrs
import msgspec
import trio

Row = dict[str, Any]

FRESH_S: Final = 1.0
REST: Final = 50
"""A page is fresh for so many times as long as the loop was at it, if that is more than was asked for."""
LONGEST_FRESH_S: Final = 60.0
MOST_PAGES: Final = 64

encode: Final = msgspec.json.Encoder().encode


@attrs.define(eq=False)
class _Page:
    """`until`: trio's clock."""

    until: float = 0.0
    body: bytes = b""
    making: trio.Lock = attrs.field(factory=trio.Lock)


@attrs.define(eq=False)
class _Metered:
    """Awaits `work`. `seconds`: of `clock`, that its own steps took."""

    work: Generator[object, object, bytes]
    clock: Callable[[], float]
    seconds: float = 0.0

    def __await__(self) -> Generator[object, object, bytes]:
        step = partial(self.work.send, None)
        try:
            while True:
                waits_for = self._take(step)
                try:
                    step = partial(self.work.send, (yield waits_for))
                except BaseException as fault:  # noqa: ASYNC103  (it is raised in the work, which decides)
                    step = partial(self.work.throw, fault)
        except StopIteration as end:
            page: bytes = end.value
            return page
        finally:
            del step  # may hold the fault, whose traceback holds this frame

    def _take(self, step: Callable[[], object]) -> object:
        began = self.clock()
        try:
            return step()
        finally:
            self.seconds += self.clock() - began


@attrs.define(eq=False)
class SharedPages:
    """`clock`: CPU seconds of the thread."""

    clock: Callable[[], float] = thread_time
    _pages: dict[str, _Page] = attrs.field(factory=dict)

    async def get(
        self, key: str, make: Callable[[], Row | Awaitable[Row]], fresh_s: float = FRESH_S, rest: int = REST
    ) -> bytes:
        """The page as JSON, at most `fresh_s` seconds old, or `rest` times what it cost.

        Each is made once at a time, and others meanwhile. What `make` raises passes; who waits for it tries again.
        """
        page = self._pages.get(key) or self._room_for(key)
        async with page.making:
            if trio.current_time() >= page.until:
                making = _Metered(_body(make).__await__(), self.clock)
                page.body = await making
                page.until = trio.current_time() + min(max(fresh_s, rest * making.seconds), LONGEST_FRESH_S)
            return page.body

    def _room_for(self, key: str) -> _Page:
        if len(self._pages) >= MOST_PAGES:
            oldest = min(self._pages, key=lambda known: (self._pages[known].making.locked(), self._pages[known].until))
            del self._pages[oldest]
        page = self._pages[key] = _Page()
        return page


async def _body(make: Callable[[], Row | Awaitable[Row]]) -> bytes:
    row = make()
    return encode(row if isinstance(row, dict) else await row)
