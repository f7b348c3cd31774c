"""A keeper before a simulated provider: connecting, calls, losing, coming back. In virtual time."""

from __future__ import annotations

import json

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

from lasso_trio.devnet import Faults
from lasso_trio.devnet.faults import Failure, Kind, Latency
from lasso_trio.jsonrpc.reply import encode_request
from lasso_trio.providers.breaker import State
from lasso_trio.providers.classify import Category, verdict_for
from lasso_trio.subscriptions.feed import Feed, FeedSource, NotConnected, Refused
from lasso_trio.subscriptions.keeper import Keeper
from lasso_trio.subscriptions.keeper_heads import Terms
from lasso_trio.upstream.faults import Disconnected, Expired
from lasso_trio.upstream.ws_link import WsLink
from tests.subscriptions.upstreams import BLOCK_S, KEY, START, Upstream, until_connected, until_lost

LOGS = b'["logs",{}]'


@pytest.fixture
def upstream(nursery: trio.Nursery) -> Upstream:
    return Upstream.make(nursery)


async def ask(keeper: Keeper, id_: int = 1, method: bytes = b'"eth_gasPrice"', wait_s: float = 5.0) -> bytes:
    link = keeper.channel.pool
    assert isinstance(link, WsLink)
    request = encode_request(id_, method, b"[]")
    return (await link.exchange(request, replay_safe=True, until=trio.current_time() + wait_s)).body


async def to_the_end(feed: Feed) -> None:
    with trio.fail_after(60):
        async for _ in feed.arrivals:
            pass


async def test_a_connected_keeper_makes_its_channel_live(autojump_clock: object, upstream: Upstream) -> None:
    keeper = upstream.keeper()
    source: FeedSource = keeper
    assert (source.connected, keeper.channel.live, source.instance_id) == (False, False, "1:one:0")
    version = keeper.channel.version.value
    await until_connected(keeper)
    assert keeper.settled.is_set()
    assert keeper.channel.live
    assert keeper.channel.version.value > version
    assert trio.current_time() <= 0.5
    assert json.loads(await ask(keeper))["id"] == 1
    assert upstream.node.calls["eth_chainId"] == 1


async def test_a_lost_socket_ends_the_channels_life_and_comes_back(autojump_clock: object, upstream: Upstream) -> None:
    keeper = upstream.keeper()
    await until_connected(keeper)
    await trio.sleep(10)
    version = keeper.channel.version.value
    upstream.node.drop_websockets()
    await until_lost(keeper)
    assert not keeper.channel.live
    assert keeper.channel.version.value > version
    lost_at = trio.current_time()
    await until_connected(keeper)
    assert trio.current_time() - lost_at <= 1
    assert keeper.sessions == 2
    assert (keeper.last_ending and keeper.last_ending.reason) == "lost"
    assert keeper.channel.breaker.failures == 0


