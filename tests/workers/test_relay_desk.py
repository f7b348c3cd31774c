"""Feeds that the keeping worker opens for others: shared upstream, closed when nobody wants them, lost when told so."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from lasso_trio.config.profile import ErrorRule
from lasso_trio.devnet import Faults, Latency
from lasso_trio.providers.classify import Category, ErrorClass, classify, verdict_for
from lasso_trio.providers.verdict import verdict_of
from lasso_trio.subscriptions.feed import Arrival, NotConnected, Refused
from lasso_trio.subscriptions.session_feeds import ROOM, KeeperFeed
from lasso_trio.workers.bus import BusFault
from lasso_trio.workers.relay import OPEN, Opening, encode
from lasso_trio.workers.relay_desk import LARGEST
from tests.workers.team import BLOCK_S, Team, team_of

Patch = pytest.MonkeyPatch
LOGS = b'["logs",{}]'


async def test_equal_feeds_of_all_workers_are_one_subscription_upstream(
    autojump_clock: MockClock, monkeypatch: Patch
) -> None:
    async with team_of(4, monkeypatch) as team:
        before = team.network.nodes["a"].calls["eth_subscribe"]
        sources = [team[number].member.sources.source("a") for number in team.followers]
        feeds = [await source.open(LOGS) for source in sources for _ in range(2)]
        assert team.network.nodes["a"].calls["eth_subscribe"] == before + 1
        await trio.sleep(2 * BLOCK_S)
        told = [[(await feed.arrivals.receive()).result for _ in range(3)] for feed in feeds]
        assert all(each == told[0] for each in told)
        for feed in feeds:
            await feed.aclose()
        await trio.sleep(1)
        assert team.network.nodes["a"].calls["eth_unsubscribe"] == 1
        assert not team[team.keeper].member.desk.feeds


async def test_events_keep_their_order_and_the_time_they_were_read(
    autojump_clock: MockClock, monkeypatch: Patch
) -> None:
    async with team_of(2, monkeypatch) as team:
        feed = await team[team.followers[0]].member.sources.source("a").open(b'["newHeads"]')
        arrivals = [await feed.arrivals.receive() for _ in range(5)]
        numbers = [int(json.loads(arrival.result)["number"], 16) for arrival in arrivals]
        assert numbers == list(range(numbers[0], numbers[0] + 5))
        gaps = [later.at - earlier.at for earlier, later in pairwise(arrivals)]
        assert gaps == pytest.approx([BLOCK_S] * 4)


async def test_a_lost_session_ends_the_feed(autojump_clock: MockClock, monkeypatch: Patch) -> None:
    async with team_of(2, monkeypatch) as team:
        source = team[team.followers[0]].member.sources.source("a")
        feed = await source.open(LOGS)
        team.network.down.add("a")
        changed = source.changed()
        team.network.nodes["a"].drop_websockets()
        with trio.fail_after(10):
            async for _ in feed.arrivals:
                pass
            await changed.wait()
        assert not source.connected
        with pytest.raises(NotConnected):
            await source.open(LOGS)


async def test_a_refusal_is_the_providers_own(autojump_clock: MockClock, monkeypatch: Patch) -> None:
    async with team_of(2, monkeypatch) as team:
        source = team[team.followers[0]].member.sources.source("a")
        with pytest.raises(Refused) as refused:
            await source.open(b'["no such thing"]')
        assert refused.value.code < 0
        assert refused.value.text


@pytest.mark.parametrize(
    "refusal",
    [
        Refused(-32603, "not a subscription id", verdict_for(Category.METHOD_NOT_FOUND)),
        Refused(-32603, "not a subscription id"),
        Refused(
            -32000, "no", classify(200, -32000, "no", None, [ErrorRule(Category.RATE_LIMIT, message_contains=("no",))])
        ),
        Refused(-32000, "no", verdict_of(Category.RATE_LIMIT, ErrorClass.QUOTA), 1234.5),
    ],
)
async def test_a_refusal_means_the_same_to_every_worker(
    autojump_clock: MockClock, monkeypatch: Patch, refusal: Refused
) -> None:
    async with team_of(2, monkeypatch) as team:

        async def refuse(*_: object) -> KeeperFeed:
            raise refusal

        monkeypatch.setattr(type(team[team.keeper].instance("a").keeper), "open", refuse)
        with pytest.raises(Refused) as refused:
            await team[team.followers[0]].member.sources.source("a").open(LOGS)
        told, kept = refused.value.verdict, refusal.verdict
        assert (told.category, told.error_class) == (kept.category, kept.error_class)
        assert (told.cooldown, told.kind) == (kept.cooldown, kept.kind)
        assert (refused.value.lasts, refused.value.hint_s) == (refusal.lasts, refusal.hint_s)


async def test_a_worker_that_dies_leaves_no_feed_behind(autojump_clock: MockClock, monkeypatch: Patch) -> None:
    async with team_of(3, monkeypatch) as team:
        await team[2].member.sources.source("a").open(LOGS)
        await team[1].member.sources.source("b").open(LOGS)
        desk = team[team.keeper].member.desk
        assert len(desk.feeds) == 2
        await team.kill(2)
        await trio.sleep(1)
        assert [worker for worker, _ in desk.feeds] == [1]


async def test_who_gives_up_while_it_is_opened_leaves_nothing_behind(
    autojump_clock: MockClock, monkeypatch: Patch
) -> None:
    async with team_of(2, monkeypatch) as team:
        team.network.nodes["a"].set_faults(Faults(latency=Latency.constant(1000)))
        follower = team[team.followers[0]]
        with trio.move_on_after(0.3) as waited:
            await follower.member.sources.source("a").open(LOGS)
        assert waited.cancelled_caught
        await trio.sleep(5)
        assert not follower.member.sources.feeds
        assert not team[team.keeper].member.desk.feeds


async def test_who_missed_something_begins_anew(autojump_clock: MockClock, monkeypatch: Patch) -> None:
    async with team_of(2, monkeypatch) as team:
        follower, keeper = team[team.followers[0]], team[team.keeper]
        feed = await follower.member.sources.source("a").open(LOGS)
        keeper.bus._join(follower.bus.worker)  # as when a frame found no room
        with trio.fail_after(1):
            async for _ in feed.arrivals:
                pass
        assert follower.member.heads.settled.is_set()


async def test_only_the_keeping_worker_opens_feeds(autojump_clock: MockClock, monkeypatch: Patch) -> None:
    async with team_of(3, monkeypatch) as team:
        one, other = team.followers
        with pytest.raises(BusFault, match="does not keep"):
            await team[one].bus.ask(OPEN, encode(Opening(1, "a", LOGS)), other, 1.0)
        source = team[one].member.sources.source("nobody")
        with pytest.raises(NotConnected, match="no such keeper"):
            await source.open(LOGS)


async def test_a_stream_without_anybody_to_listen_to_hurries_the_keeper(
    autojump_clock: MockClock, monkeypatch: Patch
) -> None:
    async with team_of(2, monkeypatch) as team:
        hurried: list[str] = []
        keeper = team[team.keeper].instance("a").keeper
        monkeypatch.setattr(type(keeper), "hurry", lambda self: hurried.append(self.instance_id))
        sources = team[team.followers[0]].member.sources
        sources.source("a").hurry()
        sources.source("nobody").hurry()
        await team.crew.settle()
        assert hurried == ["a"]


def tell_at_once(team: Team, monkeypatch: Patch, *events: bytes) -> None:
    """Whatever is subscribed to at the keeping worker tells these, and no more."""

    async def open_(_: object, params: bytes) -> KeeperFeed:
        send, receive = trio.open_memory_channel[Arrival](ROOM)
        feed = KeeperFeed(receive, send, lambda _: None)
        for event in events:
            feed.push(Arrival(event, trio.current_time()))
        return feed

    monkeypatch.setattr(type(team[team.keeper].instance("a").keeper), "open", open_)


async def test_events_that_are_too_much_for_one_frame_come_in_several(
    autojump_clock: MockClock, monkeypatch: Patch
) -> None:
    async with team_of(2, monkeypatch) as team:
        events = [b"%d" % n + b"x" * 300_000 for n in range(20)]
        tell_at_once(team, monkeypatch, *events)
        feed = await team[team.followers[0]].member.sources.source("a").open(LOGS)
        with trio.fail_after(1):
            told = [(await feed.arrivals.receive()).result for _ in events]
        assert told == events


async def test_an_event_that_is_too_large_for_the_bus_ends_the_feed(
    autojump_clock: MockClock, monkeypatch: Patch
) -> None:
    async with team_of(2, monkeypatch) as team:
        tell_at_once(team, monkeypatch, b"x" * (LARGEST + 1))
        with capture_logs() as logs:
            feed = await team[team.followers[0]].member.sources.source("a").open(LOGS)
            with trio.fail_after(1):
                assert [arrival async for arrival in feed.arrivals] == []
        assert [line["bytes"] for line in logs if line["event"] == "relay.too_large"] == [LARGEST + 1]


async def test_the_end_of_a_feed_that_was_lost_on_its_way_is_told_again(
    autojump_clock: MockClock, monkeypatch: Patch
) -> None:
    async with team_of(2, monkeypatch) as team:
        follower, keeper = team[team.followers[0]], team[team.keeper]
        feed = await follower.member.sources.source("a").open(LOGS)
        with monkeypatch.context() as full:  # the bus takes nothing
            full.setattr(type(keeper.bus), "tell", lambda *_: None)
            team.network.down.add("a")
            team.network.nodes["a"].drop_websockets()
            await trio.sleep(1)
        assert not keeper.member.desk.feeds
        keeper.bus._join(follower.bus.worker)  # there is room again
        with trio.fail_after(1):
            async for _ in feed.arrivals:
                pass


async def test_a_feed_whose_close_was_lost_is_closed_when_it_tells_something(
    autojump_clock: MockClock, monkeypatch: Patch
) -> None:
    async with team_of(2, monkeypatch) as team:
        follower, desk = team[team.followers[0]], team[team.keeper].member.desk
        feed = await follower.member.sources.source("a").open(LOGS)
        with monkeypatch.context() as full:
            full.setattr(type(follower.bus), "tell", lambda *_: None)
            await feed.aclose()
        assert desk.feeds
        await trio.sleep(2 * BLOCK_S)
        assert not desk.feeds
