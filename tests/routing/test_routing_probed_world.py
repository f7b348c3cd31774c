"""Probers, heads and routing together, over memory streams in virtual time: who may be asked, and who is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack
from random import Random
from typing import Any

import attrs
import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

from lasso_trio.config.profile import Selection, Strategy
from lasso_trio.devnet import Failure, Faults, Kind
from lasso_trio.providers.head import ChainCheck
from lasso_trio.providers.heads import ChainHeads
from lasso_trio.providers.probe_schedule import ProbeSchedule
from lasso_trio.providers.prober import Prober

Clock = trio.testing.MockClock
INTERVAL_S = 4.0
MAX_LAG = 3
EPOCH = 1_700_000_000 + 2000
"""Unix time of the block at which the simulated chain begins."""


@attrs.define(eq=False)
class Probed:
    world: Any
    probers: dict[str, Prober]

    async def serving(self, calls: int = 10) -> set[str]:
        """Who answers the clients' calls now."""
        before = {name: provider.calls["eth_gasPrice"] for name, provider in self.world.network.providers.items()}
        for _ in range(calls):
            assert "result" in await self.world.ask("eth_gasPrice")
            await trio.sleep(0.3)
        after = {name: provider.calls["eth_gasPrice"] for name, provider in self.world.network.providers.items()}
        return {name for name in after if after[name] > before[name]}

    def set(self, name: str, **faults: Any) -> None:
        self.world.provider(name).set_faults(Faults(**faults))

    def reasons(self) -> dict[str, str]:
        request, now = self.world.request(), trio.current_time()
        plan = self.world.routed.plan(request.method, b"[]", now, Strategy.LOAD_BALANCED)
        return {exclusion.label[0]: exclusion.reason for exclusion in plan.excluded}

    @property
    def heads(self) -> ChainHeads:
        heads: ChainHeads = self.world.routed.heads
        return heads


Begin = Callable[..., Awaitable[Probed]]


@pytest.fixture
def probed(nursery: trio.Nursery, world: Callable[..., Any]) -> Iterator[Begin]:
    """`await probed({"a": Faults(…)})`: a world whose providers are probed, after its first round."""

    async def begin(faults: Mapping[str, Faults], interval_s: float = INTERVAL_S, **options: Any) -> Probed:
        its = world(faults, strategy=Strategy.LOAD_BALANCED, **options)
        its.routed.chain = attrs.evolve(its.routed.chain, selection=Selection(max_lag_blocks=MAX_LAG))
        its.routed.heads = ChainHeads(its.routed.heads.heads, tolerance=MAX_LAG)
        probers: dict[str, Prober] = {}
        start = trio.current_time()
        for name in faults:
            its.provider(name).chain.chain_id = 1
            candidate = its[name]
            prober = Prober(
                candidate.channel,
                candidate.head,
                1,
                ProbeSchedule(interval_s),
                lambda: its.routed.counts.calls,
                Random(name),
                wall=lambda: EPOCH + trio.current_time() - start,
            )
            probers[name] = prober
            nursery.start_soon(prober.run)
            await prober.settled.wait()
        return Probed(its, probers)

    with ExitStack() as stack:
        stack.enter_context(capture_logs())
        yield begin


async def test_a_wrong_chain_never_serves_and_serves_when_it_is_right(probed: Begin, autojump_clock: Clock) -> None:
    its = await probed({"a": Faults(chain_id=5), "b": Faults()})
    assert await its.serving(50) == {"b"}
    assert its.reasons() == {"a": "wrong_chain"}
    assert its.world.provider("a").calls["eth_gasPrice"] == 0
    its.set("a")
    await trio.sleep(45.0)
    assert await its.serving(50) == {"a", "b"}


async def test_alone_a_wrong_chain_serves_neither(probed: Begin, autojump_clock: Clock) -> None:
    its = await probed({"a": Faults(chain_id=5)})
    assert "error" in await its.world.ask("eth_gasPrice")
    assert set(its.world.provider("a").calls) == {"eth_chainId"}


