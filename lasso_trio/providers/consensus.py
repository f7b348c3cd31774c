"""What height a chain has, when its providers do not tell the same: pure functions on votes.

The rank is the original's: a quarter of the way down from the highest. What was added is that a height must be agreed
upon: with three votes or more, a strict majority must stand near it, so that no single liar moves the others. A caller
whose tolerance is the lag it forgives gets the invariant that the lag filter never removes a majority.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

_RANK: Final = 4
"""One in so many may be above the consensus."""


@attrs.frozen
class Vote:
    """`height` as it was told, `aligned` what it will be by now: the last is what agreement is measured with."""

    height: int
    aligned: int


def ranked(votes: Sequence[Vote]) -> list[int]:
    """The heights that may be the consensus, best first. Empty when nobody voted."""
    heights = sorted((vote.height for vote in votes), reverse=True)
    return heights[len(heights) // _RANK :]


def agreed(votes: Sequence[Vote], tolerance: int) -> int | None:
    """The height agreed upon; None when there is no agreement. A lone vote agrees with itself, two must be close."""
    need = len(votes) // 2 + 1
    for height in ranked(votes):
        if sum(abs(vote.aligned - height) <= tolerance for vote in votes) >= need:
            return height
    return None
