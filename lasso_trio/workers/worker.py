"""What a worker does at the parent's word: drain, cut, reload; and that it drains when the parent is gone."""

from __future__ import annotations

import signal
from typing import Final, Protocol

import structlog
import trio

from lasso_trio.config.reload import ReloadResult
from lasso_trio.workers import pulse
from lasso_trio.workers.bus import PARENT, Bus
from lasso_trio.workers.reload import answer_here
from lasso_trio.workers.switch import READY

DRAIN: Final = "drain"
CUT: Final = "cut"

log = structlog.get_logger(__name__)


class Ordered(Protocol):
    """A node that can be told to. `drain` and `cut` may come several times."""

    def drain(self) -> None: ...

    def cut(self) -> None: ...

    async def reload(self, why: str) -> ReloadResult: ...


def obey(bus: Bus, node: Ordered) -> None:
    """Before the bus runs."""
    bus.listen(DRAIN, lambda _, __: node.drain())
    bus.listen(CUT, lambda _, __: node.cut())
    bus.on_orphaned(node.drain)
    pulse.give(bus)
    answer_here(bus, node.reload)


def tell_ready(bus: Bus) -> None:
    """This worker takes calls."""
    bus.tell(READY, b"", to=PARENT)


async def watch_signals(node: Ordered, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    """SIGTERM drains, however often it comes: service managers and terminals signal all processes of a node at once,
    and what a second signal means is for the parent to say. SIGINT and SIGHUP are its alone.
    """
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        task_status.started()
        async for number in signals:
            if number == signal.SIGTERM:
                node.drain()
