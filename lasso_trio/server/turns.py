"""How many calls of one WebSocket client are carried out at a time: those of its batches wait for their turn.

A message holds one call or many, so that a bound on messages alone would let one client have as many calls as fit into
batches. First come, first served; each call takes one turn, and whoever took one gives it back once.
"""

from __future__ import annotations

from typing import final

import trio


@final
class Turns:
    """`most` at a time. A client that never calls costs nothing but this object."""

    __slots__ = ("_free", "_most")

    def __init__(self, most: int) -> None:
        self._most = most
        self._free: trio.Semaphore | None = None

    def __repr__(self) -> str:
        return f"<Turns free={self._most if self._free is None else self._free.value} of {self._most}>"

    async def take(self) -> bool:
        """Returns whether one had to be waited for. Without a wait it is no checkpoint. Cancelled: none was taken."""
        if self._free is None:
            self._free = trio.Semaphore(self._most, max_value=self._most)
        try:
            self._free.acquire_nowait()
        except trio.WouldBlock:
            await self._free.acquire()
            return True
        return False

    def give_back(self) -> None:
        assert self._free is not None, "given back once, by whoever took it"
        self._free.release()
