from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing
from trio_websocket import ConnectionClosed, ConnectionRejected, WebSocketConnection, wrap_client_stream

from lasso_trio.devnet import Chain, Failure, Faults, Kind, Latency, Provider
from lasso_trio.devnet.json_types import Json
from lasso_trio.devnet.session import HANDSHAKE_S, MOST_CALLS, MOST_SUBSCRIPTIONS

Clock = trio.testing.MockClock


def provider(faults: Faults = Faults(), block_time: float | None = None) -> Provider:  # noqa: B008
    return Provider.make("it", Chain(start_height=100, block_time=block_time), faults)


@asynccontextmanager
async def websocket(it: Provider) -> AsyncIterator[WebSocketConnection]:
    async with trio.open_nursery() as nursery:
        ours, theirs = trio.testing.memory_stream_pair()
        nursery.start_soon(it.handle, theirs)
        yield await wrap_client_stream(nursery, ours, "devnet", "/")
        nursery.cancel_scope.cancel()


async def send(socket: WebSocketConnection, method: str, *params: Json, id_: Json = 1) -> None:
    await socket.send_message(json.dumps({"jsonrpc": "2.0", "id": id_, "method": method, "params": params}))


async def ask(socket: WebSocketConnection, method: str, *params: Json) -> Json:
    await send(socket, method, *params)
    return await receive(socket)


async def receive(socket: WebSocketConnection) -> Json:
    return json.loads(await socket.get_message())


async def is_silent(socket: WebSocketConnection, seconds: float) -> bool:
    with trio.move_on_after(seconds) as patience:
        await socket.get_message()
    return patience.cancelled_caught


async def test_calls_and_batches_are_answered(autojump_clock: Clock) -> None:
    it = provider()
    async with websocket(it) as socket:
        assert (await ask(socket, "eth_blockNumber"))["result"] == "0x64"
        await socket.send_message('[{"id":"a","method":"eth_chainId"},{"id":"b","method":"nope"}]')
        assert [answer["id"] for answer in await receive(socket)] == ["a", "b"]
        assert it.open_websockets == 1
    assert it.calls == {"eth_blockNumber": 1, "eth_chainId": 1, "nope": 1}
    assert {seen.transport for seen in it.recent} == {"ws"}
    assert (it.open_websockets, list(it.crashes)) == (0, [])


async def test_a_slow_call_does_not_hold_up_the_next(autojump_clock: Clock) -> None:
    it = provider(Faults(failures=[Failure(Kind.HANG, methods=["eth_gasPrice"])]))
    async with websocket(it) as socket:
        await send(socket, "eth_gasPrice", id_="never")
        assert (await ask(socket, "eth_chainId"))["result"] == "0x7a69"


async def test_new_heads_come_with_the_clock(autojump_clock: Clock) -> None:
    it = provider(block_time=2.0)
    async with websocket(it) as socket:
        id_ = (await ask(socket, "eth_subscribe", "newHeads"))["result"]
        started = trio.current_time()
        told = [(await receive(socket))["params"] for _ in range(3)]
        assert trio.current_time() - started == pytest.approx(6)
    assert {params["subscription"] for params in told} == {id_}
    assert [params["result"]["number"] for params in told] == ["0x65", "0x66", "0x67"]
    assert [params["result"]["parentHash"] for params in told[1:]] == [p["result"]["hash"] for p in told[:-1]]
    assert "transactions" not in told[0]["result"]


async def test_logs_are_filtered_and_taken_back_by_a_reorg(autojump_clock: Clock) -> None:
    it = provider()
    async with websocket(it) as socket:
        target = next(iter(it.chain.view(0.0).block(100).logs()))  # type: ignore[union-attr]
        await ask(socket, "eth_subscribe", "logs", {"address": target["address"], "topics": target["topics"]})
        it.chain.reorg(1, 0.0)
        it.announce_change()
        assert (await receive(socket))["params"]["result"] == {**target, "removed": True}


async def test_ids_count_from_one_on_every_connection_and_unsubscribing_ends_the_feed(autojump_clock: Clock) -> None:
    it = provider(block_time=2.0)
    async with websocket(it) as first, websocket(it) as second:
        assert [(await ask(s, "eth_subscribe", "newHeads"))["result"] for s in (first, second, first)] == [
            "0x1",
            "0x1",
            "0x2",
        ]
        assert [(await ask(first, "eth_unsubscribe", id_))["result"] for id_ in ("0x1", "0x2")] == [True, True]
        assert "not found" in (await ask(first, "eth_unsubscribe", "0x1"))["error"]["message"]
        assert await is_silent(first, 20)
        assert not await is_silent(second, 20)


@pytest.mark.parametrize("params", [(), ("syncing",), ("logs", {"address": "0x1"}), (["newHeads"],)])
async def test_bad_subscriptions_are_refused(autojump_clock: Clock, params: tuple[Json, ...]) -> None:
    async with websocket(provider()) as socket:
        assert (await ask(socket, "eth_subscribe", *params))["error"]["code"] == -32602


async def test_subscriptions_can_be_a_missing_method(autojump_clock: Clock) -> None:
    async with websocket(provider(Faults(missing_methods=["eth_subscribe"]))) as socket:
        assert (await ask(socket, "eth_subscribe", "newHeads"))["error"]["code"] == -32601


async def test_subscriptions_do_not_exist_over_http(autojump_clock: Clock, connect: Json) -> None:
    assert (await connect(provider()).ask("eth_subscribe", "newHeads"))["error"]["code"] == -32601


