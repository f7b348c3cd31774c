"""How many calls may be sent again: a share of all calls of this process, so that an outage is not multiplied.

When every provider of a chain fails, each call would be sent three times, to upstreams that are in trouble already. So
a second dispatch takes a token, and the calls themselves put the tokens in: 0.2 each. Little traffic is never in the
way of its own failover: ten tokens a second are added whatever happens. What must not be lost has a `Ration`: one
dispatch more when there is no token. Pure: the clock is passed in.

After Finagle's retry budgets (twitter.github.io/finagle, "RetryBudget").
"""

from __future__ import annotations

from typing import Final

import attrs

SHARE: Final = 0.2
LEAST_PER_S: Final = 10.0
MOST_TOKENS: Final = 200.0


@attrs.define(eq=False)
class RetryBudget:
    """`calls` is counted up by whoever serves them. `refused`: dispatches that there was no token for."""

    calls: int = 0
    spent: int = 0
    refused: int = 0
    tokens: float = MOST_TOKENS
    _filled_calls: int = 0
    _filled_at: float | None = None

    def affords(self, now: float) -> bool:
        """Whether a call may be dispatched once more. If it is, `spend` is to follow: not everybody lets it through."""
        if self.has_token(now):
            return True
        self.refused += 1
        return False

    def has_token(self, now: float) -> bool:
        self._fill(now)
        return self.tokens >= 1.0

    def pay(self, now: float) -> bool:
        """Spend a token for what will be dispatched whatever happens; False if there is none."""
        affords = self.affords(now)
        if affords:
            self.spend()
        return affords

    def spend(self) -> None:
        self.tokens -= 1.0
        self.spent += 1

    def _fill(self, now: float) -> None:
        """Filled when it is asked: calls that need no second dispatch pay one addition."""
        passed = 0.0 if self._filled_at is None else max(0.0, now - self._filled_at)
        earned = SHARE * (self.calls - self._filled_calls) + LEAST_PER_S * passed
        self.tokens = min(MOST_TOKENS, self.tokens + earned)
        self._filled_calls, self._filled_at = self.calls, now


@attrs.define(eq=False)
class Ration:
    """What one call may take from `budget` (None: as much as it likes), and `free`, for when that is empty."""

    budget: RetryBudget | None
    free: int = 1

    def affords(self, now: float) -> bool:
        """As `RetryBudget.affords`; `spend` is to follow at once, before anybody else can."""
        budget = self.budget
        return budget is None or budget.has_token(now) or self.free > 0 or budget.affords(now)

    def spend(self) -> None:
        if self.budget is None:
            return
        if self.budget.tokens >= 1.0:
            self.budget.spend()
        else:
            self.free -= 1
