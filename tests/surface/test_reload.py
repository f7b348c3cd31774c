"""The configuration is exchanged under load: nobody notices, and nothing is left behind."""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import count

import attrs
import pytest
import trio
import trio.lowlevel
from structlog.testing import capture_logs

from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.devnet import Faults, Latency
from lasso_trio.upstream.http1 import Pool

from .conftest import Script, Start, Surface, provider, reply, rpc

CLIENTS = 6


def rotating(surface: Surface) -> Callable[[], ProfileSet]:
    """Each time: all of `public`'s providers under new keys, or all but one, or other fields; `team` as it was."""
    first, turns, names = surface.app.directory.set, count(1), list(surface.net.providers)
    (chain,), url = first.default.chains, surface.net.url

    def load() -> ProfileSet:
        turn = next(turns)
        fresh = tuple(provider(name, f"{url(name)}/?key={turn}") for name in names)
        providers = (fresh, (chain.providers[0], fresh[-1]), (attrs.evolve(chain.providers[0], priority=turn),))
        public = attrs.evolve(first.default, chains=(attrs.evolve(chain, providers=providers[(turn - 1) % 3]),))
        return ProfileSet.of([public, *(p for p in first.profiles.values() if p.slug != "public")])

    return load


async def call_on(surface: Surface, bad: list[bytes], done: list[int]) -> None:
    client = await surface.connect()
    async with client.stream:
        while True:
            answer = await client.request("POST", "/rpc/devnet", rpc("eth_blockNumber"))
            done[0] += 1
            if answer.status != 200 or "result" not in answer.json:
                bad.append(answer.body)


@pytest.mark.parametrize(("reloads", "probes"), [(200, False), (30, True)])
async def test_reloads_fail_no_call_and_leave_nothing_behind(start: Start, reloads: int, probes: bool) -> None:
    slow = Faults(latency=Latency.uniform(0.5, 6))
    surface = await start(settings={"probes": probes}, alpha=slow, beta=slow)
    app, done = surface.app, [0]
    bad: list[bytes] = []
    app.reloading.load = rotating(surface)
    buckets, team = app.directory.default.limit, app.directory.find("team")
    with capture_logs(), trio.fail_after(50):
        async with trio.open_nursery() as load:
            for _ in range(CLIENTS):
                load.start_soon(call_on, surface, bad, done)
            for generation in range(1, reloads + 1):
                result = await app.reload()
                assert (result.accepted, result.generation, bool(result.changes)) == (True, generation, True)
                busiest = max(pool.idle + pool.busy for pool in app.registry.pools())
                assert busiest <= CLIENTS + 1
                before = done[0]
                while done[0] < before + 3:
                    await trio.lowlevel.checkpoint()
            load.cancel_scope.cancel()
        assert bad == []
        assert app.directory.default.limit is buckets
        assert app.directory.find("team") is team
        assert app.directory.default.names["devnet"].counts.calls >= done[0]
        await nothing_left(surface, probes)


async def nothing_left(surface: Surface, probes: bool) -> None:
    """At most what the configuration of the last generation needs."""
    app = surface.app
    named = {c.channel.instance_id for chain in app.directory.chains() for c in chain.candidates}
    assert set(app.registry.instances) == named
    assert len(app.reloading.tasks) == (len(named) if probes else 0)
    while surface.app.door.active:  # noqa: ASYNC110 (nothing announces it)
        await trio.sleep(0.001)
    await trio.sleep(0.05)  # abandoned answers are read to their end
    kept = sum(pool.idle + pool.busy for pool in app.registry.pools())
    names = [task.name for task in _tasks() if "handle" in task.name]
    assert len(names) <= kept + 2, names
    gc.collect()
    assert sum(isinstance(each, Pool) for each in gc.get_objects()) <= len(named) + 2 * CLIENTS


def _tasks() -> list[trio.lowlevel.Task]:
    root = trio.lowlevel.current_root_task()
    assert root is not None
    found, waiting = [], [root]
    while waiting:
        task = waiting.pop()
        found.append(task)
        waiting.extend(child for nursery in task.child_nurseries for child in nursery.child_tasks)
    return found


async def test_a_call_in_flight_ends_where_it_began(start: Start, scripted: Callable[[Script], Awaitable[str]]) -> None:
    let_go = trio.Event()

    async def held(id_: int, _: object, stream: trio.abc.Stream) -> None:
        await let_go.wait()
        await stream.send_all(reply(b'{"jsonrpc":"2.0","id":%d,"result":"0x1"}' % id_))

    surface = await start(upstreams={"alpha": await scripted(held)})
    (candidate,) = surface.app.directory.default.names["devnet"].candidates
    old = candidate.channel.pool
    assert old is not None
    answers = []

    async def ask() -> None:
        answers.append(await surface.ask("eth_blockNumber"))

    with capture_logs(), trio.fail_after(30):
        async with trio.open_nursery() as calls:
            for _ in range(3):
                calls.start_soon(ask)
            while old.busy < 3:  # noqa: ASYNC110 (nothing announces it)
                await trio.sleep(0.001)
            surface.app.reloading.load = partial(elsewhere, surface)  # nobody keeps `old`
            assert (await surface.app.reload()).accepted
            assert old.busy == 3
            let_go.set()
    assert [answer.status for answer in answers] == [200, 200, 200]
    assert (old.busy, old.idle) == (0, 0)


def elsewhere(surface: Surface) -> ProfileSet:
    """The first profile alone, all of whose calls go to somebody else from now on."""
    public = surface.app.directory.set.default
    (chain,) = public.chains
    other = attrs.evolve(chain, providers=(provider("other", "http://127.0.0.1:9/"),))
    return ProfileSet.of([attrs.evolve(public, chains=(other,))])
