"""How a node becomes one worker of several: the one place where a node imports the room of workers, if it has a bus."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from lasso_trio.cluster.cluster import Cluster
from lasso_trio.cluster.desk import ClusterDesk
from lasso_trio.config.settings import Settings
from lasso_trio.operators import Operators
from lasso_trio.reloading import Reloading
from lasso_trio.routing.directory import Directory
from lasso_trio.subscriptions.hub import Hub
from lasso_trio.telemetry.node import Node

if TYPE_CHECKING:  # a node of one process does not have it
    from lasso_trio.workers.bus import Bus
    from lasso_trio.workers.figure_share import FigureShare
    from lasso_trio.workers.member import Member


def join(bus: Bus, reloading: Reloading, hub: Hub) -> Member:
    """Make this node one worker of several."""
    from lasso_trio.workers.member import Member

    return Member.of(bus, reloading, hub)


def figures_of(bus: Bus, directory: Callable[[], Directory]) -> FigureShare:
    """The figures of all workers, before anything is known of this one's."""
    from lasso_trio.workers.figure_share import FigureShare

    return FigureShare(bus, directory)


def add_up(bus: Bus, operators: Operators, figures: FigureShare) -> dict[str, Callable[[], Awaitable[object]]]:
    """Have operators told of all workers, whichever they ask. What is returned is to be run, supervised."""
    from lasso_trio.workers.metrics_share import MetricsShare
    from lasso_trio.workers.sight_share import SightShare
    from lasso_trio.workers.usage import usage_of

    MetricsShare(bus, operators.exporter)
    figures.usage = lambda now: usage_of(operators.board, bus.keeping, now)
    seen = {} if operators.dashboard is None else {"sight": SightShare(bus, operators.board).run}
    return {"figures": figures.run, **seen}


def cluster_of(
    settings: Settings, node: Node, directory: Callable[[], Directory], bus: Bus | None
) -> ClusterDesk | None:
    """None for a lone node. `bus`: to other workers, of whom one speaks for all."""
    if settings.cluster is None or settings.secret_key_base is None:
        return None
    cluster = Cluster.of(settings.cluster, settings.secret_key_base, settings.port, node, directory)
    if bus is None:
        return cluster
    from lasso_trio.workers.cluster_share import ClusterShare

    return ClusterShare(bus, cluster)
