"""A chain that is used at any worker is looked at as one that is used."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from lasso_trio.providers.probe_schedule import IDLE_S
from lasso_trio.routing.probers import look_at
from tests.workers.team import Team, team_of

Patch = pytest.MonkeyPatch


async def probes_in(team: Team, seconds: float) -> int:
    before = team.calls("eth_blockNumber")
    await trio.sleep(seconds)
    return team.calls("eth_blockNumber") - before


async def test_clients_of_a_worker_that_does_not_keep_keep_the_probes_going(
    autojump_clock: MockClock, monkeypatch: Patch
) -> None:
    async with team_of(3, monkeypatch) as team:
        busy = await probes_in(team, 60)
        await trio.sleep(IDLE_S)
        assert await probes_in(team, 60) < busy / 2
        for _ in range(70):
            assert await team[team.followers[0]].ask("eth_gasPrice")
            await trio.sleep(1)
        assert await probes_in(team, 60) >= busy - 3


async def test_somebody_who_looks_at_a_worker_that_does_not_keep_keeps_the_probes_going(
    autojump_clock: MockClock, monkeypatch: Patch
) -> None:
    async with team_of(3, monkeypatch) as team:
        busy = await probes_in(team, 60)
        await trio.sleep(IDLE_S)
        assert await probes_in(team, 60) < busy / 2
        follower = team[team.followers[0]]
        for _ in range(10):
            look_at(follower.reloading.handler.directory, trio.current_time())
            await trio.sleep(1)
        assert await probes_in(team, 60) >= busy - 3


async def test_an_idle_chain_stays_idle_and_nothing_is_told_of_it(
    autojump_clock: MockClock, monkeypatch: Patch
) -> None:
    async with team_of(2, monkeypatch) as team:
        keeper = team[team.keeper]
        assert await team[team.followers[0]].ask("eth_gasPrice")
        await trio.sleep(5)
        assert keeper.routed.counts.elsewhere == 1
        await trio.sleep(60)
        assert keeper.routed.counts.elsewhere == 1


async def test_calls_of_the_keeping_worker_itself_are_not_counted_twice(
    autojump_clock: MockClock, monkeypatch: Patch
) -> None:
    async with team_of(2, monkeypatch) as team:
        assert await team[team.keeper].ask("eth_gasPrice")
        await trio.sleep(5)
        assert {colleague.routed.counts.elsewhere for colleague in team.colleagues.values()} == {0}
