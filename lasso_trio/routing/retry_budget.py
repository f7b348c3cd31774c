"""How many calls may be sent again: a share of all calls of the node, so that an outage is not multiplied.

When every provider of a chain fails, each call would be sent three times, to upstreams that are in trouble already. So
a second dispatch takes a token, and the calls themselves put the tokens in: 0.2 each. Little traffic is never in the
way of its own failover: ten tokens a second are added whatever happens. Pure: the clock is passed in.

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
        self._fill(now)
        if self.tokens < 1.0:
            self.refused += 1
            return False
        return True

    def spend(self) -> None:
        self.tokens -= 1.0
        self.spent += 1

    def _fill(self, now: float) -> None:
        """Filled when it is asked: calls that need no second dispatch pay one addition."""
        passed = 0.0 if self._filled_at is None else max(0.0, now - self._filled_at)
        earned = SHARE * (self.calls - self._filled_calls) + LEAST_PER_S * passed
        self.tokens = min(MOST_TOKENS, self.tokens + earned)
        self._filled_calls, self._filled_at = self.calls, now
