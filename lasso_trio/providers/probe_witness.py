"""What a breaker is told of probes: they are cheap, so their word is worth less than a client's call.

* Failures count from the second in a row on: one is an accident.
* Who saw the instance fail may say that it is back: such successes end an open time and close the breaker. Else, one
  success of those that a half-open breaker needs, because a node may answer probes and fail calls; an open breaker is
  not hurried, and a closed one hears nothing, so that probes do not cover up what calls meet.

Pure: clock and dice are passed in.
"""

from __future__ import annotations

from random import Random

import attrs

from lasso_trio.providers.breaker import Breaker, State
from lasso_trio.providers.classify import Category


@attrs.define(eq=False)
class Witness:
    breaker: Breaker
    _saw_failure: bool = False
    _blamed: bool = False
    _vouched: int = -1
    """Which of the breaker's openings has had a success from here."""

    def saw_failure(self) -> None:
        self._saw_failure = True

    def may_vouch(self, now: float) -> bool:
        """Does a success from here count for a half-open breaker?"""
        half_open = self.breaker.state(now) is State.HALF_OPEN
        return half_open and (self._saw_failure or self._vouched != self.breaker.opened_total)

    def take_trial(self, now: float) -> bool:
        """Takes the one place of a half-open breaker. True: one of the two below must follow, or `cancelled`."""
        return self.may_vouch(now) and self.breaker.admit(now)

    def success(self, started: float, now: float, trial: bool) -> None:
        state = self.breaker.state(now)
        if trial or (state is State.OPEN and self._saw_failure) or (state is State.CLOSED and self._blamed):
            self._vouched = self.breaker.opened_total
            self.breaker.success(now, started)
        if self.breaker.state(now) is State.CLOSED:
            self._saw_failure = self._blamed = False

    def failure(self, category: Category, started: float, now: float, rng: Random, in_a_row: int, trial: bool) -> None:
        """`in_a_row`: failed rounds, this one included."""
        self._saw_failure = True
        if trial or (in_a_row > 1 and self.breaker.state(now) is State.CLOSED):
            self._blamed = True
            self.breaker.failure(category, now, rng, started)
