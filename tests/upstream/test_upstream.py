"""Clients that do not read must not hold the connections that others wait for."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import trio

from lasso_trio.config.secret import SecretUrl
from lasso_trio.devnet import Devnet, Faults, Latency
from lasso_trio.upstream.alarm import Alarm
from lasso_trio.upstream.endpoint import Endpoint
from lasso_trio.upstream.faults import Disconnected, Expired
from lasso_trio.upstream.http1 import Pool

SMALL = b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}'
LARGE = b'{"jsonrpc":"2.0","id":1,"method":"devnet_blob","params":[4000000]}'


@pytest.fixture
async def net() -> AsyncIterator[Devnet]:
    async with Devnet.open({"one": Faults()}) as net:
        yield net


@pytest.fixture
async def pool(net: Devnet, nursery: trio.Nursery) -> AsyncIterator[Pool]:
    alarm = Alarm()
    nursery.start_soon(alarm.run)
    await trio.testing.wait_all_tasks_blocked()
    pool = Pool(Endpoint.from_url(SecretUrl(net.url("one")), {}), alarm=alarm, max_connections=1)
    yield pool
    await pool.aclose()


async def test_a_neglected_answer_gives_up_its_connection_to_those_who_wait(pool: Pool) -> None:
    neglected = await pool.exchange(LARGE, replay_safe=True)
    assert neglected.rest is not None
    with trio.fail_after(10):
        assert (await pool.exchange(SMALL, replay_safe=True, until=trio.current_time() + 9)).status == 200
    with pytest.raises(Disconnected) as cut:
        await anext(neglected.rest)
    assert (cut.value.reason, cut.value.local) == ("neglected", True)
    assert (pool.busy, pool.waiting) == (0, 0)


async def test_an_answer_that_is_being_read_keeps_its_connection(pool: Pool) -> None:
    read = await pool.exchange(LARGE, replay_safe=True)
    assert read.rest is not None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_small, pool)
        size = len(read.body)
        async for piece in read.rest:
            size += len(piece)
            await trio.sleep(0.001)
    assert size > 4_000_000


async def _small(pool: Pool) -> None:
    assert (await pool.exchange(SMALL, replay_safe=True)).status == 200


async def test_nobody_is_cut_while_nobody_waits(pool: Pool) -> None:
    reply = await pool.exchange(LARGE, replay_safe=True)
    assert reply.rest is not None
    await trio.sleep(0.7)
    assert len(await anext(reply.rest)) > 0
    await reply.rest.aclose()
    assert pool.streams == {}


async def test_a_deadline_that_passes_in_our_own_queue_is_our_own_affair(pool: Pool, net: Devnet) -> None:
    net.set_faults("one", Faults(latency=Latency.constant(500)))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_small, pool)
        await trio.testing.wait_all_tasks_blocked(0.01)
        with pytest.raises(Expired) as expired:
            await pool.exchange(SMALL, replay_safe=True, until=trio.current_time() + 0.05)
    assert (expired.value.reason, expired.value.local, expired.value.dispatched) == ("queued", True, False)


async def test_who_comes_after_an_answer_was_neglected_does_not_wait(pool: Pool) -> None:
    neglected = await pool.exchange(LARGE, replay_safe=True)
    assert neglected.rest is not None
    await trio.sleep(0.6)
    with trio.fail_after(10):
        assert (await pool.exchange(SMALL, replay_safe=True, until=trio.current_time() + 5)).status == 200
    assert (pool.busy, pool.waiting) == (0, 0)
