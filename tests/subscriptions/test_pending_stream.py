from __future__ import annotations

import json

import attrs
import pytest
import trio
from trio.testing import MockClock

from lasso_trio.jsonrpc.errors import RpcError
from lasso_trio.subscriptions.feed_quality import Trouble
from lasso_trio.subscriptions.pending_stream import LONGEST_QUIET_S, QUIET_S, REMEMBERED, PendingStream
from tests.subscriptions.simulated import Scene, SimulatedSource

PENDING = "newPendingTransactions"
HASHES = f'["{PENDING}"]'
WHOLE = f'["{PENDING}", true]'


def hash_(number: int) -> str:
    return f"0x{number:064x}"


def transaction(number: int) -> bytes:
    return json.dumps(hash_(number)).encode()


def whole(number: int) -> bytes:
    return json.dumps({"hash": hash_(number), "nonce": "0x1"}).encode()


def stream_of(scene: Scene) -> PendingStream:
    (stream,) = scene.hub.streams.values()
    assert isinstance(stream, PendingStream)
    return stream


async def told(sources: list[SimulatedSource], first: int, times: int, pause_s: float = 1.0) -> None:
    for number in range(first, first + times):
        for source in sources:
            source.tell(PENDING, transaction(number))
        await trio.sleep(pause_s)


async def test_a_pending_transaction_is_told_once_whoever_tells_it(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        client = await scene.join(HASHES)
        for number in (1, 2, 1):
            for source in scene.sources:
                source.tell(PENDING, transaction(number))
        scene.sources[0].tell(PENDING, b"7")
        await trio.sleep(0.1)
        assert client.results == [hash_(1), hash_(2)]
        assert stream_of(scene).counts.bad == 1


async def test_whole_transactions_are_a_stream_of_their_own(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        client = await scene.join(WHOLE)
        assert scene.sources[0].opened == [b'["newPendingTransactions",true]']
        scene.sources[0].tell(PENDING, whole(5))
        await trio.sleep(0.1)
        assert [result["nonce"] for result in client.results] == ["0x1"]


async def test_who_tells_hashes_where_whole_transactions_were_asked_for_is_replaced(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        client = await scene.join(WHOLE)
        scene.sources[0].tell(PENDING, transaction(5))
        scene.sources[1].tell(PENDING, whole(5))
        await trio.sleep(0.1)
        assert [result["hash"] for result in client.results] == [hash_(5)]
        assert set(stream_of(scene).feeds.feeds) == {"b", "c"}
        assert stream_of(scene).feeds.quality("a").troubles == {Trouble.REFUSED: 1}


async def test_when_nobody_tells_whole_ones_the_next_client_is_told_so(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        client = await scene.join(WHOLE)
        for _ in range(3):
            for source in scene.sources:
                source.tell(PENDING, transaction(5))
            await trio.sleep(0.1)
        assert client.results == []
        with pytest.raises(RpcError, match="hashes where whole transactions were asked for"):
            await scene.join(WHOLE)


async def test_who_tells_whole_ones_where_hashes_were_asked_for_tells_the_hash(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        client = await scene.join(HASHES)
        scene.sources[0].tell(PENDING, whole(5))
        await trio.sleep(0.1)
        assert client.results == [hash_(5)]


async def test_a_provider_that_refuses_whole_transactions_still_tells_hashes(autojump_clock: MockClock) -> None:
    async with Scene.open(sources=1) as scene:
        (source,) = scene.sources
        source.refuses = (PENDING,)
        with pytest.raises(RpcError, match="no newPendingTransactions here"):
            await scene.join(WHOLE)
        source.refuses = ()
        client = await scene.join(HASHES)
        source.tell(PENDING, transaction(7))
        await trio.sleep(0.1)
        assert client.results == [hash_(7)]


async def test_who_is_mute_while_others_tell_is_replaced(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        await scene.join(HASHES)
        await told(scene.sources[1:], 0, 40)
        assert set(stream_of(scene).feeds.feeds) == {"b", "c"}
        assert stream_of(scene).feeds.quality("a").troubles == {Trouble.STALL: 1}


async def test_when_all_are_mute_others_are_tried(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        client = await scene.join(HASHES)
        await trio.sleep(1.5 * QUIET_S)
        await told(scene.sources[2:], 0, 5)
        assert len(client.results) == 5


async def test_of_several_that_are_mute_none_is_opened_again_and_again(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        client = await scene.join(HASHES)
        await told(scene.sources[2:], 0, 600)
        assert len(client.results) > 550
        assert stream_of(scene).feeds.failovers < 15


async def test_where_there_are_no_transactions_others_are_tried_ever_more_seldom(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        await scene.join(HASHES)
        await trio.sleep(10 * LONGEST_QUIET_S)
        assert 8 < stream_of(scene).feeds.failovers < 25


async def test_who_is_late_is_replaced_and_what_is_sent_again_is_not_late(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        await scene.join(HASHES)
        for number in range(8):
            scene.sources[1].tell(PENDING, transaction(number))
            await trio.sleep(4)
            scene.sources[0].tell(PENDING, transaction(number))
        stream = stream_of(scene)
        assert stream.feeds.quality("a").troubles == {Trouble.LAG: 1}
        before = stream.feeds.quality("c").lag_s
        await trio.sleep(100)
        scene.sources[2].tell(PENDING, transaction(1))
        await trio.sleep(0.1)
        assert stream.feeds.quality("c").lag_s == before


async def test_what_is_remembered_does_not_grow(autojump_clock: MockClock) -> None:
    async with Scene.open(sources=1) as scene:
        client = await scene.join(HASHES)
        stream, source = stream_of(scene), scene.sources[0]
        stream._told.update({b"%d" % number: 0.0 for number in range(REMEMBERED)})
        await told([source], 0, 3)
        assert len(stream._told) == REMEMBERED
        assert len(client.results) == 3


@attrs.define(eq=False)
class Gone:
    """All providers lose their sessions."""

    scene: Scene

    def __attrs_post_init__(self) -> None:
        for source in self.scene.sources:
            source.kill()


async def test_a_client_that_comes_while_nobody_feeds_it_is_not_told_that_it_is_live(
    autojump_clock: MockClock,
) -> None:
    async with Scene.open() as scene:
        await scene.join(HASHES)
        Gone(scene)
        await trio.sleep(1)
        with pytest.raises(RpcError, match="Failed to create subscription"):
            await scene.join(HASHES)
        scene.sources[0].revive()
        await trio.sleep(1)
        client = await scene.join(HASHES)
        await told(scene.sources[:1], 0, 1)
        assert client.results == [hash_(0)]
