"""Tells of a node's processes: which there are, who keeps, who was replaced, and what their parent uses.

Nothing where the node is one process. Most of it comes from the parent, with the sums of everything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from lasso_trio.metrics import chains, door
from lasso_trio.telemetry.across import Across
from lasso_trio.telemetry.prometheus import Table, counter, gauge

UP = gauge("lasso_worker_up", "worker", "1 while the worker takes calls.", Across.EACH)
KEEPING = gauge("lasso_worker_keeping", "worker", "1 for the worker that watches the providers for all.", Across.EACH)
MISSING = gauge(
    "lasso_worker_missing", "worker", "1 if its figures did not come in time and its last ones are in the sums.",
    Across.EACH,
)  # fmt: skip
REPLACED = counter("lasso_worker_replaced_total", "worker", "Processes of the worker that ended.", Across.EACH)
CALLS = counter("lasso_worker_calls_total", "", "Calls of clients, of all profiles.", Across.EACH)
CONNECTIONS = gauge("lasso_worker_connections", "", "Clients' connections.", Across.EACH)
PARENT_CPU = counter("lasso_parent_cpu_seconds_total", "", "CPU seconds of the workers' parent.", Across.KEEPER)
PARENT_MEMORY = gauge("lasso_parent_resident_bytes", "", "Resident memory of the workers' parent.", Across.KEEPER)

FAMILIES: Final = (UP, KEEPING, MISSING, REPLACED, CALLS, CONNECTIONS, PARENT_CPU, PARENT_MEMORY)


class Seat(Protocol):
    """What the parent knows of one worker."""

    @property
    def worker(self) -> int: ...

    @property
    def up(self) -> bool: ...

    @property
    def keeping(self) -> bool: ...

    @property
    def missing(self) -> bool: ...

    @property
    def replaced(self) -> int: ...


def read_workers(seats: Sequence[Seat], cpu_s: float, resident_bytes: int, table: Table) -> None:
    for seat in seats:
        who = str(seat.worker)
        table.add(UP, int(seat.up), who)
        table.add(KEEPING, int(seat.keeping), who)
        table.add(MISSING, int(seat.missing), who)
        table.add(REPLACED, seat.replaced, who)
    table.add(PARENT_CPU, cpu_s)
    table.add(PARENT_MEMORY, resident_bytes)


def add_shares(table: Table) -> None:
    """Of what a worker has read, which is summed up with the others': its part."""
    for family, of in ((CALLS, chains.CALLS), (CONNECTIONS, door.CONNECTIONS)):
        table.add(family, sum(value for _, value in table.rows.get(of, ()) if not callable(value)))
