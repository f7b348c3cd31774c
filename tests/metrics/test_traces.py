from __future__ import annotations

from lasso_trio.metrics.traces import TRACES, read_traces
from lasso_trio.telemetry.prometheus import Table
from lasso_trio.tracing.collector import Tally


def test_traces_are_told_by_what_became_of_them() -> None:
    table = Table()
    read_traces(Tally(kept=9, taken=8, exported=5, failed=3, dropped=2), table, 0.0)
    assert [table.value(TRACES, outcome) for outcome in ("exported", "failed", "dropped")] == [5, 3, 2]
