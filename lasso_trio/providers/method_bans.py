"""Methods that a channel said it does not have: it is asked for them last, for a while.

No illness, so the breaker is not told. A provider behind a balancer may have a method on one node and not on the next,
and plans are upgraded: a ban decays, ten minutes the first time and an hour after that, and an answer lifts it. Pure:
the clock is passed in, seconds.
"""

from __future__ import annotations

from typing import Final

import attrs

FIRST_S: Final = 600.0
NEXT_S: Final = 3600.0
KEPT: Final = 256
"""Names come from clients: past this many, the oldest ban is forgotten."""


@attrs.define(eq=False)
class MethodBans:
    """`until`: when each method's ban ends, by name; ended ones are kept to know the second time from the first."""

    until: dict[str, float] = attrs.field(factory=dict, init=False)

    def banned(self, method: str, now: float) -> bool:
        return now < self.until.get(method, now)

    def ban(self, method: str, now: float) -> bool:
        """The channel does not have `method`. True if that is news."""
        if self.banned(method, now):
            return False
        self._put(method, now + (NEXT_S if method in self.until else FIRST_S))
        return True

    def lift(self, method: str) -> bool:
        """The channel answered `method`. True if it was known not to."""
        return self.until.pop(method, None) is not None

    def adopt(self, method: str, until: float | None) -> bool:
        """Another process was told that the channel lacks `method`, or (None) had it answered. True if that is news."""
        if until is None:
            return self.lift(method)
        if until <= self.until.get(method, 0.0):
            return False
        self._put(method, until)
        return True

    def _put(self, method: str, until: float) -> None:
        self.until.pop(method, None)
        if len(self.until) >= KEPT:
            del self.until[next(iter(self.until))]
        self.until[method] = until

    def current(self, now: float) -> dict[str, float]:
        """Seconds left by method."""
        return {method: until - now for method, until in self.until.items() if until > now}
