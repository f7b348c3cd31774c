"""A worker obeys its parent, and drains when it is alone."""

from __future__ import annotations

import os
import signal

import attrs
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from lasso_trio.config.reload import ReloadResult
from lasso_trio.workers.bus import Bus
from lasso_trio.workers.worker import CUT, DRAIN, obey, tell_ready, watch_signals
from tests.workers.crew import crew_of


@attrs.define
class Node:
    """Notes what it is told."""

    told: list[str] = attrs.field(factory=list)

    def drain(self) -> None:
        self.told.append("drain")

    def cut(self) -> None:
        self.told.append("cut")

    async def reload(self, why: str) -> ReloadResult:
        self.told.append(why)
        return ReloadResult(True, 1)


async def test_the_parents_orders_are_carried_out(autojump_clock: MockClock) -> None:
    node = Node()

    def prepare(bus: Bus) -> None:
        obey(bus, node)

    async with crew_of(1, prepare) as crew:
        tell_ready(crew[0])
        await crew.settle()
        assert crew.switch.ready == [0]
        crew.switch.order(DRAIN)
        crew.switch.order(CUT)
        await crew.settle()
        assert await crew.switch.ask("reload.here", b"SIGHUP", 0, 1)
        assert node.told == ["drain", "cut", "SIGHUP"]


async def test_without_its_parent_it_drains(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    near, far = trio.testing.memory_stream_pair()
    node, bus = Node(), Bus(0, far)
    obey(bus, node)
    nursery.start_soon(bus.run)
    await wait_all_tasks_blocked()
    await near.aclose()
    await wait_all_tasks_blocked()
    assert node.told == ["drain"]


async def test_sigterm_drains_and_other_signals_are_the_parents(nursery: trio.Nursery) -> None:
    node = Node()
    await nursery.start(watch_signals, node)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        os.kill(os.getpid(), number)
        await wait_all_tasks_blocked(0.01)
    assert node.told == ["drain"]
    nursery.cancel_scope.cancel()
