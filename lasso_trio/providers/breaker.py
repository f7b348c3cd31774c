"""The circuit breaker of one channel: stops sending where it keeps failing, and finds out gently when that has passed.

    closed ──(n failures in a row, n by the last one's category)──► open
    open ──(its deadline passes, or a success arrives from elsewhere)──► half_open
    half_open ──(2 successes)──► closed
    half_open ──(1 failure)──► open, for twice as long, up to 10 minutes

Half-open admits one call at a time. Every admitted call ends in exactly one of `success`, `failure` or `cancelled`;
should one never report, its place is free again after `PROBE_LEASE_S`. `on_transition` is called after each change of
state, from whatever call noticed it; it must not raise or block. Pure: clock (seconds) and dice are passed in.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from enum import StrEnum
from math import inf
from random import Random
from typing import Final

import attrs

from lasso_trio.providers.catalogue import VERDICTS, Category

PROBE_LEASE_S: Final = 60.0
TRANSITIONS_KEPT: Final = 16
JITTER: Final = 0.05


class State(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@attrs.frozen
class Transition:
    """`at`: seconds of the caller's clock. `failures`: in a row by then. `retry_after_s`: how long it stays open."""

    at: float
    before: State
    after: State
    reason: str
    failures: int = 0
    retry_after_s: float = 0.0


@attrs.frozen
class BreakerPolicy:
    """`ignored`: categories that say more about the caller's profile (deadline, key) than about a shared instance."""

    failures: int = 5
    by_category: Mapping[Category, int] = attrs.field(
        factory=lambda: {
            Category.SERVER_ERROR: 5,
            Category.NETWORK_ERROR: 3,
            Category.TIMEOUT: 2,
            Category.AUTH_ERROR: 3,
        }
    )
    successes: int = 2
    recovery_s: float = 60.0
    recovery_by_category: Mapping[Category, float] = attrs.field(factory=lambda: {Category.AUTH_ERROR: 10.0})
    longest_recovery_s: float = 600.0
    ignored: frozenset[Category] = frozenset()


ISOLATED: Final = BreakerPolicy()
SHARED: Final = BreakerPolicy(ignored=frozenset({Category.TIMEOUT, Category.AUTH_ERROR}))
"""For an instance that two or more profiles use."""


@attrs.define(eq=False)
class Breaker:
    """State of one channel. `policy` may be exchanged at any time.

    `until`: end of the open time (`inf` unless open): whoever caches what is selectable must look again then.
    `reason`: why it was last opened, empty when closed. `opened_total`: since the beginning.
    """

    policy: BreakerPolicy = ISOLATED
    on_transition: Callable[[Transition], None] | None = None
    until: float = attrs.field(default=inf, init=False)
    reason: str = attrs.field(default="", init=False)
    failures: int = attrs.field(default=0, init=False)
    opened_total: int = attrs.field(default=0, init=False)
    transitions: deque[Transition] = attrs.field(factory=lambda: deque(maxlen=TRANSITIONS_KEPT), init=False)
    _state: State = attrs.field(default=State.CLOSED, init=False)
    _successes: int = attrs.field(default=0, init=False)
    _reopens: int = attrs.field(default=0, init=False)
    _half_open_at: float = attrs.field(default=-inf, init=False)
    _probe_until: float = attrs.field(default=-inf, init=False)

    def __repr__(self) -> str:
        return f"<Breaker {self._state} failures={self.failures}>"

    # -- asking -------------------------------------------------------------------------------------------------------

    def state(self, now: float) -> State:
        """Settles first: an open breaker whose time is over is half-open from the moment anyone asks."""
        if self._state is State.OPEN and now >= self.until:
            self._half_open(now, "recovery time over")
        return self._state

    def retry_after(self, now: float) -> float:
        """Seconds until it may admit again; 0 unless open."""
        return max(0.0, self.until - now) if self._state is State.OPEN else 0.0

    def admit(self, now: float) -> bool:
        """May a call be sent now? True obliges the caller to report its end."""
        if self._state is State.CLOSED:
            return True
        if self.state(now) is State.OPEN or now < self._probe_until:
            return False
        self._probe_until = now + PROBE_LEASE_S
        return True

    # -- reporting ----------------------------------------------------------------------------------------------------
    # `started`: when the call was admitted. A verdict on a call that was admitted before the breaker became half-open
    # is old news: its failure does not reopen, and it does not free the place of the call under way. None: it is news.

    def success(self, now: float, started: float | None = None) -> bool:
        """The provider did its work. True if the state changed."""
        if self._state is State.CLOSED:
            if self.failures:
                self.failures = 0
            return False
        before = self._state
        if before is State.OPEN:
            self._half_open(now, "success while open")
        self.cancelled(started)
        self._successes += 1
        if self._successes >= self.policy.successes:
            self._close(now)
        return self._state is not before

    def failure(self, category: Category, now: float, rng: Random, started: float | None = None) -> bool:
        """A failure; True if the state changed. Categories that do not count are a `cancelled`."""
        if not VERDICTS[category].counts or category in self.policy.ignored:
            self.cancelled(started)
            return False
        before = self.state(now)
        if before is State.OPEN or not (before is State.CLOSED or self._is_news(started)):
            return False
        self.failures += 1
        self._reopens += before is State.HALF_OPEN
        if before is State.HALF_OPEN or self.failures >= self._threshold(category):
            self._open(category, now, rng)
        return self._state is not before

    def _threshold(self, category: Category) -> int:
        return self.policy.by_category.get(category, self.policy.failures)

    def cancelled(self, started: float | None = None) -> None:
        """An admitted call ended without a verdict on the provider: its place is free again."""
        if self._is_news(started):
            self._probe_until = -inf

    def _is_news(self, started: float | None) -> bool:
        # Callers may hand over `now - seconds`, which is off by a rounding error; a millisecond does no harm.
        return started is None or started >= self._half_open_at - 0.001

    # -- changing -----------------------------------------------------------------------------------------------------

    def _open(self, category: Category, now: float, rng: Random) -> None:
        policy = self.policy
        delay = policy.recovery_by_category.get(category, policy.recovery_s) * 2.0 ** min(self._reopens, 4)
        delay = min(delay, policy.longest_recovery_s)
        delay += rng.uniform(0.0, delay * JITTER)
        self.until = now + delay
        self.reason = str(category)
        self.opened_total += 1
        self._move(State.OPEN, now, self.reason, delay)

    def _half_open(self, now: float, why: str) -> None:
        self.until = inf
        self._half_open_at = now
        self._successes = 0
        self._probe_until = -inf
        self._move(State.HALF_OPEN, now, why)

    def _close(self, now: float) -> None:
        self.failures = self._successes = self._reopens = 0
        self.reason = ""
        self._probe_until = -inf
        self._move(State.CLOSED, now, "recovered")

    def _move(self, after: State, now: float, reason: str, retry_after_s: float = 0.0) -> None:
        step = Transition(now, self._state, after, reason, self.failures, retry_after_s)
        self._state = after
        self.transitions.append(step)
        if self.on_transition is not None:
            self.on_transition(step)
