"""Whom this process shares client limits and kept answers with: decided once, at start, from settings and the bus.

LASSO_REDIS_URL            the cluster, on the engine; its limits with the node's other workers while that is away
several workers, no URL    the node's other workers: limits, at their parent
neither                    nobody: nothing of this room is in a call's way
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from lasso_trio.access.gates import Gates
from lasso_trio.config.settings import Settings
from lasso_trio.metrics.exporter import Reader
from lasso_trio.metrics.shared import read_shared
from lasso_trio.routing.directory import ALONE, Directory, Makers
from lasso_trio.routing.lease import Bank
from lasso_trio.routing.leased_limit import LeasedLimit
from lasso_trio.shared.shared import Shared
from lasso_trio.telemetry.node import Node

if TYPE_CHECKING:  # a node of one process does not have it
    from lasso_trio.workers.bus import Bus

CLUSTER: Final = "lasso"
"""The name under which nodes share that are in no cluster."""


def shared_of(settings: Settings, bus: Bus | None = None) -> Shared | None:
    """None for a process that is alone. Must be called inside `trio.run`."""
    bank = None if bus is None else _parents_bank(bus)
    if settings.redis is not None:
        cluster = CLUSTER if settings.cluster is None else settings.cluster.node_basename
        member = settings.node_id if bus is None else f"{settings.node_id}.{bus.worker}"
        return Shared.on_redis(settings.redis, cluster, settings.secret_key_base, member, bank)
    return None if bank is None else Shared.over(bank)


def makers_of(shared: Shared | None) -> Makers:
    return ALONE if shared is None else shared.makers()


def show(
    shared: Shared | None, node: Node, directory: Callable[[], Directory], gates: Gates, readers: list[Reader]
) -> None:
    """Have `shared` follow the limits of `directory` and of keys, and be told of in `/api/health` and the metrics."""
    if shared is not None:
        gates.limits.make = LeasedLimit
        shared.follow(directory, gates.limits.named)
        node.shared = shared.health
        readers.append(partial(read_shared, shared, directory))


def _parents_bank(bus: Bus) -> Bank:
    from lasso_trio.workers.bank import BusBank

    return BusBank(bus)
