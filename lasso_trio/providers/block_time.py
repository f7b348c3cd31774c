"""How long a chain's blocks take, learnt from the heights that providers tell: an exponential mean of the intervals.

Each source is measured against itself, because two sources see the same block at different moments. An interval that no
chain has (a burst after a silence, a night without a look) moves the source's baseline and nothing else. Until there
are enough intervals, the configured time holds, else 12 s. Pure: the clock (seconds) is passed in.
"""

from __future__ import annotations

from typing import Final

import attrs

ALPHA: Final = 0.15
SHORTEST_S: Final = 0.05
LONGEST_S: Final = 60.0
ENOUGH: Final = 5
USUAL_S: Final = 12.0


@attrs.define(eq=False)
class BlockTime:
    """`mean_s` is None before the first interval; `seconds` is what to reckon with."""

    configured_s: float | None = None
    mean_s: float | None = None
    intervals: int = 0
    _baselines: dict[str, tuple[int, float]] = attrs.field(factory=dict)

    @property
    def measured(self) -> bool:
        return self.intervals >= ENOUGH

    @property
    def is_known(self) -> bool:
        """Configured or measured: `seconds` is no guess."""
        return self.measured or self.configured_s is not None

    @property
    def seconds(self) -> float:
        if self.measured and self.mean_s is not None:
            return self.mean_s
        return self.configured_s or USUAL_S

    def observe(self, source: str, height: int, at: float) -> None:
        """`source` was at `height` at the time `at`. A height that is no higher only moves the clock."""
        before, since = self._baselines.get(source, (None, at))
        if before is not None and height > before:
            self._learn((at - since) / (height - before))
        self._baselines[source] = (height if before is None else max(height, before), at)

    def forget(self, source: str) -> None:
        """`source` starts anew: a chain that was reset, a node behind another address."""
        self._baselines.pop(source, None)

    def _learn(self, interval_s: float) -> None:
        if SHORTEST_S <= interval_s <= LONGEST_S:
            mean = self.mean_s
            self.mean_s = interval_s if mean is None else (1 - ALPHA) * mean + ALPHA * interval_s
            self.intervals += 1
