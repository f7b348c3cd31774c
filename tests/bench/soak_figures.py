"""The soak's figures and its verdict. Pure: samples and failed calls in, words out.

Flat means: the trend (Theil–Sen, which a few outliers do not move) over what comes after the warm-up, times that long,
is within what noise does. A call is lost outside a fault when it failed while nothing was wrong, nor had been for
`AFTERMATH_S`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from statistics import median

import attrs

AFTERMATH_S = 5.0
WARM_UP = 0.25
"""The share of the run before things have to be flat."""
MOST_POINTS = 200
"""For the trend, which looks at every pair."""

ALLOWED: dict[str, tuple[float, float]] = {"rss_mib": (0.05, 4.0), "tasks": (0.05, 8.0), "descriptors": (0.05, 12.0)}
"""What each may grow by in a run: a share of its median, and so much beside."""


@attrs.frozen
class Sample:
    """`at`: seconds since the load began."""

    at: float
    rss_mib: float
    tasks: float
    descriptors: float
    calls: int
    lost: int


@attrs.frozen
class Fault:
    """`since` and `until`: seconds since the load began."""

    what: str
    since: float
    until: float


@attrs.frozen
class Lost:
    at: float
    why: str


@attrs.frozen
class Trend:
    """`per_hour`: of the figure. `grown`: over what was looked at. `most`: that it may have."""

    name: str
    middle: float
    per_hour: float
    grown: float
    most: float

    @property
    def flat(self) -> bool:
        return self.grown <= self.most


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Theil–Sen: the median of the slopes of all pairs; 0.0 for fewer than two points."""
    step = max(1, len(points) // MOST_POINTS)
    slopes = [(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points[::step], 2) if x2 > x1]
    return median(slopes) if slopes else 0.0


def warm(samples: Sequence[Sample]) -> list[Sample]:
    """Those after the warm-up."""
    end = samples[-1].at if samples else 0.0
    return [sample for sample in samples if sample.at >= WARM_UP * end]


def trends(samples: Sequence[Sample]) -> list[Trend]:
    looked_at = warm(samples)
    return [_trend(name, looked_at) for name in ALLOWED]


def _trend(name: str, samples: Sequence[Sample]) -> Trend:
    points = [(sample.at, float(getattr(sample, name))) for sample in samples]
    per_s = slope(points)
    lasted = points[-1][0] - points[0][0] if points else 0.0
    middle = median(y for _, y in points) if points else 0.0
    share, beside = ALLOWED[name]
    return Trend(name, middle, per_s * 3600, per_s * lasted, middle * share + beside)


def outside(lost: Sequence[Lost], faults: Sequence[Fault]) -> list[Lost]:
    """The calls that failed while nothing was wrong."""
    return [one for one in lost if not any(f.since <= one.at <= f.until + AFTERMATH_S for f in faults)]


def verdict(samples: Sequence[Sample], lost: Sequence[Lost], faults: Sequence[Fault]) -> list[str]:
    """What is not as it should be; empty when the soak is passed."""
    wrong = [f"{t.name} grew by {t.grown:.1f}, {t.most:.1f} allowed" for t in trends(samples) if not t.flat]
    unexcused = outside(lost, faults)
    if unexcused:
        wrong.append(f"{len(unexcused)} calls lost outside faults, the first: {unexcused[0].why}")
    if len(warm(samples)) < 4:
        wrong.append("too few samples to tell")
    return wrong
