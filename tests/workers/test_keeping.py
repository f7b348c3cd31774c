"""The role of the one worker that keeps."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from lasso_trio.config.profile import Transport
from lasso_trio.devnet import Provider as SimulatedProvider
from lasso_trio.jsonrpc.errors import sockets_elsewhere
from lasso_trio.jsonrpc.request import Request, decode
from lasso_trio.providers.head import ChainCheck
from lasso_trio.providers.probe_answer import Kind, ProbeAnswer
from lasso_trio.providers.registry import Instance
from lasso_trio.reloading import Reloading
from lasso_trio.routing.service import Wish
from tests.workers.team import NAMES, team_of

Patch = pytest.MonkeyPatch


async def test_exactly_one_worker_runs_probers_and_keepers(autojump_clock: MockClock, monkeypatch: Patch) -> None:
    async with team_of(3, monkeypatch) as team:
        running = {number: len(colleague.reloading.tasks) for number, colleague in team.colleagues.items()}
        assert running == {team.keeper: 2 * len(NAMES)} | dict.fromkeys(team.followers, 0)


async def test_who_is_named_begins_at_once_from_where_things_stand(
    autojump_clock: MockClock, monkeypatch: Patch
) -> None:
    async with team_of(2, monkeypatch) as team:
        heir = team[team.followers[0]]
        before = trio.current_time()
        await team.kill(team.keeper)
        assert trio.current_time() == before
        assert len(heir.reloading.tasks) == 2 * len(NAMES)
        assert {heir.instance(name).head.check for name in NAMES} == {ChainCheck.RIGHT}
        heir.member.keeping.begin()
        assert len(heir.reloading.tasks) == 2 * len(NAMES)


async def test_a_wrong_chain_stays_out_through_the_hand_over_and_comes_back_when_it_is_right(
    autojump_clock: MockClock, monkeypatch: Patch
) -> None:
    async with team_of(2, monkeypatch) as team:
        heir, now = team[team.followers[0]], trio.current_time()
        keeper = team[team.keeper]
        prober = keeper.instance("a").prober
        assert prober is not None
        prober._check_chain(ProbeAnswer(Kind.GOOD, number=5), now)
        prober.head.touched()
        await team.crew.settle()
        await team.kill(team.keeper)
        assert heir.instance("a").head.check is not ChainCheck.PENDING
        await trio.sleep(30)
        assert heir.instance("a").head.check is ChainCheck.RIGHT
        assert heir.channel("a").breaker.admit(trio.current_time())


async def test_instances_with_nothing_but_a_websocket_have_a_link_in_every_worker_and_one_keeper(
    autojump_clock: MockClock, monkeypatch: Patch
) -> None:
    async with team_of(3, monkeypatch, only_ws=frozenset({"c"}), names=("c",)) as team:
        assert team.network.sockets == {"c": 3}
        for colleague in team.colleagues.values():
            assert await colleague.ask()
        assert team.calls("eth_subscribe") == 1
        await team.kill(team.keeper)
        assert await team[team.keeper].ask()
        await trio.sleep(5)
        assert team.calls("eth_subscribe") == 2
        assert team.network.sockets == {"c": 3}  # the link that there was became the keeper's


async def test_who_insists_on_a_websocket_is_told_that_another_worker_has_it(
    autojump_clock: MockClock, monkeypatch: Patch
) -> None:
    async def said(number: int, wish: Wish) -> str:
        colleague, request = team[number], decode(b'{"jsonrpc":"2.0","id":1,"method":"eth_gasPrice"}')
        assert isinstance(request, Request)
        served = await colleague.service.serve(colleague.routed, wish, request, trio.current_time(), stream=False)
        return "" if served.outcome.error is None else served.outcome.error.message

    async with team_of(2, monkeypatch) as team:
        (follower,) = team.followers
        for wish in (Wish(transport=Transport.WS), Wish(transport=Transport.WS, provider="a")):
            assert await said(team.keeper, wish) == ""
            assert await said(follower, wish) == sockets_elsewhere().message
        team.network.down.add("a")
        team.network.nodes["a"].drop_websockets()
        await trio.sleep(0.1)
        assert await said(follower, wish) == "No channels available"
        await team.kill(team.keeper)
        await trio.sleep(5)
        assert await said(follower, Wish(transport=Transport.WS)) == ""


async def test_without_probes_providers_are_trusted_by_who_keeps_and_who_follows(
    autojump_clock: MockClock, monkeypatch: Patch
) -> None:
    made = Reloading.__init__

    def unprobed(self: Reloading, *args: object, **options: object) -> None:
        made(self, *args, **options)  # type: ignore[arg-type]
        self.probes = False

    monkeypatch.setattr(Reloading, "__init__", unprobed)
    async with team_of(2, monkeypatch) as team:
        assert team.calls("eth_blockNumber") == 0
        checks = {colleague.instance("a").head.check for colleague in team.colleagues.values()}
        assert checks == {ChainCheck.TRUSTED}
        follower = team[team.followers[0]]
        assert follower.reloading.start_tasks(follower.reloading.handler.directory) == []  # as a reload does
        assert follower.instance("a").head.check is ChainCheck.TRUSTED
        await team.kill(team.keeper)
        assert await team[team.keeper].ask()


async def test_who_is_named_during_a_reload_looks_after_what_that_brings_as_well(
    autojump_clock: MockClock, monkeypatch: Patch
) -> None:
    async with team_of(2, monkeypatch) as team:
        heir = team[team.followers[0]]
        team.network.nodes["new"] = SimulatedProvider.make("new", team.network.chain)
        heir.reloading.load = team.network.profiles
        brought, attach = trio.Event(), heir.member._attach

        def made(instance: Instance) -> None:
            attach(instance)
            brought.set()

        heir.registry.on_made = made
        async with trio.open_nursery() as nursery:
            nursery.start_soon(heir.reloading.reload)
            await brought.wait()
            await team.kill(team.keeper)
        await trio.sleep(5)
        assert len(heir.reloading.tasks) == 2 * len(team.network.nodes)
        assert heir.instance("new").head.check is ChainCheck.RIGHT
