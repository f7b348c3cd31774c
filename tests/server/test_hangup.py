"""Clients that vanish during their call, over real sockets; and what counts as vanishing."""

from __future__ import annotations

import socket
import struct
from collections.abc import AsyncIterator

import pytest
import trio
from trio.testing import memory_stream_pair

from lasso_trio.server.answer import Answer
from lasso_trio.server.connection import CALL, IDLE, Connection, Cut, Peer, Phase
from lasso_trio.server.front_door import FrontDoor
from lasso_trio.server.hangup import SAME_BREATH, is_gone
from lasso_trio.server.http_request import HttpRequest
from lasso_trio.server.listener import open_listeners

CALL_WIRE = b"POST /rpc HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"


class Slow:
    """A handler whose calls last until they are let go."""

    def __init__(self) -> None:
        self.began = trio.Event()
        self.go = trio.Event()
        self.ended = trio.Event()
        self.cancelled = False

    async def __call__(self, request: HttpRequest, peer: Peer) -> Answer:
        self.began.set()
        try:
            await self.go.wait()
        except trio.Cancelled:
            self.cancelled = True
            raise
        finally:
            self.ended.set()
        return Answer(200, body=b"done")


class House:
    def __init__(self, door: FrontDoor, slow: Slow, port: int) -> None:
        self.door, self.slow, self.port = door, slow, port

    async def connect(self) -> trio.SocketStream:
        return await trio.open_tcp_stream("127.0.0.1", self.port)


@pytest.fixture
async def house(nursery: trio.Nursery) -> AsyncIterator[House]:
    async def nobody(stream: trio.abc.Stream, peer: Peer) -> None: ...

    slow = Slow()
    door = FrontDoor(slow, nobody)
    listeners = await open_listeners("127.0.0.1", 0)
    await nursery.start(door.serve, listeners)
    with trio.fail_after(10):
        yield House(door, slow, listeners[0].port)


async def in_call_for_longer_than_a_breath(house: House) -> trio.SocketStream:
    client = await house.connect()
    await client.send_all(CALL_WIRE)
    await house.slow.began.wait()
    await trio.sleep(SAME_BREATH * 1.5)
    return client


async def test_call_is_cancelled_when_its_client_closes(house: House) -> None:
    client = await in_call_for_longer_than_a_breath(house)
    await client.aclose()
    await house.slow.ended.wait()
    assert house.slow.cancelled
    assert house.door.counters.hangups == 1


async def test_call_is_cancelled_at_once_when_its_client_resets(house: House) -> None:
    client = await house.connect()
    await client.send_all(CALL_WIRE)
    await house.slow.began.wait()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await client.aclose()
    await house.slow.ended.wait()
    assert house.slow.cancelled


async def test_call_goes_on_while_its_client_stays_and_even_pipelines(house: House) -> None:
    client = await in_call_for_longer_than_a_breath(house)
    await client.send_all(CALL_WIRE)
    await trio.sleep(0.02)
    assert not house.slow.ended.is_set()
    house.slow.go.set()
    assert b" 200 OK" in await client.receive_some()
    await client.aclose()


async def test_half_close_right_behind_the_request_lets_the_call_finish(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lasso_trio.server.hangup.SAME_BREATH", 5.0)  # however busy the machine is
    client = await house.connect()
    await client.send_all(CALL_WIRE)
    await client.send_eof()
    await house.slow.began.wait()
    await trio.sleep(SAME_BREATH * 1.5)
    house.slow.go.set()
    answer = b""
    while data := await client.receive_some():
        answer += data
    await client.aclose()
    assert answer.endswith(b"done")
    assert house.door.counters.hangups == 0


async def test_number_of_a_closed_socket_does_not_mean_the_next_connection(house: House) -> None:
    house.slow.go.set()
    for _ in range(20):
        client = await house.connect()
        await client.send_all(CALL_WIRE)
        assert b" 200 OK" in await client.receive_some()
        await client.aclose()
    while house.door.active:
        await trio.lowlevel.checkpoint()
    assert house.door.counters.hangups == 0
    assert house.door._hangups is not None
    assert len(house.door._hangups) == 0


@pytest.mark.parametrize(
    ("phase", "reset", "seconds", "gone"),
    [
        (CALL, False, SAME_BREATH * 2, True),
        (CALL, False, SAME_BREATH / 2, False),
        (CALL, True, 0.0, True),
        (IDLE, True, 100.0, False),
    ],
)
def test_only_a_call_can_be_hung_up_on(phase: Phase, reset: bool, seconds: float, gone: bool) -> None:
    connection = Connection(memory_stream_pair()[0], Peer("192.0.2.1", 1), 50.0, phase)
    assert is_gone(connection, reset, 50.0 + seconds) is gone
    assert Cut.HANGUP is not connection.cut_by
