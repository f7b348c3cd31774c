"""Keys, tokens and origins of WebSocket clients: at the handshake, at each call, and when they end."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import attrs
import trio
from joserfc import jwt
from joserfc.jwk import OctKey

from lasso_trio.access.api_key import made
from lasso_trio.config.access import AccessPolicy, Auth, Names
from tests.server.closed_world import KEY, KEYS, POLICY, READER, SECRET, TimeOfDay, closed
from tests.server.ws_world import World, WsClient

Make = Callable[..., World]


def closed_world(make: Make, policy: AccessPolicy = POLICY, rate: int = 1000) -> World:
    world = make()
    world.names = closed(policy, rate=rate)
    world.lane.unary.gates.clock = TimeOfDay()
    return world


async def reason(client: WsClient) -> tuple[object, object]:
    answer = await client.json()
    return answer["id"], answer["error"]["data"]["reason"]


async def test_a_key_in_the_path_or_a_header_lets_a_client_in(ws_world: Make) -> None:
    world = closed_world(ws_world)
    for path, fields in ((f"/ws/rpc/k/{KEY}/eth", {}), ("/ws/rpc/eth", {"authorization": f"Bearer {KEY}"})):
        client = await world.connect(path, **fields)
        await client.call("eth_call", id_=5)
        assert (await client.json())["result"] == "eth_call"
    assert [exchange.route.guard.client for exchange, *_ in world.told] == ["wallet", "wallet"]


async def test_a_handshake_without_a_good_key_is_refused_with_the_reason(ws_world: Make) -> None:
    world = closed_world(ws_world)
    for path in ("/ws/rpc/eth", f"/ws/rpc/eth?key={KEY}", f"/ws/rpc/k/{made('x')}/eth"):
        status, head, body = await world.refused(path)
        assert (status, json.loads(body)["error"]["code"]) == (401, -32016)
        assert "www-authenticate: bearer" in head
    status, _, body = await world.refused(f"/ws/rpc/k/{READER}/base")
    assert (status, json.loads(body)["error"]["data"]["reason"]) == (403, "chain")
    assert world.lane.counters.refused == 4


async def test_handshakes_that_are_guesses_count_against_the_limit_of_their_address(ws_world: Make) -> None:
    world = closed_world(ws_world, rate=2)
    assert [(await world.refused("/ws/rpc/eth"))[0] for _ in range(3)] == [401, 401, 429]


async def test_strangers_do_not_learn_which_chains_and_providers_there_are(ws_world: Make) -> None:
    world = closed_world(ws_world)
    for path in ("/ws/rpc/nowhere", "/ws/rpc/eth/nobody", "/ws/rpc/eth?provider_id=nobody"):
        assert (await world.refused(path))[0] == 401
    status, _, body = await world.refused(f"/ws/rpc/k/{KEY}/nowhere")
    assert (status, b"nowhere" in body) == (403, True)


async def test_web_pages_of_other_origins_are_refused(ws_world: Make) -> None:
    world = closed_world(ws_world, AccessPolicy(origins=("https://a.example",)))
    status, _, body = await world.refused("/ws/rpc/eth", origin="https://evil.example")
    assert (status, json.loads(body)["error"]["data"]["reason"]) == (403, "origin")
    await world.connect("/ws/rpc/eth", origin="https://a.example")
    await world.connect("/ws/rpc/eth")


async def test_what_the_key_may_not_call_is_refused_call_by_call(
    ws_world: Make, autojump_clock: trio.abc.Clock
) -> None:
    world = closed_world(ws_world)
    client = await world.connect(f"/ws/rpc/k/{READER}/eth")
    await client.call("eth_sendRawTransaction", id_="a")
    assert await reason(client) == ("a", "method")
    await trio.sleep(1)  # its bucket is small
    silent = '{"jsonrpc":"2.0","method":"eth_sendRawTransaction"}'
    await client.say(f'[{silent},{{"jsonrpc":"2.0","id":1,"method":"eth_sendRawTransaction"}}]')
    (answer,) = await client.json()
    assert (answer["id"], answer["error"]["data"]["reason"]) == (1, "method")
    assert world.service.asked == []


async def test_a_subscription_is_a_method_too(ws_world: Make) -> None:
    policy = attrs.evolve(POLICY, auth=Auth((attrs.evolve(KEYS[0], terms=KEYS[1].terms),)))
    denied = attrs.evolve(policy, methods=attrs.evolve(policy.methods, deny=("eth_subscribe",)))
    client = await closed_world(ws_world, denied).connect(f"/ws/rpc/k/{KEY}/eth")
    await client.call("eth_subscribe", '["newHeads"]', id_=2)
    assert await reason(client) == (2, "method")


async def test_a_key_has_one_bucket_for_all_its_sockets(ws_world: Make) -> None:
    world = closed_world(ws_world)
    codes: list[Any] = []
    for _ in range(3):
        client = await world.connect(f"/ws/rpc/k/{READER}/eth")
        await client.call("eth_call")
        codes.append((await client.json()).get("error", {}).get("code"))
    assert codes == [None, None, -32000]


async def test_a_token_that_expires_ends_its_socket(ws_world: Make, autojump_clock: trio.abc.Clock) -> None:
    world = closed_world(ws_world)
    clock = world.lane.unary.gates.clock
    assert isinstance(clock, TimeOfDay)
    token = jwt.encode({"alg": "HS256"}, {"sub": "alice", "exp": int(clock.now) + 60}, OctKey.import_key(SECRET))
    client = await world.connect(f"/ws/rpc/k/{token}/eth")
    clock.now += 60
    await client.call("eth_call", id_=3)
    assert await reason(client) == (3, "token")
    world.nursery.start_soon(world.lane.run)
    assert await client.closed() == (1008, "the key or token of this socket is not good any more")


async def test_a_key_that_a_reload_removes_ends_its_sockets_and_no_others(
    ws_world: Make, autojump_clock: trio.abc.Clock
) -> None:
    world = closed_world(ws_world)
    world.nursery.start_soon(world.lane.run)
    gone, stays = await world.connect(f"/ws/rpc/k/{KEY}/eth"), await world.connect(f"/ws/rpc/k/{READER}/eth")
    world.names = closed(AccessPolicy(Auth(KEYS[1:])), generation=1)
    code, _ = await gone.closed() or (0, "")
    assert code == 1008
    await stays.call("eth_call")
    assert (await stays.json())["result"] == "eth_call"


async def test_a_reload_that_forbids_subscriptions_ends_the_sockets_that_have_one(
    ws_world: Make, autojump_clock: trio.abc.Clock
) -> None:
    world = closed_world(ws_world)
    world.nursery.start_soon(world.lane.run)
    hears, calls = await world.connect(f"/ws/rpc/k/{KEY}/eth"), await world.connect(f"/ws/rpc/k/{KEY}/eth")
    await hears.call("eth_subscribe", '["newHeads"]')
    assert (await hears.json())["id"] == 1
    world.names = closed(attrs.evolve(POLICY, methods=Names(deny=("eth_sub*",))), generation=1)
    code, _ = await hears.closed() or (0, "")
    assert code == 1008
    await calls.call("eth_call")
    assert (await calls.json())["result"] == "eth_call"


async def test_a_profile_that_is_closed_by_a_reload_ends_the_sockets_of_strangers(
    ws_world: Make, autojump_clock: trio.abc.Clock
) -> None:
    world = closed_world(ws_world, AccessPolicy())
    client = await world.connect("/ws/rpc/eth")
    assert not world.lane.unary.gates.gates
    world.names = closed(generation=1)
    await client.call("eth_call")
    assert await reason(client) == (1, "missing")
    world.nursery.start_soon(world.lane.run)
    code, _ = await client.closed() or (0, "")
    assert code == 1008


async def test_the_credential_is_not_in_what_a_session_shows(ws_world: Make) -> None:
    world = closed_world(ws_world)
    await world.connect(f"/ws/rpc/k/{KEY}/eth")
    (session,) = world.lane.sessions
    assert KEY not in repr(session) + repr(session.dialogue.to) + session.dialogue.to.target
