"""Callers that leave, at any step and under contention: the pool loses nothing by it."""

from __future__ import annotations

import contextlib
import random
from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from lasso_trio.upstream.faults import ConnectFault, UpstreamFault
from lasso_trio.upstream.http1 import Pool
from lasso_trio.upstream.reaper import Reaper

if TYPE_CHECKING:
    from tests.upstream.conftest import Line, Provider

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def settled(pool: Pool) -> bool:
    """Nobody owns anything and every open connection is idle."""
    return pool.busy == 0 and pool.waiting == 0 and len(pool._open) == pool.idle


class CancelAtStep(trio.abc.Instrument):
    """Cancels `scope` when the task called `name` takes its n-th step: every checkpoint of it gets its turn."""

    def __init__(self, name: str, step: int) -> None:
        self.scope = trio.CancelScope()
        self.name = name
        self.left = step

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if task.name == self.name:
            self.left -= 1
            if self.left == 0:
                self.scope.cancel()


async def drips(line: Line) -> None:
    """An answer in pieces, so that there are many places to be cancelled at."""
    while await line.read_request() is not None:
        for piece in (b"HTTP/1.1 200", b" OK\r\nTransfer-Encoding: chunked\r\n", b"\r\n5\r\nhello", b"\r\n0\r\n\r\n"):
            await wait_all_tasks_blocked()
            await line.say(piece)


@pytest.mark.parametrize("kept", [False, True], ids=["fresh", "kept"])
@pytest.mark.parametrize("waits", [False, True], ids=["free", "queued"])
@pytest.mark.parametrize("reaps", [False, True], ids=["no reaper", "reaper"])
async def test_a_cancel_at_any_step_loses_nothing(provider: Provider, kept: bool, waits: bool, reaps: bool) -> None:
    reaper = Reaper()
    async with trio.open_nursery() as nursery:
        if reaps:
            await nursery.start(reaper.run)
        step = cancelled = 0
        while True:
            step += 1
            provider.script = drips
            pool = Pool(provider.endpoint, dial=provider.dial, max_connections=1, reaper=reaper)
            if kept:
                await pool.exchange(b"first", replay_safe=True)
            canceller = CancelAtStep("victim", step)

            async def victim(pool: Pool = pool, canceller: CancelAtStep = canceller) -> None:
                with canceller.scope:
                    await pool.exchange(b"victim", replay_safe=True)

            async def other(pool: Pool = pool) -> None:
                await pool.exchange(b"other", replay_safe=True)

            trio.lowlevel.add_instrument(canceller)
            async with trio.open_nursery() as calls:
                if waits:
                    calls.start_soon(other)
                    await wait_all_tasks_blocked()
                calls.start_soon(victim, name="victim")
            trio.lowlevel.remove_instrument(canceller)
            cancelled += canceller.scope.cancelled_caught
            while pool.busy:  # the reaper may still be at it
                await wait_all_tasks_blocked()
            assert settled(pool)
            assert len(pool._open) == provider.open_lines
            assert (await pool.exchange(b"after", replay_safe=True)).body == b"hello"
            await pool.aclose()
            if not canceller.scope.cancel_called:
                break
        assert cancelled >= 4
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("seed", range(30))
async def test_contention_and_cancels_never_lose_a_slot(
    provider: Provider, seed: int, autojump_clock: trio.abc.Clock
) -> None:
    """The accident that httpcore has: under contention, cancelled callers take slots with them."""
    dice = random.Random(seed)
    reaper = Reaper(capacity=2)

    async def script(line: Line) -> None:
        while await line.read_request() is not None:
            await trio.sleep(dice.choice([0, 0, 0.01, 0.1, 1]))
            if dice.random() < 0.1:
                await line.hang_up()
                return
            await line.say(dice.choice([OK, OK, OK + b"x", OK[:20], b"garbage"]))

    async def before_dial() -> None:
        await trio.sleep(dice.choice([0, 0.01, 0.05]))
        if dice.random() < 0.1:
            raise ConnectFault("refused")

    provider.script, provider.before_dial = script, before_dial
    pool = Pool(provider.endpoint, dial=provider.dial, max_connections=3, reaper=reaper, idle_expiry_s=0.5)

    async def call() -> None:
        await trio.sleep(dice.random() / 2)
        with trio.move_on_after(dice.choice([0, 0.005, 0.01, 0.02, 0.1, 0.5])):
            with contextlib.suppress(UpstreamFault):
                await pool.exchange(b"x", replay_safe=dice.random() < 0.5)
        assert pool.busy + pool.idle <= 3

    async with trio.open_nursery() as nursery:
        await nursery.start(reaper.run)
        async with trio.open_nursery() as calls:
            for _ in range(60):
                calls.start_soon(call)
        await trio.sleep(1)
        assert settled(pool)
        assert len(pool._open) == provider.open_lines
        provider.script, provider.before_dial = provider.echo, trio.lowlevel.checkpoint
        await pool.aclose()
        assert provider.open_lines == 0
        nursery.cancel_scope.cancel()
