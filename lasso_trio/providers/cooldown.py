"""Rate limited until: how long a channel is left alone after its provider said "too many".

Not an illness, so the breaker is not asked. A provider's hint is obeyed; without one the delay doubles from 1 s to 5
minutes each time the limit is met again soon after the last cooldown ended. A volume that is used up comes back by the
day or the month: there it doubles from 5 minutes to an hour. Pure: the clock is passed in, seconds.
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
FIRST_LONG_S: Final = 300.0
LONGEST_LONG_S: Final = 3600.0
QUIET_LONG_S: Final = 3600.0


@attrs.frozen
class CooldownNews:
    """Where a cooldown stands, for those who share its channel."""

    until: float
    long: bool
    streak: int


@attrs.define
class Cooldown:
    """`until`: when the channel may be used again without penalty. `times`: cooldowns begun here since the beginning.

    `long`: the last one was for a volume.
    """

    until: float = -inf
    times: int = 0
    long: bool = attrs.field(default=False, init=False)
    _streak: int = attrs.field(default=0, init=False)

    def active(self, now: float) -> bool:
        return now < self.until

    def remaining(self, now: float) -> float:
        """Seconds, 0 when not active."""
        return max(0.0, self.until - now)

    def begin(self, now: float, hint_s: float | None, rng: Random, *, long: bool = False) -> float:
        """The provider refused for quota; `hint_s` is when it said to come back. Returns `until`.

        `long`: a day's or a month's volume is used up. Never shortens a running cooldown. Refusals that arrive during
        one answer calls sent before it, or sent although it was known: they say nothing new, so only a hint may prolong
        it, or the news that it is the volume.
        """
        running = self.long and self.active(now)
        if hint_s is not None and hint_s > 0:
            self._extend(now, now + min(hint_s, LONGEST_HINT_S))
        elif not self.active(now) or (long and not self.long):
            self._extend(now, now + self._delay(now, rng, long))
        self.long = long or running
        return self.until

    def news(self) -> CooldownNews:
        """For `adopt` in another process."""
        return CooldownNews(self.until, self.long, self._streak)

    def adopt(self, told: CooldownNews) -> bool:
        """Another process' cooldown of this channel stands at `told`: the later end holds. True if that is news."""
        if told.until <= self.until:
            return False
        self.until, self.long, self._streak = told.until, told.long, max(told.streak, self._streak)
        return True

    def _delay(self, now: float, rng: Random, long: bool) -> float:
        first, longest, quiet = FIRST_S, LONGEST_S, QUIET_S
        if long:
            first, longest, quiet = FIRST_LONG_S, LONGEST_LONG_S, QUIET_LONG_S
        if now - self.until > quiet or long is not self.long:
            self._streak = 0
        delay = min(first * 2.0**self._streak, longest)
        self._streak = min(self._streak + 1, 16)
        return min(delay * rng.uniform(0.9, 1.1), longest)

    def _extend(self, now: float, until: float) -> None:
        if not self.active(now):
            self.times += 1
        self.until = max(self.until, until)