@pytest.mark.parametrize(
    ("failure", "code"),
    [(Failure("http", status=429), 429), (Failure("http", status=503), -32603), (Failure("rpc", code=-5), -5)],
)
async def test_http_failures_become_errors_of_the_call(autojump_clock: Clock, failure: Failure, code: int) -> None:
    async with websocket(provider(Faults(failures=[failure]))) as socket:
        assert (await ask(socket, "eth_chainId"))["error"]["code"] == code


async def test_garbage_is_sent_as_text(autojump_clock: Clock) -> None:
    async with websocket(provider(Faults(failures=[Failure(Kind.GARBAGE)]))) as socket:
        await send(socket, "eth_chainId")
        assert await socket.get_message() == "this is not JSON"


@pytest.mark.parametrize("kind", [Kind.RESET, Kind.TRUNCATED])
async def test_a_reset_drops_the_socket_without_a_close_frame(autojump_clock: Clock, kind: Kind) -> None:
    async with websocket(provider(Faults(failures=[Failure(kind)]))) as socket:
        await send(socket, "eth_chainId")
        with pytest.raises(ConnectionClosed) as closed:
            await socket.get_message()
        assert closed.value.reason is not None
        assert closed.value.reason.code == 1006


async def test_latency_delays_answers_and_not_each_other(autojump_clock: Clock) -> None:
    async with websocket(provider(Faults(latency=Latency.constant(5000)))) as socket:
        started = trio.current_time()
        for i in range(3):
            await send(socket, "eth_chainId", id_=i)
        assert {(await receive(socket))["id"] for _ in range(3)} == {0, 1, 2}
        assert trio.current_time() - started == pytest.approx(5)


async def test_a_mute_socket_still_answers_calls(autojump_clock: Clock) -> None:
    it = provider(block_time=2.0)
    async with websocket(it) as socket:
        await ask(socket, "eth_subscribe", "newHeads")
        it.set_faults(Faults(ws_mute=True))
        assert await is_silent(socket, 60)
        assert (await ask(socket, "eth_blockNumber"))["result"] == hex(130)


async def test_a_share_of_notifications_can_be_lost(autojump_clock: Clock) -> None:
    it = provider(Faults(ws_loss_share=0.5))
    async with websocket(it) as socket:
        await ask(socket, "eth_subscribe", "newHeads")
        it.chain.advance(100)
        it.announce_change()
        numbers = []
        with trio.move_on_after(1):
            while True:
                numbers.append(int((await receive(socket))["params"]["result"]["number"], 16))
    assert 30 < len(numbers) < 70
    assert numbers == sorted(numbers)


async def test_sockets_are_dropped_at_their_age_or_by_hand(autojump_clock: Clock) -> None:
    it = provider(Faults(ws_drop_after_s=30))
    async with websocket(it) as socket:
        started = trio.current_time()
        with pytest.raises(ConnectionClosed):
            await socket.get_message()
        assert trio.current_time() - started == pytest.approx(30)
    it.set_faults(Faults())
    async with websocket(it) as socket:
        await ask(socket, "eth_chainId")
        it.drop_websockets()
        with pytest.raises(ConnectionClosed):
            await socket.get_message()


async def test_the_upgrade_can_be_refused(autojump_clock: Clock) -> None:
    it = provider(Faults(ws_refuse_status=429))
    with pytest.RaisesGroup(ConnectionRejected) as refused:
        async with websocket(it):
            pass
    assert refused.value.exceptions[0].status_code == 429


async def test_a_handshake_that_is_none_ends_only_its_connection(autojump_clock: Clock, connect: Json) -> None:
    it = provider()
    stream = connect(it).stream
    await stream.send_all(b"GET / HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n")
    assert (await stream.receive_some()).startswith(b"HTTP/1.1 400 ")
    await trio.sleep(HANDSHAKE_S + 1)
    assert it.open_connections == 0
    async with websocket(it) as socket:
        assert (await ask(socket, "eth_chainId"))["result"] == "0x7a69"


async def test_nothing_is_told_of_a_subscription_before_its_id(autojump_clock: Clock) -> None:
    it = provider(Faults(failures=[Failure(Kind.DRIP, methods=["eth_subscribe"], bytes_per_s=10)]))
    async with websocket(it) as socket:
        await send(socket, "eth_subscribe", "newHeads")
        await trio.sleep(1)  # the answer is under way
        it.chain.advance(1)
        it.announce_change()
        assert (await receive(socket))["result"] == "0x1"
        assert (await receive(socket))["method"] == "eth_subscription"


async def test_a_client_that_says_goodbye_leaves_nothing_behind(autojump_clock: Clock) -> None:
    it = provider()
    async with websocket(it) as socket:
        await ask(socket, "eth_subscribe", "newHeads")
        await socket.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert (it.open_connections, it.open_websockets, list(it.crashes)) == (0, 0, [])


async def test_one_socket_may_ask_without_end(autojump_clock: Clock) -> None:
    async with websocket(provider()) as socket:
        for _ in range(MOST_CALLS + 10):
            await ask(socket, "eth_chainId")


async def test_one_socket_may_have_so_many_subscriptions(autojump_clock: Clock) -> None:
    async with websocket(provider()) as socket:
        calls = [{"id": 1, "method": "eth_subscribe", "params": ["newHeads"]}] * (MOST_SUBSCRIPTIONS + 1)
        await socket.send_message(json.dumps(calls))
        answers = await receive(socket)
    assert "result" in answers[-2]
    assert answers[-1]["error"]["code"] == -32005
