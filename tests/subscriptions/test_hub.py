from __future__ import annotations

import json

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from lasso_trio.config.profile import WebSocketPolicy
from lasso_trio.devnet import TOKENS
from lasso_trio.jsonrpc.errors import RpcError
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.subscriptions.hub import LINGER_S, keepers_of
from lasso_trio.subscriptions.wanted import Kind
from tests.subscriptions.simulated import Client, Scene, SimulatedSource, fold_logs, routed_chain


async def test_heads_reach_every_client_once_and_in_order(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        one, two = await scene.join(), await scene.join()
        await scene.grow(3)
        assert one.numbers == two.numbers == [1001, 1002, 1003]
        assert one.subscription.id == two.subscription.id


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
        assert not scene.hub.streams  # nor the heads, which the logs had held
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


async def test_streams_go_on_with_the_chain_that_a_reload_made(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        client = await scene.join()
        renewed = routed_chain(WebSocketPolicy(), names=("z",))
        asked: list[RoutedChain] = []

        def sources(chain: RoutedChain, kind: Kind) -> list[SimulatedSource]:
            asked.append(chain)
            return scene.sources

        scene.hub.sources = sources
        scene.hub.follow(renewed)
        scene.sources[0].kill()
        await scene.grow(1)
        assert client.numbers == [1001]
        assert set(map(id, asked)) == {id(renewed)}


async def test_a_provider_that_a_reload_took_away_feeds_no_more(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        client = await scene.join()
        gone, *scene.sources[:] = scene.sources  # another profile may still have it
        scene.hub.follow(routed_chain(WebSocketPolicy(), names=("b", "c")))
        await trio.sleep(0.1)
        assert not gone.feeds
        await scene.grow(1)
        assert client.numbers == [1001]


def test_keepers_are_found_in_the_order_of_priority() -> None:
    chain = routed_chain(WebSocketPolicy())
    one, other = object(), object()
    chain.registry.instances["c"].keeper, chain.registry.instances["b"].keeper = one, other
    assert keepers_of(chain, Kind.LOGS) == [other, one]
    assert keepers_of(chain, Kind.HEADS) == [other, one]


async def test_with_http_down_the_feeds_are_enough_but_nothing_can_be_replayed(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        scene.reader.down = True
        heads, logs = await scene.join(), await scene.join('["logs"]')
        with pytest.raises(RpcError) as refused:
            await scene.join('["newHeads", {"fromBlock": "0x3e8"}]')
        assert refused.value.data == {"reason": "no_head_yet"}
        scene.reader.down = False
        scene.chain.advance(1)
        scene.push()
        await trio.sleep(3)
        await scene.grow(2)
        await trio.sleep(1)
        assert heads.numbers == [1001, 1002, 1003]
        assert fold_logs(logs.results) == scene.logs(1001)


async def test_one_filter_too_many_is_refused_until_an_unused_one_makes_room(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        scene.hub.most_streams = 3  # two filters, and the heads that they live on
        one, two = [await scene.join(json.dumps(["logs", {"address": token}])) for token in TOKENS[:2]]
        with pytest.raises(RpcError, match="Subscription capacity unavailable") as refused:
            await scene.join('["logs"]')
        assert refused.value.code == -32008
        await scene.join(json.dumps(["logs", {"address": TOKENS[0]}]))  # there already
        two.subscription.close()
        await scene.join('["logs"]')
        await scene.grow(1)
        assert len(scene.hub.streams) == 3
        assert one.results == [log for log in one.results if log["address"] == TOKENS[0]]


async def test_the_filters_of_a_chain_have_a_bound_in_bytes(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        scene.hub.most_filter_bytes = 20_000
        addresses = [f"0x{number:040x}" for number in range(1000)]
        with pytest.raises(RpcError, match="Subscription capacity unavailable"):
            await scene.join(json.dumps(["logs", {"address": addresses}]))
        assert not scene.hub.streams
        await scene.join(json.dumps(["logs", {"address": addresses[:100]}]))


async def test_heads_that_a_client_left_later_than_the_logs_linger_for_it(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        heads, logs = await scene.join(), await scene.join('["logs"]')
        logs.subscription.close()
        await trio.sleep(20)
        heads.subscription.close()
        await trio.sleep(LINGER_S - 10)
        assert len(scene.hub.streams) == 1
        await trio.sleep(20)
        assert not scene.hub.streams


async def test_what_ended_streams_counted_is_kept_by_place_and_kind(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        for _ in range(2):
            client = await scene.join('["logs"]')
            await scene.grow(1)
            client.subscription.close()
            await trio.sleep(LINGER_S + 1)
        place = (scene.routed.profile.slug, scene.routed.chain.key)
        assert scene.hub.past.keys() == {(*place, "newHeads"), (*place, "logs")}
        assert scene.hub.past[*place, "newHeads"][0] >= 2


async def test_how_good_the_feeds_of_a_provider_are_is_told_and_forgotten_when_it_is_gone(
    autojump_clock: MockClock,
) -> None:
    async with Scene.open() as scene:
        await scene.join()
        await scene.grow(2)
        (stream,) = scene.hub.view(scene.routed)
        feeds = {feed["instance"]: (feed["open"], feed["lag_s"], feed["arrivals"]) for feed in stream["feeds"]}
        assert feeds == {"a": (True, 0.0, 2), "b": (True, 0.0, 2)}
        assert stream["feeds"][0]["troubles"] == {}
        scene.sources.pop(0)
        scene.hub.follow(routed_chain(WebSocketPolicy(), names=("b", "c")))
        await scene.grow(1)
        assert all("a" not in qualities for qualities in scene.hub.qualities.values())
