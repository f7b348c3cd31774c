"""What messages ask for and what they are answered, as a client sees it."""

from __future__ import annotations

import json
from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

import pytest
import trio
from structlog.testing import capture_logs
from wsproto.events import BytesMessage

from lasso_trio.upstream.faults import TooLarge
from tests.server.ws_world import World, WsClient, directory

Make = Callable[..., World]


async def told(client: WsClient, text: str) -> Any:
    await client.say(text)
    return await client.json()


@pytest.mark.parametrize("id_", ["9223372036854775808", '"abc"', "null", "1.0"])
async def test_the_id_comes_back_as_it_was_written(ws_world: Make, id_: str) -> None:
    client = await ws_world().connect()
    await client.say(f'{{"jsonrpc":"2.0","id":{id_},"method":"eth_call"}}')
    event = await client.event()
    assert f'"id":{id_},' in event.data  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", -32700),
        ("", -32700),
        ("nonsense", -32700),
        ("1", -32600),
        ("[]", -32600),
        ("{}", -32600),
        ('{"jsonrpc":"1.0","id":1,"method":"eth_call"}', -32600),
        ('{"id":{},"method":"eth_call"}', -32602),
    ],
)
async def test_what_is_no_request_is_answered_with_an_error_and_the_socket_lives(
    ws_world: Make, text: str, code: int
) -> None:
    client = await ws_world().connect()
    assert (await told(client, text))["error"]["code"] == code
    await client.call("eth_call")
    assert (await client.json())["result"] == "eth_call"


async def test_a_binary_message_is_read_as_text(ws_world: Make) -> None:
    client = await ws_world().connect()
    await client.raw(client.protocol.send(BytesMessage(data=b'{"id":1,"method":"eth_call"}')))
    assert (await client.json())["result"] == "eth_call"


async def test_a_notification_is_carried_out_and_not_answered(ws_world: Make) -> None:
    world = ws_world()
    client = await world.connect()
    await client.call("eth_call", id_=None)
    await client.call("eth_gasPrice", id_=2)
    assert (await client.json())["id"] == 2
    assert len(world.service.asked) == 2


async def test_calls_are_answered_as_they_finish(ws_world: Make) -> None:
    world = ws_world()
    client = await world.connect()
    await client.call("eth_wait", id_=1)
    await client.call("eth_call", id_=2)
    assert (await client.json())["id"] == 2
    world.service.gate.set()
    assert (await client.json())["id"] == 1


async def test_a_crash_of_ours_is_an_internal_error_of_that_call_alone(ws_world: Make) -> None:
    world = ws_world()
    client = await world.connect()
    with capture_logs() as logs:
        await client.call("eth_crash", id_=1)
        assert (await client.json())["error"]["code"] == -32603
    assert [line["event"] for line in logs] == ["ws.call_crashed"]
    await client.call("eth_call", id_=2)
    assert (await client.json())["result"] == "eth_call"
    assert world.lane.counters.call_crashes == 1


async def test_each_call_counts_against_the_clients_limit(ws_world: Make) -> None:
    world = ws_world(directory(rate=1, burst=2))
    client = await world.connect()
    await client.call("eth_call", id_=1)
    assert "result" in await client.json()
    two = '[{"id":2,"method":"eth_call"},{"id":3,"method":"eth_call"}]'
    refused = await told(client, two)
    assert refused["error"]["message"] == "Rate limit exceeded. Limit: 1 requests per second."
    await client.call("eth_call", id_=4)
    assert "result" in await client.json()
    await client.call("eth_call", id_=5)
    answer = await client.json()
    assert (answer["id"], answer["error"]["code"]) == (5, -32000)


async def test_the_limit_is_the_clients_and_not_the_proxys(ws_world: Make) -> None:
    world = ws_world(directory(rate=1, burst=1), {"trusted_proxies": (ip_network("203.0.113.0/24"),)})
    for client_address in ("192.0.2.1", "192.0.2.2"):
        client = await world.connect(x_forwarded_for=client_address)
        await client.call("eth_call")
        assert "result" in await client.json()


# Batches…


async def test_a_batch_is_answered_in_its_order_without_its_notifications(ws_world: Make) -> None:
    client = await ws_world().connect()
    answers = await told(
        client, '[{"id":1,"method":"eth_call"},{"method":"eth_gasPrice"},{},{"id":3,"method":"eth_x"}]'
    )
    assert [(answer["id"], answer.get("result")) for answer in answers] == [(1, "eth_call"), (None, None), (3, "eth_x")]


async def test_a_batch_of_notifications_is_not_answered(ws_world: Make) -> None:
    client = await ws_world().connect()
    await client.say('[{"method":"eth_call"}]')
    await client.call("eth_call", id_=9)
    assert (await client.json())["id"] == 9


