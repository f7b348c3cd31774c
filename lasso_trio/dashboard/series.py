"""What happened when: one line of numbers over time, kept at three steps, each for as long as it is looked at.

    5 s × 60    ─ the last five minutes
    60 s × 60   ─ the last hour                 each point is its interval's own: nothing is smoothed,
    15 min × 96 ─ the last day                  and a longer step is the sum of the shorter ones

Bounded by construction (one point more, which is running); intervals in which nothing happened take no room. Pure:
wall-clock seconds are passed in.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

import attrs
import msgspec

from lasso_trio.dashboard import bins

STEP_S: Final = 5


class Range(StrEnum):
    MINUTES = "5m"
    HOUR = "1h"
    DAY = "24h"


STEPS: Final[Mapping[Range, tuple[int, int]]] = MappingProxyType(
    {Range.MINUTES: (STEP_S, 60), Range.HOUR: (60, 60), Range.DAY: (900, 96)}
)
"""Seconds per point, and how many points."""


class Point(msgspec.Struct, gc=False):
    """One interval. `seconds`: spent on the answers in `bins`. `lag`: blocks, the last that was known."""

    calls: int = 0
    errors: int = 0
    seconds: float = 0.0
    bins: Mapping[int, int] = MappingProxyType({})
    failovers: int = 0
    hedges: int = 0
    lag: int | None = None

    def plus(self, other: Point) -> Point:
        return Point(
            self.calls + other.calls,
            self.errors + other.errors,
            self.seconds + other.seconds,
            bins.added(self.bins, other.bins) if self.bins else other.bins,
            self.failovers + other.failovers,
            self.hedges + other.hedges,
            self.lag if other.lag is None else other.lag,
        )


EMPTY: Final = Point()


@attrs.define(eq=False)
class Series:
    """One line. `add` at most once per `STEP_S` or so; times must not run backwards (those that do join the newest)."""

    _levels: dict[Range, deque[tuple[int, Point]]] = attrs.field(
        factory=lambda: {range_: deque(maxlen=count + 1) for range_, (_, count) in STEPS.items()}
    )
    touched: float = 0.0
    """When something was added last."""

    def add(self, point: Point, wall: float) -> None:
        self.touched = wall
        for range_, level in self._levels.items():
            slot = int(wall) // STEPS[range_][0]
            if level and slot <= level[-1][0]:
                level[-1] = (level[-1][0], level[-1][1].plus(point))
            else:
                level.append((slot, point))

    def points(self, range_: Range, wall: float) -> list[Point]:
        """Oldest first; the interval that is running is not among them."""
        step, count = STEPS[range_]
        end = int(wall) // step
        known = dict(self._levels[range_])
        return [known.get(slot, EMPTY) for slot in range(end - count, end)]

    def recent(self, seconds: int, wall: float) -> Point:
        """All of the last `seconds`, to within one step; at most five minutes."""
        total, since = EMPTY, (int(wall) - seconds) // STEP_S
        for slot, point in self._levels[Range.MINUTES]:
            if slot > since:
                total = total.plus(point)
        return total


def together(lines: list[list[Point]]) -> list[Point]:
    """Several lines of one range as one."""
    total = lines[0] if lines else []
    for line in lines[1:]:
        total = [one.plus(other) for one, other in zip(total, line, strict=True)]
    return total


def columns(points: list[Point], range_: Range, wall: float) -> dict[str, Any]:
    """The line as the browser draws it: a list per column. `t`: Unix seconds of each interval's end."""
    step, _ = STEPS[range_]
    end, last = int(wall) // step * step, len(points) - 1
    return {
        "range": range_.value,
        "step_s": step,
        "t": [end - step * (last - i) for i in range(len(points))],
        "calls": [p.calls for p in points],
        "errors": [p.errors for p in points],
        "calls_per_second": [round(p.calls / step, 3) for p in points],
        "mean_ms": [_mean_ms(p) for p in points],
        **{f"p{q}_ms": [bins.quantile_ms(p.bins, q / 100) for p in points] for q in (50, 95, 99)},
        "failovers": [p.failovers for p in points],
        "hedges": [p.hedges for p in points],
        "lag": [p.lag for p in points],
        "heat": _heat(points),
    }


def _mean_ms(point: Point) -> float | None:
    answers = sum(point.bins.values())
    return round(1000 * point.seconds / answers, 3) if answers else None


def _heat(points: list[Point]) -> dict[str, Any]:
    """Only the bins between the fastest and the slowest answer: the others are empty throughout."""
    used = [number for point in points for number in point.bins]
    if not used:
        return {"edges_ms": [], "rows": []}
    first, end = min(used), max(used) + 1
    return {"edges_ms": bins.EDGES_MS[first : end + 1], "rows": [bins.row(p.bins, first, end) for p in points]}
