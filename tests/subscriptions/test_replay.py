from __future__ import annotations

import json

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs
from trio.testing import MockClock

from lasso_trio.config.profile import WebSocketPolicy
from lasso_trio.jsonrpc.errors import RpcError
from lasso_trio.subscriptions.replay import Replay
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


async def test_a_replay_waits_for_the_block_before_it_to_be_complete(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        witness = await scene.join('["logs"]')
        scene.reader.unready.add(scene.chain.view(0.0).head + 1)
        await scene.grow(2)  # the second block is checked before the first
        late = await scene.join(json.dumps(["logs", {"fromBlock": hex(1002)}]))
        scene.reader.unready.clear()
        await trio.sleep(5)
        await scene.grow(1)
        assert fold_logs(late.results) == scene.logs(1002)
        assert fold_logs(witness.results) == scene.logs(1001)


async def test_a_block_whose_check_could_not_be_made_is_read_again_for_a_replay(autojump_clock: MockClock) -> None:
    async with Scene.open(policy=WebSocketPolicy(backfill_timeout_ms=2000)) as scene:
        witness = await scene.join('["logs"]')
        for source in scene.sources:
            source.mute = True
        scene.reader.unready.add(1001)
        scene.chain.advance(1)
        await trio.sleep(15)
        assert [gap["reason"] for gap in witness.gaps] == ["logs_unchecked"]
        scene.reader.unready.clear()
        late = await scene.join(json.dumps(["logs", {"fromBlock": hex(1001)}]))
        await trio.sleep(1)
        assert fold_logs(late.results) == scene.logs(1001)
        assert not late.gaps


@pytest.mark.parametrize("kind", ["newHeads", "logs"])
async def test_a_client_that_is_ahead_of_the_node_is_told_nothing_that_it_has_seen(
    autojump_clock: MockClock, kind: str
) -> None:
    async with Scene.open() as scene:
        client = await scene.join(json.dumps([kind, {"fromBlock": hex(1004)}]))
        await scene.grow(6)
        await trio.sleep(1)
        told = client.numbers if kind == "newHeads" else sorted({int(r["blockNumber"], 16) for r in client.results})
        assert told == [1004, 1005, 1006]
        assert not client.gaps


async def test_a_client_that_is_ahead_of_a_chain_that_began_anew_goes_live_after_a_while(
    autojump_clock: MockClock,
) -> None:
    async with Scene.open(policy=WebSocketPolicy(backfill_timeout_ms=3000)) as scene:
        client = await scene.join('["newHeads", {"fromBlock": "0x10000"}]')
        await trio.sleep(4)
        await scene.grow(1)
        assert client.numbers == [1001]
        assert not client.gaps


async def test_a_replay_that_crashes_is_a_gap_and_harms_nobody_else(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crash(*_: object) -> bool:
        raise RuntimeError("a defect of ours")

    with capture_logs() as logged:
        async with Scene.open() as scene:
            witness = await scene.join()
            monkeypatch.setattr(Replay, "_read_below", crash)
            late = await scene.join('["newHeads", {"fromBlock": "0x3e0"}]')
            await scene.grow(1)
            assert witness.numbers == late.numbers == [1001]
            assert [gap["reason"] for gap in late.gaps] == ["replay_failed"]
    assert any(entry["event"] == "replay.crashed" for entry in logged)
    assert [entry["reason"] for entry in logged if entry["event"] == "stream.gap"] == ["replay_failed"]
