"""The largest size that an endpoint takes, found with few questions: rungs upwards until one is refused, then halves.

A number that a refusal names is tried before any halving: it and its neighbour usually end the search. Pure: `next`
says what to ask, `heard` gives the search that has heard the answer. Sizes are taken to be monotone: what takes n takes
everything below n.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import attrs

MOST_QUESTIONS: Final = 28
PRECISION: Final = 0.02
"""Halving ends when what is not known is smaller than this share of what is accepted."""


def rungs(steps: Iterable[int], ceiling: int) -> tuple[int, ...]:
    """The steps below the ceiling, and the ceiling."""
    return (*sorted({step for step in steps if step < ceiling}), ceiling)


@attrs.frozen
class Search:
    """`accepted`: the largest size that was taken (`floor` before any was); `refused`: the smallest that was not."""

    rungs: tuple[int, ...]
    floor: int = 0
    accepted: int = attrs.field(default=attrs.Factory(lambda self: self.floor, takes_self=True))
    refused: int | None = None
    hint: int | None = None
    asked: int = 0

    @property
    def next(self) -> int | None:
        """The size to ask for; None when enough is known."""
        if self.asked >= MOST_QUESTIONS:
            return None
        sizes = (plan() for plan in (self._hinted, self._rung, self._half))
        return next((size for size in sizes if size is not None), None)  # 0 is a size

    def heard(self, size: int, *, taken: bool, hint: int | None = None) -> Search:
        """The search after `size` was answered. `hint`: the limit that the refusal named."""
        if taken:
            return attrs.evolve(self, accepted=max(self.accepted, size), asked=self.asked + 1)
        refused = size if self.refused is None else min(self.refused, size)
        return attrs.evolve(self, refused=refused, asked=self.asked + 1, hint=hint or self.hint)

    @property
    def exact(self) -> bool:
        return self.refused is not None and self.refused - self.accepted <= 1

    @property
    def took_all(self) -> bool:
        """The highest rung was taken: if there is a limit, it is above."""
        return self.refused is None and self.accepted >= self.rungs[-1]

    def _hinted(self) -> int | None:
        if self.hint is None or self.refused is None:
            return None
        return next((size for size in (self.hint, self.hint + 1) if self.accepted < size < self.refused), None)

    def _rung(self) -> int | None:
        above = (rung for rung in self.rungs if rung > self.accepted)
        rung = next(above, None)
        return rung if rung is not None and (self.refused is None or rung < self.refused) else None

    def _half(self) -> int | None:
        if self.refused is None or self.refused - self.accepted <= max(1, int(self.accepted * PRECISION)):
            return None
        return (self.accepted + self.refused) // 2
