"""How much of a core is used, by the process or its loop, for any readers: of the last whole second or more."""

from __future__ import annotations

import resource
from collections.abc import Callable
from time import thread_time
from typing import Final

import attrs

SPAN_S: Final = 1.0


def loop_seconds() -> float:
    """CPU of the thread that asks, which is the loop's: what is left of its core is time that the loop waits."""
    return thread_time()


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


@attrs.define(eq=False)
class Cpu:
    """`spent` tells CPU seconds: the process', or the loop's. Readers do not disturb each other."""

    spent: Callable[[], float] = cpu_seconds
    _last: tuple[float, float] | None = None
    _percent: float = 0.0

    def percent(self, now: float) -> float:
        """Of one core; 0 at the first reading."""
        if self._last is None:
            self._last = (now, self.spent())
        since, before = self._last
        if now - since >= SPAN_S:
            used = self.spent()
            self._percent, self._last = round(100 * (used - before) / (now - since), 1), (now, used)
        return self._percent
