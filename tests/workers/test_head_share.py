"""What the keeping worker sees of the chain is seen by all, and nobody serves what nobody has looked at."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.dashboard.status import provider_status
from lasso_trio.providers.branch import Branch, Header
from lasso_trio.providers.head import ChainCheck
from lasso_trio.providers.probe_answer import Kind, ProbeAnswer
from lasso_trio.workers.heard_figures import HeardFigures
from lasso_trio.workers.whole_directory import WholeDirectory
from tests.workers.team import Colleague, Team, team_of

Patch = pytest.MonkeyPatch


def header(number: int) -> Header:
    return Header(number, hex(number), hex(number - 1))


async def test_heights_and_finality_are_known_to_all_as_they_change(
    autojump_clock: MockClock, monkeypatch: Patch
) -> None:
    async with team_of(3, monkeypatch) as team:
        head = team[team.keeper].instance("a").head
        head.safe, head.finalized, head.syncing = 900, 800, True
        head.tell(5000, trio.current_time(), 12.0, age_s=4.0)
        await team.crew.settle()
        for number in team.followers:
            mine = team[number].instance("a").head
            assert (mine.height, mine.safe, mine.finalized, mine.syncing) == (5000, 900, 800, True)
            assert mine.oldest_s(trio.current_time()) == 4.0


async def test_a_wrong_chain_that_the_keeping_worker_found_is_served_by_nobody(
    autojump_clock: MockClock, monkeypatch: Patch
) -> None:
    async with team_of(2, monkeypatch) as team:
        follower = team[team.followers[0]]
        version = follower.registry.version.value
        prober = team[team.keeper].instance("a").prober
        assert prober is not None
        prober._check_chain(ProbeAnswer(Kind.GOOD, number=5), trio.current_time())
        prober.head.touched()
        await team.crew.settle()
        assert follower.instance("a").head.check is ChainCheck.WRONG
        assert follower.registry.version.value > version
        assert follower.channel("a").breaker.reason == "wrong_chain"


async def test_a_worker_serves_nothing_before_it_was_told(autojump_clock: MockClock, monkeypatch: Patch) -> None:
    async with team_of(1, monkeypatch) as team:
        team[0].bus._joined.clear()  # it does not tell who joins
        await team.join(1)
        assert team[1].instance("a").head.check is ChainCheck.PENDING
        with trio.move_on_after(2.0) as waited:
            await team[1].member.first_look()
        assert waited.cancelled_caught


async def test_who_joins_waits_for_the_first_state_and_no_longer(autojump_clock: MockClock, monkeypatch: Patch) -> None:
    async with team_of(1, monkeypatch) as team:
        await team.join(1)
        with trio.fail_after(0.1):
            await team[1].member.first_look()
        assert await team[1].ask()


async def test_headers_reach_the_branches_of_all_and_are_lost_with_the_keeping_worker(
    autojump_clock: MockClock, monkeypatch: Patch
) -> None:
    async with team_of(3, monkeypatch) as team:
        branches = {number: Branch() for number in team.colleagues}
        for number, branch in branches.items():
            team[number].instance("b").head.branches.add(branch)
        head = team[team.keeper].instance("b").head
        for number in (7000, 7001):
            head.hear(header(number), trio.current_time())
        await team.crew.settle()
        assert {branch.hash_of(7001) for branch in branches.values()} == {hex(7001)}
        follower = team.followers[-1]
        await team.kill(team.keeper)
        assert branches[follower].tip is None


async def test_what_a_worker_says_that_does_not_keep_is_not_believed(
    autojump_clock: MockClock, monkeypatch: Patch
) -> None:
    async with team_of(3, monkeypatch) as team:
        one, other = team.followers
        team[one].instance("a").head.tell(9999, trio.current_time(), 12.0)
        await team.crew.settle()
        assert team[other].instance("a").head.height != 9999
        assert team[team.keeper].instance("a").head.height != 9999


def said_of(colleague: Colleague, name: str) -> tuple[str, str, list[bool]]:
    """A provider's word on the dashboard, why, and whether its channels are live."""
    now = trio.current_time()
    whole = WholeDirectory(HeardFigures()).of(colleague.reloading.handler.directory, now)
    (routed,) = whole.chains()
    mine = [candidate for candidate in routed.candidates if candidate.provider.id == name]
    status, why = provider_status(routed, mine, now)
    return status.value, why, [candidate.channel.live for candidate in mine]


async def test_all_workers_say_the_same_of_a_provider_as_its_sockets_and_probes_go(
    autojump_clock: MockClock, monkeypatch: Patch
) -> None:
    async with team_of(3, monkeypatch) as team:

        def said() -> tuple[str, str, list[bool]]:
            told = [said_of(colleague, "a") for colleague in team.colleagues.values()]
            assert all(each == told[0] for each in told), told
            return told[0]

        assert said() == ("healthy", "", [True, True])
        keeping = team[team.keeper].instance("a")
        assert keeping.prober is not None
        keeping.prober.schedule.failures = 2
        keeping.head.touched()
        await team.crew.settle()
        assert said() == ("degraded", "2 probes in a row failed", [True, True])
        keeping.prober.schedule.failures = 0
        team.network.down.add("a")
        team.network.nodes["a"].drop_websockets()
        await trio.sleep(0.1)
        assert said() == ("degraded", "its WebSocket was lost and is being connected again", [True, False])
        await team.kill(team.keeper)
        team.network.down.clear()
        await trio.sleep(20)
        assert said() == ("healthy", "", [True, True])


async def test_an_instance_that_a_reload_brings_is_asked_about(autojump_clock: MockClock, monkeypatch: Patch) -> None:
    async with team_of(2, monkeypatch) as team:
        follower = team[team.followers[0]]
        await _add_provider(team, team.keeper)
        await trio.sleep(5)
        await _add_provider(team, follower.bus.worker)
        assert follower.instance("d").prober is None
        assert follower.instance("d").head.check is ChainCheck.RIGHT


async def _add_provider(team: Team, number: int) -> None:
    """One worker reloads."""
    if "d" not in team.network.nodes:
        team.network.nodes["d"] = type(team.network.nodes["a"]).make("d", team.network.chain)
    colleague = team[number]
    profiles: ProfileSet = team.network.profiles()
    await colleague.reloading._exchange(colleague.reloading.handler.directory, profiles)
