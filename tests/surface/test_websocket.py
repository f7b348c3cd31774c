"""WebSocket clients of a whole node, over real sockets and with a library's client."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
import trio
from trio_websocket import WebSocketConnection, open_websocket_url

from lasso_trio.devnet import Failure, Faults, Kind
from tests.server.ws_world import WsClient, handshake
from tests.surface.conftest import HEAD, Script, Start, Surface, reply

FAST = {"block_time_ms": 200}
"""So that streams look for heads often: these providers have no WebSockets."""


UPGRADE = {
    "connection": "upgrade",
    "upgrade": "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@attrs.define(eq=False)
class Socket:
    connection: WebSocketConnection

    async def send(self, message: object) -> None:
        await self.connection.send_message(message if isinstance(message, str) else json.dumps(message))

    async def receive(self) -> Any:
        return json.loads(await self.connection.get_message())

    async def ask(self, method: str, *params: object, id_: object = 1) -> Any:
        await self.send({"jsonrpc": "2.0", "id": id_, "method": method, "params": params})
        return await self.receive()


@asynccontextmanager
async def socket(surface: Surface, path: str = "/ws/rpc/devnet", **fields: str) -> AsyncIterator[Socket]:
    headers = [(name.replace("_", "-").encode(), value.encode()) for name, value in fields.items()]
    url = f"ws://{surface.host}:{surface.port}{path}"
    async with open_websocket_url(url, extra_headers=headers, disconnect_timeout=1) as connection:
        yield Socket(connection)


async def until(so: Callable[[], bool]) -> None:
    for _ in range(500):
        if so():
            return
        await trio.sleep(0.01)
    raise AssertionError("it did not come to that")


async def test_a_call_is_answered_as_over_http_to_the_byte(surface: Surface) -> None:
    body = b'{"jsonrpc":"2.0","id":1,"method":"eth_getBlockByNumber","params":["0x3e0",false]}'
    over_http = await surface.post("/rpc/devnet", body)
    async with socket(surface) as client:
        await client.send(body.decode())
        assert (await client.connection.get_message()) == over_http.body.decode()


@pytest.mark.parametrize(
    "path",
    [
        "devnet",
        "fastest/devnet",
        "priority/devnet",
        "round-robin/devnet",
        "provider/beta/devnet",
        "devnet/beta",
        "profile/team/latency-weighted/devnet",
    ],
)
async def test_every_kind_of_route_is_served(surface: Surface, path: str) -> None:
    async with socket(surface, f"/ws/rpc/{path}") as client:
        assert (await client.ask("eth_blockNumber"))["result"] == hex(HEAD)


async def test_a_pinned_provider_is_the_one_that_is_asked(surface: Surface) -> None:
    async with socket(surface, "/ws/rpc/devnet", x_lasso_provider="beta") as client:
        await client.ask("eth_blockNumber")
    assert surface.calls() == {"beta": 1}


async def test_a_batch_is_one_message_with_its_answers_in_order(surface: Surface) -> None:
    async with socket(surface) as client:
        await client.send([{"jsonrpc": "2.0", "id": n, "method": "eth_blockNumber"} for n in range(20)])
        answers = await client.receive()
    assert [(answer["id"], answer["result"]) for answer in answers] == [(n, hex(HEAD)) for n in range(20)]


async def test_hundreds_of_calls_in_one_go_are_all_answered(surface: Surface) -> None:
    async with socket(surface) as client:

        async def ask_all() -> None:
            for n in range(300):
                await client.send({"jsonrpc": "2.0", "id": n, "method": "eth_blockNumber"})

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask_all)
            ids = [(await client.receive())["id"] for _ in range(300)]
    assert sorted(ids) == list(range(300))


async def test_a_call_fails_over(start: Start) -> None:
    surface = await start(alpha=Faults(failures=(Failure(Kind.HTTP),)), beta=Faults())
    async with socket(surface, "/ws/rpc/priority/devnet") as client:
        assert (await client.ask("eth_blockNumber"))["result"] == hex(HEAD)


async def test_when_the_client_goes_its_call_upstream_is_given_up(start: Start, scripted: Any) -> None:
    asked, gone = trio.Event(), trio.Event()

    async def never(id_: int, _: object, stream: trio.abc.Stream) -> None:
        asked.set()
        assert not await stream.receive_some()
        gone.set()
        await stream.send_all(reply(b""))

    script: Script = never
    surface = await start(upstreams={"held": await scripted(script)})
    async with socket(surface) as client:
        await client.send({"jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": []})
        await asked.wait()
    with trio.fail_after(5):
        await gone.wait()


async def test_a_client_that_goes_while_it_is_held_back_is_noticed_too(start: Start, scripted: Any) -> None:
    asked: list[int] = []
    gone: list[int] = []

    async def never(id_: int, _: object, stream: trio.abc.Stream) -> None:
        asked.append(id_)
        assert not await stream.receive_some()
        gone.append(id_)
        await stream.send_all(reply(b""))

    script: Script = never
    surface = await start(upstreams={"held": await scripted(script)})
    client = WsClient((await surface.connect()).stream)
    await client.raw(handshake("/ws/rpc/devnet"))
    await client.read_head()
    for n in range(40):
        await client.call("eth_call", id_=n)
    await until(lambda: len(asked) == 32)
    await client.stream.aclose()
    await until(lambda: len(gone) == 32)
    await until(lambda: surface.app.door.active == 0)
    assert len(asked) == 32


async def test_a_large_result_is_one_message(start: Start, replying: Any) -> None:
    result = "0x" + "ab" * 1_000_000
    url = await replying(b'{"jsonrpc":"2.0","id":@,"result":"%b"}' % result.encode())
    surface = await start(upstreams={"big": url})
    async with open_websocket_url(
        f"ws://{surface.host}:{surface.port}/ws/rpc/devnet", max_message_size=1 << 22, receive_buffer_size=65_536
    ) as connection:
        assert (await Socket(connection).ask("debug_traceTransaction", "0x1"))["result"] == result


async def test_heads_arrive_in_their_order_and_stop_when_they_are_not_wanted_any_more(
    start: Start,
) -> None:
    surface = await start(chain=FAST)
    async with socket(surface) as client:
        id_ = (await client.ask("eth_subscribe", "newHeads"))["result"]
        seen = []
        for _ in range(3):
            surface.net.advance()
            event = await client.receive()
            assert event["params"]["subscription"] == id_
            seen.append(int(event["params"]["result"]["number"], 16))
        assert seen == [HEAD + 1, HEAD + 2, HEAD + 3]
        assert (await client.ask("eth_unsubscribe", id_))["result"] is True
        assert (await client.ask("eth_unsubscribe", id_))["error"]["message"] == "subscription not found"
    await until(lambda: not surface.app.websockets.sessions)
    assert all(stream.fanout.members == 0 for stream in surface.app.hub.streams.values())


async def test_equal_subscriptions_of_many_clients_are_one_stream_with_equal_ids(
    start: Start,
) -> None:
    surface = await start(chain=FAST)
    async with socket(surface) as one, socket(surface) as other:
        ids = {(await each.ask("eth_subscribe", "newHeads"))["result"] for each in (one, other)}
        assert (len(ids), len(surface.app.hub.streams)) == (1, 1)
        surface.net.advance()
        assert await one.receive() == await other.receive()


async def test_who_comes_back_gets_what_it_missed_and_goes_on_without_a_seam(start: Start) -> None:
    surface = await start(chain=FAST)
    async with socket(surface) as client:
        await client.ask("eth_subscribe", "newHeads", {"fromBlock": hex(HEAD - 2)})
        seen = [(await client.receive())["params"]["result"]["number"] for _ in range(3)]
        surface.net.advance()
        seen.append((await client.receive())["params"]["result"]["number"])
    assert seen == [hex(HEAD + n) for n in (-2, -1, 0, 1)]


@pytest.mark.parametrize(
    ("path", "status"), [("/ws/rpc/nope", 403), ("/ws/rpc/profile/nope/devnet", 403), ("/ws/rpc/devnet/nope", 403)]
)
async def test_who_wants_to_go_nowhere_is_refused_with_the_reason(surface: Surface, path: str, status: int) -> None:
    answer = await surface.get(path, UPGRADE)
    assert (answer.status, answer["connection"]) == (status, "close")
    assert "nope" in answer.error["message"]


async def test_a_get_without_an_upgrade_is_not_found(surface: Surface) -> None:
    assert (await surface.get("/ws/rpc/devnet")).status == 404


async def test_a_kept_http_connection_may_become_a_websocket(surface: Surface) -> None:
    client = await surface.connect()
    answer = await client.request("POST", "/rpc/devnet", b'{"id":1,"method":"eth_chainId"}')
    assert answer.status == 200
    lines = "".join(f"{name}: {value}\r\n" for name, value in UPGRADE.items())
    await client.stream.send_all(f"GET /ws/rpc/devnet HTTP/1.1\r\nhost: node\r\n{lines}\r\n".encode())
    assert (await client.stream.receive_some()).startswith(b"HTTP/1.1 101 ")


async def test_a_connection_that_brought_a_page_is_closed_so_that_no_balancer_keeps_it_for_an_upgrade(
    surface: Surface,
) -> None:
    client = await surface.connect()
    assert (await client.request("GET", "/api/health"))["connection"] == "close"
    assert await client.stream.receive_some() == b""


async def test_when_the_node_stops_clients_are_told_with_1012_and_nothing_is_left(surface: Surface) -> None:
    client = WsClient((await surface.connect()).stream)  # trio-websocket's leaves its socket open when it is told to go
    await client.raw(handshake("/ws/rpc/devnet"))
    await client.read_head()
    await client.call("eth_subscribe", '["newHeads"]')
    await client.json()
    surface.app.stop()
    assert await client.closed() == (1012, "the node is restarting; connect again")
    assert await client.event() is None
    with trio.fail_after(5):
        await surface.app.stopped.wait()
    assert (surface.app.door.active, len(surface.app.websockets.sessions)) == (0, 0)
