"""What is told of a node's processes."""

from __future__ import annotations

import attrs

from lasso_trio.metrics import chains, door
from lasso_trio.metrics.workers import (
    CALLS,
    CONNECTIONS,
    KEEPING,
    MISSING,
    PARENT_CPU,
    PARENT_MEMORY,
    REPLACED,
    UP,
    add_shares,
    read_workers,
)
from lasso_trio.telemetry.prometheus import Table


@attrs.frozen
class Seat:
    worker: int
    up: bool = True
    keeping: bool = False
    missing: bool = False
    replaced: int = 0


def test_each_worker_has_its_lines_and_the_parent_its_own() -> None:
    table = Table()
    read_workers([Seat(0, keeping=True), Seat(1, up=False, missing=True, replaced=3)], 1.5, 4096, table)
    assert [table.value(family, "0") for family in (UP, KEEPING, MISSING, REPLACED)] == [1, 1, 0, 0]
    assert [table.value(family, "1") for family in (UP, KEEPING, MISSING, REPLACED)] == [0, 0, 1, 3]
    assert (table.value(PARENT_CPU), table.value(PARENT_MEMORY)) == (1.5, 4096)


def test_a_workers_part_is_the_sum_of_what_it_read() -> None:
    table = Table()
    table.add(chains.CALLS, 5, "public", "eth")
    table.add(chains.CALLS, 7, "public", "base")
    table.add(door.CONNECTIONS, 3)
    add_shares(table)
    assert (table.value(CALLS), table.value(CONNECTIONS)) == (12, 3)
