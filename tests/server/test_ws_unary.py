from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import trio
from structlog.testing import capture_logs

from lasso_trio.jsonrpc.errors import RpcError
from lasso_trio.jsonrpc.request import Invalid, Request, decode
from lasso_trio.routing.client_limit import ClientLimit
from lasso_trio.routing.room import Room
from lasso_trio.server.ws_unary import Share, asks_for_meta, check_batch, is_about_subscriptions, who_asks_for_meta
from lasso_trio.upstream.faults import TooLarge
from tests.server.ws_world import World, directory

Make = Callable[..., World]


@pytest.mark.parametrize(
    ("message", "asks"),
    [
        (b'{"id":1,"method":"eth_call","lasso_meta":"notify"}', True),
        (b'{"lasso_meta" : "notify"}', True),
        (b'{"id":1,"method":"eth_call"}', False),
        (b'{"id":1,"lasso_meta":"inline"}', False),
        (b'{"id":1,"lasso_meta":null}', False),
        (b'{"id":1,"params":["\\"lasso_meta\\":\\"notify\\""]}', False),
        (b'{"id":1,"params":[{"lasso_meta":"notify"}]}', False),
        (b'{"lasso_meta"', False),
        (b"[" * 5000 + b'"lasso_meta"', False),
    ],
)
def test_metadata_is_asked_for_by_a_member_of_the_request(message: bytes, asks: bool) -> None:
    assert asks_for_meta(message) is asks


@pytest.mark.parametrize(
    ("batch", "asking"),
    [
        (b'[{"lasso_meta":"notify"},{},7,{"lasso_meta":"notify"}]', [0, 3]),
        (b"[{}]", []),
        (b'[{"lasso_meta":"notify"}', []),
        (b'[{"lasso_meta":"notify","params":' + b"[" * 5000 + b"]" * 5000 + b"}]", []),
    ],
)
def test_metadata_is_asked_for_by_the_members_of_a_batchs_items(batch: bytes, asking: list[int]) -> None:
    assert [position for position in range(9) if position in who_asks_for_meta(batch)] == asking


async def test_a_crash_while_one_of_a_batch_is_explained_is_an_error_of_that_one_alone(
    ws_world: Make, monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    def explain(_: object, __: object, request: Request, ___: object) -> dict[str, bool]:
        if request.method.name == "eth_crash":
            raise ValueError("a mistake of ours")
        return {"explained": True}

    world = ws_world()
    monkeypatch.setattr(type(world.service), "explain", staticmethod(explain))
    client = await world.connect("/ws/rpc/eth?explain=1")
    with capture_logs() as logs, trio.fail_after(5):
        await client.say('[{"id":1,"method":"eth_call"},{"id":2,"method":"eth_crash"},7,{"id":3,"method":"eth_call"}]')
        answers = await client.json()
    assert [(answer["id"], answer.get("error", {}).get("code")) for answer in answers] == [
        (1, None),
        (2, -32603),
        (None, -32600),
        (3, None),
    ]
    assert [(line["event"], line["method"]) for line in logs] == [("ws.call_crashed", "eth_crash")]
    assert world.lane.counters.call_crashes == 1


def test_a_share_gives_back_what_its_call_held_and_no_more() -> None:
    room = Room(100)
    one, other = Share(room), Share(room)
    one.take(60)
    other.take(30)
    with pytest.raises(TooLarge):
        other.take(20)
    one.give_back(10)
    one.release()
    one.release()
    assert room.left == 70
    other.release()
    assert room.left == 100


def test_an_empty_batch_is_no_request() -> None:
    with pytest.raises(RpcError, match="Invalid Request"):
        check_batch([])
    check_batch([Invalid(RpcError(1, "x"))])


@pytest.mark.parametrize(("method", "is_"), [("eth_subscribe", True), ("eth_unsubscribe", True), ("eth_call", False)])
def test_subscriptions_are_told_from_calls(method: str, is_: bool) -> None:
    request = decode(f'{{"id":1,"method":"{method}"}}'.encode())
    assert not isinstance(request, Sequence)
    assert is_about_subscriptions(request) is is_
    assert not is_about_subscriptions(Invalid(RpcError(1, "x")))


async def test_who_is_beyond_the_limit_is_counted_and_told_when_to_come_back(ws_world: Make) -> None:
    world = ws_world(directory(rate=2, burst=2))
    destination, unary = world.names.default, world.lane.unary
    assert isinstance(destination.limit, ClientLimit)
    client = await world.connect()
    await client.call("eth_call")
    await client.json()
    (session,) = world.lane.sessions
    refused = unary.limited(session.dialogue.route, session.dialogue.host, 2)
    assert refused is not None
    assert isinstance(refused.data, dict)
    assert 0 < refused.data["retry_after_ms"] <= 501
    assert session.dialogue.route.routed_chain.counts.limited == 2


async def test_no_calls_are_no_batch(ws_world: Make) -> None:
    world = ws_world()
    client = await world.connect()
    await client.say('[{"id":1,"method":"eth_unsubscribe","params":["0x1"]}]')
    (answer,) = await client.json()
    assert answer["error"]["message"] == "subscription not found"
    assert world.service.asked == []


async def test_what_a_call_held_is_given_back_when_its_answer_is_out(ws_world: Make) -> None:
    world = ws_world(max_held_bytes=1000)
    client = await world.connect()
    (session,) = world.lane.sessions
    await client.call("eth_call")
    await client.json()
    await world.settle()
    assert session.dialogue.room.left == 1000
    assert isinstance(decode(b'{"id":1,"method":"eth_call"}'), Request)
