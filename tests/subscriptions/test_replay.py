from __future__ import annotations

import json

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from lasso_trio.config.profile import WebSocketPolicy
from lasso_trio.jsonrpc.errors import RpcError
from tests.subscriptions.simulated import Client, Scene, fold_heads, fold_logs


@pytest.mark.parametrize("kind", ["newHeads", "logs"])
async def test_a_client_that_comes_back_replays_and_goes_live_without_a_seam(
    autojump_clock: MockClock, kind: str
) -> None:
    async with Scene.open() as scene:
        await scene.grow(30)
        scene.reader.takes_s = 0.2
        client = Client()
        client.subscription = await scene.hub.subscribe(
            scene.routed, json.dumps([kind, {"fromBlock": hex(1011)}]).encode(), client
        )
        client.subscription.start()
        await scene.grow(5, settle_s=0.1)  # while it replays
        await scene.grow(5)
        await trio.sleep(5)
        if kind == "newHeads":
            assert client.numbers == list(range(1011, 1041))
            assert fold_heads(client.results) == scene.hashes(1011)
        else:
            assert fold_logs(client.results) == scene.logs(1011)
        assert not client.gaps


@pytest.mark.parametrize("kind", ["newHeads", "logs"])
async def test_a_reorganisation_that_reaches_into_what_was_replayed_is_told(
    autojump_clock: MockClock, kind: str
) -> None:
    async with Scene.open() as scene:
        await scene.grow(30)
        client = await scene.join(json.dumps([kind, {"fromBlock": hex(1011)}]))
        await trio.sleep(2)
        await scene.reorg(10)
        await scene.grow(2)
        if kind == "newHeads":
            assert fold_heads(client.results) == scene.hashes(1011)
        else:
            assert fold_logs(client.results) == scene.logs(1011)


async def test_a_replay_from_further_back_than_allowed_is_refused_with_the_bound(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        with pytest.raises(RpcError, match="at most 100 blocks are replayed, now from 0x385 on") as refused:
            await scene.join('["newHeads", {"fromBlock": "0x1"}]')
        assert refused.value.code == -32602
        await scene.join('["newHeads", {"fromBlock": "0x385"}]')


async def test_a_replay_that_nobody_can_read_is_a_gap_and_then_live(autojump_clock: MockClock) -> None:
    async with Scene.open(policy=WebSocketPolicy(backfill_timeout_ms=3000)) as scene:
        client = await scene.join()
        scene.reader.down = True
        late = await scene.join('["newHeads", {"fromBlock": "0x3e0"}]')
        await trio.sleep(4)
        await scene.grow(1)
        assert client.numbers == late.numbers == [1001]
        assert [gap["reason"] for gap in late.gaps] == ["replay_failed"]
        assert not client.gaps
