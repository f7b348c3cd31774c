"""The circuit breaker of one channel: stops sending where it keeps failing, and finds out gently when that has passed.

    closed ──(n failures in a row, n by the last one's category)──► open
    closed ──(half of ten or more calls within ten seconds failed; a time-out is half a failure)──► open
    open ──(its deadline passes, or a success arrives from elsewhere)──► half_open
    half_open ──(2 successes)──► closed
    half_open ──(1 failure)──► open, for twice as long, up to 10 minutes

What a failure does here is its verdict's `breaker`: `failure` counts in full, `weighted` (a time-out) is half a failure
for the ratio, `quarantine` (a refused key, and whatever `quarantine` is told) opens for longer and `quarantined`: no
success from elsewhere ends that early. Half-open admits one call at a time. Every admitted call ends in exactly one of
`success`, `failure` or `cancelled`; should one never report, its place is free again after `PROBE_LEASE_S`.
`on_transition` is called after each change of state, from whatever call noticed it; it must not raise or block. Where
several processes use the channel, each `adopt`s what the others' breakers came to: the latest word holds. Pure: clock
(seconds) and dice are passed in.
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
from lasso_trio.providers.outcome_window import SPAN_S, OutcomeWindow
from lasso_trio.providers.verdict import COUNTING, BreakerEffect

PROBE_LEASE_S: Final = 60.0
TRANSITIONS_KEPT: Final = 16
JITTER: Final = 0.05
TIME_OVER: Final = "recovery time over"
"""Why a breaker is half-open that nobody moved: every process sees that by itself."""
TOLD: Final = "told"
"""What is adopted has this in place of a detail, or of a reason where there is none."""
LONGEST_WAIT_S: Final = 86400.0
"""What is told of a quarantine without an end."""


class State(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@attrs.frozen
class Transition:
    """`at`: seconds of the caller's clock. `failures`: in a row by then. `retry_after_s`: how long it stays open.

    `detail`: what was counted, in words.
    """

    at: float
    before: State
    after: State
    reason: str
    failures: int = 0
    retry_after_s: float = 0.0
    detail: str = ""
    quarantined: bool = False


@attrs.frozen
class BreakerNews:
    """What a breaker came to, for those who share its channel: since `at`, open `until` (`inf` unless open)."""

    state: State
    at: float
    until: float
    reason: str
    quarantined: bool
    reopens: int


_CARE: Final = {State.CLOSED: 0, State.HALF_OPEN: 1, State.OPEN: 2}


@attrs.frozen
class BreakerPolicy:
    """`ignored`: categories that are not the channel's illness: a method it does not have, another profile's deadline.

    The ratio is looked at from `ratio_calls` calls on; `weights`, by effect, are for the ratio alone, 1 unless given: a
    time-out may be the deadline's fault.
    """

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
    longest_recovery_s: float = 600.0
    quarantine_s: float = 300.0
    longest_quarantine_s: float = 3600.0
    ratio: float = 0.5
    ratio_calls: int = 10
    weights: Mapping[BreakerEffect, float] = attrs.field(factory=lambda: {"weighted": 0.5, "quarantine": 0.0})
    ignored: frozenset[Category] = frozenset({Category.METHOD_ERROR})


ISOLATED: Final = BreakerPolicy()
SHARED: Final = BreakerPolicy(ignored=ISOLATED.ignored | {Category.TIMEOUT})
"""For an instance that two or more profiles use: one's tight deadlines say nothing to the other. Keys are part of what
makes an instance, so a refused key concerns them all."""


@attrs.define(eq=False)
class Breaker:
    """State of one channel. `policy` may be exchanged at any time.

    `until`: end of the open time (`inf` unless open): whoever caches what is selectable must look again then.
    `reason`: why it was last opened, empty when closed. `quarantined`: opened, for a refused key or by `quarantine`,
    and not closed since. `opened_total`: since the beginning; `adopted_total` of these, on another process' word.
    `window`: what the ratio is made of. `moved_at`: when it was last moved by anything but time.
    """

    policy: BreakerPolicy = ISOLATED
    on_transition: Callable[[Transition], None] | None = None
    until: float = attrs.field(default=inf, init=False)
    reason: str = attrs.field(default="", init=False)
    failures: int = attrs.field(default=0, init=False)
    opened_total: int = attrs.field(default=0, init=False)
    adopted_total: int = attrs.field(default=0, init=False)
    moved_at: float = attrs.field(default=-inf, init=False)
    quarantined: bool = attrs.field(default=False, init=False)
    window: OutcomeWindow = attrs.field(factory=OutcomeWindow, init=False)
    transitions: deque[Transition] = attrs.field(factory=lambda: deque(maxlen=TRANSITIONS_KEPT), init=False)
    _state: State = attrs.field(default=State.CLOSED, init=False)
    _successes: int = attrs.field(default=0, init=False)
    _reopens: int = attrs.field(default=0, init=False)
    _shut_at: float = attrs.field(default=-inf, init=False)
    _half_open_at: float = attrs.field(default=-inf, init=False)
    _probe_until: float = attrs.field(default=-inf, init=False)
    _answered: float = attrs.field(default=-inf, init=False)
    """When the latest call began that was answered."""

    def __repr__(self) -> str:
        return f"<Breaker {self._state} failures={self.failures}>"

    # -- asking -------------------------------------------------------------------------------------------------------

    def state(self, now: float) -> State:
        """Settles first: an open breaker whose time is over is half-open from the moment anyone asks."""
        if self._state is State.OPEN and now >= self.until:
            self._half_open(now, TIME_OVER)
        return self._state

    def retry_after(self, now: float) -> float:
        """Seconds until it may admit again, a day at most; 0 unless open."""
        return min(max(0.0, self.until - now), LONGEST_WAIT_S) if self._state is State.OPEN else 0.0

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
    # is old news: its failure does not reopen, and it does not free the place of the call under way. A success that was
    # admitted before it opened says nothing against what opened it: of a provider that fails every other call, some are
    # always under way. None: it is news.

    def success(self, now: float, started: float | None = None) -> bool:
        """The provider did its work. True if the state changed."""
        if self._state is State.CLOSED:
            self.failures = 0
            if started is not None and started > self._answered:
                self._answered = started
            self.window.success(now)
            return False
        before = self.state(now)
        if started is not None and started < self._shut_at:
            return False
        if self.quarantined and (before is State.OPEN or not self._is_news(started)):
            return False
        if before is State.OPEN:
            self._half_open(now, "success while open")
        self.cancelled(started)
        self._successes += 1
        if self._successes >= self.policy.successes:
            self._close(now)
        return self._state is not before

    def failure(
        self,
        category: Category,
        now: float,
        rng: Random,
        started: float | None = None,
        effect: BreakerEffect | None = None,
    ) -> bool:
        """A failure; True if the state changed. Those that do not count are a `cancelled`.

        `effect`: what the verdict says; None: what is usual for the category.
        """
        effect = effect or VERDICTS[category].breaker
        if effect not in COUNTING or category in self.policy.ignored:
            self.cancelled(started)
            return False
        before = self.state(now)
        if before is State.OPEN or not (before is State.CLOSED or self._is_news(started)):
            return False
        # Stalls end side by side, with nothing between them, though calls that began later were answered long ago.
        self.failures += started is None or started >= self._answered
        why = "failed again" if before is State.HALF_OPEN else self._too_many(category, effect, now)
        if why:
            self._reopens += before is State.HALF_OPEN
            self._open(category, effect, now, rng, why)
        return self._state is not before

    def _too_many(self, category: Category, effect: BreakerEffect, now: float) -> str:
        """Why that was one too many for a closed breaker, in words; empty if it was not."""
        policy = self.policy
        self.window.failure(now, policy.weights.get(effect, 1.0))
        if self.failures >= policy.by_category.get(category, policy.failures):
            return f"{self.failures} in a row"
        calls, failed = self.window.totals(now)
        if calls >= policy.ratio_calls and failed >= policy.ratio * calls and effect != "quarantine":
            return f"{failed:g} of {calls} calls in {SPAN_S:g} s"
        return ""

    def cancelled(self, started: float | None = None) -> None:
        """An admitted call ended without a verdict on the provider: its place is free again."""
        if self._is_news(started):
            self._probe_until = -inf

    def _is_news(self, started: float | None) -> bool:
        # Callers may hand over `now - seconds`, which is off by a rounding error; a millisecond does no harm.
        return started is None or started >= self._half_open_at - 0.001

    # -- ordering -----------------------------------------------------------------------------------------------------

    def quarantine(self, reason: str, now: float, seconds: float = inf) -> None:
        """Open, whatever its state: a wrong chain, an operator's word. Without an end it lasts until `release`."""
        self._shut(reason, now, seconds, "ordered", quarantined=True)

    def release(self, now: float, why: str = "released") -> None:
        """End an open time or a quarantine now: half-open, so that one call finds out."""
        if self.state(now) is State.OPEN:
            self._half_open(now, why)

    def close(self, now: float) -> None:
        """Closed from now on, whatever its state: an operator's word."""
        if self.state(now) is not State.CLOSED:
            self._close(now, "ordered")

    # -- sharing ------------------------------------------------------------------------------------------------------

    def news(self, now: float) -> BreakerNews:
        """Where it stands, for `adopt` in another process."""
        state = self.state(now)
        return BreakerNews(state, self.moved_at, self.until, self.reason, self.quarantined, self._reopens)

    def adopt(self, told: BreakerNews, now: float) -> bool:
        """Another process' breaker of this channel came to `told`. True if the state changed.

        The later word holds; of two of the same moment, the more careful one. So all come to the same, in whatever
        order they hear it.
        """
        before, state = self.state(now), told.state
        if state is State.OPEN and told.until <= now:
            state = State.HALF_OPEN
        if (told.at, _CARE[state]) <= (self.moved_at, _CARE[before]):
            return False
        if state is State.OPEN:
            self._adopt_open(told, now)
        elif state is not before:
            self._adopt_end(state, told, now)
        self._reopens, self.moved_at = told.reopens, told.at
        return self._state is not before

    def _adopt_open(self, told: BreakerNews, now: float) -> None:
        if self._state is State.OPEN:
            self.until, self.reason, self.quarantined = told.until, told.reason, told.quarantined
        else:
            self.adopted_total += 1
            self._shut(told.reason, now, told.until - now, TOLD, quarantined=told.quarantined)

    def _adopt_end(self, state: State, told: BreakerNews, now: float) -> None:
        if state is State.CLOSED:
            self._close(now, TOLD)
            return
        self.reason, self.quarantined = told.reason, told.quarantined
        self._half_open(now, TOLD)

    # -- changing -----------------------------------------------------------------------------------------------------

    def _open(self, category: Category, effect: BreakerEffect, now: float, rng: Random, detail: str) -> None:
        policy, auth = self.policy, effect == "quarantine"
        first = policy.quarantine_s if auth else policy.recovery_s
        longest = policy.longest_quarantine_s if auth else policy.longest_recovery_s
        delay = min(first * 2.0 ** min(self._reopens, 4), longest)
        delay += rng.uniform(0.0, delay * JITTER)
        self._shut(category.value, now, delay, detail, quarantined=auth)

    def _shut(self, reason: str, now: float, delay: float, detail: str, *, quarantined: bool) -> None:
        self.until = now + delay
        self.reason = reason
        self.quarantined = quarantined
        self.opened_total += 1
        self._shut_at = now
        self._move(State.OPEN, now, reason, delay, detail)

    def _half_open(self, now: float, why: str) -> None:
        self.until = inf
        self._half_open_at = now
        self._successes = 0
        self._probe_until = -inf
        self._move(State.HALF_OPEN, now, why)

    def _close(self, now: float, why: str = "recovered") -> None:
        self.failures = self._successes = self._reopens = 0
        self.until = inf
        self.reason = ""
        self.quarantined = False
        self.window.clear()
        self._probe_until = -inf
        self._move(State.CLOSED, now, why)

    def _move(self, after: State, now: float, reason: str, retry_after_s: float = 0.0, detail: str = "") -> None:
        step = Transition(now, self._state, after, reason, self.failures, retry_after_s, detail, self.quarantined)
        self._state = after
        if reason != TIME_OVER:
            self.moved_at = now
        self.transitions.append(step)
        if self.on_transition is not None:
            self.on_transition(step)
