"""`/metrics` of a node of several workers: the exporters of two, their buses, and the parent's office between them."""

from __future__ import annotations

import pytest

from lasso_trio.metrics.exporter import Exporter, NoPage
from lasso_trio.metrics.workers import MISSING, UP
from lasso_trio.telemetry.across import Across
from lasso_trio.telemetry.prometheus import OPENMETRICS, TEXT, Distribution, Table, counter, gauge, histogram
from lasso_trio.workers import metrics_share
from lasso_trio.workers.bus import Bus
from lasso_trio.workers.metrics_share import MetricsShare, page_of, table_of
from lasso_trio.workers.page_office import PageOffice
from lasso_trio.workers.worker import tell_ready
from tests.workers.crew import crew_of

CALLS = counter("calls_total", "chain", "Calls.")
TASKS = gauge("tasks", "", "Tasks.", Across.EACH)
TOOK = histogram("took_seconds", "", "Seconds.")


class Node:
    """Exporters by worker."""

    def __init__(self) -> None:
        self.exporters: dict[int, Exporter] = {}

    def prepare(self, bus: Bus) -> None:
        def read(table: Table, now: float) -> tuple[()]:
            table.add(CALLS, 10 + bus.worker, "eth")
            table.add(TASKS, bus.worker)
            table.add(TOOK, lambda: Distribution((1.0,), (2, 1), 3.0))
            return ()

        self.exporters[bus.worker] = Exporter([read])
        MetricsShare(bus, self.exporters[bus.worker])


async def test_the_page_is_the_nodes_whichever_worker_is_asked() -> None:
    node = Node()
    async with crew_of(2, node.prepare) as crew:
        PageOffice(crew.switch, lambda: {0: 0, 1: 0}).serve()
        for bus in crew.buses.values():
            tell_ready(bus)
        await crew.settle()
        for exporter in node.exporters.values():
            page = (await exporter.page(TEXT)).body.decode()
            assert 'calls_total{chain="eth"} 21.0' in page
            assert 'tasks{worker="0"} 0.0' in page
            assert 'tasks{worker="1"} 1.0' in page
            assert 'took_seconds_bucket{le="1.0"} 4.0' in page
            assert "took_seconds_sum{} 6.0" in page
            assert f'{UP.name}{{worker="1"}} 1.0' in page
            assert f'{MISSING.name}{{worker="0"}} 0.0' in page
            assert page.count("# TYPE process_cpu_seconds_total counter") == 1
            assert 'process_cpu_seconds_total{worker="0"}' in page
        assert (await node.exporters[0].page(OPENMETRICS)).body.endswith(b"\n# EOF\n")


async def test_without_the_parent_there_is_no_page_rather_than_one_workers() -> None:
    node = Node()
    async with crew_of(1, node.prepare):
        with pytest.raises(NoPage, match="nobody answers"):
            await node.exporters[0].page(TEXT)


async def test_a_part_that_is_too_large_for_the_bus_is_refused_and_its_worker_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(metrics_share, "MAX_PAYLOAD", 10)
    node = Node()
    async with crew_of(1, node.prepare) as crew:
        PageOffice(crew.switch, lambda: {0: 0}).serve()
        tell_ready(crew[0])
        await crew.settle()
        assert f'{MISSING.name}{{worker="0"}} 1.0' in (await node.exporters[0].page(TEXT)).body.decode()


def test_a_table_is_the_same_after_the_bus() -> None:
    table = Table()
    table.add(CALLS, 3, "eth")
    table.add(TOOK, lambda: Distribution((1.0,), (2, 1), 3.0))
    again = table_of(page_of(table))
    assert [(family.name, family.kind, family.labels) for family in again.rows] == [
        ("calls_total", "counter", ("chain",)),
        ("took_seconds", "histogram", ()),
    ]
    (value,) = (value for family, rows in again.rows.items() if family.name == "took_seconds" for _, value in rows)
    assert callable(value)
    assert value() == Distribution((1.0,), (2, 1), 3.0)
