"""What came of the calls: how long the answered ones took, and what was wrong with the others. Pure.

A call that failed has no latency here: an error at once would make a broken target look fast. Both are shown.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import attrs

from lasso_trio.loadtest.outcome import OK
from lasso_trio.providers.latency import MIDDLES, LogHistogram

QUANTILES: Final = (0.5, 0.9, 0.95, 0.99, 0.999)
BARS: Final = 20


@attrs.define(eq=False)
class Tally:
    """`seconds`: how long the run took. `late`: most seconds that a due call waited for a free client."""

    outcomes: Counter[str] = attrs.field(factory=Counter)
    latency: LogHistogram = attrs.field(factory=LogHistogram)
    slowest_s: float = 0.0
    late_s: float = 0.0
    seconds: float = 0.0
    cpu_s: float = 0.0

    def add(self, outcome: str, seconds: float) -> None:
        self.outcomes[outcome] += 1
        if outcome == OK:
            self.latency.add(seconds)
            self.slowest_s = max(self.slowest_s, seconds)

    @property
    def calls(self) -> int:
        return self.outcomes.total()

    @property
    def failed(self) -> int:
        return self.calls - self.outcomes[OK]

    @property
    def failed_share(self) -> float:
        """0 to 1; 1.0 when no call was made."""
        return self.failed / self.calls if self.calls else 1.0

    @property
    def per_second(self) -> float:
        return self.calls / self.seconds if self.seconds else 0.0

    @property
    def busy(self) -> float:
        """Share of a core that measuring took: near 1 the figures are the tool's as much as the target's."""
        return self.cpu_s / self.seconds if self.seconds else 0.0

    def bars(self, most: int = BARS) -> list[tuple[float, float, int]]:
        """Calls by latency, in at most `most` bars of equal width on a logarithmic scale: from, to (seconds), calls."""
        buckets = self.latency.buckets
        if not buckets:
            return []
        first, last = min(buckets), max(buckets)
        width = -(-(last - first + 1) // most)
        bars = []
        for start in range(first, last + 1, width):
            count = sum(buckets.get(bucket, 0) for bucket in range(start, start + width))
            bars.append((MIDDLES[start], MIDDLES[min(start + width, len(MIDDLES) - 1)], count))
        return bars

    def to_json(self) -> dict[str, Any]:
        """Milliseconds; `latency_ms` is null where nothing was answered."""
        quantiles = {f"p{q * 100:g}": _ms(self.latency.quantile(q)) for q in QUANTILES}
        whole = {"mean": _ms(self.latency.mean), **quantiles, "max": _ms(self.slowest_s)}
        return {
            "calls": self.calls,
            "failed": self.failed,
            "failed_share": round(self.failed_share, 6),
            "outcomes": dict(self.outcomes.most_common()),
            "seconds": round(self.seconds, 3),
            "calls_per_second": round(self.per_second, 1),
            "latency_ms": whole if self.latency.count else None,
            "histogram": [{"from_ms": _ms(a), "to_ms": _ms(b), "calls": n} for a, b, n in self.bars()],
            "most_late_ms": _ms(self.late_s),
            "own_cpu_share": round(self.busy, 3),
        }


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
