"""Tells of what the node shares with others: its lanes to the engine, look-ups of kept answers, leases of limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from lasso_trio.routing.directory import Directory
from lasso_trio.shared.shared import Shared
from lasso_trio.telemetry.across import Across
from lasso_trio.telemetry.prometheus import Table, counter, gauge

UP = gauge("lasso_shared_up", "lane", "1 if the lane's last operation on the shared engine succeeded.", Across.LEAST)
OPERATIONS = counter("lasso_shared_operations_total", "lane", "Round trips to the shared engine, failed ones too.")
FAILURES = counter("lasso_shared_failures_total", "lane", "Failures of the shared engine, and times it was too slow.")
SECONDS = counter("lasso_shared_seconds_total", "lane", "Seconds that all round trips to the shared engine took.")
LOOKUPS = counter(
    "lasso_shared_cache_lookups_total", "profile outcome", "Look-ups on the engine: hit, miss, foreign (no entry)."
)
LATE = counter("lasso_shared_cache_late_total", "", "Calls that went on because the engine took too long.")
DROPPED = counter("lasso_shared_cache_writes_dropped_total", "", "Writes to the engine that were given up.")
QUEUED = gauge("lasso_shared_cache_write_bytes", "", "Bytes that wait to be written to the engine.")
REPORTS = counter("lasso_shared_limit_reports_total", "", "Client buckets whose use was reported to the bank.")
LOST = counter("lasso_shared_limit_reports_lost_total", "", "Such reports that the bank did not answer.")
TOGETHER = gauge(
    "lasso_shared_limits_together", "", "1 while client limits are kept together with others.", Across.LEAST
)

FAMILIES: Final = (UP, OPERATIONS, FAILURES, SECONDS, LOOKUPS, LATE, DROPPED, QUEUED, REPORTS, LOST,
                   TOGETHER)  # fmt: skip


def read_shared(shared: Shared, directory: Callable[[], Directory], table: Table, now: float) -> tuple[()]:
    for lane in shared.lanes:
        table.add(UP, int(lane.up is True), lane.name)
        table.add(OPERATIONS, lane.operations, lane.name)
        table.add(FAILURES, lane.failures, lane.name)
        table.add(SECONDS, lane.seconds, lane.name)
    for slug, store in shared.stores(directory()):
        table.add(LOOKUPS, store.tally.hits, slug, "hit")
        table.add(LOOKUPS, store.tally.misses - store.tally.foreign, slug, "miss")
        table.add(LOOKUPS, store.tally.foreign, slug, "foreign")
    if shared.engine is not None:
        table.add(LATE, shared.engine.reading.late)
        table.add(DROPPED, shared.engine.writing.dropped)
        table.add(QUEUED, shared.engine.writing.held)
    table.add(REPORTS, shared.leasing.reports)
    table.add(LOST, shared.leasing.lost)
    table.add(TOGETHER, int(shared.leasing.together is True))
    return ()
