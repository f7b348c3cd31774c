from __future__ import annotations

import json

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from lasso_trio.config.profile import WebSocketPolicy
from lasso_trio.devnet import Chain
from lasso_trio.providers.block_time import BlockTime
from lasso_trio.subscriptions.feed_quality import Trouble
from lasso_trio.subscriptions.head_stream import EAGER_POLL_S, EAGER_POLLS, LONGEST_POLL_S, HeadStream
from tests.subscriptions.simulated import Scene, fold_heads, fold_logs


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


async def test_a_chain_whose_block_time_nobody_knows_is_polled_each_second_until_it_is_known(
    autojump_clock: MockClock,
) -> None:
    async with Scene.open(sources=0) as scene:
        scene.routed.heads.block_time = BlockTime()
        client = await scene.join()
        for _ in range(20):
            scene.chain.advance(1)
            await trio.sleep(1.0)
            assert len(client.results) >= scene.chain.view(trio.current_time()).head - 1001
    assert heads(scene).pace_s == pytest.approx(1.0, rel=0.1)


async def test_a_chain_that_stands_still_is_soon_polled_less(autojump_clock: MockClock) -> None:
    async with Scene.open(sources=0) as scene:
        scene.routed.heads.block_time = BlockTime()
        await scene.join()
        await trio.sleep(EAGER_POLLS * EAGER_POLL_S)
        before = heads(scene).polls
        await trio.sleep(10 * LONGEST_POLL_S)
        assert heads(scene).polls - before in (10, 11)


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


def heads(scene: Scene) -> HeadStream:
    return next(stream for stream in scene.hub.streams.values() if isinstance(stream, HeadStream))


async def test_a_quiet_chain_with_live_feeds_is_hardly_polled(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        await scene.join()
        for _ in range(60):
            await scene.grow(1, settle_s=2.0)
        assert heads(scene).polls <= 2


async def test_a_feed_that_is_silent_while_others_speak_is_replaced(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        await scene.join()
        await scene.grow(2, settle_s=2.0)
        scene.sources[0].mute = True
        for _ in range(8):
            await scene.grow(1, settle_s=2.0)
        assert set(heads(scene).feeds.feeds) == {"b", "c"}
        assert heads(scene).feeds.quality("a").troubles == {Trouble.STALL: 1}


async def test_a_feed_that_is_late_is_replaced_by_a_better_one(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        await scene.join()
        scene.sources[0].lag = 1  # a block behind, two seconds
        for _ in range(12):
            await scene.grow(1, settle_s=2.0)
        assert set(heads(scene).feeds.feeds) == {"b", "c"}
        assert heads(scene).feeds.quality("a").troubles[Trouble.LAG] == 1


async def test_a_feed_that_loses_every_other_head_is_replaced(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        client = await scene.join()
        for _ in range(12):
            scene.sources[0].mute = not scene.sources[0].mute
            await scene.grow(1, settle_s=2.0)
        assert set(heads(scene).feeds.feeds) == {"b", "c"}
        assert heads(scene).feeds.quality("a").troubles == {Trouble.GAP: 1}
        assert fold_heads(client.results) == scene.hashes(1001)


def made_up(number: int) -> bytes:
    return json.dumps(
        {"number": hex(number), "hash": f"0x{number:064x}", "parentHash": f"0x{3 * number:064x}"}
    ).encode()


async def test_who_tells_of_heads_that_are_none_is_replaced_and_costs_the_others_little(
    autojump_clock: MockClock,
) -> None:
    async with Scene.open() as scene:
        client = await scene.join()
        scene.reader.takes_s = 0.05
        scene.sources[0].tell("newHeads", made_up(9000))
        for _ in range(20):
            await scene.grow(1, settle_s=2.0)
        assert fold_heads(client.results) == scene.hashes(1001)
        assert not client.gaps
        assert heads(scene).feeds.quality("a").troubles == {Trouble.CLAIM: 1}
        assert set(heads(scene).feeds.feeds) == {"b", "c"}
        assert len(scene.reader.reads) < 60


async def test_a_made_up_head_is_no_hole_on_a_chain_that_is_slower_than_our_patience(autojump_clock: MockClock) -> None:
    async with Scene.open(policy=WebSocketPolicy(backfill_timeout_ms=5000)) as scene:
        client = await scene.join()
        scene.sources[0].tell("newHeads", made_up(9000))
        await trio.sleep(30)
        await scene.grow(2)
        assert (client.numbers, client.gaps) == ([1001, 1002], [])


async def test_a_feed_on_a_branch_that_is_given_up_lost_nothing(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        await scene.join()
        for _ in range(8):
            scene.sources[1].mute = True
            await scene.grow(1, settle_s=1.0)
            scene.sources[1].mute = False
            await scene.reorg(1, settle_s=1.0)
        assert heads(scene).feeds.quality("b").troubles == {}


async def test_what_is_no_header_is_counted_and_dropped(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        client = await scene.join()
        await trio.sleep(0.1)
        scene.sources[0].tell("newHeads", b'{"number":"x"}')
        await scene.grow(1)
        assert client.numbers == [1001]
        assert heads(scene).counts.bad == 1


async def test_a_chain_that_began_anew_is_noticed_and_said(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        client = await scene.join()
        await scene.grow(2)
        scene.chain.start_height = 10
        await trio.sleep(30)
        await scene.grow(2)
        assert client.numbers[-2:] == [13, 14]
        assert [gap["reason"] for gap in client.gaps] == ["chain_reset"]


async def test_a_blocks_header_that_was_read_looks_like_one_that_was_told(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        client = await scene.join()
        await scene.grow(1)
        for source in scene.sources:
            source.mute = True
        await scene.grow(1)
        for source in scene.sources:
            source.mute = False
        await scene.grow(1)
        assert client.numbers == [1001, 1002, 1003]
        assert len({tuple(result) for result in client.results}) == 1
        assert heads(scene).counts.filled == 1


def another_chain(height: int) -> Chain:
    chain = Chain(block_time=None, start_height=height)
    chain.reorg(500, 0.0)  # other blocks than those that clients have seen
    return chain


async def test_a_chain_that_began_anew_a_little_lower_is_not_waited_for(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        client = await scene.join()
        await scene.grow(50)
        anew = another_chain(1003)
        scene.chain = scene.reader.chain = anew
        for source in scene.sources:
            source.kill()
            source.chain = anew
            source.revive()
        for _ in range(12):
            await scene.grow(1, settle_s=2)
        assert [gap["reason"] for gap in client.gaps] == ["chain_reset"]
        assert [result["hash"] for result in client.results[50:]] == scene.hashes(1004)


async def test_a_provider_that_stays_on_a_lower_branch_does_not_move_a_quiet_chain(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        client = await scene.join()
        await scene.grow(10)
        scene.reader.chain = another_chain(1003)
        await trio.sleep(60)
        scene.reader.chain = scene.chain
        await scene.grow(1)
        assert fold_heads(client.results) == scene.hashes(1001)
        assert not client.gaps
