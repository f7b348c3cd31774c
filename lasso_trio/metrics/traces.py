"""Tells of traces on their way to the collector: what arrived, what was lost. Nothing where calls are not traced."""

from __future__ import annotations

from typing import Final, Protocol

from lasso_trio.telemetry.prometheus import Table, counter

TRACES = counter("lasso_traces_total", "outcome", "Traces of calls: exported, failed at the collector, or dropped.")
FAMILIES: Final = (TRACES,)


class Tally(Protocol):
    @property
    def exported(self) -> int: ...

    @property
    def failed(self) -> int: ...

    @property
    def dropped(self) -> int: ...


def read_traces(tally: Tally, table: Table, now: float) -> tuple[()]:
    table.add(TRACES, tally.exported, "exported")
    table.add(TRACES, tally.failed, "failed")
    table.add(TRACES, tally.dropped, "dropped")
    return ()
