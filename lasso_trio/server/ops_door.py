"""The separate door for operators, where there is one: the same web application's kind, and no calls.

It opens with the node, stays open while calls drain (somebody may want to watch that), and closes last.
"""

from __future__ import annotations

from typing import Final, Self

import attrs
import structlog
import trio
from quart_trio import QuartTrio

from lasso_trio.server import request_id, rpc_answer
from lasso_trio.server.answer import Answer
from lasso_trio.server.budget import ByteBudget
from lasso_trio.server.connection import Peer
from lasso_trio.server.front_door import FrontDoor
from lasso_trio.server.http_request import HttpRequest
from lasso_trio.server.hypercorn_lane import HypercornLane
from lasso_trio.server.limits import LaneLimits
from lasso_trio.server.listener import Listener, open_listeners
from lasso_trio.supervision import Supervisor

DRAIN_S: Final = 1.0

log = structlog.get_logger(__name__)


async def no_calls(_: HttpRequest, __: Peer) -> Answer:
    """JSON-RPC is answered on the main port only."""
    return rpc_answer.not_found(request_id.made())


@attrs.define(eq=False)
class OpsDoor:
    """Run `web.run` as a service and `serve` beside the main door; `drain` when that has ended."""

    web: HypercornLane
    door: FrontDoor
    host: str
    port: int
    shared: bool = False
    """With the other workers of the node."""
    listeners: list[Listener] = attrs.field(factory=list)

    @classmethod
    def of(
        cls, app: QuartTrio, host: str, port: int, limits: LaneLimits, supervisor: Supervisor, *, shared: bool = False
    ) -> Self:
        web = HypercornLane(app)
        door = FrontDoor(no_calls, web.lane, limits=limits, budget=ByteBudget(), supervisor=supervisor)
        return cls(web, door, host, port, shared)

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until drained. Raises OSError when the address cannot be had."""
        self.listeners = await open_listeners(self.host, self.port, shared=self.shared)
        log.info("ops.ready", listeners=[f"{listener.host} port {listener.port}" for listener in self.listeners])
        try:
            await self.door.serve(self.listeners, task_status=task_status)
        finally:
            for listener in self.listeners:
                listener.close()

    async def drain(self) -> None:
        """Let what is under way finish, for a moment."""
        await self.web.close_idle()
        await self.door.drain(trio.current_time() + DRAIN_S)
