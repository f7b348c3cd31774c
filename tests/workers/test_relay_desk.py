"""Feeds that the keeping worker opens for others: shared upstream, closed when nobody wants them, lost when told so."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
import trio
from trio.testing import MockClock

from lasso_trio.devnet import Faults, Latency
from lasso_trio.subscriptions.feed import NotConnected, Refused
from lasso_trio.workers.bus import BusFault
from lasso_trio.workers.relay import OPEN, Opening, encode
from tests.workers.team import BLOCK_S, team_of

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
