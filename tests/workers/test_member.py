"""Several workers together are one node: to its providers, to its clients, and when the one that keeps dies."""

from __future__ import annotations

from random import Random

import pytest
import trio
from trio.testing import MockClock

from lasso_trio.providers.head import ChainCheck
from lasso_trio.workers.outbox import Outbox
from tests.subscriptions.simulated import fold_heads, fold_logs
from tests.workers.team import BLOCK_S, NAMES, team_of

START_OF_ALL = 900


async def test_who_follows_knows_what_the_keeping_worker_sees(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with team_of(3, monkeypatch) as team:
        for number in team.followers:
            follower = team[number]
            assert follower.member.heads.settled.is_set()
            assert not follower.member.keeping.begun
            for name in NAMES:
                theirs, mine = team[team.keeper].instance(name), follower.instance(name)
                assert (mine.prober, mine.keeper) == (None, None)
                assert mine.head.check is ChainCheck.RIGHT
                assert mine.head.news() == theirs.head.news()
            assert await follower.ask()


async def test_the_providers_see_the_probes_and_subscriptions_of_one_node(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    for count in (1, 4):
        async with team_of(count, monkeypatch) as team:
            clients = [await colleague.join('["newHeads"]') for colleague in team.colleagues.values()]
            clients += [await colleague.join('["logs",{}]') for colleague in team.colleagues.values()]
            await trio.sleep(60)
            assert all(client.results for client in clients)
            sockets = dict(team.network.sockets)
            seen.append((sockets, team.calls("eth_subscribe"), team.calls("eth_chainId"), team.calls("eth_syncing")))
    assert seen[0] == seen[1]


async def test_when_the_keeping_worker_dies_another_keeps_at_once_and_no_call_fails(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with team_of(3, monkeypatch) as team:
        dead = team.keeper
        await team.kill(dead)
        assert team.keeper != dead
        keeper = team[team.keeper]
        assert keeper.member.keeping.begun
        for _ in range(20):
            assert all([await colleague.ask() for colleague in team.colleagues.values()])
            await trio.sleep(0.1)
        assert all(keeper.instance(name).keeper.connected for name in NAMES)
        (follower,) = (team[number] for number in team.followers)
        height = follower.instance("a").head.height
        await trio.sleep(3 * BLOCK_S)
        assert follower.instance("a").head.height == (height or 0) + 3


async def test_a_worker_that_joins_later_is_told_what_stands(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with team_of(2, monkeypatch) as team:
        team[1].channel("a").breaker.quarantine("operator", trio.current_time())
        team[1].channel("b").cordon(out=True, now=trio.current_time())
        await team.kill(team.keeper)
        await team.join(0)
        assert not team[0].channel("a").breaker.admit(trio.current_time())
        assert team[0].channel("b").cordoned
        assert team[0].instance("c").head.check is ChainCheck.RIGHT


@pytest.mark.timeout(120)
async def test_the_keeping_worker_is_killed_fifty_times_and_no_stream_has_a_gap_or_repeats_anything(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with team_of(3, monkeypatch) as team:
        heads, logs = await team[2].join('["newHeads"]'), await team[2].join('["logs",{}]')
        began = team.network.chain.height(trio.current_time())
        for round_ in range(50):
            dying = team.keeper
            heir = next(number for number in team.followers if number != 2)
            inherited = await team[heir].join('["newHeads"]')
            await trio.sleep(0.1 + round_ % 7 * 0.7)
            if round_ % 5 == 4:
                team.network.chain.reorg(round_ % 3 + 1, trio.current_time())
                for node in team.network.nodes.values():
                    node.announce_change()
            await team.kill(dying)
            assert team.keeper == heir
            await trio.sleep(round_ % 4 * 0.9)
            await team.join(dying)
            await trio.sleep(2.3)
            fold_heads(inherited.results)
            assert not inherited.gaps
        await trio.sleep(60 + BLOCK_S / 2)
        believed = fold_heads(heads.results)
        assert len(believed) > 50
        assert believed == team.hashes(START_OF_ALL)[-len(believed) :]
        assert sorted(fold_logs(logs.results, began)) == sorted(team.logs(began + 1))
        assert not heads.gaps
        assert not logs.gaps


async def test_a_keeping_worker_that_hangs_stops_no_calls_and_no_streams(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with team_of(2, monkeypatch) as team:
        follower = team[team.followers[0]]
        heads, logs = await follower.join('["newHeads"]'), await follower.join('["logs",{}]')
        await trio.sleep(3 * BLOCK_S)
        began = team.network.chain.height(trio.current_time()) - 2
        team[team.keeper].life.cancel()  # its socket stays open, and nobody reads it any more
        for _ in range(60):
            assert await follower.ask()
            await trio.sleep(1)
        assert fold_heads(heads.results)[-1] in team.hashes(START_OF_ALL)[-4:]
        assert set(team.logs(began + 1)[:-20]) <= set(fold_logs(logs.results, began))
        assert not heads.gaps
        assert not logs.gaps


async def test_frames_that_find_no_room_leave_no_gap_no_feed_and_no_disagreement(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice, put, losing = Random(1), Outbox.put, True

    def put_or_lose(self: Outbox, data: bytes) -> bool:
        if losing and dice.random() < 0.08:
            self.dropped, self._refused = self.dropped + 1, True
            self._bell.set()
            return False
        return put(self, data)

    monkeypatch.setattr(Outbox, "put", put_or_lose)
    async with team_of(3, monkeypatch) as team:
        heads, logs = await team[2].join('["newHeads"]'), await team[2].join('["logs",{}]')
        began = team.network.chain.height(trio.current_time())
        for round_ in range(12):
            await trio.sleep(dice.random() * 3)
            team.network.nodes[NAMES[round_ % 3]].drop_websockets()
            team[round_ % 3].channel("c").cordon(out=round_ % 2 == 0, now=trio.current_time())
            if round_ % 4 == 3 and (dying := team.keeper) != 2:
                await team.kill(dying)
                await team.join(dying)
        await trio.sleep(10)
        losing = False
        await trio.sleep(60 + BLOCK_S / 2)
        believed = fold_heads(heads.results)
        assert believed == team.hashes(START_OF_ALL)[-len(believed) :]
        assert sorted(fold_logs(logs.results, began)) == sorted(team.logs(began + 1))
        assert not heads.gaps
        assert not logs.gaps
        assert len({colleague.channel("c").cordoned for colleague in team.colleagues.values()}) == 1
        wanted = {(number, feed) for number in team.followers for feed in team[number].member.sources.feeds}
        assert set(team[team.keeper].member.desk.feeds) == wanted
