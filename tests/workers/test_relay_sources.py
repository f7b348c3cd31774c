"""Feeds over another worker, as a follower's streams see them."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from lasso_trio.devnet import Faults, Latency
from lasso_trio.subscriptions.feed import NotConnected, Refused
from lasso_trio.subscriptions.session_feeds import ROOM
from lasso_trio.workers.relay import NEWS, Events, encode
from tests.workers.team import team_of

Patch = pytest.MonkeyPatch
LOGS = b'["logs",{}]'


async def test_sources_are_as_connected_as_the_keeping_workers_keepers(
    autojump_clock: MockClock, monkeypatch: Patch
) -> None:
    async with team_of(2, monkeypatch) as team:
        sources = team[team.followers[0]].member.sources
        assert sources.source("a").connected
        assert not sources.source("nobody").connected
        team.network.down.add("a")
        team.network.nodes["a"].drop_websockets()
        await trio.sleep(1)
        assert not sources.source("a").connected
        assert sources.source("b").connected


async def test_the_loss_of_the_keeping_worker_ends_every_feed_at_once(
    autojump_clock: MockClock, monkeypatch: Patch
) -> None:
    async with team_of(3, monkeypatch) as team:
        source = team[2].member.sources.source("a")
        feed, changed = await source.open(LOGS), source.changed()
        await team.kill(team.keeper)
        assert changed.is_set()
        with trio.fail_after(0.01):
            async for _ in feed.arrivals:
                pass
        await trio.sleep(2)
        assert source.connected
        await (await source.open(LOGS)).aclose()


async def test_a_keeping_worker_that_dies_while_a_feed_is_opened_leaves_no_trace(
    autojump_clock: MockClock, monkeypatch: Patch
) -> None:
    async with team_of(3, monkeypatch) as team:
        for node in team.network.nodes.values():
            node.set_faults(Faults(latency=Latency.constant(1000)))
        sources = team[2].member.sources
        before = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(team.kill, team.keeper)
            with pytest.raises(NotConnected, match="gone"):
                await sources.source("a").open(LOGS)
        assert trio.current_time() == before
        assert sources.feeds == {}


async def test_who_keeps_itself_opens_nothing_over_the_relay(autojump_clock: MockClock, monkeypatch: Patch) -> None:
    async with team_of(1, monkeypatch) as team:
        with pytest.raises(NotConnected):
            await team[0].member.sources.source("a").open(LOGS)
        team[0].member.sources.hurry("a")


async def test_a_refusal_without_its_meaning_is_judged_by_its_words(
    autojump_clock: MockClock, monkeypatch: Patch
) -> None:
    async with team_of(2, monkeypatch) as team:
        follower = team[team.followers[0]]

        async def answer(*_: object) -> bytes:
            return encode(["", -32005, "rate limit, retry in 30s"])

        monkeypatch.setattr(type(follower.bus), "ask", answer)
        with pytest.raises(Refused) as refused:
            await follower.member.sources.source("a").open(LOGS)
        alone = Refused(-32005, "rate limit, retry in 30s")
        assert (refused.value.verdict, refused.value.hint_s) == (alone.verdict, alone.hint_s)


async def test_a_feed_that_nobody_reads_ends_for_itself(autojump_clock: MockClock, monkeypatch: Patch) -> None:
    async with team_of(2, monkeypatch) as team:
        follower, keeper = team[team.followers[0]], team[team.keeper]
        sources = follower.member.sources
        feed = await sources.source("a").open(LOGS)
        (number,) = sources.feeds
        flood = Events(number, [(b"{}", 0.0)] * (ROOM + 1))
        keeper.bus.tell(NEWS, encode(flood), follower.bus.worker)
        await team.crew.settle()
        assert (sources.overflows, sources.feeds) == (1, {})
        assert sum([1 async for _ in feed.arrivals]) == ROOM
        await trio.sleep(1)
        assert not keeper.member.desk.feeds


async def test_a_feed_number_of_a_dead_worker_is_not_used_again(autojump_clock: MockClock, monkeypatch: Patch) -> None:
    async with team_of(2, monkeypatch) as team:
        await team[1].member.sources.source("a").open(LOGS)
        (before,) = team[1].member.sources.feeds
        await team.kill(1)
        await team.join(1)
        await trio.sleep(1)
        await team[1].member.sources.source("a").open(LOGS)
        assert before not in team[1].member.sources.feeds
