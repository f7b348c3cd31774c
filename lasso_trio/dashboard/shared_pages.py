"""Pages that several viewers ask for: made for the first of them, and given to the others while it is fresh.

How long that is goes by what the page cost: looking on takes no more than `1 / REST` of the loop's time for each page,
however many look and however large it is. Memory is bounded by a number of pages; those that are no longer fresh go
first.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import attrs
import msgspec
import trio

Row = dict[str, Any]

FRESH_S: Final = 1.0
REST: Final = 50
"""A page is fresh for so many times as long as it took to make, if that is more than was asked for."""
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
class SharedPages:
    _pages: dict[str, _Page] = attrs.field(factory=dict)

    async def get(
        self, key: str, make: Callable[[], Row | Awaitable[Row]], fresh_s: float = FRESH_S, rest: int = REST
    ) -> bytes:
        """The page as JSON, at most `fresh_s` seconds old, or `rest` times what it took.

        Each is made once at a time, and others meanwhile. What `make` raises passes; who waits for it tries again.
        """
        page = self._pages.get(key) or self._room_for(key)
        async with page.making:
            began = trio.current_time()
            if began >= page.until:
                row = make()
                page.body = encode(row if isinstance(row, dict) else await row)
                made = trio.current_time()
                page.until = made + min(max(fresh_s, rest * (made - began)), LONGEST_FRESH_S)
            return page.body

    def _room_for(self, key: str) -> _Page:
        if len(self._pages) >= MOST_PAGES:
            oldest = min(self._pages, key=lambda known: (self._pages[known].making.locked(), self._pages[known].until))
            del self._pages[oldest]
        page = self._pages[key] = _Page()
        return page
