"""The reaper has a little patience, and drops whatever takes more."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from lasso_trio.upstream.http1 import Pool
from lasso_trio.upstream.reaper import Reaper

if TYPE_CHECKING:
    from tests.upstream.conftest import Line, Provider

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
async def reaper(nursery: trio.Nursery) -> AsyncIterator[Reaper]:
    reaper = Reaper(capacity=2)
    await nursery.start(reaper.run)
    yield reaper
    nursery.cancel_scope.cancel()


async def abandon(pool: Pool, after: float = 0.1) -> None:
    """The call of a race's loser, which is cancelled after its request went out."""
    call = pool.call(b"x", replay_safe=True)
    call.patient = True
    with trio.move_on_after(after) as scope:
        await call.answer_by(trio.current_time() + 99)
    assert scope.cancelled_caught


def answers_after(delay: float, *pieces: bytes) -> object:
    async def script(line: Line) -> None:
        while await line.read_request() is not None:
            await trio.sleep(delay)
            for piece in pieces:
                await line.say(piece)

    return script


async def test_a_late_answer_saves_the_connection(
    provider: Provider, reaper: Reaper, autojump_clock: trio.abc.Clock
) -> None:
    provider.script = answers_after(0.3, OK)
    pool = Pool(provider.endpoint, dial=provider.dial, reaper=reaper)
    await abandon(pool)
    assert (pool.busy, pool.idle) == (1, 0), "while it drains it keeps its slot"
    assert "draining=1" in repr(reaper)
    await trio.sleep(0.3)
    assert (pool.busy, pool.idle, reaper.kept) == (0, 1, 1)
    assert (await pool.exchange(b"x", replay_safe=True)).body == b"ok"
    assert len(provider.lines) == 1


async def test_a_call_whose_client_left_is_worth_less_patience(
    provider: Provider, reaper: Reaper, autojump_clock: trio.abc.Clock
) -> None:
    provider.script = answers_after(0.3, OK)
    pool = Pool(provider.endpoint, dial=provider.dial, reaper=reaper)
    with trio.move_on_after(0.1):
        await pool.exchange(b"x", replay_safe=True)
    await trio.sleep(0.05)
    assert (pool.busy, pool.idle, reaper.dropped) == (0, 0, 1)


async def test_half_an_answer_that_was_read_before_is_finished(
    provider: Provider, reaper: Reaper, autojump_clock: trio.abc.Clock
) -> None:
    async def script(line: Line) -> None:
        while await line.read_request() is not None:
            await line.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe")
            await trio.sleep(0.2)
            await line.say(b"llo\r\n0\r\n\r\n")

    provider.script = script
    pool = Pool(provider.endpoint, dial=provider.dial, reaper=reaper)
    await abandon(pool)
    await trio.sleep(0.3)
    assert (pool.busy, pool.idle) == (0, 1)
    assert (await pool.exchange(b"x", replay_safe=True)).body == b"hello"


@pytest.mark.parametrize(
    ("delay", "answer"),
    [
        pytest.param(0.5, OK, id="too late"),
        pytest.param(0.2, b"HTTP/1.1 200 OK\r\n\r\n" + bytes(100_000), id="too long"),
        pytest.param(0.2, b"garbage", id="not an answer"),
        pytest.param(0.2, OK + b"x", id="more than an answer"),
        pytest.param(0.2, OK.replace(b"1.1", b"1.0"), id="not to be kept"),
    ],
)
async def test_what_takes_too_long_or_leaves_doubt_is_dropped(
    provider: Provider, reaper: Reaper, autojump_clock: trio.abc.Clock, delay: float, answer: bytes
) -> None:
    provider.script = answers_after(delay, answer)
    pool = Pool(provider.endpoint, dial=provider.dial, reaper=reaper)
    await abandon(pool)
    await trio.sleep(1)
    assert (pool.busy, pool.idle, provider.open_lines, reaper.dropped) == (0, 0, 0, 1)
    assert pool.counters.closed == {"abandoned": 1}


async def test_a_long_answer_is_not_even_begun(
    provider: Provider, reaper: Reaper, autojump_clock: trio.abc.Clock
) -> None:
    provider.script = answers_after(0, b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    pool = Pool(provider.endpoint, dial=provider.dial, reaper=reaper)
    await abandon(pool)
    assert (pool.busy, provider.open_lines, reaper.dropped) == (0, 0, 0)


async def test_a_full_or_stopped_reaper_leaves_the_closing_to_the_pool(
    provider: Provider, reaper: Reaper, autojump_clock: trio.abc.Clock
) -> None:
    provider.script = answers_after(10, OK)
    pool = Pool(provider.endpoint, dial=provider.dial, reaper=reaper)
    async with trio.open_nursery() as calls:
        for _ in range(5):
            calls.start_soon(abandon, pool)
    assert (pool.busy, provider.open_lines) == (2, 2)
    never_run = Pool(provider.endpoint, dial=provider.dial, reaper=Reaper())
    await abandon(never_run)
    assert never_run.busy == 0
    assert "stopped" in repr(Reaper())


async def test_nobody_waits_for_a_slot_that_drains(
    provider: Provider, reaper: Reaper, autojump_clock: trio.abc.Clock
) -> None:
    provider.script = answers_after(0.3, OK)
    pool = Pool(provider.endpoint, dial=provider.dial, reaper=reaper, max_connections=1)
    async with trio.open_nursery() as calls:
        calls.start_soon(abandon, pool)
        await wait_all_tasks_blocked()
        begun = trio.current_time()
        await pool.exchange(b"x", replay_safe=True)
        assert trio.current_time() - begun == pytest.approx(0.4)


async def test_a_cancelled_reaper_drops_what_it_holds_and_takes_no_more(
    provider: Provider, autojump_clock: trio.abc.Clock
) -> None:
    reaper = Reaper()
    provider.script = answers_after(10, OK)
    pool = Pool(provider.endpoint, dial=provider.dial, reaper=reaper)
    async with trio.open_nursery() as service:
        await service.start(reaper.run)
        async with trio.open_nursery() as calls:
            calls.start_soon(abandon, pool)
            calls.start_soon(abandon, pool)
        assert pool.busy == 2
        service.cancel_scope.cancel()
    assert (pool.busy, provider.open_lines) == (0, 0)
    await abandon(pool)
    assert (pool.busy, provider.open_lines) == (0, 0)


async def test_the_pool_may_close_while_the_reaper_drains(
    provider: Provider, reaper: Reaper, autojump_clock: trio.abc.Clock
) -> None:
    provider.script = answers_after(10, OK)
    pool = Pool(provider.endpoint, dial=provider.dial, reaper=reaper)
    await abandon(pool)
    await pool.aclose()
    await trio.sleep(1)
    assert (pool.busy, pool.idle, provider.open_lines) == (0, 0, 0)
