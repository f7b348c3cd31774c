"""Times that mean the same in all workers: trio's clock has another zero in each process, the machine's one for all.

Both run at the same pace, so one number for each process, taken once, leads from one to the other and back exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import attrs
import trio


@attrs.frozen
class SharedClock:
    """`offset`: what is added to a time of trio's clock (seconds) before it is told."""

    offset: float

    @classmethod
    def of(cls, machine: Callable[[], float] = perf_counter) -> SharedClock:
        """Must be called inside `trio.run`. `machine`: a clock that all workers read alike, at trio's pace."""
        return cls(machine() - trio.current_time())

    def out(self, at: float) -> float:
        """As it is told."""
        return at + self.offset

    def into(self, told: float) -> float:
        """As trio's clock here has it."""
        return told - self.offset
