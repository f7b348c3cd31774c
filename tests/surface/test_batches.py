"""Batches: side by side, in order, each call on its own, one provider preferred for all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio

from lasso_trio.devnet import Failure, Faults, Kind
from tests.surface.conftest import CHAIN_ID, Script, Start, Surface, reply

INVALID = {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "Invalid Request"}}


def calls(n: int, method: str = "eth_blockNumber") -> list[dict[str, object]]:
    return [{"jsonrpc": "2.0", "id": i, "method": method} for i in range(n)]


async def test_items_run_side_by_side_and_answers_keep_the_order(
    start: Start, scripted: Callable[[Script], Awaitable[str]]
) -> None:
    """Nobody is answered before all have arrived, and then the last first."""
    arrived: list[trio.Event] = []
    complete = trio.Event()

    async def backwards(id_: int, _: object, stream: trio.abc.Stream) -> None:
        turn = trio.Event()
        arrived.append(turn)
        place = len(arrived) - 1
        if len(arrived) == 8:
            complete.set()
        await complete.wait()
        if place + 1 < len(arrived):
            await arrived[place + 1].wait()
        await stream.send_all(reply(b'{"jsonrpc":"2.0","id":%d,"result":%d}' % (id_, place)))
        turn.set()

    surface = await start(upstreams={"odd": await scripted(backwards)})
    answer = await surface.post("/rpc/devnet", calls(8))
    assert [item["id"] for item in answer.json] == list(range(8))
    assert sorted(item["result"] for item in answer.json) == list(range(8))


async def test_fifty_items_are_served(surface: Surface) -> None:
    answer = await surface.post("/rpc/devnet", calls(50))
    assert [item["id"] for item in answer.json] == list(range(50))


@pytest.mark.parametrize("items", [calls(51), [{}] * 51])
async def test_fifty_one_items_are_too_many(surface: Surface, items: list[object]) -> None:
    answer = await surface.post("/rpc/devnet", items)
    assert (answer.status, answer.json["id"]) == (200, None)
    assert answer.error == {"code": -32600, "message": "Invalid Request: batch too large"}
    assert surface.calls() == {}


async def test_the_most_items_can_be_set(start: Start) -> None:
    surface = await start(settings={"max_batch": 2})
    assert len((await surface.post("/rpc/devnet", calls(2))).json) == 2
    assert (await surface.post("/rpc/devnet", calls(3))).error["message"] == "Invalid Request: batch too large"


async def test_a_body_of_millions_of_items_costs_no_more_than_reading_it(surface: Surface) -> None:
    answer = await surface.post("/rpc/devnet", b"[" + b"1," * 1_000_000 + b"1]")
    assert answer.error["message"] == "Invalid Request: batch too large"


async def test_a_batch_of_one_is_answered_by_an_array_of_one(surface: Surface) -> None:
    answer = await surface.post("/rpc/devnet", b' \r\n\t[{"id":"x","method":"eth_chainId"}] ')
    assert answer.body == b'[{"jsonrpc":"2.0","id":"x","result":"0x%x"}]' % CHAIN_ID


async def test_invalid_items_are_answered_in_their_place(surface: Surface) -> None:
    good = {"id": 1, "method": "eth_chainId"}
    answer = await surface.post("/rpc/devnet", [{}, 42, good, [], {"id": [], "method": "x"}, {"id": "i"}])
    one, two, three, four, five, six = answer.json
    assert one == two == four == INVALID
    assert three["result"] == hex(CHAIN_ID)
    assert (five["id"], five["error"]["code"]) == (None, -32602)
    assert (six["id"], six["error"]["code"]) == ("i", -32600)


async def test_two_invalid_items_are_two_answers(surface: Surface) -> None:
    assert (await surface.post("/rpc/devnet", b"[{}, 42]")).json == [INVALID, INVALID]


async def test_a_notification_has_no_answer_but_id_null_has(surface: Surface) -> None:
    one, other = {"method": "eth_blockNumber"}, {"method": "eth_blockNumber", "id": None}
    answer = await surface.post("/rpc/priority/devnet", [one, other])
    assert answer.json == [{"jsonrpc": "2.0", "id": None, "result": "0x3e8"}]
    assert surface.calls() == {"alpha": 2}


async def test_calls_with_the_same_id_are_both_answered(surface: Surface) -> None:
    answer = await surface.post("/rpc/devnet", calls(1) * 2)
    assert [item["id"] for item in answer.json] == [0, 0]


async def test_what_is_refused_alone_is_refused_in_a_batch(surface: Surface) -> None:
    items = [
        {"id": 1, "method": "eth_accounts"},
        {"id": 2, "method": "eth_subscribe", "params": ["newHeads"]},
        {"method": "eth_subscribe", "params": ["newHeads"]},
        {"id": 3, "method": "eth_chainId"},
    ]
    one, two, three = (await surface.post("/rpc/devnet", items)).json
    assert (one["id"], one["error"]["message"]) == (1, "Method not supported by proxy")
    assert (two["id"], two["error"]["data"]) == (2, {"websocket_url": "/ws/rpc/devnet"})
    assert three["result"] == hex(CHAIN_ID)


async def test_one_provider_is_preferred_for_all_calls_of_a_batch(surface: Surface) -> None:
    await surface.post("/rpc/load-balanced/devnet", calls(30))
    assert list(surface.calls().values()) == [30]


async def test_each_call_fails_over_by_itself(start: Start) -> None:
    sorry = Failure(Kind.RPC, methods=("eth_gasPrice",), code=-32603)
    surface = await start(alpha=Faults(failures=(sorry,)), beta=Faults())
    items = [*calls(3), *calls(1, "eth_gasPrice")]
    answer = await surface.post("/rpc/priority/devnet", items)
    assert all("result" in item for item in answer.json)
    assert (surface.calls(), surface.calls("eth_gasPrice")) == ({"alpha": 3}, {"alpha": 1, "beta": 1})


async def test_one_calls_error_leaves_the_others_alone(start: Start) -> None:
    sorry = Failure(Kind.RPC, methods=("eth_call",), code=3, message="execution reverted", data="0x08c379a0")
    surface = await start(alpha=Faults(failures=(sorry,)))
    answer = await surface.post("/rpc/devnet", [*calls(1), *calls(1, "eth_call"), *calls(1)])
    assert [set(item) - {"jsonrpc", "id"} for item in answer.json] == [{"result"}, {"error"}, {"result"}]
    assert answer.json[1]["error"] == {"code": 3, "message": "execution reverted", "data": "0x08c379a0"}


async def test_large_results_of_a_batch_are_whole(surface: Surface) -> None:
    items = [{"id": i, "method": "devnet_blob", "params": [400_000 + i]} for i in range(3)]
    answer = await surface.post("/rpc/devnet", items)
    assert [len(item["result"]) for item in answer.json] == [400_000, 400_001, 400_002]