async def test_a_call_that_the_socket_took_with_it_may_have_been_seen(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    upstream = Upstream.make(nursery, Faults(failures=(Failure(Kind.HANG, methods=("eth_gasPrice",)),)))
    keeper = upstream.keeper()
    await until_connected(keeper)
    async with trio.open_nursery() as calls:

        async def call() -> None:
            with pytest.raises(Disconnected) as lost:
                await ask(keeper)
            assert (lost.value.dispatched, lost.value.local) == (True, False)

        calls.start_soon(call)
        await trio.sleep(1)
        upstream.node.drop_websockets()


async def test_a_cancelled_caller_leaves_and_its_late_answer_is_dropped(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    upstream = Upstream.make(nursery, Faults(latency=Latency.constant(500)))
    keeper = upstream.keeper()
    await until_connected(keeper)
    link = keeper.channel.pool
    assert isinstance(link, WsLink)
    with trio.move_on_after(0.1):
        await ask(keeper)
    with pytest.raises(Expired):
        await ask(keeper, 2, wait_s=0.1)
    assert json.loads(await ask(keeper, 3))["id"] == 3
    assert (link.counters.late, link.busy, keeper.sessions) == (2, 0, 1)


async def test_many_calls_share_the_socket(autojump_clock: object, nursery: trio.Nursery) -> None:
    upstream = Upstream.make(nursery, Faults(latency=Latency.uniform(1, 50)))
    keeper = upstream.keeper()
    await until_connected(keeper)
    got: list[int] = []

    async def call(id_: int) -> None:
        got.append(json.loads(await ask(keeper, id_))["id"] - id_)

    async with trio.open_nursery() as calls:
        for id_ in range(1, 201):
            calls.start_soon(call, id_)
    assert got == [0] * 200
    assert upstream.dials == 1


async def test_connections_that_fail_open_the_breaker_and_one_that_stands_closes_it(
    autojump_clock: object, upstream: Upstream
) -> None:
    upstream.down = True
    keeper = upstream.keeper()
    await trio.sleep(30)
    assert keeper.channel.breaker.state(trio.current_time()) is State.OPEN
    upstream.down = False
    await until_connected(keeper)
    await trio.sleep(5.5)
    assert keeper.channel.breaker.state(trio.current_time()) is State.CLOSED
    assert keeper.backoff.failures == 0


async def test_a_session_that_took_calls_with_it_is_forgiven_when_the_next_one_stands(
    autojump_clock: object, upstream: Upstream
) -> None:
    keeper = upstream.keeper()
    await until_connected(keeper)
    await trio.sleep(10)
    upstream.node.drop_websockets()
    await until_lost(keeper)
    now, channel = trio.current_time(), keeper.channel
    for _ in range(3):
        channel.failed("eth_call", verdict_for(Category.NETWORK_ERROR), 0.1, now)
    assert channel.breaker.state(now) is State.OPEN
    await until_connected(keeper)
    await trio.sleep(5.5)
    assert channel.breaker.state(trio.current_time()) is State.CLOSED


async def test_who_accepts_and_drops_is_not_taken_for_healthy(autojump_clock: object, nursery: trio.Nursery) -> None:
    upstream = Upstream.make(nursery, Faults(ws_drop_after_s=1))
    keeper = upstream.keeper()
    await trio.sleep(60)
    assert keeper.channel.breaker.state(trio.current_time()) is State.OPEN
    assert upstream.dials < 10


async def test_what_is_not_understood_is_passed_over(autojump_clock: object, nursery: trio.Nursery) -> None:
    garbage = Failure(Kind.GARBAGE, methods=("eth_gasPrice",), times=1)
    wrong = Failure(Kind.WRONG_ID, methods=("eth_blockNumber",), times=1)
    upstream = Upstream.make(nursery, Faults(failures=(garbage, wrong)))
    keeper = upstream.keeper()
    await until_connected(keeper)
    link = keeper.channel.pool
    assert isinstance(link, WsLink)
    for id_, method in ((1, b'"eth_gasPrice"'), (2, b'"eth_blockNumber"')):
        with pytest.raises(Expired):
            await ask(keeper, id_, method)
    assert json.loads(await ask(keeper, 3))["id"] == 3
    assert (link.counters.noise, link.counters.stray, keeper.sessions) == (1, 1, 1)


async def test_an_answer_that_is_distrusted_costs_the_session(autojump_clock: object, upstream: Upstream) -> None:
    keeper = upstream.keeper()
    await until_connected(keeper)
    link = keeper.channel.pool
    assert isinstance(link, WsLink)
    link.distrust(await link.exchange(encode_request(1, b'"eth_gasPrice"', b"[]"), replay_safe=True))
    await until_lost(keeper)
    await until_connected(keeper)
    assert keeper.last_ending is not None
    assert keeper.last_ending.reason == "distrusted"


async def test_equal_feeds_are_one_upstream_subscription(autojump_clock: object, upstream: Upstream) -> None:
    keeper = upstream.keeper()
    await until_connected(keeper)
    feeds = [await keeper.open(b'["newHeads"]') for _ in range(5)]
    await trio.sleep(BLOCK_S)
    for feed in feeds:
        assert json.loads((await feed.arrivals.receive()).result)["number"] == hex(START + 1)
    assert upstream.node.calls["eth_subscribe"] == 1  # the keeper listens too
    logs = await keeper.open(LOGS)
    await logs.aclose()
    await trio.sleep(1)
    assert (upstream.node.calls["eth_subscribe"], upstream.node.calls["eth_unsubscribe"]) == (2, 1)


async def test_with_the_session_the_feeds_end(autojump_clock: object, upstream: Upstream) -> None:
    keeper = upstream.keeper()
    with pytest.raises(NotConnected):
        await keeper.open(LOGS)
    await until_connected(keeper)
    feed = await keeper.open(b'["newHeads"]')
    upstream.node.drop_websockets()
    await to_the_end(feed)
    await feed.aclose()


async def test_a_refused_subscription_is_told_as_such(autojump_clock: object, upstream: Upstream) -> None:
    keeper = upstream.keeper()
    await until_connected(keeper)
    with pytest.raises(Refused, match="nonsense"):
        await keeper.open(b'["nonsense"]')
    assert keeper.connected


async def test_a_flood_is_taken_and_who_does_not_read_it_ends_alone(autojump_clock: object, upstream: Upstream) -> None:
    keeper = upstream.keeper()
    await until_connected(keeper)
    lazy, busy = await keeper.open(b'["newHeads"]'), await keeper.open(b'["newHeads"]')
    seen = 0
    for _ in range(6):
        upstream.node.chain.advance(400)
        upstream.node.announce_change()
        await trio.sleep(0.1)
        with trio.move_on_after(0.01):
            while True:
                await busy.arrivals.receive()
                seen += 1
    assert seen >= 2400
    assert keeper.counters.overflows == 1
    assert keeper.connected
    assert json.loads(await ask(keeper))["id"] == 1
    await to_the_end(lazy)


async def test_a_silent_socket_is_given_up(autojump_clock: object, nursery: trio.Nursery) -> None:
    upstream = Upstream.make(nursery)
    keeper = upstream.keeper(terms=Terms(timeout_s=10))
    await until_connected(keeper)
    await trio.sleep(5)
    upstream.node.set_faults(Faults(ws_mute=True))
    await until_lost(keeper)
    assert 10 <= trio.current_time() <= 20
    await until_connected(keeper)
    assert keeper.last_ending is not None
    assert keeper.last_ending.reason == "silent"


async def test_cancelled_it_unsubscribes_and_closes_at_once(autojump_clock: object, nursery: trio.Nursery) -> None:
    upstream = Upstream.make(nursery)
    async with trio.open_nursery() as inner:
        upstream.tasks = inner
        keeper = upstream.keeper()
        await until_connected(keeper)
        await keeper.open(LOGS)
        before = trio.current_time()
        inner.cancel_scope.cancel()
    assert trio.current_time() - before < 1
    await trio.testing.wait_all_tasks_blocked()
    assert upstream.node.calls["eth_unsubscribe"] == 2
    assert (upstream.node.open_websockets, keeper.connected, keeper.channel.live) == (0, False, False)
    assert not upstream.node.crashes


async def test_no_key_is_in_what_is_logged_or_shown(autojump_clock: object, upstream: Upstream) -> None:
    upstream.down = True
    with capture_logs() as logs:
        keeper = upstream.keeper()
        await trio.sleep(3)
        upstream.down = False
        await until_connected(keeper)
        upstream.node.drop_websockets()
        await until_lost(keeper)
        await until_connected(keeper)
    text = f"{logs} {keeper!r} {keeper.channel.pool!r} {keeper.last_ending!r} {keeper.endpoint!r}"
    assert {"keeper.connected", "keeper.ended", "keeper.not_connected"} <= {line["event"] for line in logs}
    assert KEY not in text
    assert KEY[::-1] not in text


@pytest.mark.parametrize("padding", [0, 120, 150])
async def test_a_refusal_that_repeats_our_keys_is_told_without_them(
    autojump_clock: object, upstream: Upstream, padding: int
) -> None:
    async def parrot(stream: trio.StapledStream) -> None:
        head = b"." * padding + bytes(await stream.receive_some(65536))
        assert KEY.encode() in head
        await stream.send_all(b"HTTP/1.1 401 No\r\nContent-Length: %d\r\n\r\n%b" % (len(head), head))

    upstream.serve = parrot
    with capture_logs() as logs:
        keeper = upstream.keeper()
        await keeper.settled.wait()
    text = f"{logs} {keeper.last_ending}"
    assert (logs[0]["code"], "GET /v3/" in logs[0]["said"]) == (401, True)
    assert KEY[:8] not in text
    assert KEY[::-1][:8] not in text


async def test_told_to_leave_it_waits_for_the_calls_in_flight(autojump_clock: object, nursery: trio.Nursery) -> None:
    upstream = Upstream.make(nursery, Faults(latency=Latency.constant(3000)))
    keeper = upstream.keeper()
    await until_connected(keeper)
    async with trio.open_nursery() as calls:
        calls.start_soon(ask, keeper)
        await trio.sleep(1)
        keeper.leave()
    await until_lost(keeper)
    before = trio.current_time()
    await trio.sleep(60)
    assert (upstream.dials, keeper.since) == (1, before)


async def test_told_to_leave_it_does_not_wait_for_ever(autojump_clock: object, nursery: trio.Nursery) -> None:
    upstream = Upstream.make(nursery, Faults(failures=(Failure(Kind.HANG, methods=("eth_gasPrice",)),)))
    keeper = upstream.keeper()
    await until_connected(keeper)
    async with trio.open_nursery() as calls:

        async def call() -> None:
            with pytest.raises(Disconnected):
                await ask(keeper, wait_s=600)

        calls.start_soon(call)
        await trio.sleep(1)
        keeper.leave()
    assert trio.current_time() < 40


async def test_told_to_leave_between_two_sessions_it_leaves_at_once(autojump_clock: object, upstream: Upstream) -> None:
    upstream.down = True
    keeper = upstream.keeper()
    await keeper.settled.wait()
    dials = upstream.dials
    keeper.leave()
    await trio.sleep(100)
    assert upstream.dials == dials


async def test_a_keeper_is_quick_to_try_again_while_a_stream_has_nobody(
    autojump_clock: object, upstream: Upstream
) -> None:
    keeper = upstream.keeper()
    await until_connected(keeper)
    upstream.down = True
    upstream.node.drop_websockets()
    await trio.sleep(120)
    upstream.down = False
    before, hurried_at = upstream.dials, trio.current_time()
    keeper.hurry()
    await until_connected(keeper)
    assert trio.current_time() - hurried_at < 3.0  # one that was about to fail then is followed by another soon
    assert upstream.dials - before in (1, 2)


async def test_while_it_is_in_a_hurry_a_keeper_tries_every_two_seconds(
    autojump_clock: object, upstream: Upstream
) -> None:
    keeper = upstream.keeper()
    await until_connected(keeper)
    upstream.down = True
    upstream.node.drop_websockets()
    await trio.sleep(120)
    before = upstream.dials
    keeper.hurry()
    await trio.sleep(20)
    assert 9 <= upstream.dials - before <= 11
    await trio.sleep(60)
    assert upstream.dials - before < 25


async def test_a_provider_that_throttles_is_not_hurried(autojump_clock: object, nursery: trio.Nursery) -> None:
    upstream = Upstream.make(nursery, Faults(ws_refuse_status=429))
    keeper = upstream.keeper()
    await trio.sleep(5)
    dials = upstream.dials
    keeper.hurry()
    await trio.sleep(20)
    assert upstream.dials == dials
