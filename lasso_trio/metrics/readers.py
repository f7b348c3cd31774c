"""Which readers a node has: every room's, bound to its live objects."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from lasso_trio.cluster.desk import ClusterDesk
from lasso_trio.metrics.chains import read_chains
from lasso_trio.metrics.clients import read_clients
from lasso_trio.metrics.cluster import read_cluster
from lasso_trio.metrics.door import read_websockets
from lasso_trio.metrics.exporter import Reader
from lasso_trio.metrics.node import read_children, read_loop, read_node, read_service
from lasso_trio.metrics.providers import read_providers
from lasso_trio.metrics.streams import StreamReader
from lasso_trio.metrics.upstreams import read_upstreams
from lasso_trio.routing.directory import Directory
from lasso_trio.routing.service import Service
from lasso_trio.server.ws_lane import WsLane
from lasso_trio.subscriptions.hub import Hub
from lasso_trio.supervision import Supervisor
from lasso_trio.telemetry.loop import LoopLag
from lasso_trio.telemetry.node import Node


def readers_of(
    directory: Callable[[], Directory],
    node: Node,
    service: Service,
    supervisor: Supervisor,
    lag: LoopLag,
    hub: Hub,
    websockets: WsLane,
    cluster: ClusterDesk | None = None,
) -> list[Reader]:
    """All but the door's (`door.read_door`), which is made last. `directory` is asked at each reading."""
    return [
        partial(read_chains, directory),
        partial(read_providers, directory),
        partial(read_upstreams, directory),
        StreamReader(hub),
        partial(read_websockets, websockets),
        partial(read_clients, websockets.unary.gates),
        partial(read_node, node),
        partial(read_children, supervisor),
        partial(read_loop, lag),
        partial(read_service, service),
        partial(read_cluster, cluster),
    ]
