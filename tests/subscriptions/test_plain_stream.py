from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from lasso_trio.jsonrpc.errors import RpcError
from tests.subscriptions.simulated import Scene


def transaction(number: int) -> bytes:
    return b'"0x%064x"' % number


async def test_a_pending_transaction_is_told_once_whoever_tells_it(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        client = await scene.join('["newPendingTransactions"]')
        for number in (1, 2, 1):
            for source in scene.sources:
                source.tell("newPendingTransactions", transaction(number))
        scene.sources[0].tell("newPendingTransactions", b"7")
        await trio.sleep(0.1)
        assert client.results == [f"0x{1:064x}", f"0x{2:064x}"]


async def test_whole_transactions_are_a_stream_of_their_own(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        client = await scene.join('["newPendingTransactions", true]')
        assert scene.sources[0].opened == [b'["newPendingTransactions",true]']
        scene.sources[0].tell("newPendingTransactions", b'{"hash":"0x%064x","nonce":"0x1"}' % 5)
        await trio.sleep(0.1)
        assert [result["nonce"] for result in client.results] == ["0x1"]


async def test_without_websockets_nobody_offers_it(autojump_clock: MockClock) -> None:
    async with Scene.open(sources=0) as scene:
        with pytest.raises(RpcError, match="no provider with a WebSocket offers it"):
            await scene.join('["newPendingTransactions"]')


async def test_a_client_is_told_why_nobody_takes_it(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        for source in scene.sources:
            source.refuses = ("newPendingTransactions",)
        with pytest.raises(RpcError, match="no newPendingTransactions here") as refused:
            await scene.join('["newPendingTransactions"]')
        assert refused.value.code == -32602


@pytest.mark.parametrize("sources", [0, 2])
async def test_syncing_is_false_until_somebody_says_otherwise(autojump_clock: MockClock, sources: int) -> None:
    async with Scene.open(sources=sources) as scene:
        client = await scene.join('["syncing"]')
        assert client.results == [False]


async def test_syncing_is_told_when_it_changes(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        client = await scene.join('["syncing"]')
        for text in (b'{"syncing":true}', b'{"syncing":true}', b"false"):
            for source in scene.sources:
                source.tell("syncing", text)
            await trio.sleep(0.1)
        assert client.results == [False, {"syncing": True}, False]


async def test_a_provider_that_refuses_whole_transactions_still_tells_hashes(autojump_clock: MockClock) -> None:
    async with Scene.open(sources=1) as scene:
        (source,) = scene.sources
        source.refuses = ("newPendingTransactions",)
        with pytest.raises(RpcError, match="no newPendingTransactions here"):
            await scene.join('["newPendingTransactions", true]')
        source.refuses = ()
        client = await scene.join('["newPendingTransactions"]')
        source.tell("newPendingTransactions", transaction(7))
        await trio.sleep(0.1)
        assert client.results == [f"0x{7:064x}"]
