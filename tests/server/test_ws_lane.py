"""Handshakes, and the life of clients as a whole."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import trio
from trio.testing import wait_all_tasks_blocked
from wsproto.events import CloseConnection, TextMessage

from lasso_trio.config.settings import Settings
from lasso_trio.server.batch import Record
from lasso_trio.server.budget import ByteBudget
from lasso_trio.server.call_teller import CallTeller
from lasso_trio.server.limits import LaneLimits
from lasso_trio.server.rpc import RpcHandler
from lasso_trio.server.ws_lane import WsLane
from tests.server.ws_world import ACCEPT, World, directory, handshake

Make = Callable[..., World]


async def test_a_client_is_let_in_with_the_accept_of_its_key_and_without_compression(ws_world: Make) -> None:
    client = await ws_world().connect(sec_websocket_extensions="permessage-deflate")
    assert f"sec-websocket-accept: {ACCEPT}".lower() in client.head.lower()
    assert "sec-websocket-extensions" not in client.head.lower()


@pytest.mark.parametrize(
    ("path", "strategy", "provider"),
    [
        ("eth", None, None),
        ("1", None, None),
        ("eth/alpha", None, "alpha"),
        ("provider/alpha/eth", None, "alpha"),
        ("fastest/eth", "fastest", None),
        ("priority/eth", "priority", None),
        ("load-balanced/eth", "load-balanced", None),
        ("round-robin/eth", "load-balanced", None),
        ("latency-weighted/eth", "latency-weighted", None),
        ("eth?provider_id=alpha&strategy=fastest", "fastest", "alpha"),
    ],
)
@pytest.mark.parametrize("profile", ["", "profile/team/"])
async def test_all_paths_of_http_lead_somewhere_behind_ws(
    ws_world: Make, path: str, strategy: str | None, provider: str | None, profile: str
) -> None:
    world = ws_world()
    client = await world.connect(f"/ws/rpc/{profile}{path}")
    await client.call("eth_call")
    await client.json()
    ((chain, wish, _),) = world.service.asked
    assert (chain.profile.slug, wish.provider) == ("team" if profile else "public", provider)
    assert wish.strategy == strategy


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/ws/rpc/nope", 403, "Unsupported chain: Unknown chain 'nope' in profile 'public'"),
        ("/ws/rpc/profile/nope/eth", 403, "Profile 'nope' not found"),
        ("/ws/rpc/provider/nope/eth", 403, "Unsupported chain: Provider 'nope' is not configured for this chain"),
        ("/ws/rpc/eth?provider_id=nope", 403, "Provider 'nope' not found"),
    ],
)
async def test_who_wants_to_go_nowhere_is_refused_with_the_reason(
    ws_world: Make, path: str, status: int, message: str
) -> None:
    world = ws_world()
    found, head, body = await world.refused(path)
    assert (found, json.loads(body)["error"]["message"]) == (status, message)
    assert "connection: close" in head
    assert world.lane.counters.refused == 1


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"sec_websocket_version": "8"}, 426),
        ({"sec_websocket_version": ""}, 426),
        ({"sec_websocket_key": ""}, 400),
        ({"sec_websocket_key": "c2hvcnQ="}, 400),
        ({"sec_websocket_key": "not base64 at all!!"}, 400),
        ({"connection": "keep-alive"}, 400),
        ({"content_length": "3"}, 400),
        ({"x_lasso_session": "s" * 65}, 400),
        ({"x_lasso_hedge": "soon"}, 400),
        ({"x_lasso_cache": "hit"}, 400),
        ({"x_request_deadline_ms": "0"}, 400),
        ({"host": ""}, 400),
    ],
)
async def test_a_handshake_that_is_none_is_refused(ws_world: Make, fields: dict[str, str], status: int) -> None:
    found, head, _ = await ws_world().refused("/ws/rpc/eth", **fields)
    assert found == status
    assert ("sec-websocket-version: 13" in head) == (status == 426)


async def test_who_was_refused_may_read_that_before_the_connection_is_closed(ws_world: Make) -> None:
    world = ws_world()
    client = world.accept()
    await client.raw(handshake("/ws/rpc/nope") + b"more that nobody will read")
    assert (await client.read_head()).startswith("HTTP/1.1 403")
    await client.raw(b"and more")
    await world.settle()
    assert world.door.active == 1
    await client.stream.aclose()
    await world.settle()
    assert world.door.active == 0


async def test_a_path_that_is_no_route_is_not_found(ws_world: Make) -> None:
    assert (await ws_world().refused("/ws/rpc/a/b/c/d"))[0] == 404


async def test_a_frame_in_the_same_segment_as_the_handshake_is_served(ws_world: Make) -> None:
    client = ws_world().accept()
    frame = client.protocol.send(TextMessage(data='{"id":1,"method":"eth_call"}'))
    await client.raw(handshake() + frame)
    assert (await client.read_head()).startswith("HTTP/1.1 101")
    assert (await client.json())["result"] == "eth_call"


async def test_a_handshake_and_a_call_split_at_every_byte_are_served(ws_world: Make) -> None:
    world = ws_world()
    client = world.accept()
    frame = client.protocol.send(TextMessage(data='{"id":1,"method":"eth_call"}'))
    for byte in handshake() + frame:
        await client.raw(bytes([byte]))
        await wait_all_tasks_blocked()
    assert (await client.read_head()).startswith("HTTP/1.1 101")
    assert (await client.json())["result"] == "eth_call"
    assert world.door.counters.connection_crashes == 0


async def test_a_client_that_is_gone_before_it_was_let_in_harms_nobody(ws_world: Make) -> None:
    world = ws_world()
    client = world.accept()
    await client.raw(handshake())
    await trio.aclose_forcefully(client.stream)
    await world.settle()
    assert (world.door.active, len(world.lane.sessions), world.door.counters.connection_crashes) == (0, 0, 0)


async def test_a_clients_close_is_answered_and_the_connection_ends(ws_world: Make) -> None:
    world = ws_world()
    client = await world.connect()
    await client.close(1000, "bye")
    event = await client.event()
    assert isinstance(event, CloseConnection)
    assert (event.code, await client.event()) == (1000, None)
    assert len(world.lane.sessions) == 0


async def test_clients_are_closed_with_1012_when_the_node_stops_and_no_new_ones_are_let_in(
    ws_world: Make, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    world = ws_world()
    client = await world.connect()
    nursery.start_soon(world.lane.drain, trio.current_time() + 5)
    assert await client.closed() == (1012, "the node is restarting; connect again")
    assert await client.event() is None
    assert (await world.refused("/ws/rpc/eth"))[0] == 503


async def test_what_is_being_answered_when_the_node_stops_is_answered_first(
    ws_world: Make, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    world = ws_world()
    client = await world.connect()
    await client.call("eth_wait", id_=7)
    await world.settle()
    nursery.start_soon(world.lane.drain, trio.current_time() + 5)
    await world.settle()
    await client.call("eth_call", id_=8)
    await world.settle()
    world.service.gate.set()
    assert (await client.json())["id"] == 7
    assert (await client.closed() or ())[0] == 1012
    assert len(world.service.asked) == 1


async def test_a_call_that_outlasts_the_grace_is_cut_with_1012(
    ws_world: Make, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    world = ws_world()
    client = await world.connect()
    await client.call("eth_wait")
    await world.settle()
    started = trio.current_time()
    nursery.start_soon(world.lane.drain, started + 5)
    assert (await client.closed() or ())[0] == 1012
    assert trio.current_time() == started + 5
    assert world.service.cancelled == 1


async def test_a_client_that_does_not_answer_our_close_is_left_after_a_moment(
    ws_world: Make, autojump_clock: trio.testing.MockClock
) -> None:
    world = ws_world(close_s=1.0)
    client = await world.connect()
    (session,) = world.lane.sessions
    session.close((4000, "enough"))
    event = await client.event()
    assert isinstance(event, CloseConnection)
    await trio.sleep(1.01)
    assert len(world.lane.sessions) == 0
    await client.stream.aclose()


async def test_a_new_configuration_is_looked_up_for_clients_that_stay(ws_world: Make) -> None:
    world = ws_world()
    client = await world.connect()
    await client.call("eth_call")
    await client.json()
    world.names = directory(generation=1)
    await client.call("eth_call")
    await client.json()
    chains = [chain for chain, _, _ in world.service.asked]
    assert chains[0] is not chains[1]
    world.names = directory(generation=2, chain="other")
    await client.call("eth_call", id_=3)
    answer = await client.json()
    assert (answer["id"], answer["error"]["message"][:18]) == (3, "Unsupported chain:")


async def test_the_lane_beside_a_handler_has_its_settings_and_tells_its_calls_apart() -> None:
    names, told = directory(), CallTeller(None)  # type: ignore[arg-type]
    settings = Settings(ws_max_subscriptions=3, ws_queue_messages=5, ws_ping_s=7.0, max_body_bytes=9)

    def lane(record: Record) -> WsLane:
        handler = RpcHandler(names, None, settings, record)  # type: ignore[arg-type]
        return WsLane.of(handler, LaneLimits(), ByteBudget(), None)

    limits = lane(told).limits
    assert (limits.max_subscriptions, limits.queue_messages, limits.ping_s, limits.max_message_bytes) == (3, 5, 7.0, 9)
    record = lane(told).unary.record
    assert isinstance(record, CallTeller)
    assert (record.transport, told.transport) == ("ws", "http")

    def plain(*_: object) -> None: ...

    assert lane(plain).unary.record is plain
