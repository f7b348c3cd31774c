"""How much of a core the process uses, for any number of readers: the figure of the last whole second or more."""

from __future__ import annotations

import resource
from collections.abc import Callable
from typing import Final

import attrs

SPAN_S: Final = 1.0


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


@attrs.define(eq=False)
class Cpu:
    """`spent` tells the process' CPU seconds. Readers do not disturb each other."""

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