async def test_who_does_not_answer_its_first_probe_waits_for_the_second(probed: Begin, autojump_clock: Clock) -> None:
    its = await probed({"a": Faults(failures=[Failure(Kind.HTTP, status=503)]), "b": Faults()})
    assert its.reasons() == {"a": "unverified"}
    its.set("a")
    await trio.sleep(5.0)
    assert its.world["a"].head.check is ChainCheck.RIGHT
    assert await its.serving(50) == {"a", "b"}


@pytest.mark.parametrize("fault", [{"lag": 20}, {"frozen": True}])
async def test_who_falls_behind_is_left_out_and_comes_back(
    probed: Begin, autojump_clock: Clock, fault: dict[str, Any]
) -> None:
    its = await probed({"a": Faults(), "b": Faults(), "c": Faults()})
    assert await its.serving(50) == {"a", "b", "c"}
    its.set("a", **fault)
    await trio.sleep(30.0)
    assert await its.serving(50) == {"b", "c"}
    assert its.reasons() == {"a": "lagging"}
    its.set("a")
    await trio.sleep(3 * INTERVAL_S)
    assert await its.serving(50) == {"a", "b", "c"}


async def test_a_zero_head_is_left_out_and_rolls_nothing_back(probed: Begin, autojump_clock: Clock) -> None:
    its = await probed({"a": Faults(), "b": Faults(), "c": Faults()})
    await its.serving()
    tip = its.heads.tip
    its.set("a", lag=10**9)
    await trio.sleep(2 * INTERVAL_S)
    assert await its.serving(20) == {"b", "c"}
    assert its.heads.tip > tip  # type: ignore[operator]
    assert its.heads.rollbacks == 0


async def test_a_flapping_node_behind_a_load_balancer_does_not_roll_the_tip_back(
    probed: Begin, autojump_clock: Clock, nursery: trio.Nursery
) -> None:
    its = await probed({"a": Faults(), "b": Faults(), "c": Faults()})

    async def flap() -> None:
        while True:
            for lag in (15, 0):
                its.set("a", lag=lag)
                await trio.sleep(INTERVAL_S)

    nursery.start_soon(flap)
    tips = []
    for _ in range(60):
        await its.serving(3)
        tips.append(its.heads.view(trio.current_time()).consensus)
    assert tips == sorted(tips)
    assert its.heads.rollbacks == 0
    assert its.world["a"].head.jumps_back >= 3
    assert await its.serving(30) == {"b", "c"}


async def test_a_pair_that_freezes_does_not_outvote_the_one_that_goes_on(probed: Begin, autojump_clock: Clock) -> None:
    its = await probed({"a": Faults(), "b": Faults(), "c": Faults()})
    await its.serving(100)
    its.set("a", frozen=True)
    its.set("b", frozen=True)
    await its.serving(400)  # until their newest block is seen to be old
    assert await its.serving(20) == {"c"}


async def test_when_all_fall_behind_all_go_on_serving(probed: Begin, autojump_clock: Clock) -> None:
    its = await probed({"a": Faults(), "b": Faults()})
    await its.serving()
    for name in "ab":
        its.set(name, lag=500)
    await trio.sleep(3 * INTERVAL_S)
    assert await its.serving(30) == {"a", "b"}
    assert its.heads.kept_all > 0


async def test_probes_are_bounded_and_count_in_no_tally(probed: Begin, autojump_clock: Clock) -> None:
    its = await probed({"a": Faults(), "b": Faults(failures=[Failure(Kind.HTTP, status=500)])}, interval_s=12.0)
    for _ in range(720):
        await its.world.ask("eth_gasPrice")
        await trio.sleep(5.0)
    now = trio.current_time()
    costs = {name: prober.calls.last_hour(now) for name, prober in its.probers.items()}
    assert 400 < costs["a"] <= 455
    assert 100 < costs["b"] <= 160
    assert its.world["a"].tally.attempts == 720
    assert its.world["b"].tally.attempts == 0
    assert set(its.world["a"].channel.evidence) == {"eth_gasPrice"}
