"""One task wakes readers at their deadlines: in time, without losing bytes, and only while they wait."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator

import pytest
import trio

from lasso_trio.config.secret import SecretUrl
from lasso_trio.devnet import Devnet, Failure, Faults, Kind, Latency
from lasso_trio.upstream.alarm import QUIET_TICKS, TICK_S, Alarm
from lasso_trio.upstream.endpoint import Endpoint
from lasso_trio.upstream.faults import Expired
from lasso_trio.upstream.http1 import Pool
from lasso_trio.upstream.raw_stream import RawStream, Woken


@pytest.fixture
def pair() -> Iterator[tuple[RawStream, socket.socket]]:
    ours, theirs = socket.socketpair()
    stream = RawStream(ours)
    yield stream, theirs
    stream.close()
    theirs.close()


@pytest.fixture
async def alarm(nursery: trio.Nursery) -> Alarm:
    alarm = Alarm()
    nursery.start_soon(alarm.run)
    await trio.testing.wait_all_tasks_blocked()
    return alarm


async def _wait(alarm: Alarm, stream: RawStream, until: float) -> bytes:
    alarm.set(stream, until)
    try:
        return await stream.receive_some()
    finally:
        alarm.clear(stream)


async def test_a_reader_is_woken_at_its_time_and_not_before(
    alarm: Alarm, pair: tuple[RawStream, socket.socket]
) -> None:
    until = trio.current_time() + 0.05
    with pytest.raises(Woken):
        await _wait(alarm, pair[0], until)
    assert trio.current_time() >= until


async def test_waking_loses_nothing(alarm: Alarm, pair: tuple[RawStream, socket.socket]) -> None:
    stream, peer = pair
    with pytest.raises(Woken):
        await _wait(alarm, stream, trio.current_time())
    peer.send(b"late")
    assert await stream.receive_some() == b"late"


async def test_bytes_that_come_first_are_read_and_the_later_wait_is_left_alone(
    alarm: Alarm, pair: tuple[RawStream, socket.socket]
) -> None:
    stream, peer = pair
    peer.send(b"one")
    assert await _wait(alarm, stream, trio.current_time() + 0.01) == b"one"
    await trio.sleep(3 * TICK_S)
    peer.send(b"two")
    assert await stream.receive_some() == b"two"


async def test_a_wake_after_the_bytes_does_not_end_the_next_wait(pair: tuple[RawStream, socket.socket]) -> None:
    stream, peer = pair
    stream.wake()
    stream.forget_wake()
    peer.send(b"x")
    assert await stream.receive_some() == b"x"


async def test_a_stream_that_was_closed_says_so_even_if_it_was_woken(pair: tuple[RawStream, socket.socket]) -> None:
    stream, _ = pair

    async def close() -> None:
        await trio.testing.wait_all_tasks_blocked()
        stream.wake()
        stream.close()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(close)
        with pytest.raises(trio.ClosedResourceError):
            await stream.receive_some()


async def test_it_sleeps_when_nobody_waits_and_is_there_for_the_next(
    pair: tuple[RawStream, socket.socket], autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    alarm = Alarm()
    nursery.start_soon(alarm.run)
    await trio.sleep(TICK_S * (QUIET_TICKS + 5))
    asleep_at = trio.current_time()
    until = asleep_at + 20.0
    with pytest.raises(Woken):
        await _wait(alarm, pair[0], until)
    assert until <= trio.current_time() < until + TICK_S


async def test_when_the_service_ends_its_sleepers_are_woken_and_callers_can_tell(
    pair: tuple[RawStream, socket.socket],
) -> None:
    alarm = Alarm()
    assert not alarm.running
    async with trio.open_nursery() as nursery:
        nursery.start_soon(alarm.run)
        await trio.testing.wait_all_tasks_blocked()
        assert alarm.running

        async def sleeper() -> None:
            with pytest.raises(Woken):
                await _wait(alarm, pair[0], trio.current_time() + 3600.0)

        async with trio.open_nursery() as waiting:
            waiting.start_soon(sleeper)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
    assert not alarm.running


# The pool with an alarm: what callers see is the same as with cancel scopes…


@pytest.fixture
async def net() -> AsyncIterator[Devnet]:
    async with Devnet.open({"one": Faults()}) as net:
        yield net


def _pool(net: Devnet, alarm: Alarm) -> Pool:
    return Pool(Endpoint.from_url(SecretUrl(net.url("one")), {}), alarm=alarm)


BODY = b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}'
BLOB = b'{"jsonrpc":"2.0","id":1,"method":"devnet_blob","params":[200000]}'


async def test_an_answer_in_time_is_an_answer_and_the_connection_is_kept(alarm: Alarm, net: Devnet) -> None:
    pool = _pool(net, alarm)
    for _ in range(3):
        reply = await pool.exchange(BODY, replay_safe=True, until=trio.current_time() + 5)
        assert reply.status == 200
    assert (pool.counters.opened, pool.counters.reused) == (1, 2)
    await pool.aclose()


async def test_a_kept_connection_that_stays_silent_ends_at_the_deadline(alarm: Alarm, net: Devnet) -> None:
    pool = _pool(net, alarm)
    await pool.exchange(BODY, replay_safe=True)
    net.set_faults("one", Faults(failures=(Failure(Kind.HANG),)))
    with pytest.raises(Expired) as expired:
        await pool.exchange(BODY, replay_safe=False, until=trio.current_time() + 0.05)
    assert expired.value.dispatched
    assert (pool.busy, pool.idle) == (0, 0)
    net.set_faults("one")
    assert (await pool.exchange(BODY, replay_safe=True)).status == 200
    await pool.aclose()


async def test_an_answer_in_several_reads_is_read_to_its_end(alarm: Alarm, net: Devnet) -> None:
    pool = _pool(net, alarm)
    for _ in range(2):
        reply = await pool.exchange(BLOB, replay_safe=True, until=trio.current_time() + 5)
        assert len(reply.body) > 200_000
    await pool.aclose()


async def test_a_stale_kept_connection_is_replaced_in_silence(alarm: Alarm, net: Devnet) -> None:
    pool = _pool(net, alarm)
    await pool.exchange(BODY, replay_safe=True)
    net.set_faults("one", Faults(failures=(Failure(Kind.RESET, times=1),)))
    reply = await pool.exchange(BODY, replay_safe=True, until=trio.current_time() + 5)
    assert reply.status == 200
    assert pool.counters.retried == 1
    await pool.aclose()


async def test_a_caller_that_leaves_takes_its_entry_along(alarm: Alarm, net: Devnet) -> None:
    pool = _pool(net, alarm)
    await pool.exchange(BODY, replay_safe=True)
    net.set_faults("one", Faults(latency=Latency.constant(5_000)))
    with trio.move_on_after(0.02):
        await pool.exchange(BODY, replay_safe=True, until=trio.current_time() + 5)
    assert "armed=0" in repr(alarm)
    assert pool.busy == 0
    await pool.aclose()


async def test_without_a_running_alarm_the_deadline_holds_all_the_same(net: Devnet) -> None:
    pool = _pool(net, Alarm())
    await pool.exchange(BODY, replay_safe=True)
    net.set_faults("one", Faults(failures=(Failure(Kind.HANG),)))
    with pytest.raises(Expired):
        await pool.exchange(BODY, replay_safe=True, until=trio.current_time() + 0.05)
    await pool.aclose()
