"""What operators look at and give orders with, joined: dashboard, metrics and admin API, and where they are reached.

On the main port beside everything else, or, with `LASSO_OPS_PORT`, on a port of their own and only there.
"""

from __future__ import annotations

from functools import partial
from typing import Self

import attrs
import structlog
import trio
from quart_trio import QuartTrio

from lasso_trio.cluster.desk import ClusterDesk
from lasso_trio.config.settings import Settings
from lasso_trio.dashboard import access
from lasso_trio.dashboard.board import Board
from lasso_trio.dashboard.dashboard import Dashboard
from lasso_trio.metrics import page
from lasso_trio.metrics.door import read_door
from lasso_trio.metrics.exporter import Exporter
from lasso_trio.metrics.readers import readers_of
from lasso_trio.server.address_tally import AddressTally
from lasso_trio.server.admin_api import Admin
from lasso_trio.server.budget import ByteBudget
from lasso_trio.server.calls_per_address import capped
from lasso_trio.server.front_door import FrontDoor
from lasso_trio.server.onlookers import Onlookers
from lasso_trio.server.ops_door import OpsDoor
from lasso_trio.server.rpc import RpcHandler
from lasso_trio.server.web import Mount, make_app
from lasso_trio.server.whole import Whole
from lasso_trio.server.ws_lane import WsLane
from lasso_trio.subscriptions.hub import Hub
from lasso_trio.supervision import Supervisor
from lasso_trio.telemetry.loop import LoopLag
from lasso_trio.telemetry.node import Node

log = structlog.get_logger(__name__)


@attrs.define(eq=False)
class Operators:
    """`dashboard` is None when it is off, `own` when everything is on the main port."""

    app: QuartTrio
    """The web application of the main port."""
    dashboard: Dashboard | None
    own: OpsDoor | None
    supervisor: Supervisor
    exporter: Exporter
    board: Board

    @classmethod
    def of(
        cls,
        settings: Settings,
        node: Node,
        handler: RpcHandler,
        websockets: WsLane,
        hub: Hub,
        lag: LoopLag,
        supervisor: Supervisor,
        admin: Admin | None,
        budget: ByteBudget,
        calls_per_address: AddressTally,
        cluster: ClusterDesk | None = None,
        whole: Whole | None = None,
    ) -> Self:
        """`whole`: what is shown of all workers; None where there is one process."""
        limits = websockets.door
        board = Board(settings, node, lambda: handler.directory, handler.service, supervisor, lag, hub=hub)
        board.doors, board.has_admin = ((handler, "http"), (websockets.unary, "ws")), admin is not None
        board.cluster = cluster
        board.whole = whole or board.whole
        board.clients = lambda: (
            attrs.asdict(websockets.counters) | {"open": len(websockets.sessions), "behind": websockets.behind}
        )
        dashboard = Dashboard.of(board) if settings.dashboard else None
        readers = readers_of(
            lambda: handler.directory, node, handler.service, supervisor, lag, hub, websockets, cluster
        )
        exporter = Exporter(readers)
        mounts: list[Mount] = [partial(page.serve, exporter=exporter)]
        if dashboard is not None:
            mounts.append(dashboard.pages.serve)
        trusted = settings.trusted_proxies
        asked = Onlookers(lambda: handler.directory, handler.gates, trusted).serve
        calls = capped(handler, calls_per_address, trusted)
        make = partial(make_app, node, lambda: handler.directory, cluster=cluster, whole=whole, trusted=trusted)
        if settings.ops_port is None:
            only = make(calls, limits, budget, admin, [asked, *mounts])
            return cls(only, dashboard, None, supervisor, exporter, board)
        apart = make(None, limits, ByteBudget(), admin, mounts)
        shared = settings.workers > 1
        own = OpsDoor.of(apart, settings.host, settings.ops_port, limits, supervisor, shared=shared)
        return cls(make(calls, limits, budget, None, [asked]), dashboard, own, supervisor, exporter, board)

    def watch(self, door: FrontDoor) -> None:
        """Have `door`'s connections shown."""
        self.exporter.readers.append(partial(read_door, door))
        self.board.connections = lambda: (door.active, door.in_flight)

    def warn(self, settings: Settings) -> None:
        """Say loudly what is open to everybody."""
        words = access.warning(settings)
        if words is not None:
            log.warning("dashboard.open", message=words)

    def close(self) -> None:
        """The node drains."""
        if self.dashboard is not None:
            self.dashboard.close()

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve the port of their own, if there is one, until drained. Raises OSError when it cannot be had."""
        if self.own is None:
            task_status.started()
        else:
            await self.own.serve(task_status=task_status)

    async def drain(self) -> None:
        if self.own is not None:
            await self.own.drain()
