from __future__ import annotations

import json

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from lasso_trio.config.profile import WebSocketPolicy
from lasso_trio.devnet import TOKENS
from lasso_trio.jsonrpc.errors import RpcError
from tests.subscriptions.simulated import Client, Scene, fold_heads, fold_logs


async def test_heads_reach_every_client_once_and_in_order(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        one, two = await scene.join(), await scene.join()
        await scene.grow(3)
        assert one.numbers == two.numbers == [1001, 1002, 1003]
        assert one.subscription.id == two.subscription.id


async def test_logs_reach_every_client_once_and_in_order(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        client = await scene.join('["logs", {}]')
        await scene.grow(20)
        assert fold_logs(client.results) == scene.logs(1001)


async def test_equal_wishes_are_one_subscription_upstream_per_feed(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        for address in (TOKENS[0], TOKENS[0].upper().replace("0X", "0x"), [TOKENS[0]]):
            await scene.join(json.dumps(["logs", {"address": address}]))
        await trio.sleep(1)
        opened = [params for source in scene.sources for params in source.opened if b"logs" in params]
        assert len(opened) == 2


async def test_streams_end_a_minute_after_their_last_client(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        heads, logs = await scene.join(), await scene.join('["logs"]')
        await trio.sleep(1)
        heads.subscription.close()
        logs.subscription.close()
        logs.subscription.close()
        await trio.sleep(59)
        assert len(scene.hub.streams) == 2
        await trio.sleep(2)
        assert len(scene.hub.streams) == 1  # the heads, which the logs had held
        await trio.sleep(61)
        assert not scene.hub.streams
        assert not any(source.feeds for source in scene.sources)


async def test_a_client_that_comes_back_in_time_finds_the_stream_going(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        first = await scene.join()
        first.subscription.close()
        await trio.sleep(50)
        second = await scene.join()
        await trio.sleep(50)
        await scene.grow(1)
        assert (first.numbers, second.numbers) == ([], [1001])


async def test_no_head_is_lost_when_the_active_provider_dies(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        client = await scene.join()
        await scene.grow(2)
        scene.sources[0].kill()
        await scene.grow(1, settle_s=0)
        await trio.testing.wait_all_tasks_blocked()
        assert client.numbers == [1001, 1002, 1003]


async def test_without_websockets_the_same_events_are_made_by_polling(autojump_clock: MockClock) -> None:
    async with Scene.open(sources=0) as scene:
        heads, logs = await scene.join(), await scene.join('["logs"]')
        for _ in range(10):
            scene.chain.advance(2)
            await trio.sleep(2)
        scene.chain.reorg(3, 0.0)
        await trio.sleep(3)
        assert fold_heads(heads.results) == scene.hashes(1001)
        assert fold_logs(logs.results) == scene.logs(1001)


async def test_feeds_that_all_fall_silent_are_noticed_and_replaced(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        client = await scene.join()
        await scene.grow(2)
        for source in scene.sources[:2]:
            source.mute = True
        scene.chain.advance(1)
        scene.push()
        await trio.sleep(20)
        assert client.numbers == [1001, 1002, 1003]
        await scene.grow(1, settle_s=0.01)
        assert client.numbers == [1001, 1002, 1003, 1004]


async def test_a_reorganisation_is_told_from_the_fork_and_its_logs_are_taken_back(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        heads, logs = await scene.join(), await scene.join('["logs"]')
        await scene.grow(10)
        await scene.reorg(4, longer_by=1)
        assert heads.numbers[-5:] == [1007, 1008, 1009, 1010, 1011]
        assert fold_heads(heads.results) == scene.hashes(1001)
        assert fold_logs(logs.results) == scene.logs(1001)
        assert any(log["removed"] for log in logs.results)


async def test_a_hole_that_cannot_be_filled_is_announced_and_the_stream_goes_on(autojump_clock: MockClock) -> None:
    async with Scene.open(policy=WebSocketPolicy(backfill_timeout_ms=5000)) as scene:
        heads, deaf = await scene.join(), await scene.join(wants_gaps=False)
        await scene.grow(2)
        scene.reader.down = True
        for source in scene.sources:
            source.mute = True
        await scene.grow(3)
        for source in scene.sources:
            source.mute = False
        await scene.grow(1)
        assert heads.numbers == [1001, 1002]
        await trio.sleep(6)
        assert heads.numbers == deaf.numbers == [1001, 1002, 1006]
        (gap,) = heads.gaps
        assert (gap["fromBlock"], gap["toBlock"], gap["reason"]) == ("0x3eb", "0x3ed", "backfill_failed")
        assert not deaf.gaps


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


async def test_what_a_client_closes_at_once_never_speaks(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        client = Client()
        subscription = await scene.hub.subscribe(scene.routed, b'["newHeads"]', client)
        subscription.close()
        subscription.start()
        await scene.grow(1)
        assert not client.results


async def test_a_stream_that_cannot_begin_is_refused_and_leaves_nothing(autojump_clock: MockClock) -> None:
    async with Scene.open(sources=0) as scene:
        scene.reader.down = True
        with pytest.raises(RpcError, match="Failed to create subscription") as refused:
            await scene.join()
        assert refused.value.data == {"reason": "timeout"}
        await trio.sleep(70)
        assert not scene.hub.streams


async def test_the_view_tells_what_goes_on(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        await scene.join()
        await scene.grow(2)
        (row,) = scene.hub.view(scene.routed)
        assert (row["members"], row["events"], row["gaps"], len(row["feeds"])) == (1, 3, 0, 2)


async def test_before_it_runs_nobody_can_subscribe(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        pass
    with pytest.raises(RpcError, match="Failed to create subscription"):
        await scene.join()
