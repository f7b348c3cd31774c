"""How fast an instance may be asked, learned from its refusals: additive growth, halving, as TCP does it.

Nothing is counted for an instance that never refused (`rate` is None), and nobody is ever refused because of the pace:
a channel that is over it is ranked behind the others until `until`, and asked all the same when there is nobody else.

    refused ──► the rate at which it had answered, halved; never below the floor
    "N/second" ──► nine tenths of N at once, and no more than that for an hour
    each second in use without a refusal ──► a sixtieth of what the last halving took away
    four times the rate that was too much, or a quarter of an hour without a refusal ──► forgotten

The floor is above zero, so a throttled provider always comes back; the time to that is bounded by the burst. Shared by
the channels of an instance. Pure: the clock is passed in, seconds.
"""

from __future__ import annotations

from math import inf
from typing import Final

import attrs

FLOOR_PER_S: Final = 0.5
HEADROOM: Final = 0.9
"""Share of a limit the provider named that is used: its clock and ours cut the seconds differently."""

RECOVERY_S: Final = 60.0
HOLD_S: Final = 1.0
"""Refusals within this time of a halving answer calls that were sent before it."""

ENOUGH: Final = 4.0
FORGET_S: Final = 900.0
KNOWN_FOR_S: Final = 3600.0
HIGHEST_PER_S: Final = 1e6


@attrs.frozen
class PaceNews:
    """A pace after it was cut at `cut_at`, for those who share its instance. `too_much`: the rate that was refused."""

    rate: float
    too_much: float
    cut_at: float
    known: float | None
    known_until: float


@attrs.define(eq=False)
class Pacing:
    """`rate`: calls per second, None while there is no limit to keep. `until`: over the pace before this time.

    `known`: the limit the provider itself named. `times`: how often the rate was cut here since the beginning.
    `share`: the part of a named limit that is this process'.
    """

    share: float = 1.0

    rate: float | None = attrs.field(default=None, init=False)
    known: float | None = attrs.field(default=None, init=False)
    until: float = attrs.field(default=-inf, init=False)
    times: int = attrs.field(default=0, init=False)
    _known_until: float = attrs.field(default=-inf, init=False)
    _too_much: float = attrs.field(default=0.0, init=False)
    _tokens: float = attrs.field(default=0.0, init=False)
    _filled_at: float = attrs.field(default=-inf, init=False)
    _grown_at: float = attrs.field(default=-inf, init=False)
    _cut_at: float = attrs.field(default=-inf, init=False)

    def over(self, now: float) -> bool:
        return now < self.until

    def refused(self, now: float, observed: float, told: float | None = None) -> bool:
        """The provider said "too many". True if the rate changed.

        `observed`: calls per second it had been answering. `told`: the limit it named, calls per second.
        """
        if told is not None and 0 < told <= HIGHEST_PER_S and self._learn(now, told):
            return True
        if now - self._cut_at < HOLD_S:
            return False
        base = max(observed, 2 * FLOOR_PER_S) if self.rate is None else self.rate
        self._cut(now, base, base / 2)
        return True

    def _learn(self, now: float, told: float) -> bool:
        self._known_until = now + KNOWN_FOR_S
        if told == self.known:
            return False
        self.known = told
        told *= self.share
        if self.rate is not None and self.rate <= told * HEADROOM:
            return False
        self._cut(now, told, told * HEADROOM)
        return True

    def _cut(self, now: float, base: float, rate: float) -> None:
        floor = FLOOR_PER_S if self.known is None else min(FLOOR_PER_S, self.known * self.share * HEADROOM)
        self.rate = max(floor, rate)
        self._too_much = max(base, self.rate)
        self._tokens = 0.0
        self._filled_at = self._grown_at = self._cut_at = now
        self.times += 1

    def sent(self, now: float) -> bool:
        """Count one call; only while there is a rate. True if the pace is exceeded from now on and was not before."""
        rate = self.rate
        if rate is None:
            return False
        burst = max(1.0, rate)
        filled = min(burst, self._tokens + (now - self._filled_at) * rate)
        self._tokens = max(filled - 1.0, -burst)
        self._filled_at = now
        if self._tokens >= 1.0:
            return False
        was_over = self.over(now)
        # Back at half a burst, not at the first token: each change of rank costs every plan of the node.
        self.until = now + (max(1.0, burst / 2) - self._tokens) / rate
        return not was_over

    def answered(self, now: float) -> None:
        """A call was not refused; only while there is a rate."""
        if self.rate is None:
            return
        # Time without calls proves nothing: at most a second of growth for each answer.
        self.rate += min(now - self._grown_at, 1.0) * self._too_much / (2 * RECOVERY_S)
        self._grown_at = now
        if self.known is not None and now < self._known_until:
            self.rate = min(self.rate, self.known * self.share * HEADROOM)
        elif self.rate > ENOUGH * self._too_much or now - self._cut_at > FORGET_S:
            self.rate, self.known, self.until = None, None, -inf

    def news(self) -> PaceNews | None:
        """Where the pace was cut to, for `adopt` in another process; None while there is none to keep."""
        if self.rate is None:
            return None
        return PaceNews(self.rate, self._too_much, self._cut_at, self.known, self._known_until)

    def adopt(self, told: PaceNews) -> bool:
        """Another process cut its pace: so do we, to the same, unless ours was cut later. True if the rate changed.

        Processes that share the load were refused at their part of it, so each keeps to the same rate as the others.
        """
        if told.cut_at <= self._cut_at:
            return False
        self.rate, self._too_much = told.rate, told.too_much
        self.known, self._known_until = told.known, told.known_until
        self._tokens = 0.0
        self._filled_at = self._grown_at = self._cut_at = told.cut_at
        return True
