"""The door as a whole: who gets which connection, what one connection's failure does to others, and how it all ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock, wait_all_tasks_blocked

from lasso_trio.server.answer import Answer
from lasso_trio.server.connection import Peer
from lasso_trio.server.front_door import AT_REST, FrontDoor, Other
from lasso_trio.server.http_request import HttpRequest
from lasso_trio.server.limits import LaneLimits
from lasso_trio.server.listener import open_listeners
from lasso_trio.server.replay_stream import ReplayStream
from lasso_trio.server.rpc_lane import Handler
from lasso_trio.supervision import Supervisor

OpenDoor = Callable[..., Awaitable[Any]]

CALL = b"POST /rpc HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
GET = b"GET /ws/rpc/eth HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\nframe"


# Lanes…


@pytest.mark.parametrize(
    "wire",
    [
        GET,
        b"HEAD /rpc HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /api HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00",
        b"GET / HTTP/1.0\n\n",
    ],
)
async def test_other_requests_are_handed_over_with_every_byte(open_door: OpenDoor, wire: bytes) -> None:
    house = await open_door()
    assert await house.exchange(wire) == b"other:" + wire
    assert house.door.counters.handed_over == 1


async def test_later_request_on_a_kept_connection_is_handed_over_too(open_door: OpenDoor) -> None:
    client = (await open_door()).connect()
    assert b" 200 OK" in await client.say(CALL)
    assert await client.say(GET) == b"other:" + GET
    assert await client.say(CALL) == b""


async def test_request_pipelined_behind_a_call_is_handed_over_after_its_answer(open_door: OpenDoor) -> None:
    answer, _, rest = (await (await open_door()).exchange(CALL + GET)).partition(b"other:")
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert rest == GET


async def test_peer_is_told_to_both_lanes(open_door: OpenDoor) -> None:
    seen = []

    async def handler(request: HttpRequest, peer: Peer) -> Answer:
        seen.append(peer.host)
        return Answer(200)

    async def other(stream: ReplayStream, peer: Peer) -> None:
        seen.append(peer.host)

    await (await open_door(handler, other)).exchange(CALL + GET)
    assert seen == ["192.0.2.1", "192.0.2.1"]


# Containment…


async def test_crash_of_another_lane_ends_its_connection_only(open_door: OpenDoor) -> None:
    async def other(stream: ReplayStream, peer: Peer) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.receive_some)
            raise KeyError("hostile frame")

    house = await open_door(other=other)
    good, bad = house.connect(), house.connect()
    with capture_logs() as logs:
        await bad.stream.send_all(GET)
        assert await bad.read_to_end() == b""
    assert b" 200 OK" in await good.say(CALL)
    assert house.door.counters.connection_crashes == 1
    assert [entry["event"] for entry in logs] == ["connection.crashed"]


async def test_client_that_leaves_another_lane_is_no_crash(open_door: OpenDoor) -> None:
    async def other(stream: ReplayStream, peer: Peer) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            raise trio.BrokenResourceError

    house = await open_door(other=other)
    client = house.connect()
    await client.stream.send_all(GET)
    assert await client.read_to_end() == b""
    assert (house.door.counters.connection_crashes, house.door.active) == (0, 0)


# Stopping…


class Slow:
    def __init__(self) -> None:
        self.go = trio.Event()

    async def __call__(self, request: HttpRequest, peer: Peer) -> Answer:
        await self.go.wait()
        return Answer(200, body=b"done")


async def test_draining_it_serves_a_connection_that_was_just_used_once_more_and_then_closes_it(
    autojump_clock: MockClock, open_door: OpenDoor
) -> None:
    house = await open_door()
    used, left = house.connect(), house.connect()
    for client in (used, left):
        assert b" 200 " in await client.say(CALL)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(house.door.drain, trio.current_time() + 25)
        await trio.sleep(0.3)
        assert b"connection: close\r\n" in await used.say(CALL)
        began = trio.current_time()
        assert await left.read_to_end() == b""
        assert trio.current_time() - began < 1.5


async def test_drain_closes_idle_connections_and_lets_calls_finish(
    autojump_clock: MockClock, open_door: OpenDoor
) -> None:
    slow = Slow()
    house = await open_door(slow)
    idle, busy = house.connect(), house.connect()
    await trio.sleep(AT_REST)
    await busy.stream.send_all(CALL)
    await wait_all_tasks_blocked()
    assert (house.door.active, house.door.in_flight) == (2, 1)
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def drain() -> None:
            assert await house.door.drain(trio.current_time() + 25) is True
            assert trio.current_time() - began < 25

        began = trio.current_time()
        assert await idle.read_to_end() == b""
        assert trio.current_time() == began
        await trio.sleep(20)
        slow.go.set()
        answer = await busy.read_to_end()
    assert b"connection: close\r\n" in answer
    assert answer.endswith(b"done")


async def test_drain_cancels_what_is_left_at_its_deadline(autojump_clock: MockClock, open_door: OpenDoor) -> None:
    house = await open_door(Slow())
    busy, other = house.connect(), house.connect()
    await busy.stream.send_all(CALL)
    await other.stream.send_all(GET)
    await wait_all_tasks_blocked()
    began = trio.current_time()
    assert await house.door.drain(began + 25) is False
    assert trio.current_time() == began + 25
    assert house.door.active == 0
    assert await busy.read_to_end() == b""


async def test_serve_returns_when_the_last_connection_is_gone(autojump_clock: MockClock, open_door: OpenDoor) -> None:
    served = trio.Event()
    door = FrontDoor(Slow(), Slow())  # type: ignore[arg-type]

    async def serve(task_status: trio.TaskStatus[None]) -> None:
        await door.serve([], task_status=task_status)
        served.set()

    async with trio.open_nursery() as nursery:
        await nursery.start(serve)
        await door.drain(trio.current_time() + 1)
        with trio.fail_after(1):
            await served.wait()


async def test_connection_that_comes_during_the_drain_is_closed_soon(
    autojump_clock: MockClock, open_door: OpenDoor
) -> None:
    slow = Slow()
    house = await open_door(slow)
    busy = house.connect()
    await busy.stream.send_all(CALL)
    await wait_all_tasks_blocked()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(house.door.drain, trio.current_time() + 25)
        await wait_all_tasks_blocked()
        began = trio.current_time()
        late = house.connect()  # as from the kernel's queue, emptied when the listener closed
        assert await late.read_to_end() == b""
        assert trio.current_time() - began <= 1
        slow.go.set()


# Over real sockets…


async def open_real(nursery: trio.Nursery, handler: Handler, other: Other, **limits: int) -> tuple[FrontDoor, int]:
    door = FrontDoor(handler, other, limits=LaneLimits(**limits))
    listeners = await open_listeners("127.0.0.1", 0)
    await nursery.start(door.serve, listeners)
    return door, listeners[0].port


async def read_to_end(client: trio.SocketStream) -> bytes:
    data = b""
    while chunk := await client.receive_some():
        data += chunk
    return data


async def ping(request: HttpRequest, peer: Peer) -> Answer:
    return Answer(200, body=peer.host.encode())


async def nobody(stream: ReplayStream, peer: Peer) -> None:
    pass


async def test_a_thousand_clients_at_once_are_all_answered(nursery: trio.Nursery) -> None:
    door, port = await open_real(nursery, ping, nobody)

    async def client() -> None:
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            for _ in range(2):
                await stream.send_all(CALL)
                assert (await stream.receive_some()).endswith(b"127.0.0.1")
            connected.append(stream)
            if len(connected) == 1_000:
                everybody.set()
            await everybody.wait()

    connected: list[trio.SocketStream] = []
    everybody = trio.Event()
    with trio.fail_after(30):
        async with trio.open_nursery() as clients:
            for _ in range(1_000):
                clients.start_soon(client)
    assert (door.counters.accepted, door.counters.requests) == (1_000, 2_000)


async def test_client_beyond_the_limit_is_turned_away_with_a_503(nursery: trio.Nursery) -> None:
    door, port = await open_real(nursery, ping, nobody, max_connections=1)
    async with await trio.open_tcp_stream("127.0.0.1", port) as first:
        await first.send_all(CALL)
        await first.receive_some()
        async with await trio.open_tcp_stream("127.0.0.1", port) as second:
            assert (await second.receive_some()).startswith(b"HTTP/1.1 503 ")
            assert await second.receive_some() == b""
        await first.send_all(CALL)
        assert b" 200 OK" in await first.receive_some()
    assert door.counters.turned_away == 1


async def test_sender_of_a_huge_body_reads_the_413_and_not_a_reset(nursery: trio.Nursery) -> None:
    _, port = await open_real(nursery, ping, nobody, max_body_bytes=1_000)
    async with await trio.open_tcp_stream("127.0.0.1", port) as client:
        await client.send_all(b"POST /rpc HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n" + bytes(900_000))
        assert (await client.receive_some()).startswith(b"HTTP/1.1 413 ")
        assert await client.receive_some() == b""


async def test_request_already_sent_is_served_by_a_drain(nursery: trio.Nursery) -> None:
    door, port = await open_real(nursery, ping, nobody)
    async with await trio.open_tcp_stream("127.0.0.1", port) as client:
        await client.send_all(CALL)
        await client.receive_some()

        async def read() -> None:
            answers.append(await client.receive_some())
            await client.aclose()

        answers: list[bytes | bytearray] = []
        nursery.start_soon(read)
        await wait_all_tasks_blocked()
        client.socket._sock.send(CALL)  # no checkpoint: it is in the socket, and its task has not run
        assert await door.drain(trio.current_time() + 5)
    assert b"connection: close\r\n" in answers[0]


async def test_socket_whose_task_will_not_be_cancelled_is_closed_by_force(nursery: trio.Nursery) -> None:
    held = trio.Event()

    async def stubborn(stream: ReplayStream, peer: Peer) -> None:
        with trio.CancelScope(shield=True):
            held.set()
            await stream.receive_some()  # the replayed bytes
            while await stream.receive_some():
                pass

    door, port = await open_real(nursery, ping, stubborn)
    async with await trio.open_tcp_stream("127.0.0.1", port) as client:
        await client.send_all(GET)
        await held.wait()
        with trio.fail_after(10):
            assert await door.drain(trio.current_time()) is False
            with pytest.raises(trio.BrokenResourceError):  # a reset
                await client.receive_some()
        await wait_all_tasks_blocked()
    assert (door.active, door.counters.connection_crashes) == (0, 0)


async def test_pipelined_calls_that_never_wait_leave_room_for_others(nursery: trio.Nursery) -> None:
    async def note(request: HttpRequest, peer: Peer) -> Answer:
        order.append(peer.port)
        return Answer(200)

    order: list[int] = []
    _, port = await open_real(nursery, note, nobody)
    async with (
        await trio.open_tcp_stream("127.0.0.1", port) as greedy,
        await trio.open_tcp_stream("127.0.0.1", port) as modest,
    ):
        await wait_all_tasks_blocked()
        for client, calls in ((greedy, 20), (modest, 1)):
            client.socket._sock.send(CALL * calls)  # no checkpoint: both are there before either is served
        await modest.receive_some()
        assert order.index(modest.socket.getsockname()[1]) < 5


async def test_broken_stream_is_seen_as_a_reset(nursery: trio.Nursery) -> None:
    class Breaking:
        def __aiter__(self) -> Breaking:
            return self

        async def __anext__(self) -> bytes:
            await trio.lowlevel.checkpoint()
            raise ValueError

    async def handler(request: HttpRequest, peer: Peer) -> Answer:
        return Answer(200, body=b"part", stream=Breaking())

    door, port = await open_real(nursery, handler, nobody)
    async with await trio.open_tcp_stream("127.0.0.1", port) as client:
        await client.send_all(CALL.replace(b"1.1", b"1.0"))
        with pytest.raises(trio.BrokenResourceError):
            await read_to_end(client)
    assert door.counters.broken_answers == 1


def test_door_shows_its_state() -> None:
    assert repr(FrontDoor(ping, nobody)) == "<FrontDoor open active=0 accepted=0>"


async def test_a_sweeper_that_crashes_is_started_again_and_counted(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    lives = 0

    async def brittle(*_: object) -> None:
        nonlocal lives
        lives += 1
        if lives == 1:
            raise RuntimeError("a bug")
        await trio.sleep_forever()

    monkeypatch.setattr("lasso_trio.server.front_door.keep_sweeping", brittle)
    supervisor = Supervisor()
    door = FrontDoor(ping, nobody, supervisor=supervisor)
    async with trio.open_nursery() as nursery:
        await nursery.start(door.serve, [])
        await trio.sleep(5)
        assert (lives, supervisor.restarts) == (2, 1)
        door.stop_accepting()
