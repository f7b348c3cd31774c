"""Counts of the last minute, second by second: what "calls in the last minute" and "calls per second" are read from."""

from __future__ import annotations

from typing import Final

import attrs

SECONDS: Final = 60


@attrs.define(eq=False)
class MinuteRates:
    """A ring of sixty one-second counters. Adding is O(1) while calls keep coming; reading is O(60)."""

    _slots: list[int] = attrs.field(factory=lambda: [0] * SECONDS)
    _second: int = 0

    def add(self, now: float, n: int = 1) -> None:
        """Count `n` at `now` (seconds of a monotonic clock), which may lie up to a minute back; earlier is lost."""
        second = int(now)
        if second != self._second:
            self._advance(second)
            if second <= self._second - SECONDS:
                return  # its slot counts another second by now
        self._slots[second % SECONDS] += n

    def total(self, now: float) -> int:
        """How many in the sixty seconds up to `now`."""
        self._advance(int(now))
        return sum(self._slots)

    def per_second(self, now: float, over: int = 10) -> float:
        """The mean rate of the last `over` whole seconds, the running one left out."""
        second = int(now)
        self._advance(second)
        return sum(self._slots[(second - back) % SECONDS] for back in range(1, over + 1)) / over

    def recent(self, now: float) -> list[int]:
        """Second by second, that of `now` first, as far back as anything was counted: for `merge` elsewhere."""
        self._advance(int(now))
        found = [self._slots[(self._second - back) % SECONDS] for back in range(SECONDS)]
        while found and not found[-1]:
            found.pop()
        return found

    def merge(self, recent: list[int], at: float, now: float) -> None:
        """Add what somebody else counted: `recent` as of `at`, which is not after `now`."""
        self._advance(int(now))
        for back, n in enumerate(recent):
            if n:
                self.add(at - back, n)

    def _advance(self, second: int) -> None:
        passed = second - self._second
        if passed <= 0:
            return
        for step in range(1, min(passed, SECONDS) + 1):
            self._slots[(self._second + step) % SECONDS] = 0
        self._second = second
