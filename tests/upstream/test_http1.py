"""The pool: who gets which connection, and nothing is ever lost."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from lasso_trio.upstream.faults import ConnectFault, Disconnected, PoolClosed, PoolFull, UpstreamFault
from lasso_trio.upstream.http1 import Pool

if TYPE_CHECKING:
    from tests.upstream.conftest import Line, Provider

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def mute(line: Line) -> None:
    await trio.sleep_forever()


def settled(pool: Pool) -> bool:
    """Nobody owns anything and every open connection is idle."""
    return pool.busy == 0 and pool.waiting == 0 and len(pool._open) == pool.idle


async def test_an_exchange_answers_and_keeps_its_connection(provider: Provider) -> None:
    pool = Pool(provider.endpoint, dial=provider.dial)
    reply = await pool.exchange(b"hello", replay_safe=True)
    assert (reply.status, reply.body, reply.rest, reply.content_length) == (200, b"hello", None, 5)
    assert repr(pool) == "<Pool http://provider.test idle=1 busy=0>"
    await pool.exchange(b"again", replay_safe=False)
    assert len(provider.lines) == 1
    assert (pool.counters.opened, pool.counters.reused) == (1, 1)


async def test_the_warmest_connection_is_used_first(provider: Provider, autojump_clock: trio.abc.Clock) -> None:
    pool = Pool(provider.endpoint, dial=provider.dial)
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(lambda: pool.exchange(b"x", replay_safe=True))
    assert pool.idle == 3
    before = [line.requests for line in provider.lines]
    for _ in range(5):
        await pool.exchange(b"x", replay_safe=True)
    grown = [line.requests - was for line, was in zip(provider.lines, before, strict=True)]
    assert sorted(grown) == [0, 0, 5]


async def test_connections_are_capped_and_callers_queue_in_order(provider: Provider) -> None:
    pool = Pool(provider.endpoint, dial=provider.dial, max_connections=2)
    order: list[int] = []

    async def call(number: int) -> None:
        await pool.exchange(b"%d" % number, replay_safe=True)
        order.append(number)

    gate = trio.Event()

    async def gated(line: Line) -> None:
        while (body := await line.read_request()) is not None:
            await gate.wait()
            await line.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    provider.script = gated
    async with trio.open_nursery() as nursery:
        for number in range(6):
            nursery.start_soon(call, number)
            await wait_all_tasks_blocked()
        assert (pool.busy, pool.waiting, pool.idle) == (2, 4, 0)
        assert "waiting=4" in repr(pool)
        gate.set()
    assert len(provider.lines) == 2
    assert sorted(order[:2]) == [0, 1]
    assert sorted(order[2:4]) == [2, 3]
    assert settled(pool)


async def test_a_queue_beyond_its_cap_is_our_own_fault(provider: Provider) -> None:
    provider.script = mute
    pool = Pool(provider.endpoint, dial=provider.dial, max_connections=1, waiters_cap=1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: pool.exchange(b"x", replay_safe=True))
        await wait_all_tasks_blocked()
        nursery.start_soon(lambda: pool.exchange(b"x", replay_safe=True))
        await wait_all_tasks_blocked()
        with pytest.raises(PoolFull) as caught:
            await pool.exchange(b"x", replay_safe=True)
        assert caught.value.local
        assert not caught.value.dispatched
        nursery.cancel_scope.cancel()
    assert settled(pool)


async def test_idle_connections_expire_when_asked_and_when_found(
    provider: Provider, autojump_clock: trio.abc.Clock
) -> None:
    pool = Pool(provider.endpoint, dial=provider.dial, idle_expiry_s=60)
    await pool.exchange(b"x", replay_safe=True)
    await trio.sleep(59)
    pool.expire(trio.current_time())
    assert pool.idle == 1
    await trio.sleep(2)
    pool.expire(trio.current_time())
    assert (pool.idle, provider.open_lines) == (0, 0)
    await pool.exchange(b"x", replay_safe=True)
    await trio.sleep(61)
    await pool.exchange(b"x", replay_safe=True)
    assert pool.counters.opened == 3
    assert pool.counters.closed == {"expired": 2}


async def test_a_failed_dial_gives_its_slot_back_and_names_the_origin(provider: Provider) -> None:
    pool = Pool(provider.endpoint, dial=provider.dial, max_connections=1)
    provider.dial_fault = ConnectFault("refused")
    for _ in range(3):
        with pytest.raises(ConnectFault) as caught:
            await pool.exchange(b"x", replay_safe=True)
    assert "http://provider.test" in str(caught.value)
    assert "key" not in str(caught.value)
    provider.dial_fault = None
    await pool.exchange(b"x", replay_safe=True)
    assert settled(pool)


# Stale connections…


async def hangs_up_after_one(line: Line) -> None:
    await line.read_request()
    await line.say(OK)
    await line.read_request()
    await line.hang_up()


async def test_a_stale_kept_connection_is_replaced_in_silence(provider: Provider) -> None:
    provider.script = hangs_up_after_one
    pool = Pool(provider.endpoint, dial=provider.dial)
    await pool.exchange(b"x", replay_safe=True)
    reply = await pool.exchange(b"x", replay_safe=True)
    assert reply.body == b"ok"
    assert (pool.counters.opened, pool.counters.retried) == (2, 1)
    assert pool.counters.closed == {"stale": 1}


async def test_a_call_that_must_not_be_repeated_is_not(provider: Provider) -> None:
    provider.script = hangs_up_after_one
    pool = Pool(provider.endpoint, dial=provider.dial)
    await pool.exchange(b"x", replay_safe=True)
    with pytest.raises(Disconnected) as caught:
        await pool.exchange(b"x", replay_safe=False)
    assert (caught.value.reason, caught.value.dispatched) == ("eof", True)
    assert len(provider.lines) == 1
    assert settled(pool)


async def test_a_fresh_connection_that_is_lost_is_the_providers_fault(provider: Provider) -> None:
    async def hang_up(line: Line) -> None:
        await line.read_request()
        await line.hang_up()

    provider.script = hang_up
    pool = Pool(provider.endpoint, dial=provider.dial)
    with pytest.raises(Disconnected):
        await pool.exchange(b"x", replay_safe=True)
    assert pool.counters.retried == 0


async def test_the_retry_is_made_once_and_on_a_fresh_connection(provider: Provider) -> None:
    provider.script = hangs_up_after_one
    pool = Pool(provider.endpoint, dial=provider.dial)
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(lambda: pool.exchange(b"x", replay_safe=True))
    assert pool.idle == 3
    reply = await pool.exchange(b"x", replay_safe=True)
    assert reply.body == b"ok"
    assert pool.counters.opened == 4, "the other two kept ones were not tried"
    assert pool.counters.retried == 1


async def test_an_answer_that_has_begun_is_never_asked_for_twice(provider: Provider) -> None:
    async def half(line: Line) -> None:
        await line.read_request()
        await line.say(OK)
        await line.read_request()
        await line.say(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        await line.hang_up()

    provider.script = half
    pool = Pool(provider.endpoint, dial=provider.dial)
    await pool.exchange(b"x", replay_safe=True)
    with pytest.raises(Disconnected) as caught:
        await pool.exchange(b"x", replay_safe=True)
    assert caught.value.reason == "truncated"
    assert len(provider.lines) == 1


async def test_a_fresh_retry_that_was_interrupted_makes_room_among_the_idle(provider: Provider) -> None:
    provider.script = hangs_up_after_one
    pool = Pool(provider.endpoint, dial=provider.dial, max_connections=1)
    await pool.exchange(b"x", replay_safe=True)
    gate = trio.Event()
    provider.before_dial = gate.wait
    call = pool.call(b"x", replay_safe=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(call.answer)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert pool.counters.retried == 1
    gate.set()
    await pool.exchange(b"x", replay_safe=True)
    assert pool.idle == 1
    await call.answer()
    assert (len(pool._open), pool.idle, provider.open_lines) == (1, 1, 1)


async def test_a_fresh_retry_that_had_to_queue_does_not_take_what_it_is_handed(provider: Provider) -> None:
    provider.script = hangs_up_after_one
    pool = Pool(provider.endpoint, dial=provider.dial, max_connections=1)
    await pool.exchange(b"x", replay_safe=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: pool.exchange(b"finds it stale", replay_safe=True))
        await trio.lowlevel.checkpoint()
        nursery.start_soon(lambda: pool.exchange(b"takes its slot", replay_safe=True))
    assert (pool.counters.opened, pool.counters.retried) == (3, 1)
    assert settled(pool)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), id="the server says close"),
        pytest.param(OK.replace(b"1.1", b"1.0"), id="HTTP/1.0"),
        pytest.param(OK + b"extra", id="bytes after the end"),
        pytest.param(OK + OK, id="a second answer after the end"),
    ],
)
async def test_connections_that_cannot_be_kept_are_closed(provider: Provider, answer: bytes) -> None:
    async def script(line: Line) -> None:
        await line.read_request()
        await line.say(answer)

    provider.script = script
    pool = Pool(provider.endpoint, dial=provider.dial)
    assert (await pool.exchange(b"x", replay_safe=True)).body == b"ok"
    assert settled(pool)
    assert pool.idle == 0
    assert provider.open_lines == 0


async def test_a_connection_that_is_distrusted_is_not_used_again(provider: Provider) -> None:
    pool = Pool(provider.endpoint, dial=provider.dial)
    reply = await pool.exchange(b"x", replay_safe=True)
    for _ in range(2):
        pool.distrust(reply)
        assert (pool.idle, pool.busy, provider.open_lines) == (0, 0, 0)
    await pool.exchange(b"x", replay_safe=True)
    assert len(provider.lines) == 2
    assert settled(pool)
    assert pool.counters.closed == {"distrusted": 1}


async def test_a_distrusted_connection_that_was_handed_on_is_replaced_before_it_is_used(provider: Provider) -> None:
    pool = Pool(provider.endpoint, dial=provider.dial, max_connections=1)
    said = trio.Event()

    async def script(line: Line) -> None:
        await line.read_request()
        await said.wait()
        await line.say(OK)
        await provider.echo(line)

    async def distrusts() -> None:
        pool.distrust(await pool.exchange(b"first", replay_safe=True))

    async def waits() -> None:
        await pool.exchange(b"second", replay_safe=True)

    provider.script = script
    async with trio.open_nursery() as nursery:
        for caller in (distrusts, waits):
            nursery.start_soon(caller)
            await wait_all_tasks_blocked()
        assert pool.waiting == 1
        said.set()
    assert [line.requests for line in provider.lines] == [1, 1]
    assert settled(pool)
    assert (pool.counters.closed, pool.counters.reused) == ({"distrusted": 1}, 0)


async def test_a_distrusted_connection_that_is_in_use_again_is_not_kept(provider: Provider) -> None:
    pool = Pool(provider.endpoint, dial=provider.dial)
    said = trio.Event()

    async def script(line: Line) -> None:
        for _ in range(2):
            await line.read_request()
            await line.say(OK)
            await said.wait()

    provider.script = script
    first = await pool.exchange(b"first", replay_safe=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(pool.exchange, b"second", replay_safe=True))
        await wait_all_tasks_blocked()
        pool.distrust(first)
        assert (pool.busy, provider.open_lines) == (1, 1)
        said.set()
    assert (settled(pool), pool.idle, provider.open_lines) == (True, 0, 0)
    assert pool.counters.closed == {"distrusted": 1}


# The end…


async def test_closing_ends_idle_busy_and_waiting_alike(provider: Provider) -> None:
    provider.script = mute
    pool = Pool(provider.endpoint, dial=provider.dial, max_connections=1)
    caught: list[UpstreamFault] = []

    async def call() -> None:
        try:
            await pool.exchange(b"x", replay_safe=True)
        except UpstreamFault as fault:
            caught.append(fault)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(call)
        await wait_all_tasks_blocked()
        nursery.start_soon(call)
        await wait_all_tasks_blocked()
        await pool.aclose()
        await pool.aclose()
    assert {type(fault) for fault in caught} == {Disconnected, PoolClosed}
    assert all(fault.local for fault in caught)
    assert settled(pool)
    assert provider.open_lines == 0
    with pytest.raises(PoolClosed):
        await pool.exchange(b"x", replay_safe=True)


async def test_retiring_lets_calls_in_flight_finish(provider: Provider) -> None:
    pool = Pool(provider.endpoint, dial=provider.dial)
    async with trio.open_nursery() as nursery:
        gate = trio.Event()

        async def gated(line: Line) -> None:
            await line.read_request()
            await gate.wait()
            await line.say(OK)

        provider.script = gated

        @nursery.start_soon
        async def call() -> None:
            assert (await pool.exchange(b"x", replay_safe=True)).body == b"ok"

        await wait_all_tasks_blocked()
        pool.retire()
        assert "retired" in repr(pool)
        gate.set()
    assert settled(pool)
    assert provider.open_lines == 0


async def test_a_dial_that_ends_after_the_pool_was_closed_is_undone(provider: Provider) -> None:
    gate = trio.Event()
    provider.before_dial = gate.wait
    pool = Pool(provider.endpoint, dial=provider.dial)
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def call() -> None:
            with pytest.raises(PoolClosed):
                await pool.exchange(b"x", replay_safe=True)

        await wait_all_tasks_blocked()
        await pool.aclose()
        gate.set()
    assert settled(pool)
    assert provider.open_lines == 0


async def test_who_holds_a_pool_that_winds_down_may_call_and_nothing_is_kept(provider: Provider) -> None:
    pool = Pool(provider.endpoint, dial=provider.dial)
    await pool.exchange(b"x", replay_safe=True)
    assert pool.idle == 1
    pool.wind_down()
    assert (pool.idle, provider.open_lines) == (0, 0)
    assert (await pool.exchange(b"x", replay_safe=True)).body == b"x"
    assert (pool.idle, pool.busy, provider.open_lines) == (0, 0, 0)
    assert pool.counters.closed == {"retired": 2}
