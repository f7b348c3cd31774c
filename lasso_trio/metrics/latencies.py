"""Tells how fast the upstreams answered, by method, since the start: counts that only grow, out of windows that turn.

Method names come from clients, so they are budgeted: the first `MOST_METHODS` of a channel have a line of their own,
all others share `other`. Which are the first never changes, so no line ever goes back.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import partial
from itertools import islice
from math import fsum
from typing import Final

from lasso_trio.providers.channel import Channel
from lasso_trio.providers.latency import MIDDLES, LogHistogram
from lasso_trio.telemetry.prometheus import Distribution, Table, counter, histogram

MOST_METHODS: Final = 64
OTHER: Final = "other"
BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds. The evidence knows each time within 2 %, so who lies that near to a bound may count on its other side."""
_PLACE: Final = tuple(bisect_left(BOUNDS, middle) for middle in MIDDLES)

_ROW: Final = "upstream transport method"
LATENCY = histogram("lasso_upstream_latency_seconds", _ROW, "Seconds until an attempt was answered.")
FAILURES = counter("lasso_upstream_failures_total", _ROW, "Attempts that failed by the upstream's fault.")

FAMILIES: Final = (LATENCY, FAILURES)


def read_channel(channel: Channel, table: Table) -> None:
    """Copies the buckets as they are; they are added up when the page is written."""
    who, rows = (channel.instance_id, channel.transport.value), channel.evidence
    named = [(method, row) for method, row in islice(rows.items(), MOST_METHODS) if method != OTHER]
    for method, row in named:
        table.add(LATENCY, partial(distribution, row.since_start()), *who, method)
        table.add(FAILURES, row.failures_total, *who, method)
    if len(named) < len(rows):
        apart = {method for method, _ in named}
        rest = [row for method, row in rows.items() if method not in apart]
        table.add(LATENCY, partial(distribution, [part for row in rest for part in row.since_start()]), *who, OTHER)
        table.add(FAILURES, sum(row.failures_total for row in rest), *who, OTHER)


def distribution(parts: Sequence[LogHistogram]) -> Distribution:
    """All parts as one. The sum is rounded to microseconds: it must not fall, by a rounding error, as windows turn."""
    counts = [0] * (len(BOUNDS) + 1)
    for part in parts:
        for bucket, times in part.buckets.items():
            counts[_PLACE[bucket]] += times
    return Distribution(BOUNDS, counts, round(fsum(part.total for part in parts), 6))
