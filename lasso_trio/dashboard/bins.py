"""Latencies of one interval in few, wide bins, so that a day of them fits in memory.

A bin is five buckets of `providers.latency.LogHistogram`, so each is some 22 % wider than the one before and a
quantile, interpolated within its bin, is off by a few per cent at most. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, log
from typing import Final

from lasso_trio.providers.latency import HIGHEST_S, LOWEST_S, RELATIVE_ERROR

BUCKETS_PER_BIN: Final = 5

_GROWTH: Final = ((1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)) ** BUCKETS_PER_BIN
COUNT: Final = ceil(log(HIGHEST_S / LOWEST_S) / log(_GROWTH)) + 1
EDGES_MS: Final = tuple(round(1000 * LOWEST_S * _GROWTH**i, 4) for i in range(COUNT + 1))
"""Bin i holds what took from edge i to edge i + 1, in milliseconds."""

Bins = Mapping[int, int]
"""How many durations fell into which bin; bins without any are left out."""


def of_buckets(buckets: Mapping[int, int]) -> dict[int, int]:
    """The bins of a histogram's buckets."""
    bins: dict[int, int] = {}
    for bucket, count in buckets.items():
        number = bucket // BUCKETS_PER_BIN
        bins[number] = bins.get(number, 0) + count
    return bins


def added(one: Bins, other: Bins) -> dict[int, int]:
    total = dict(one)
    for number, count in other.items():
        total[number] = total.get(number, 0) + count
    return total


def grown(before: Bins, after: Bins) -> dict[int, int] | None:
    """What came in between two readings; None if something also went, so that nobody can tell."""
    difference = {number: count - before.get(number, 0) for number, count in after.items()}
    if min(difference.values(), default=0) < 0 or any(number not in after for number in before):
        return None
    return {number: count for number, count in difference.items() if count}


def quantile_ms(bins: Bins, q: float) -> float | None:
    """Interpolated within its bin; None when there is nothing."""
    total = sum(bins.values())
    left = q * total
    for number in sorted(bins):
        count = bins[number]
        if count >= left:
            low, high = EDGES_MS[number], EDGES_MS[number + 1]
            return round(low + (high - low) * left / count, 3)
        left -= count
    return None


def row(bins: Bins, first: int, end: int) -> list[int]:
    """The counts of the bins from `first` to before `end`."""
    return [bins.get(number, 0) for number in range(first, end)]
