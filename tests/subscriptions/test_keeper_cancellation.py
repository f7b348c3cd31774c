"""A keeper is cancelled at each step of its life in turn: whatever it was about, nothing of it is left."""

from __future__ import annotations

from contextlib import suppress

import pytest
import trio
import trio.testing

from lasso_trio.jsonrpc.reply import encode_request
from lasso_trio.subscriptions.feed import NotConnected
from lasso_trio.upstream.faults import UpstreamFault
from lasso_trio.upstream.ws_link import WsLink
from tests.subscriptions.upstreams import Upstream, until_connected

STEPS = 180
"""More than it takes to connect, ask, subscribe and be told the first blocks."""


class AtStep(trio.abc.Instrument):
    """Cancels `scope` before the `step`-th step that any task takes."""

    def __init__(self, step: int, scope: trio.CancelScope) -> None:
        self.left, self.scope = step, scope

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.left -= 1
        if self.left == 0:
            self.scope.cancel()


async def use(upstream: Upstream) -> None:
    """A keeper, a call over it, and a feed."""
    keeper = upstream.keeper()
    await until_connected(keeper)
    link = keeper.channel.pool
    if not isinstance(link, WsLink):
        raise NotConnected("gone already")
    await link.exchange(encode_request(1, b'"eth_gasPrice"', b"[]"), replay_safe=True)
    feed = await keeper.open(b'["logs",{}]')
    await trio.sleep(3)
    await feed.aclose()


@pytest.mark.parametrize("first", range(1, 5))
async def test_wherever_it_is_cancelled_nothing_is_left(autojump_clock: object, first: int) -> None:
    whole = 0
    async with trio.open_nursery() as world:
        for step in range(first, STEPS, 4):
            upstream = Upstream.make(world)
            async with trio.open_nursery() as nursery:
                instrument = AtStep(step, nursery.cancel_scope)
                trio.lowlevel.add_instrument(instrument)
                upstream.tasks = nursery
                before = trio.current_time()
                try:
                    with suppress(UpstreamFault, NotConnected):  # the keeper may have gone a step before its user
                        await use(upstream)
                finally:
                    trio.lowlevel.remove_instrument(instrument)
                whole += instrument.left > 0
                nursery.cancel_scope.cancel()
            assert trio.current_time() - before < 10
            await trio.testing.wait_all_tasks_blocked()
            assert (upstream.node.open_connections, list(upstream.node.crashes)) == (0, []), step
        world.cancel_scope.cancel()
    assert 0 < whole < STEPS // 4, "a whole life is among them, and most are cut short"


async def test_feeds_that_are_closed_when_the_keeper_is_cancelled_are_ended_upstream_too(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    upstream = Upstream.make(nursery)

    async def stream() -> None:
        feed = await keeper.open(b'["logs",{}]')
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(deadline=trio.current_time() + 1, shield=True):
                await feed.aclose()

    async with trio.open_nursery() as inner:
        upstream.tasks = inner
        keeper = upstream.keeper()
        await until_connected(keeper)
        inner.start_soon(stream)
        await trio.sleep(1)
        inner.cancel_scope.cancel()
    await trio.testing.wait_all_tasks_blocked()
    assert upstream.node.calls["eth_unsubscribe"] == 2
