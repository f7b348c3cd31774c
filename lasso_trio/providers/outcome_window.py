"""How a channel's calls have ended in the last ten seconds: what the breaker's failure ratio is made of.

Five panes of two seconds; the oldest is forgotten whole, so the window covers eight to ten seconds. `success` is on the
path of every call: one comparison and one addition. Pure: the clock is passed in, seconds, and must not run backwards.
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import Final

PANE_S: Final = 2.0
PANES: Final = 5
SPAN_S: Final = PANE_S * PANES


class OutcomeWindow:
    """Counts of finished calls, failures with a weight of at most 1 each."""

    __slots__ = ("_calls", "_failed", "_past", "_since", "_turn")

    def __init__(self) -> None:
        self._past: deque[tuple[int, float]] = deque(maxlen=PANES - 1)
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._past.clear()
        self._calls = 0
        self._failed = 0.0
        self._turn = self._since = -inf

    def success(self, now: float) -> None:
        if now >= self._turn:
            self._rotate(now)
        self._calls += 1

    def failure(self, now: float, weight: float) -> None:
        if now >= self._turn:
            self._rotate(now)
        self._calls += 1
        self._failed += weight

    def totals(self, now: float) -> tuple[int, float]:
        """Calls in the window, and the weight of those that failed."""
        if now >= self._turn:
            self._rotate(now)
        return self._calls + sum(pane[0] for pane in self._past), self._failed + sum(pane[1] for pane in self._past)

    def per_second(self, now: float) -> float:
        """Finished calls per second, over the window or what there is of it (a second at least)."""
        calls, _ = self.totals(now)
        return calls / min(max(now - self._since, 1.0), PANE_S * len(self._past) + PANE_S)

    def _rotate(self, now: float) -> None:
        if now - self._turn >= SPAN_S:
            self.clear()
            self._since, self._turn = now, now + PANE_S
        while now >= self._turn:
            self._past.append((self._calls, self._failed))
            self._calls, self._failed = 0, 0.0
            self._turn += PANE_S
