"""How much happened within the last hour, to the minute: what probing costs is shown to those who pay for it. Pure."""

from __future__ import annotations

from typing import Final

import attrs

MINUTES: Final = 60


@attrs.define(eq=False)
class HourCount:
    """`total` since start. The clock (seconds) is passed in and must not run backwards."""

    total: int = 0
    _minutes: list[int] = attrs.field(factory=lambda: [0] * MINUTES)
    _minute: int = 0

    def add(self, now: float) -> None:
        self._turn(now)
        self.total += 1
        self._minutes[self._minute % MINUTES] += 1

    def last_hour(self, now: float) -> int:
        """Of the current minute and the 59 before it."""
        self._turn(now)
        return sum(self._minutes)

    def _turn(self, now: float) -> None:
        minute = int(now // 60)
        for passed in range(max(self._minute + 1, minute - MINUTES + 1), minute + 1):
            self._minutes[passed % MINUTES] = 0
        self._minute = max(self._minute, minute)
