"""Everything that is not the rpc lane's, served by hypercorn and an ASGI application.

The only importer of hypercorn, whose trio worker is used one level below its own `serve`: one `TCPServer` per
connection that the front door hands over. That class is not public API, hence the pinned minor version and the
contract tests. What hypercorn 0.18 lacks is added around it: a connection's crash is contained by the door (a hostile
frame can raise anything), sends are bounded here (its own are shielded and may wait for ever), and sockets that ignore
cancellation are closed by the door at the end of a drain.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, final

import structlog
import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.logging import Logger
from hypercorn.protocol.h2 import H2Protocol
from hypercorn.trio.lifespan import Lifespan
from hypercorn.trio.tcp_server import MAX_RECV, TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState, LifespanState

from lasso_trio.server import straight_body
from lasso_trio.server.bounded_send import BoundedSend
from lasso_trio.server.connection import Peer
from lasso_trio.server.replay_stream import ReplayStream

SEND_LIMIT: Final = 15.0
"""Seconds that one send to a client of this lane may take."""
SHUTDOWN_LIMIT: Final = 5.0
"""Seconds that the application's lifespan shutdown may take."""

AsgiApp = Callable[..., Awaitable[None]]

log = structlog.get_logger(__name__)


class _Log(Logger):
    """hypercorn's log lines, as ours."""

    async def access(self, *_: object) -> None:
        pass

    async def warning(self, message: str, *args: object, **_: object) -> None:
        log.warning("hypercorn.warning", message=message % args if args else message)

    async def error(self, message: str, *args: object, **_: object) -> None:
        log.error("hypercorn.error", message=message % args if args else message)

    async def exception(self, message: str, *args: object, **_: object) -> None:
        log.exception("hypercorn.error", message=message % args if args else message)


class _Server(TCPServer):
    """Without this, a connection whose client has gone keeps its task until its keep-alive time is over, and one over
    HTTP/2 whose last request was reset or refused is kept for ever: nothing tells hypercorn that it is idle again.
    """

    _over = False

    async def _read_data(self) -> None:
        while not self._over:
            try:
                data = bytes(await self.stream.receive_some(MAX_RECV))
            except (trio.ClosedResourceError, trio.BrokenResourceError):
                break
            await self.protocol.handle(RawData(data))
            self._over = not data
            await self._mind_idleness()
        self._over = True
        await self.protocol.handle(Closed())
        await self.idle_task.stop()

    async def _mind_idleness(self) -> None:
        protocol = self.protocol.protocol
        if isinstance(protocol, H2Protocol) and protocol.idle and self.idle_task._handle is None and not self._over:
            await self.idle_task.restart(self._task_group, self._idle_timeout)

    async def protocol_send(self, event: Event) -> None:
        if not (self._over and isinstance(event, Updated)):  # which would start the idle task anew
            await super().protocol_send(event)


def lane_config() -> Config:
    """hypercorn's settings as this lane wants them; each with what its default would do.

    `read_timeout` stays None on purpose: it would cut any answer, event stream or WebSocket during which the client is
    silent. Bodies are bounded in time by the application.
    """
    config = Config()
    config.keep_alive_timeout = 75  # 5: clients keep pools
    config.keep_alive_max_requests = 1_000_000_000  # 1000: a needless reconnect
    config.websocket_ping_interval = 20  # never: a vanished peer would stay
    config.websocket_max_message_size = 1_048_576  # 16 MiB
    config.include_server_header = False
    config.accesslog = config.errorlog = None
    config.logger_class = _Log
    return config


@final
class HypercornLane:
    """`run` it beside the door; `lane` is the door's `other`; `close_idle` when the door begins to drain."""

    def __init__(self, app: AsgiApp, config: Config | None = None) -> None:
        self._config = config or lane_config()
        self._app = ASGIWrapper(app)
        self._context = WorkerContext(None)
        self._state: LifespanState = {}

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """The application's lifespan: ready once it has started; cancelled, it shuts down within `SHUTDOWN_LIMIT`.

        Raises what hypercorn raises when the application refuses to start, and `RuntimeError` when it ends by itself.
        """
        lifespan = Lifespan(self._app, self._config, self._state)
        # The application must outlive our own cancellation to be told of its shutdown; the `finally` ends it.
        alive, ended = trio.CancelScope(shield=True), trio.Event()
        async with trio.open_nursery() as nursery:
            try:
                await nursery.start(_live, alive, ended, lifespan)
                await lifespan.wait_for_startup()
                if not (lifespan.supported and lifespan.shutdown.is_set()):  # else it has failed already
                    task_status.started()
                await _until_ended(lifespan, ended)
            finally:
                await _shut_down(lifespan)  # noqa: ASYNC102  (shields itself, for a bounded time)
                alive.cancel()

    async def close_idle(self) -> None:
        """Close kept-alive connections that wait for a request, now and whenever one becomes idle."""
        await self._context.terminated.set()

    async def lane(self, stream: ReplayStream, peer: Peer) -> None:
        """Serve one connection to its end. May raise anything; the caller contains it and closes the stream."""
        bounded: Any = BoundedSend(stream, SEND_LIMIT)
        state = ConnectionState({**self._state, straight_body.STREAM: stream.raw})
        await _Server(self._app, self._config, self._context, state, bounded).run()


async def _live(
    scope: trio.CancelScope,
    ended: trio.Event,
    lifespan: Lifespan,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    try:
        with scope:
            await lifespan.handle_lifespan(task_status=task_status)
    finally:
        ended.set()


async def _until_ended(lifespan: Lifespan, ended: trio.Event) -> None:
    if not lifespan.supported:  # nothing to wait for: it lives without one
        await trio.sleep_forever()
    await ended.wait()
    await trio.lowlevel.checkpoint()  # what it raised, if anything, has cancelled us and is the better error
    raise RuntimeError("the application's lifespan ended by itself")


async def _shut_down(lifespan: Lifespan) -> None:
    if lifespan.startup.is_set() and not lifespan.shutdown.is_set():
        with trio.CancelScope(deadline=trio.current_time() + SHUTDOWN_LIMIT, shield=True):
            await lifespan.wait_for_shutdown()
