"""Tasks that come and go with instances."""

from __future__ import annotations

from random import Random

import pytest
import trio
import trio.testing

from lasso_trio.config.profile import Transport
from lasso_trio.config.secret import SecretUrl
from lasso_trio.instances import KEEPER, InstanceTasks
from lasso_trio.providers.channel import Channel, Version
from lasso_trio.providers.head import Head
from lasso_trio.providers.probe_schedule import ProbeSchedule
from lasso_trio.providers.prober import Prober
from lasso_trio.subscriptions.keeper import Keeper
from lasso_trio.supervision import FINISHED, Supervisor
from lasso_trio.upstream.dialled import Dialled
from lasso_trio.upstream.websocket import ws_endpoint


class Watched(Prober):
    """Says when it runs, instead of probing."""

    running = 0

    async def run(self) -> None:  # type: ignore[override]
        self.running += 1
        try:
            await trio.sleep_forever()
        finally:
            self.running -= 1


def watched(id_: str) -> Watched:
    channel = Channel(id_, "http://a", Transport.HTTP, None, Version(), Random(1))
    return Watched(channel, Head(), 1, ProbeSchedule(12.0))


@pytest.fixture
def tasks() -> InstanceTasks:
    return InstanceTasks(Supervisor())


async def test_who_is_started_before_it_runs_waits_for_it(nursery: trio.Nursery, tasks: InstanceTasks) -> None:
    early, given_up = watched("1:a:0"), watched("1:b:0")
    tasks.start([early, given_up])
    tasks.stop(["1:b:0"])
    await nursery.start(tasks.run)
    await trio.testing.wait_all_tasks_blocked()
    assert (early.running, given_up.running, len(tasks)) == (1, 0, 1)


async def test_each_is_supervised_and_ends_with_its_instance(nursery: trio.Nursery, tasks: InstanceTasks) -> None:
    await nursery.start(tasks.run)
    a, b = watched("1:a:0"), watched("1:b:0")
    tasks.start([a, b])
    await trio.testing.wait_all_tasks_blocked()
    assert {child.name for child in tasks.supervisor.children} == {"prober 1:a:0", "prober 1:b:0"}
    tasks.stop(["1:a:0", "1:nobody:0"])
    await trio.testing.wait_all_tasks_blocked()
    assert (a.running, b.running, len(tasks)) == (0, 1, 1)
    assert [child.name for child in tasks.supervisor.children] == ["prober 1:b:0"]


async def test_stopped_at_once_it_never_begins(nursery: trio.Nursery, tasks: InstanceTasks) -> None:
    await nursery.start(tasks.run)
    tasks.start([a := watched("1:a:0")])
    tasks.stop(["1:a:0"])
    await trio.testing.wait_all_tasks_blocked()
    assert (a.running, len(tasks), tasks.supervisor.children) == (0, 0, [])


async def test_an_instance_that_comes_back_can_be_stopped_again(nursery: trio.Nursery, tasks: InstanceTasks) -> None:
    await nursery.start(tasks.run)
    tasks.start([first := watched("1:a:0")])
    await trio.testing.wait_all_tasks_blocked()
    tasks.stop(["1:a:0"])
    tasks.start([second := watched("1:a:0")])
    await trio.testing.wait_all_tasks_blocked()
    assert (first.running, second.running, len(tasks)) == (0, 1, 1)
    tasks.stop(["1:a:0"])
    await trio.testing.wait_all_tasks_blocked()
    assert (second.running, len(tasks)) == (0, 0)


async def test_cancelled_it_ends_them_all(tasks: InstanceTasks) -> None:
    one = watched("1:a:0")
    async with trio.open_nursery() as nursery:
        await nursery.start(tasks.run)
        tasks.start([one])
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert (one.running, len(tasks)) == (0, 0)


async def test_a_keeper_runs_beside_the_prober_and_leaves_by_itself(
    nursery: trio.Nursery, tasks: InstanceTasks
) -> None:
    class Kept(Keeper):
        async def run(self) -> object:
            await self._leaving.wait()
            await left.wait()
            return FINISHED

    async def dial() -> Dialled:
        raise AssertionError("nobody dials here")

    left = trio.Event()
    await nursery.start(tasks.run)
    prober = watched("1:a:0")
    channel = Channel("1:a:0", "ws://a", Transport.WS, None, Version(), Random(1))
    keeper = Kept(channel, Head(), 1, ws_endpoint(SecretUrl("ws://a/"), {}), dial)
    tasks.start([prober])
    tasks.start([keeper], KEEPER)
    await trio.testing.wait_all_tasks_blocked()
    assert {child.name for child in tasks.supervisor.children} == {"prober 1:a:0", "keeper 1:a:0"}
    tasks.stop(["1:a:0"])
    await trio.testing.wait_all_tasks_blocked()
    assert [child.name for child in tasks.supervisor.children] == ["keeper 1:a:0"]
    assert len(tasks) == 0
    left.set()
    await trio.testing.wait_all_tasks_blocked()
    assert tasks.supervisor.children == []