async def test_a_batch_beyond_the_limit_is_refused(ws_world: Make) -> None:
    client = await ws_world(settings={"max_batch": 2}).connect()
    answer = await told(client, json.dumps([{"id": n, "method": "eth_call"} for n in range(3)]))
    assert answer["error"]["message"] == "Invalid Request: batch too large"


async def test_subscriptions_may_be_part_of_a_batch_and_start_when_it_is_answered(ws_world: Make) -> None:
    world = ws_world()
    client = await world.connect()
    batch = '[{"id":1,"method":"eth_subscribe","params":["newHeads"]},{"id":2,"method":"eth_call"}]'
    first, second = await told(client, batch)
    assert (second["id"], second["result"]) == (2, "eth_call")
    world.hub.fanout.publish(b"1")
    assert (await client.json())["params"] == {"subscription": first["result"], "result": 1}


async def test_subscriptions_of_a_batch_wait_together(ws_world: Make, autojump_clock: trio.testing.MockClock) -> None:
    world = ws_world()
    client = await world.connect()
    items = [{"id": 0, "method": "eth_call"}]
    items += [{"id": n, "method": "eth_subscribe", "params": ["newHeads", "late"]} for n in range(1, 50)]
    asked = trio.current_time()
    answers = await told(client, json.dumps(items))
    assert [answer["id"] for answer in answers] == list(range(50))
    assert trio.current_time() - asked < 10
    world.hub.fanout.publish(b"1")
    events = [(await client.json())["params"]["subscription"] for _ in range(49)]
    assert sorted(events) == sorted(answer["result"] for answer in answers[1:])


async def test_what_a_batch_gives_up_makes_room_for_what_it_wants(ws_world: Make) -> None:
    client = await ws_world(max_subscriptions=1).connect()
    await client.call("eth_subscribe", '["newHeads"]')
    id_ = (await client.json())["result"]
    wants = {"id": 1, "method": "eth_subscribe", "params": ["newHeads"]}
    for round_ in range(20):
        both = [{"id": 2, "method": "eth_unsubscribe", "params": [id_]}, wants]
        answers = await told(client, json.dumps(both if round_ % 2 else both[::-1]))
        assert [answer["id"] for answer in answers] == ([2, 1] if round_ % 2 else [1, 2])
        (id_,) = [answer["result"] for answer in answers if answer["id"] == 1]


async def test_where_a_batch_wants_more_subscriptions_than_it_may_have_it_gets_its_first(
    ws_world: Make, autojump_clock: trio.testing.MockClock
) -> None:
    client = await ws_world(max_subscriptions=8).connect()
    items = [{"id": n, "method": "eth_subscribe", "params": ["newHeads", "late"]} for n in range(16)]
    answers = await told(client, json.dumps(items))
    assert ["result" in answer for answer in answers] == [True] * 8 + [False] * 8


async def test_a_batch_gives_up_in_its_order_and_unanswered_where_no_answer_is_wanted(ws_world: Make) -> None:
    client = await ws_world().connect()
    await client.call("eth_subscribe", '["newHeads"]')
    item = {"method": "eth_unsubscribe", "params": [(await client.json())["result"]]}
    first, second = await told(client, json.dumps([item | {"id": 1}, item | {"id": 2}, item]))
    assert (first["result"], second["error"]["message"]) == (True, "subscription not found")


async def test_the_results_of_all_batches_together_are_bounded_by_their_sockets_room(ws_world: Make) -> None:
    world = ws_world(max_held_bytes=1000)
    client = await world.connect()
    (session,) = world.lane.sessions
    two = '[{"id":1,"method":"eth_wait"},{"id":2,"method":"eth_wait"}]'
    for _ in range(3):
        await client.say(two)
    await world.settle()
    for room in world.service.rooms:
        room.take(100)
    with pytest.raises(TooLarge):
        world.service.rooms[0].take(401)
    assert session.dialogue.room.left == 400
    world.service.gate.set()
    for _ in range(3):
        assert len(await client.json()) == 2
    await world.settle()
    assert session.dialogue.room.left == 1000


async def test_calls_of_batches_count_among_those_that_are_carried_out_at_a_time(ws_world: Make) -> None:
    world = ws_world(max_in_flight=4)
    client = await world.connect()
    await client.call("eth_wait", id_=0)
    for _ in range(2):
        await client.say(json.dumps([{"id": n, "method": "eth_wait"} for n in range(3)]))
    await client.call("eth_call", id_=9)
    await world.settle()
    assert len(world.service.asked) == 4
    world.service.gate.set()
    answers = [await client.json() for _ in range(4)]
    assert sorted(len(answer) for answer in answers if isinstance(answer, list)) == [3, 3]
    assert len(world.service.asked) == 8


# Metadata…


