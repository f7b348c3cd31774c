"""One client's life: how many messages at a time, what ends it, and what becomes of what it asked."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock, lockstep_stream_pair
from wsproto.events import CloseConnection, Pong, TextMessage

from lasso_trio.server.connection import CALL, HANDED, Cut
from lasso_trio.server.ws_session import Session
from tests.server.ws_world import World, WsClient, handshake

Make = Callable[..., World]


def session_of(world: World) -> Session:
    (session,) = world.lane.sessions
    return session


async def subscribe(client: WsClient, id_: int = 1) -> str:
    await client.call("eth_subscribe", '["newHeads"]', id_=id_)
    answer: str = (await client.json())["result"]
    return answer


async def test_beyond_the_limit_messages_wait_and_are_served_when_there_is_room(ws_world: Make) -> None:
    world = ws_world(max_in_flight=2)
    client = await world.connect()
    for n in range(6):
        await client.call("eth_wait", id_=n)
    await world.settle()
    assert len(world.service.asked) == 2
    world.service.gate.set()
    assert sorted([(await client.json())["id"] for _ in range(6)]) == [0, 1, 2, 3, 4, 5]


async def test_while_a_client_is_not_read_the_door_watches_whether_it_has_gone(ws_world: Make) -> None:
    world = ws_world(max_in_flight=1, max_waiting=0)
    client = await world.connect()
    (connection,) = world.door._open
    await client.call("eth_wait")
    await world.settle()
    assert (connection.phase, session_of(world).is_read) == (CALL, False)
    connection.cut(Cut.HANGUP)
    await world.settle()
    assert (world.service.cancelled, len(world.lane.sessions)) == (1, 0)


async def test_when_it_is_read_again_it_is_the_lanes_own(ws_world: Make) -> None:
    world = ws_world(max_in_flight=1, max_waiting=0)
    client = await world.connect()
    (connection,) = world.door._open
    await client.call("eth_wait")
    await world.settle()
    world.service.gate.set()
    await client.json()
    await world.settle()
    assert (connection.phase, session_of(world).is_read) == (HANDED, True)


async def test_when_the_client_goes_its_calls_are_cancelled_and_its_subscriptions_closed(ws_world: Make) -> None:
    world = ws_world()
    client = await world.connect()
    await subscribe(client)
    for n in range(3):
        await client.call("eth_wait", id_=n)
    await world.settle()
    await client.stream.aclose()
    await world.settle()
    assert (world.service.cancelled, world.hub.made[0].closed) == (3, 1)
    assert (len(world.lane.sessions), world.door.active, world.hub.fanout.members) == (0, 0, 0)


async def test_a_subscription_that_is_not_live_yet_is_given_up_with_its_client(ws_world: Make) -> None:
    world = ws_world()
    client = await world.connect()
    await client.call("eth_subscribe", '["newHeads","never"]')
    await world.settle()
    await client.stream.aclose()
    await world.settle()
    assert world.door.active == 0


async def test_a_close_of_the_clients_cancels_its_calls_at_once(ws_world: Make) -> None:
    world = ws_world()
    client = await world.connect()
    await client.call("eth_wait")
    await world.settle()
    await client.close(1001, "going")
    assert await client.closed() == (1001, "going")
    await world.settle()
    assert world.service.cancelled == 1


async def test_pings_are_answered_while_calls_wait(ws_world: Make) -> None:
    client = await ws_world().connect()
    await client.call("eth_wait")
    await client.ping(b"are you there")
    event = await client.event()
    assert isinstance(event, Pong)
    assert event.payload == b"are you there"


async def test_pings_are_answered_and_a_close_is_heard_while_messages_wait_for_others(ws_world: Make) -> None:
    world = ws_world(max_in_flight=2)
    client = await world.connect()
    for n in range(9):
        await client.call("eth_wait", id_=n)
    await client.ping(b"are you there")
    assert isinstance(await client.event(), Pong)
    assert (len(world.service.asked), session_of(world).is_read) == (2, True)
    await client.close(1000)
    assert await client.closed() == (1000, "")
    await world.settle()
    assert (len(world.service.asked), world.service.cancelled, len(world.lane.sessions)) == (2, 2, 0)


@pytest.mark.parametrize("limits", [{"max_waiting": 3}, {"waiting_bytes": 3 * 49 - 1}])
async def test_what_waits_is_bounded_and_comes_to_its_turn(ws_world: Make, limits: dict[str, int]) -> None:
    world = ws_world(max_in_flight=2, **limits)
    client = await world.connect()
    for n in range(9):
        await client.call("eth_wait", id_=n)
    await world.settle()
    session = session_of(world)
    assert (session.is_read, len(session._waiting or ()), session.counters.messages) == (False, 3, 5)
    world.service.gate.set()
    assert sorted([(await client.json())["id"] for _ in range(9)]) == list(range(9))
    await world.settle()
    assert (session.is_read, len(session._waiting or ()), session._waiting_bytes) == (True, 0, 0)


async def test_what_waits_is_answered_before_a_drained_client_is_closed(ws_world: Make) -> None:
    world = ws_world(max_in_flight=1)
    client = await world.connect()
    for n in range(3):
        await client.call("eth_wait", id_=n)
    await world.settle()
    session_of(world).drain((1012, "later"))
    world.service.gate.set()
    assert [(await client.json())["id"] for _ in range(3)] == [0, 1, 2]
    assert await client.closed() == (1012, "later")


async def test_a_client_that_does_not_read_is_closed_with_1013_and_the_others_are_not(ws_world: Make) -> None:
    world = ws_world(queue_messages=3)
    slow, quick = await world.connect(pair=lockstep_stream_pair), await world.connect()
    for client in (slow, quick):
        await subscribe(client)
    for n in range(10):
        world.hub.fanout.publish(b"%d" % n)
        assert (await quick.json())["params"]["result"] == n
    begun, close = await slow.event(), await slow.event()
    assert isinstance(begun, TextMessage)
    assert isinstance(close, CloseConnection)  # what was waiting is not sent any more: it would be late, and not all
    assert close.code == 1013
    assert (close.reason or "").startswith("too slow")
    await slow.close()
    assert world.lane.counters.overflows == 1
    await world.settle()
    assert len(world.lane.sessions) == 1
    assert world.hub.fanout.members == 1


async def test_a_client_is_not_slow_because_a_block_has_more_logs_than_may_wait(ws_world: Make) -> None:
    world = ws_world(queue_messages=3)
    client = await world.connect(pair=lockstep_stream_pair)
    await subscribe(client)
    for block in (0, 1):
        world.hub.fanout.publish_all([b"%d" % (block * 1000 + n) for n in range(1000)])
    assert [(await client.json())["params"]["result"] for _ in range(2000)] == list(range(2000))
    assert world.lane.counters.overflows == 0


async def test_a_client_that_reads_as_fast_as_it_can_gets_all_of_a_burst_that_is_more_than_may_wait(
    ws_world: Make,
) -> None:
    world = ws_world(queue_messages=3, queue_bytes=100_000)
    client = await world.connect(pair=lockstep_stream_pair)
    await subscribe(client)
    world.hub.fanout.publish_all([b'"%d%b"' % (n, b"x" * 700) for n in range(1000)])
    world.hub.fanout.publish(b"1")
    results = [(await client.json())["params"]["result"] for _ in range(1001)]
    assert [result.rstrip("x") for result in results[:-1]] == [str(n) for n in range(1000)]
    assert (results[-1], world.lane.counters.overflows) == (1, 0)


async def test_a_client_that_reads_nothing_at_all_is_gone_after_a_moment(
    ws_world: Make, autojump_clock: MockClock
) -> None:
    world = ws_world(queue_messages=3, close_s=1.0)
    client = await world.connect(pair=lockstep_stream_pair)
    await subscribe(client)
    for n in range(10):
        world.hub.fanout.publish(b"%d" % n)
    await trio.sleep(1.5)
    assert (len(world.lane.sessions), world.hub.fanout.members) == (0, 0)
    await trio.aclose_forcefully(client.stream)


async def test_a_client_that_does_not_read_its_answers_is_asked_for_no_more(ws_world: Make) -> None:
    world = ws_world(max_in_flight=2)
    client = await world.connect(pair=lockstep_stream_pair)
    for n in range(2):
        await client.call("eth_call", id_=n)
    await world.settle()
    session = session_of(world)
    assert (session.in_flight, session.words) == (2, None)
    assert [(await client.json())["id"] for _ in range(2)] == [0, 1]


async def test_conflated_heads_keep_a_slow_client(ws_world: Make) -> None:
    world = ws_world(queue_messages=3)
    world.hub.fanout._conflate = True
    client = await world.connect(pair=lockstep_stream_pair)
    await subscribe(client)
    await world.settle()
    for n in range(100):
        world.hub.fanout.publish(b"%d" % n)
    assert [(await client.json())["params"]["result"] for _ in range(2)] == [0, 99]
    assert world.lane.counters.conflated == 98


async def test_the_first_reason_counts_and_nothing_is_taken_after_it(ws_world: Make) -> None:
    world = ws_world()
    client = await world.connect()
    await subscribe(client)
    session = session_of(world)
    session.close((4001, "first"))
    session.close((4002, "second"))
    world.hub.fanout.publish(b"1")
    event = await client.event()
    assert isinstance(event, CloseConnection)
    assert (event.code, event.reason) == (4001, "first")


async def test_a_session_that_was_closed_before_it_began_to_read_says_so(ws_world: Make) -> None:
    world = ws_world()
    client = world.accept(lockstep_stream_pair)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.raw, handshake())
        await world.settle()
        session_of(world).close((4000, "no"))
        await client.read_head()
    assert await client.closed() == (4000, "no")


async def test_a_session_can_be_severed(ws_world: Make) -> None:
    world = ws_world()
    client = await world.connect()
    session_of(world).sever()
    assert await client.event() is None
    assert len(world.lane.sessions) == 0


async def test_a_mistake_of_ours_in_a_message_harms_nothing_else(ws_world: Make) -> None:
    world = ws_world()
    client = await world.connect()
    session = session_of(world)
    session.dialogue.unary.settings = None  # type: ignore[assignment]
    with capture_logs() as logs:
        await client.call("eth_call")
        await world.settle()
    assert [line["event"] for line in logs] == ["ws.message_crashed"]
    assert (session.in_flight, world.lane.counters.call_crashes) == (0, 1)
