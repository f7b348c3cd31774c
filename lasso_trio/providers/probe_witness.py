"""What a breaker is told of probes: they are cheap, so their word is worth less than a client's call.

* Failures count from the second in a row on: one is an accident.
* Who saw the instance fail may say that it is back: such successes end an open time and close the breaker.
* Who did not see it may say so too where the way was the trouble (`WAY`: no connection, no answer), for a probe goes
  the same way: it died and came back between two rounds. But a node may answer probes and fail calls, so two rounds
  must say it, and when calls open the breaker again before `QUIET_S` is over, that open time is waited out.
* Any other open breaker is not hurried, and once it is half-open one success of those that it needs is a probe's; the
  others as well if no call decides for `ALONE_S`. A closed one hears nothing: probes do not cover up what calls meet.

Pure: clock and dice are passed in.
"""

from __future__ import annotations

from math import inf
from random import Random
from typing import Final

import attrs

from lasso_trio.providers.breaker import Breaker, State
from lasso_trio.providers.classify import Category

WAY: Final = frozenset({Category.NETWORK_ERROR, Category.TIMEOUT})
STRANGE: Final = frozenset({Category.UNKNOWN_ERROR, Category.UNCLASSIFIED_SERVER_ERROR})
"""Errors that nobody knows. To a call they may be its client's own doing; there is nothing wrong with a probe."""
APART_S: Final = 1.0
"""Questions of one round are one word."""
ALONE_S: Final = 10.0
QUIET_S: Final = 600.0


@attrs.define(eq=False)
class Witness:
    breaker: Breaker
    _saw_failure: bool = False
    _blamed: bool = False
    _vouched: int = -1
    """Which of the breaker's openings has had a success from here, and when the last was."""
    _vouched_at: float = -inf
    _hurried: int = -1
    """Which of them was ended from here without having seen the failure, and when."""
    _hurried_at: float = -inf

    def saw_failure(self) -> None:
        self._saw_failure = True

    def due(self, now: float) -> float:
        """From when on a success from here counts for a breaker that is not closed; infinity for one that is."""
        state, opening = self.breaker.state(now), self.breaker.opened_total
        if state is State.CLOSED:
            return inf
        if state is State.OPEN:
            return now if self._may_end(now) else self.breaker.until
        if self._saw_failure or self._vouched != opening:
            return now
        return self._vouched_at + (APART_S if self._hurried == opening else ALONE_S)

    def may_vouch(self, now: float) -> bool:
        """Does a success from here count for a half-open breaker?"""
        return self.breaker.state(now) is State.HALF_OPEN and self.due(now) <= now

    def _may_end(self, now: float) -> bool:
        """Does a success from here end an open time?"""
        if self.breaker.quarantined:
            return False
        return self._saw_failure or (self.breaker.reason in WAY and now - self._hurried_at >= QUIET_S)

    def take_trial(self, now: float) -> bool:
        """Takes the one place of a half-open breaker. True: one of the two below must follow, or `cancelled`."""
        return self.may_vouch(now) and self.breaker.admit(now)

    def _is_news(self, started: float) -> bool:
        """Was it asked after the breaker opened?"""
        return self._saw_failure or started >= self.breaker.transitions[-1].at

    def success(self, started: float, now: float, trial: bool) -> None:
        state = self.breaker.state(now)
        ends = state is State.OPEN and self._may_end(now) and self._is_news(started)
        if ends and not self._saw_failure:
            self._hurried, self._hurried_at = self.breaker.opened_total, now
        if trial or ends or (state is State.CLOSED and self._blamed):
            self._vouched, self._vouched_at = self.breaker.opened_total, now
            self.breaker.success(now, started)
        if self.breaker.state(now) is State.CLOSED:
            self._saw_failure = self._blamed = False

    def failure(self, category: Category, started: float, now: float, rng: Random, in_a_row: int, trial: bool) -> None:
        """`in_a_row`: failed rounds, this one included."""
        self._saw_failure = True
        if trial or (in_a_row > 1 and self.breaker.state(now) is State.CLOSED):
            self._blamed = True
            self.breaker.failure(category, now, rng, started, "failure" if category in STRANGE else None)