async def test_metadata_follows_a_batch_for_each_item_that_asks_for_it(ws_world: Make) -> None:
    client = await ws_world().connect()
    ask = '"lasso_meta":"notify"'
    await client.say(
        f'[{{"id":1,"method":"eth_call"}},{{"id":2,"method":"eth_unsubscribe",{ask}}},'
        f'{{"id":3,"method":"eth_getCode",{ask}}},7,{{"method":"eth_gasPrice",{ask}}}]'
    )
    answers, *told_of = [await client.json() for _ in range(3)]
    assert [answer["id"] for answer in answers] == [1, 2, 3, None]
    assert not any("lasso_meta" in answer for answer in answers)
    assert [meta["method"] for meta in told_of] == ["lasso_meta", "lasso_meta"]
    assert [meta["params"]["strategy"] for meta in told_of] == ["priority", "priority"]
    await client.call("eth_call", id_=9)
    assert (await client.json())["id"] == 9


async def test_metadata_of_every_call_of_a_batch_follows_where_the_handshake_wanted_it(ws_world: Make) -> None:
    client = await ws_world().connect("/ws/rpc/eth?include_meta=headers")
    assert len(await told(client, '[{"id":1,"method":"eth_call"},{"id":2,"method":"eth_call"}]')) == 2
    assert [(await client.json())["method"] for _ in range(2)] == ["lasso_meta", "lasso_meta"]


async def test_metadata_follows_the_answer_of_a_request_that_asks_for_it(ws_world: Make) -> None:
    client = await ws_world().connect()
    await client.call("eth_call", more=',"lasso_meta":"notify"')
    assert await client.json() == {"jsonrpc": "2.0", "id": 1, "result": "eth_call"}
    meta = await client.json()
    assert (meta["method"], meta["params"]["strategy"], "id" in meta) == ("lasso_meta", "priority", False)
    await client.call("eth_call", params='["\\"lasso_meta\\""]', id_=2)
    await client.call("eth_call", id_=3)
    assert [(await client.json())["id"] for _ in range(2)] == [2, 3]


async def test_metadata_of_every_call_comes_where_the_handshake_wanted_it(ws_world: Make) -> None:
    world = ws_world()
    inside = await world.connect("/ws/rpc/eth?include_meta=body")
    await inside.call("eth_call")
    assert (await inside.json())["lasso_meta"]["version"] == "1.0"
    await inside.say('[{"id":1,"method":"eth_call"},{"id":2,"method":"eth_call"}]')
    assert [answer["lasso_meta"]["version"] for answer in await inside.json()] == ["1.0", "1.0"]
    beside = await world.connect(x_lasso_include_meta="headers")
    await beside.call("eth_call")
    assert "lasso_meta" not in await beside.json()
    assert (await beside.json())["method"] == "lasso_meta"


async def test_calls_can_be_explained_instead(ws_world: Make) -> None:
    world = ws_world()
    client = await world.connect("/ws/rpc/eth?explain=1")
    await client.call("eth_call")
    assert (await client.json())["result"] == {"explained": True}
    explained, invalid = await told(client, '[{"id":1,"method":"eth_call"},7]')
    assert (explained["result"], invalid["error"]["code"]) == ({"explained": True}, -32600)
    assert world.service.asked == []


# Subscriptions…


async def test_a_subscription_gets_events_after_its_answer_and_none_after_it_was_given_up(ws_world: Make) -> None:
    world = ws_world()
    client = await world.connect()
    await client.call("eth_subscribe", '["newHeads"]')
    id_ = (await client.json())["result"]
    world.hub.fanout.publish(b'{"number":"0x1"}')
    assert (await client.json())["params"] == {"subscription": id_, "result": {"number": "0x1"}}
    await client.call("eth_unsubscribe", json.dumps([id_]), id_=2)
    assert await client.json() == {"jsonrpc": "2.0", "id": 2, "result": True}
    world.hub.fanout.publish(b"2")
    await client.call("eth_call", id_=3)
    assert (await client.json())["id"] == 3


async def test_giving_up_what_is_not_there_is_an_error_in_gethes_words(ws_world: Make) -> None:
    client = await ws_world().connect()
    await client.call("eth_unsubscribe", '["0x12"]')
    assert (await client.json())["error"] == {"code": -32000, "message": "subscription not found"}


async def test_the_hubs_refusal_is_the_answer(ws_world: Make) -> None:
    client = await ws_world().connect()
    await client.call("eth_subscribe", '["newHeads","no"]', id_=5)
    answer = await client.json()
    assert (answer["id"], answer["error"]["code"]) == (5, -32602)


async def test_a_subscription_that_was_not_asked_to_be_answered_starts_all_the_same(ws_world: Make) -> None:
    world = ws_world()
    client = await world.connect()
    await client.call("eth_subscribe", '["newHeads"]', id_=None)
    await world.settle()
    world.hub.fanout.publish(b"1")
    assert (await client.json())["method"] == "eth_subscription"
