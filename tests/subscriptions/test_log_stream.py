from __future__ import annotations

import json
from contextlib import suppress

import attrs
import trio
import trio.testing
from trio.testing import MockClock

from lasso_trio.config.profile import WebSocketPolicy
from lasso_trio.devnet import TOKENS
from lasso_trio.subscriptions.feed import Arrival
from lasso_trio.subscriptions.feed_quality import FeedQuality, Trouble
from lasso_trio.subscriptions.log_stream import LogStream
from tests.subscriptions.simulated import Scene, SimulatedFeed, SimulatedSource, fold_heads, fold_logs


async def test_logs_reach_every_client_once_and_in_order(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        client = await scene.join('["logs", {}]')
        await scene.grow(20)
        assert fold_logs(client.results) == scene.logs(1001)


async def test_a_reorganisation_is_told_from_the_fork_and_its_logs_are_taken_back(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        heads, logs = await scene.join(), await scene.join('["logs"]')
        await scene.grow(10)
        await scene.reorg(4, longer_by=1)
        assert heads.numbers[-5:] == [1007, 1008, 1009, 1010, 1011]
        assert fold_heads(heads.results) == scene.hashes(1001)
        assert fold_logs(logs.results) == scene.logs(1001)
        assert any(log["removed"] for log in logs.results)


def stream_of(scene: Scene) -> LogStream:
    return next(stream for stream in scene.hub.streams.values() if isinstance(stream, LogStream))


async def grown(scene: Scene, blocks: int) -> None:
    await scene.grow(blocks)
    await trio.sleep(12)  # until a silence is noticed, and checks are made


async def test_logs_that_feeds_lose_are_found_by_the_check_of_their_block(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        client = await scene.join('["logs"]')
        for source in scene.sources:
            source.loss = 0.5
        await grown(scene, 30)
        assert sorted(fold_logs(client.results)) == sorted(scene.logs(1001))
        assert stream_of(scene).counts.repaired > 0


@attrs.define(eq=False)
class Partial(SimulatedSource):
    """Its heads come as they should; of its logs a share comes, `late_s` later."""

    share: float = 0.0
    late_s: float = 0.0
    nursery: trio.Nursery | None = None

    def _send(self, feed: SimulatedFeed, result: bytes) -> None:
        if feed.kind != "logs":
            super()._send(feed, result)
        elif self.rng.random() < self.share:
            assert self.nursery is not None
            self.nursery.start_soon(self._send_late, feed, result)

    async def _send_late(self, feed: SimulatedFeed, result: bytes) -> None:
        await trio.sleep(self.late_s)
        with suppress(trio.ClosedResourceError):
            feed.send.send_nowait(Arrival(result, trio.current_time()))


async def bad(scene: Scene, share: float, late_s: float = 0.0) -> FeedQuality:
    """What the logs' quality of the second provider is after a while, which is one of two that feed at first."""
    async with trio.open_nursery() as nursery:
        scene.sources[1] = Partial("b", scene.chain, share=share, late_s=late_s, nursery=nursery)
        client = await scene.join('["logs"]')
        await scene.grow(20, settle_s=2.0)
        await trio.sleep(2)
    stream = stream_of(scene)
    assert set(stream.feeds.feeds) == {"a", "c"}
    assert sorted(fold_logs(client.results)) == sorted(scene.logs(1001))
    return stream.feeds.quality("b")


async def test_a_feed_that_tells_no_logs_while_another_tells_them_is_replaced(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        assert (await bad(scene, share=0.0)).troubles.total() == 1


async def test_a_feed_that_loses_logs_which_another_tells_is_replaced(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        assert (await bad(scene, share=0.5)).troubles == {Trouble.GAP: 1}


async def test_a_feed_that_is_late_with_logs_is_replaced(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        assert (await bad(scene, share=1.0, late_s=1.5)).troubles == {Trouble.LAG: 1}


async def test_feeds_that_all_tell_no_logs_are_replaced(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        for place, name in enumerate("ab"):
            scene.sources[place] = Partial(name, scene.chain)
        await scene.join('["logs"]')
        await scene.grow(20, settle_s=2.0)
        assert "c" in stream_of(scene).feeds.feeds


async def test_of_a_block_that_was_replaced_nobody_need_have_told(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        await scene.join('["logs"]')
        for _ in range(8):
            scene.sources[1].mute = True  # its node was never on the branch that is given up
            await scene.grow(1, settle_s=1.0)
            scene.sources[1].mute = False
            await scene.reorg(1, settle_s=1.0)
        assert stream_of(scene).feeds.quality("b").troubles == {}


async def test_logs_do_not_wait_for_the_check(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        client = await scene.join('["logs"]')
        await trio.sleep(1)
        scene.reader.takes_s = 5.0
        await scene.grow(1, settle_s=0.01)
        assert fold_logs(client.results) == scene.logs(1001)


async def test_a_block_whose_check_cannot_be_made_is_a_gap_and_the_stream_goes_on(autojump_clock: MockClock) -> None:
    async with Scene.open(policy=WebSocketPolicy(backfill_timeout_ms=4000)) as scene:
        client = await scene.join('["logs"]')
        await grown(scene, 1)
        scene.reader.down = True
        await scene.grow(1)
        assert not client.gaps
        await trio.sleep(5)
        scene.reader.down = False
        await grown(scene, 3)
        assert [(gap["fromBlock"], gap["reason"]) for gap in client.gaps] == [("0x3ea", "logs_unchecked")]
        assert fold_logs(client.results) == scene.logs(1001)


async def test_a_block_that_its_bloom_excludes_is_not_asked_for(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        await scene.join(json.dumps(["logs", {"address": TOKENS[0]}]))
        await grown(scene, 1)
        stream, checks = stream_of(scene), len(scene.reader.reads)
        tip = stream.heads.line.tip
        assert tip is not None
        for number in (1002, 1003):
            bloom = "0x" + "00" * 255 + "01"
            block = attrs.evolve(tip, number=number, hash=f"0x{number:064x}", parent=tip.hash, bloom=bloom)
            stream.heads.apply(stream.heads.line.tell(block, "a", trio.current_time()))
            tip = block
        await trio.sleep(0.5)
        assert [read for read in scene.reader.reads[checks:] if read[0] == "logs"] == []
        assert stream.line.unsettled == []


async def test_a_log_that_the_bloom_denied_ends_the_belief_in_blooms_and_is_a_gap(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        client = await scene.join(json.dumps(["logs", {"address": TOKENS[0]}]))
        await grown(scene, 1)
        stream = stream_of(scene)
        tip = stream.heads.line.tip
        assert tip is not None
        hash_ = "0x" + "ab" * 32
        block = attrs.evolve(tip, number=1002, hash=hash_, parent=tip.hash, bloom="0x" + "00" * 255 + "01")
        stream.heads.apply(stream.heads.line.tell(block, "a", trio.current_time()))
        scene.sources[0].tell("logs", json.dumps({"blockHash": hash_, "logIndex": "0x0"}).encode())
        await trio.sleep(0.01)
        assert [gap["reason"] for gap in client.gaps] == ["bloom_denied"]
        assert not stream.bloom.excludes("0x" + "00" * 256)


async def test_what_is_no_log_is_counted_and_dropped(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        await scene.join('["logs"]')
        await trio.sleep(1)
        scene.sources[0].tell("logs", b"7")
        await grown(scene, 1)
        assert stream_of(scene).counts.bad == 1


async def late_logs(scene: Scene, block: int) -> None:
    """The feeds tell the logs of `block` after its check, which found none of them."""
    view = scene.chain.view(0.0)
    told = view.block(block)
    assert told is not None
    for log in told.logs():
        scene.sources[0].tell("logs", json.dumps(log).encode())
    await trio.sleep(0.1)


async def test_logs_that_a_hasty_check_did_not_find_are_told_when_a_feed_has_them(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        client = await scene.join('["logs"]')
        await grown(scene, 1)
        stream, feeds = stream_of(scene), list(scene.sources)
        scene.reader.hasty.add(1002)
        for source in feeds:
            source.mute = True
        scene.chain.advance(1)
        await trio.sleep(15)
        assert stream.line.unsettled == []
        for source in feeds:
            source.mute = False
        await late_logs(scene, 1002)
        assert fold_logs(client.results) == scene.logs(1001)
        assert not client.gaps


async def test_logs_that_come_when_the_next_blocks_were_told_are_a_gap(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        client = await scene.join('["logs"]')
        await grown(scene, 1)
        scene.reader.hasty.add(1002)
        for source in scene.sources:
            source.mute = True
        scene.chain.advance(2)
        await trio.sleep(15)
        for source in scene.sources:
            source.mute = False
        await late_logs(scene, 1002)
        assert [(gap["fromBlock"], gap["toBlock"], gap["reason"]) for gap in client.gaps] == [
            ("0x3ea", "0x3ea", "logs_late")
        ]
        assert {int(log["blockNumber"], 16) for log in client.results} == {1001, 1003}
