from __future__ import annotations

from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock, lockstep_stream_pair
from wsproto.events import Ping, TextMessage

from tests.server.ws_world import World, WsClient, directory

Make = Callable[..., World]


@pytest.fixture
def beating(ws_world: Make, nursery: trio.Nursery) -> Make:
    def make(**limits: float) -> World:
        world = ws_world(**limits)
        nursery.start_soon(world.lane.run)
        return world

    return make


async def next_ping(client: WsClient) -> Ping:
    event = await client.event()
    assert isinstance(event, Ping)
    return event


async def test_a_client_that_answers_its_pings_stays(beating: Make, autojump_clock: MockClock) -> None:
    world = beating(ping_s=30)
    client = await world.connect()
    for _ in range(10):
        await client.pong((await next_ping(client)).payload)
    assert trio.current_time() == pytest.approx(300, abs=20)
    assert len(world.lane.sessions) == 1


async def test_two_pings_without_a_sign_of_life_close_it(beating: Make, autojump_clock: MockClock) -> None:
    world = beating(ping_s=30, misses=2)
    client = await world.connect()
    assert await client.closed() == (1002, "Heartbeat timeout - no pong responses")
    assert trio.current_time() == pytest.approx(90, abs=5)
    assert world.lane.counters.heartbeat_timeouts == 1


async def test_a_message_is_as_good_as_a_pong(beating: Make, autojump_clock: MockClock) -> None:
    world = beating(ping_s=30, misses=1)
    client = await world.connect()
    for _ in range(5):
        await next_ping(client)
        await client.call("eth_call")
        assert isinstance(await client.event(), TextMessage)
    assert len(world.lane.sessions) == 1


async def test_a_client_that_we_do_not_read_misses_nothing(beating: Make, autojump_clock: MockClock) -> None:
    world = beating(ping_s=30, misses=1, max_in_flight=1, max_waiting=0)
    client = await world.connect()
    await client.call("eth_wait")
    await trio.sleep(200)
    world.service.gate.set()
    assert (await client.json())["result"] == "eth_wait"


async def test_a_client_that_takes_nothing_is_cut(beating: Make, autojump_clock: MockClock) -> None:
    world = beating(write_s=20, ping_s=10_000)
    client = await world.connect(pair=lockstep_stream_pair)
    await client.call("eth_call")
    await trio.sleep(25)
    assert len(world.lane.sessions) == 0
    assert world.lane.counters.write_timeouts == 1
    await trio.aclose_forcefully(client.stream)


async def test_a_client_without_calls_and_subscriptions_is_sent_away(beating: Make, autojump_clock: MockClock) -> None:
    world = beating(idle_s=100, ping_s=10_000)
    idle, subscribed = await world.connect(), await world.connect()
    await subscribed.call("eth_subscribe", '["newHeads"]')
    await subscribed.json()
    code, reason = await idle.closed() or (0, "")
    assert (code, reason[:5]) == (1001, "idle:")
    await trio.sleep(200)
    assert len(world.lane.sessions) == 1


async def test_a_message_that_never_ends_is_given_up(beating: Make, autojump_clock: MockClock) -> None:
    world = beating(message_s=60, ping_s=10_000)
    client = await world.connect()
    await client.raw(client.protocol.send(TextMessage(data="{", message_finished=False)))
    await trio.sleep(1)
    await client.ping()
    assert (await client.closed() or ())[0] == 1008
    assert world.lane.counters.message_timeouts == 1


async def test_who_subscribed_to_what_is_configured_no_more_is_told_so(
    beating: Make, autojump_clock: MockClock
) -> None:
    world = beating()
    client = await world.connect()
    await client.call("eth_subscribe", '["newHeads"]')
    await client.json()
    world.names = directory(generation=1)
    await trio.sleep(5)
    assert len(world.lane.sessions) == 1
    world.names = directory(generation=2, chain="other")
    assert await client.closed() == (1008, "what this socket was opened for is configured no more")
    await trio.sleep(2)
    assert world.hub.fanout.members == 0
