from __future__ import annotations

import json
import socket

import httpx
import pytest
import trio
from trio_websocket import ConnectionClosed, wrap_client_stream

from lasso_trio.devnet import Chain, Devnet, Failure, Faults, Kind

TWO = {"a": Faults(), "b": Faults(lag=3)}


async def ask(url: str, method: str) -> str:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(url, json={"jsonrpc": "2.0", "id": 1, "method": method, "params": []})
        result: str = answer.json()["result"]
        return result


def still() -> Chain:
    return Chain(block_time=None, start_height=100)


async def test_providers_share_one_chain_each_on_its_own_port() -> None:
    async with Devnet.open(TWO, chain=still()) as net:
        assert net.url("a") != net.url("b")
        assert [await ask(net.url(name), "eth_blockNumber") for name in TWO] == [hex(100), hex(97)]
        net.advance(5)
        assert [await ask(net.url(name), "eth_blockNumber") for name in TWO] == [hex(105), hex(102)]


async def test_a_killed_provider_refuses_and_comes_back_on_its_port() -> None:
    async with Devnet.open(TWO, chain=still()) as net:
        url = net.url("a")
        await net.kill("a")
        await net.kill("a")  # nothing more happens
        assert not net.is_up("a")
        with pytest.raises(httpx.ConnectError):
            await ask(url, "eth_chainId")
        assert await ask(net.url("b"), "eth_chainId") == "0x7a69"
        await net.revive("a")
        assert net.is_up("a")
        assert net.url("a") == url
        assert await ask(url, "eth_chainId") == "0x7a69"


async def test_killing_ends_open_sockets_and_reorgs_reach_them() -> None:
    async with (
        Devnet.open(TWO, chain=still()) as net,
        # our own stream, because trio-websocket does not close the one of a connection that was lost
        await trio.open_tcp_stream("127.0.0.1", net.providers["a"].port or 0) as stream,
        trio.open_nursery() as nursery,
    ):
        ws = await wrap_client_stream(nursery, stream, "devnet", "/")
        await ws.send_message('{"id":1,"method":"eth_subscribe","params":["newHeads"]}')
        await ws.get_message()
        net.reorg(2, longer_by=1)
        numbers = [json.loads(await ws.get_message())["params"]["result"]["number"] for _ in range(3)]
        assert numbers == ["0x63", "0x64", "0x65"]
        await net.kill("a")
        with pytest.raises(ConnectionClosed):
            await ws.get_message()


async def test_faults_are_set_and_lifted_while_it_serves() -> None:
    async with Devnet.open(TWO, chain=still()) as net:
        net.set_faults("a", Faults(failures=[Failure(Kind.RESET)]))
        with pytest.raises(httpx.ReadError):
            await ask(net.url("a"), "eth_chainId")
        net.set_faults("a")
        assert await ask(net.url("a"), "eth_chainId") == "0x7a69"


async def test_names_are_checked() -> None:
    net = Devnet.make(TWO)
    with pytest.raises(KeyError, match="there are a, b"):
        net.set_faults("c")
    with pytest.raises(RuntimeError, match="not running"):
        net.url("a")
    with pytest.raises(RuntimeError, match="not running"):
        await net.revive("a")


async def test_a_taken_port_is_an_os_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        net = Devnet.make({"a": Faults()}, ports={"a": taken.getsockname()[1]})
        with pytest.RaisesGroup(OSError, flatten_subgroups=True):
            async with trio.open_nursery() as nursery:
                await nursery.start(net.run)


async def test_the_same_seed_brings_the_same_misfortunes_to_each_provider() -> None:
    def fate(seed: int, name: str) -> list[bool]:
        plan = Devnet.make({n: Faults(failures=[Failure("reset", share=0.5)]) for n in "ab"}, seed=seed)
        return [plan.providers[name].plan.next(("m",), 0.0).failure is None for _ in range(40)]

    assert fate(1, "a") == fate(1, "a")
    assert fate(1, "a") != fate(1, "b")
    assert fate(1, "a") != fate(2, "a")
