"""Is the loop itself in time? Its lag, sampled, and the memory settings that keep the collector from adding to it.

Lag is how much later than asked a sleeping task was run: what every call in the process waits on top of its own work.
"""

from __future__ import annotations

import gc
from math import inf
from typing import Final

import attrs
import trio

from lasso_trio.providers.latency import LogHistogram

INTERVAL_S: Final = 0.1
SPAN_S: Final = 60.0
GENERATIONS: Final = (20_000, 20, 50)


@attrs.define(eq=False)
class LoopLag:
    """Seconds. Covers the last one to two spans of 60 s; `worst` is since the beginning. Read anywhere, any time."""

    last: float = 0.0
    worst: float = 0.0
    samples: int = 0
    _young: LogHistogram = attrs.field(factory=LogHistogram, init=False)
    _old: LogHistogram = attrs.field(factory=LogHistogram, init=False)
    _young_max: float = attrs.field(default=0.0, init=False)
    _old_max: float = attrs.field(default=0.0, init=False)
    _turn_at: float = attrs.field(default=-inf, init=False)

    @property
    def max(self) -> float:
        return max(self._young_max, self._old_max)

    @property
    def p99(self) -> float:
        return self.quantile(0.99)

    def quantile(self, q: float) -> float:
        """0.0 before the first sample."""
        both = LogHistogram()
        both.merge(self._young)
        both.merge(self._old)
        return both.quantile(q) or 0.0

    def record(self, lag: float, now: float) -> None:
        if now >= self._turn_at:
            self._old, self._old_max = self._young, self._young_max
            self._young, self._young_max = LogHistogram(), 0.0
            self._turn_at = now + SPAN_S
        self._young.add(lag)
        self._young_max = max(self._young_max, lag)
        self.last = lag
        self.worst = max(self.worst, lag)
        self.samples += 1


async def sample(lag: LoopLag, interval: float = INTERVAL_S) -> None:
    """Service: records the drift of each sleep. Runs until cancelled."""
    while True:
        asked = trio.current_time() + interval
        await trio.sleep_until(asked)
        now = trio.current_time()
        lag.record(max(0.0, now - asked), now)


def settle_memory() -> int:
    """After start: what is alive now stays, so the collector need not look at it again, nor often. Returns how much.

    Calls are freed by reference counting; the collector is only for cycles, which the hot path does not make.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GENERATIONS)
    return gc.get_freeze_count()
