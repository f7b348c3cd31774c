"""When a worker that ended is replaced: at once, unless it ends again and again as soon as it is there. Pure.

A worker that took calls for two seconds ended by accident, and the next one starts without delay. One that did not is
a crash at the start: the second in a row is still followed at once, then by waits of 0.5 s, 1 s, 2 s … 30 s.
"""

from __future__ import annotations

from typing import Final

import attrs

HEALTHY_S: Final = 2.0
FREE: Final = 2
FIRST_S: Final = 0.5
LONGEST_S: Final = 30.0


@attrs.frozen
class Restarts:
    """`streak`: crashes at the start, one after the other."""

    streak: int = 0

    def after(self, ready_s: float | None) -> Restarts:
        """A worker has ended that took calls for `ready_s` seconds; None: never."""
        return Restarts(0 if ready_s is not None and ready_s >= HEALTHY_S else self.streak + 1)

    @property
    def delay_s(self) -> float:
        """How long to wait before the next one."""
        waits = self.streak - FREE
        return 0.0 if waits <= 0 else min(LONGEST_S, FIRST_S * 2.0 ** min(waits - 1, 32))
