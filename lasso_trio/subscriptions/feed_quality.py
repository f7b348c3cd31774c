"""How good a provider's feeds of one kind are: how late behind the first, how often they lose, stall or break off.

A measure in seconds, so that one number ranks them: the mean lag behind whoever told first, plus a second for each
trouble, which is forgiven by half every minute. Pure; the clock (seconds) is passed in.
"""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import Final

import attrs

ALPHA: Final = 0.2
TROUBLE_S: Final = 1.0
HALF_LIFE_S: Final = 60.0
LIVED_S: Final = 1.0
"""A feed that lived for so long may be opened again at once; one that did not, after a pause that doubles."""
BREAK_S: Final = 0.5
LONGEST_BREAK_S: Final = 30.0


class Trouble(StrEnum):
    GAP = "gap"
    """It lost an event that others had."""
    STALL = "stall"
    """It said nothing while others did."""
    LAG = "lag"
    """It was given up for being late."""
    CLAIM = "claim"
    """It told of something that nobody else knew, and that was not so."""
    BROKEN = "broken"
    """It ended by itself, or could not be opened."""
    REFUSED = "refused"
    """It said no to what was asked for, which says nothing of what others ask for."""


@attrs.define(eq=False)
class FeedQuality:
    """`lag_s`: the mean lag behind the first arrival; None before the first one. `troubles` since the start."""

    lag_s: float | None = None
    arrivals: int = 0
    troubles: Counter[Trouble] = attrs.field(factory=Counter)
    until: float = 0.0
    """It is not to be used before this time."""
    _weight: float = 0.0
    _at: float = 0.0
    _streak: int = 0

    def arrived(self, lag_s: float) -> None:
        """It told of something, `lag_s` after the first feed that did."""
        self.arrivals += 1
        self.lag_s = lag_s if self.lag_s is None else (1 - ALPHA) * self.lag_s + ALPHA * lag_s

    def suffered(self, trouble: Trouble, now: float, lived_s: float = 0.0) -> None:
        """A feed had a trouble; `lived_s`: for how long it was open, if it broke."""
        self.troubles[trouble] += 1
        if trouble is Trouble.REFUSED:
            return
        self._weight, self._at = self._left(now) + TROUBLE_S, now
        if trouble is Trouble.BROKEN:
            # A lost session is nothing to wait for: who has one again may be used again.
            self._streak = 0 if lived_s >= LIVED_S else self._streak + 1
            self.until = now + (min(LONGEST_BREAK_S, BREAK_S * 2.0 ** (self._streak - 2)) if self._streak > 1 else 0.0)

    def score(self, now: float) -> float:
        """Seconds; lower is better. Who was never heard is as good as anybody."""
        return (self.lag_s or 0.0) + self._left(now)

    def _left(self, now: float) -> float:
        return float(self._weight * 0.5 ** (max(0.0, now - self._at) / HALF_LIFE_S))
