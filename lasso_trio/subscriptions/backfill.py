"""Fills the holes in a line of heads: reads what its pending heads lack, until they are connected or given up.

For each pending head: the missing parent by its hash, which is exact but shows the next one only when it has come, and
at once the block numbers around it, which are likely to be the rest. What comes is told to the line as it comes, so a
feed that is merely late, or one good answer, ends the search. Rounds follow each other with growing pauses.

A head that somebody made up would cost others a hundred reads a round: where a number is not there, nothing above it
is looked for, and the next round goes no further than there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from math import inf
from typing import Final

import attrs
import trio

from lasso_trio.subscriptions.head_line import HeadLine, Missing, Step
from lasso_trio.subscriptions.header import Header
from lasso_trio.subscriptions.reader import Reader, Unreadable

AT_ONCE: Final = 16
"""Reads in flight."""
BELOW_FORK: Final = 8
"""Numbers that are read at once below a block that replaces one of ours: most reorganisations are not deeper."""
FIRST_PAUSE_S: Final = 0.05
LONGEST_PAUSE_S: Final = 2.0

Apply = Callable[[Iterable[Step]], None]


@attrs.define(eq=False)
class Backfill:
    """`apply` gets the steps that follow; `timeout_s` is how long a head may wait for its ancestors."""

    line: HeadLine
    reader: Reader
    apply: Apply
    timeout_s: float
    read: int = 0
    """Blocks that were read for it."""
    _absent: float = inf
    """The lowest number that nobody had when it was asked for."""

    async def run(self) -> None:
        """Until nothing waits any more. Cancelled at any time, it may be run again."""
        pause, lacked = FIRST_PAUSE_S, set[str]()
        while self.line.is_waiting:
            with trio.move_on_at(self.line.due(self.timeout_s)):
                lacking = {missing.hash for missing in self.line.missing()}
                if lacking == lacked:  # the last round brought nothing: a node may need a moment
                    await trio.sleep(pause)
                    pause = min(LONGEST_PAUSE_S, 2 * pause)
                else:
                    pause, lacked = FIRST_PAUSE_S, lacking
                await self._round()
            self.apply(self.line.give_up(trio.current_time(), self.timeout_s, self._absent))

    async def _round(self) -> None:
        numbers: dict[int, None] = {}
        hashes: dict[str, None] = {}
        for missing in self.line.missing():
            hashes[missing.hash] = None
            numbers |= dict.fromkeys(self._around(missing))
        lacking: Iterator[int | str] = iter([*hashes, *self._reachable(sorted(numbers))])
        async with trio.open_nursery() as nursery:
            for _ in range(AT_ONCE):
                nursery.start_soon(self._work, nursery, lacking)

    def _around(self, missing: Missing) -> range:
        tip = self.line.tip
        ours = missing.number if tip is None else min(tip.number, missing.number)
        first = ours + 1 if ours < missing.number else missing.number - BELOW_FORK
        # By its hash it is asked for anyway; a line that is nearly connected needs no more.
        return range(max(first, missing.lowest, 0), missing.number)

    def _reachable(self, numbers: list[int]) -> list[int]:
        """Of `numbers`, those to ask for: up to what was not there, or the lowest, to see whether it is by now."""
        tip = self.line.tip
        if tip is not None and self._absent <= tip.number:
            self._absent = inf
        return [number for number in numbers if number <= self._absent] or numbers[:1]

    async def _work(self, nursery: trio.Nursery, lacking: Iterator[int | str]) -> None:
        for what in lacking:
            if isinstance(what, str) or what <= self._absent:
                await self._one(what)
            if not self.line.is_waiting:
                nursery.cancel_scope.cancel("nothing waits any more")

    async def _one(self, what: int | str) -> None:
        try:
            header = await self._read(what)
        except Unreadable:
            return
        if header is not None:
            self.read += 1
            self._absent = inf if header.number >= self._absent else self._absent
            self.apply(self.line.supply([header]))
        elif isinstance(what, int):
            self._absent = min(self._absent, what)

    async def _read(self, what: int | str) -> Header | None:
        return await (self.reader.by_number(what) if isinstance(what, int) else self.reader.by_hash(what))
