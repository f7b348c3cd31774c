"""Rate limited until: how long a channel is left alone after its provider said "too many".

Not an illness, so the breaker is not asked. A provider's hint is obeyed; without one the delay doubles from 1 s to 5
minutes each time the limit is met again soon after the last cooldown ended. Pure: the clock is passed in, seconds.
"""

from __future__ import annotations

from math import inf
from random import Random
from typing import Final

import attrs

FIRST_S: Final = 1.0
LONGEST_S: Final = 300.0
LONGEST_HINT_S: Final = 86400.0
"""Daily quotas come back within this; what is longer is a unit that was misread."""

QUIET_S: Final = 60.0


@attrs.define
class Cooldown:
    """`until`: when the channel may be used again without penalty. `times`: cooldowns begun since the beginning."""

    until: float = -inf
    times: int = 0
    _streak: int = attrs.field(default=0, init=False)

    def active(self, now: float) -> bool:
        return now < self.until

    def remaining(self, now: float) -> float:
        """Seconds, 0 when not active."""
        return max(0.0, self.until - now)

    def begin(self, now: float, hint_s: float | None, rng: Random) -> float:
        """The provider refused for quota; `hint_s` is when it said to come back. Returns `until`.

        Never shortens a running cooldown. Refusals that arrive during one answer calls sent before it, or sent although
        it was known: they say nothing new, so only a hint may prolong it.
        """
        if hint_s is not None and hint_s > 0:
            self._extend(now, now + min(hint_s, LONGEST_HINT_S))
        elif not self.active(now):
            if now - self.until > QUIET_S:
                self._streak = 0
            delay = min(FIRST_S * 2.0**self._streak, LONGEST_S)
            self._streak = min(self._streak + 1, 16)
            self._extend(now, now + min(delay * rng.uniform(0.9, 1.1), LONGEST_S))
        return self.until

    def _extend(self, now: float, until: float) -> None:
        if not self.active(now):
            self.times += 1
        self.until = max(self.until, until)
