"""What a profile allows to be spent at a provider: so much per second, so much per day, in weights of methods.

Unlike a learned pace this is the operator's word, so it is kept to exactly: a call that does not fit is not sent there
but to the next candidate. `rps` holds for any one second and `daily` for any 24 hours, whatever clock the provider cuts
its days with. Counts begin anew with the process. Pure: the clock is passed in, seconds.
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import Final

import attrs

from lasso_trio.config.profile import Allowance
from lasso_trio.providers.method_weights import weight_of

HOUR_S: Final = 3600.0
DAY_HOURS: Final = 24
SHORTEST_PAUSE_S: Final = 0.1
"""An exhausted channel is ranked last for at least this long: each change of rank costs every plan of the node."""


def tightest(first: Allowance, second: Allowance) -> Allowance:
    """What holds for an instance that two providers name. Weights are the higher ones."""
    shared = {m: max(first.weights.get(m, 0), second.weights.get(m, 0)) for m in {*first.weights, *second.weights}}
    return Allowance(_least(first.rps, second.rps), _least(first.daily, second.daily), shared)


def _least(first: int | None, second: int | None) -> int | None:
    return min((n for n in (first, second) if n is not None), default=None)


@attrs.define(eq=False)
class Budget:
    """What was spent of `terms`. `until`: exhausted before this time. `share`: the part of it that is this process'.

    Both are exchanged by `keep_to`, at any time.
    """

    terms: Allowance
    share: float = 1.0
    until: float = attrs.field(default=-inf, init=False)
    _second: deque[tuple[float, int]] = attrs.field(factory=deque, init=False)
    """When each call stops counting, and its weight."""
    _in_second: int = attrs.field(default=0, init=False)
    _hours: deque[tuple[float, int]] = attrs.field(factory=deque, init=False)
    """Spent per hour that began at."""
    _in_day: int = attrs.field(default=0, init=False)

    def over(self, now: float) -> bool:
        return now < self.until

    def keep_to(self, *, terms: Allowance | None = None, share: float | None = None) -> None:
        """From now on. What was spent counts, and whether that is all is reckoned anew; None: as before."""
        self.terms = self.terms if terms is None else terms
        self.share = self.share if share is None else share
        self.until = self._back_at() if self._day_is_spent else -inf

    @property
    def _day_is_spent(self) -> bool:
        return self._daily is not None and bool(self._hours) and self._in_day >= self._daily

    def _back_at(self) -> float:
        return self._hours[0][0] + _KEPT_S

    @property
    def _rps(self) -> float | None:
        return None if self.terms.rps is None else self.terms.rps * self.share

    @property
    def _daily(self) -> float | None:
        return None if self.terms.daily is None else self.terms.daily * self.share

    def affords(self, method: str, now: float) -> bool:
        """Does one more call fit? A call that alone is worth more than `rps` fits when nothing else counts."""
        if not self._affords_today(method, now):
            return False
        rps = self._rps
        return rps is None or not self._in_second or self._in_second + weight_of(method, self.terms.weights) <= rps

    def affords_probe(self, method: str, now: float) -> bool:
        """Does a probe fit? They are few and must not starve where calls take every second's. Of the day they are held
        against all of it, whatever this process' share is: it probes for the others too.
        """
        return self._fits_today(method, now, self.terms.daily)

    def _affords_today(self, method: str, now: float) -> bool:
        return self._fits_today(method, now, self._daily)

    def _fits_today(self, method: str, now: float, daily: float | None) -> bool:
        self._forget(now)
        return daily is None or self._in_day + weight_of(method, self.terms.weights) <= daily

    def wait_s(self, method: str, now: float) -> float | None:
        """Until something is given back, when one more call does not fit; None when it does."""
        if not self._affords_today(method, now):
            return max(0.0, self._back_at() - now) if self._hours else inf
        return None if self.affords(method, now) else max(0.0, self._second[0][0] - now)

    def spend(self, method: str, now: float) -> bool:
        """Count a call that was let through. True if nothing fits any more from now on."""
        weight, rps = weight_of(method, self.terms.weights), self._rps
        if rps is not None and weight:
            # What is worth more than a second's budget counts for as many seconds as it is worth.
            self._second.append((now + max(1.0, weight / rps), weight))
            self._in_second += weight
        if self.terms.daily is not None:
            self._spend_today(weight, now)
        return self._exhausted(now)

    def spent(self, now: float) -> tuple[int, int]:
        """Weight in the last second, and in the last day."""
        self._forget(now)
        return self._in_second, self._in_day

    def _spend_today(self, weight: int, now: float) -> None:
        if not self._hours or now >= self._hours[-1][0] + HOUR_S:
            self._hours.append((now, 0))
        began, spent = self._hours.pop()
        self._hours.append((began, spent + weight))
        self._in_day += weight

    def _exhausted(self, now: float) -> bool:
        rps = self._rps
        if self._day_is_spent:
            self.until = self._back_at()
        elif rps is not None and self._in_second >= rps:
            self.until = max(self._second[0][0], now + SHORTEST_PAUSE_S)
        return self.over(now)

    def _forget(self, now: float) -> None:
        while self._second and self._second[0][0] <= now:
            self._in_second -= self._second.popleft()[1]
        while self._hours and self._hours[0][0] + _KEPT_S <= now:
            self._in_day -= self._hours.popleft()[1]


_KEPT_S: Final = (DAY_HOURS + 1) * HOUR_S
"""An hour's calls are forgotten together, when the last of them is a day old."""
