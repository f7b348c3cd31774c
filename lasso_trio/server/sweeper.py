"""Every time limit of every connection, kept by one task that looks at all of them about twice a second.

A deadline per request would cost each request a cancel scope (8 µs); looking at a connection here costs a tenth of a
microsecond. The price is precision: a limit is kept to within `PERIOD`. The look is taken in slices, so that ten
thousand connections do not hold the loop for longer than a slice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from itertools import islice
from math import inf
from typing import Final

import trio

from lasso_trio.server.connection import Connection, Cut, Phase
from lasso_trio.server.door_counters import DoorCounters
from lasso_trio.server.limits import LaneLimits

PERIOD: Final = 0.5
"""Seconds."""
SLICE: Final = 2_000
"""Connections looked at without letting others run: about 0.2 ms."""

_CUTS: Final = {
    Phase.IDLE: Cut.IDLE_TIMEOUT,
    Phase.HEAD: Cut.HEAD_TIMEOUT,
    Phase.BODY: Cut.BODY_TIMEOUT,
    Phase.WRITING: Cut.WRITE_TIMEOUT,
    Phase.LINGER: Cut.LINGER_TIMEOUT,
}


def time_limits(limits: LaneLimits) -> tuple[float, ...]:
    """Seconds per `Phase`, by its number. Calls end by their own deadline, handed-over connections by their lane's."""
    by_phase = {
        Phase.IDLE: limits.idle_timeout,
        Phase.HEAD: limits.head_timeout,
        Phase.BODY: limits.body_timeout,
        Phase.WRITING: limits.write_timeout,
        Phase.LINGER: limits.linger_timeout,
    }
    return tuple(by_phase.get(phase, inf) for phase in Phase)


async def sweep(connections: Collection[Connection], allowed: tuple[float, ...], counters: DoorCounters) -> None:
    """Cut every connection that has been in its phase for longer than `allowed`. A checkpoint per slice."""
    everyone = iter(list(connections))  # a copy: connections come and go while others run
    while batch := list(islice(everyone, SLICE)):
        now = trio.current_time()
        for connection in batch:
            if now - connection.since > allowed[connection.phase]:
                _cut(connection, counters)
        await trio.lowlevel.checkpoint()


async def keep_sweeping(
    connections: Collection[Connection], limits: LaneLimits, counters: DoorCounters, each_time: Callable[[], None]
) -> None:
    """Sweep until cancelled; call `each_time` once per round."""
    allowed = time_limits(limits)
    while True:
        await trio.sleep(PERIOD)
        each_time()
        await sweep(connections, allowed, counters)


def _cut(connection: Connection, counters: DoorCounters) -> None:
    if connection.cut_by is not None:
        return
    if connection.phase is Phase.IDLE and connection.has_spoken():
        return  # its request came in the same moment: it may be with the provider before the cut arrives
    why = _CUTS[connection.phase]
    connection.cut(why)
    if why is Cut.HEAD_TIMEOUT:
        counters.head_timeouts += 1
    elif why is Cut.BODY_TIMEOUT:
        counters.body_timeouts += 1
    elif why is Cut.IDLE_TIMEOUT:
        counters.idle_timeouts += 1
    elif why is Cut.WRITE_TIMEOUT:
        counters.write_timeouts += 1
