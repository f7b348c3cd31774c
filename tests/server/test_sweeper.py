"""Time limits, in virtual time over memory streams: each phase is cut when its own limit has passed, not before."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock, lockstep_stream_pair, memory_stream_pair, wait_all_tasks_blocked

from lasso_trio.server.answer import Answer
from lasso_trio.server.connection import CALL, HANDED, IDLE, Connection, Cut, Peer
from lasso_trio.server.door_counters import DoorCounters
from lasso_trio.server.http_request import HttpRequest
from lasso_trio.server.limits import LaneLimits
from lasso_trio.server.sweeper import PERIOD, SLICE, sweep, time_limits

OpenDoor = Callable[..., Awaitable[Any]]

HEAD = b"POST /rpc HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"
CALL_WIRE = b"POST /rpc HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"


class Cutoff:
    """How long a client got, in virtual seconds."""

    def __init__(self) -> None:
        self.began = trio.current_time()

    async def of(self, stream: trio.abc.ReceiveStream) -> tuple[float, bytes]:
        data = b""
        while chunk := await stream.receive_some():
            data += chunk
        return trio.current_time() - self.began, data


def within_a_period(seconds: float, limit: float) -> bool:
    return limit < seconds <= limit + 2 * PERIOD


async def test_connection_that_says_nothing_is_closed_silently(autojump_clock: MockClock, open_door: OpenDoor) -> None:
    house = await open_door()
    seconds, data = await Cutoff().of(house.connect().stream)
    assert within_a_period(seconds, 75)
    assert (data, house.door.counters.idle_timeouts, house.door.active) == (b"", 1, 0)


async def test_kept_connection_is_closed_after_its_idle_time(autojump_clock: MockClock, open_door: OpenDoor) -> None:
    client = (await open_door()).connect()
    await trio.sleep(50)
    await client.stream.send_all(CALL_WIRE)
    await trio.testing.wait_all_tasks_blocked()
    seconds, data = await Cutoff().of(client.stream)
    assert within_a_period(seconds, 75)
    assert b" 200 OK" in data


async def test_dripped_head_is_cut_with_a_408(autojump_clock: MockClock, open_door: OpenDoor) -> None:
    house = await open_door()
    client = house.connect()
    await trio.sleep(20)

    async def drip() -> None:
        for byte in CALL_WIRE:
            await client.stream.send_all(bytes([byte]))
            await trio.sleep(1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(drip)
        seconds, data = await Cutoff().of(client.stream)
        nursery.cancel_scope.cancel()
    assert within_a_period(seconds, 10)
    assert data.startswith(b"HTTP/1.1 408 ")
    assert house.door.counters.head_timeouts == 1


async def test_body_that_stops_is_cut_with_a_408(autojump_clock: MockClock, open_door: OpenDoor) -> None:
    house = await open_door()
    client = house.connect()
    await client.stream.send_all(HEAD + b"x" * 50_000)
    seconds, data = await Cutoff().of(client.stream)
    assert within_a_period(seconds, 30)
    assert data.startswith(b"HTTP/1.1 408 ")
    assert (house.door.counters.body_timeouts, house.door.budget.used) == (1, 0)


@pytest.mark.parametrize(("rate", "cut"), [(1_000, True), (10_000, False)])
async def test_body_below_the_minimal_rate_is_cut(
    autojump_clock: MockClock, open_door: OpenDoor, rate: int, cut: bool
) -> None:
    client = (await open_door(body_timeout=5.0)).connect()
    await client.stream.send_all(HEAD)
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:

            async def drip() -> None:
                for _ in range(100_000 // rate):
                    await trio.sleep(1)
                    await client.stream.send_all(b"x" * rate)

            nursery.start_soon(drip)
            answer = bytes(await client.stream.receive_some())
            scope.cancel()
    assert answer.startswith(b"HTTP/1.1 408 " if cut else b"HTTP/1.1 200 ")


async def test_call_takes_as_long_as_it_takes(autojump_clock: MockClock, open_door: OpenDoor) -> None:
    async def slow(request: HttpRequest, peer: Peer) -> Answer:
        await trio.sleep(1_000)
        return Answer(200)

    client = (await open_door(slow)).connect()
    await client.stream.send_all(CALL_WIRE)
    assert b" 200 OK" in await client.stream.receive_some()


async def test_handed_over_connection_is_its_lanes_business(autojump_clock: MockClock, open_door: OpenDoor) -> None:
    house = await open_door()
    client = house.connect()
    await client.stream.send_all(b"GET / HTTP/1.1\r\n\r\n")
    assert (await client.stream.receive_some()).startswith(b"other:")
    await trio.sleep(1_000)
    assert house.door.active == 1


async def test_client_that_never_reads_is_cut(autojump_clock: MockClock, open_door: OpenDoor) -> None:
    house = await open_door()
    client = house.connect(lockstep_stream_pair)
    await client.stream.send_all(CALL_WIRE)
    await trio.sleep(29)
    assert (house.door.active, house.door.in_flight) == (1, 1)
    await trio.sleep(2)
    assert (house.door.active, house.door.counters.write_timeouts) == (0, 1)


async def test_client_that_reads_slowly_but_reads_is_served(autojump_clock: MockClock, open_door: OpenDoor) -> None:
    async def big(request: HttpRequest, peer: Peer) -> Answer:
        return Answer(200, body=bytes(1_000_000))

    house = await open_door(big)
    client = house.connect(lockstep_stream_pair)
    await client.stream.send_all(CALL_WIRE)
    size = 0
    while size < 1_000_000:
        await trio.sleep(10)
        chunk = await client.stream.receive_some(100_000)
        assert chunk
        size += len(chunk)
    assert house.door.counters.write_timeouts == 0


async def test_refused_sender_that_does_not_stop_is_left(autojump_clock: MockClock, open_door: OpenDoor) -> None:
    house = await open_door()
    client = house.connect()
    await client.stream.send_all(b"POST /rpc HTTP/1.1\r\n\r\n")
    await trio.sleep(1)
    assert house.door.active == 1
    await trio.sleep(3)
    assert house.door.active == 0


# The sweep itself…


async def test_sweep_lets_others_run_between_slices() -> None:
    limits = time_limits(LaneLimits())
    ours, _ = memory_stream_pair()
    connections = [Connection(ours, Peer("192.0.2.1", 1), trio.current_time()) for _ in range(SLICE * 5)]
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        await sweep(connections, limits, DoorCounters())
        assert turns >= 2
        nursery.cancel_scope.cancel()


async def test_sweep_cuts_once_and_spares_calls_and_foreign_lanes(autojump_clock: MockClock) -> None:
    counters = DoorCounters()
    ours, _ = memory_stream_pair()
    idle, call, handed = (Connection(ours, Peer("192.0.2.1", 1), -1e9, phase) for phase in (IDLE, CALL, HANDED))
    for _ in range(2):
        await sweep([idle, call, handed], time_limits(LaneLimits()), counters)
    assert (idle.cut_by, call.cut_by, handed.cut_by) == (Cut.IDLE_TIMEOUT, None, None)
    assert counters.idle_timeouts == 1
    await wait_all_tasks_blocked()
