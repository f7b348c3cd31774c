"""Many races in a row, in virtual time: whatever providers and clients do, each call has one answer, the right one, and
nothing is left of it. `nox -s races` runs a hundred thousand, half of them with hedges for each call and half with the
usual budget; `python -m tests.routing.test_race_many 1000 7`: how many of each, and a seed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from random import Random
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from lasso_trio.config.profile import HedgePolicy, Routing, Strategy
from lasso_trio.devnet import Failure, Faults, Kind, Latency
from lasso_trio.providers.breaker import Breaker
from lasso_trio.routing.hedge import MOST_TOKENS

InWorld = Callable[..., None]
ALWAYS = HedgePolicy(enabled=True, min_ms=5, max_ms=5, max_extra=1, budget=1.0)
SPARING = HedgePolicy(enabled=True, min_ms=5, max_ms=5, max_extra=2, budget=0.05)
POLICIES = {"always": ALWAYS, "sparing": SPARING}


def stalling(p50_ms: float, failure: Failure) -> Faults:
    return Faults(latency=Latency(p50_ms, 0.5, stall_share=0.01, stall_ms=2000), failures=(failure,))


PROVIDERS = {
    "a": stalling(20, Failure(Kind.RESET, share=0.02)),
    "b": stalling(25, Failure(Kind.HTTP, share=0.02, status=503)),
    "c": stalling(30, Failure(Kind.WRONG_ID, share=0.01)),
}


@attrs.define(eq=False)
class Races:
    """`races` calls of which one in twenty is left by its client, one after the other in two lanes."""

    it: Any
    races: int
    policy: HedgePolicy
    rng: Random
    answered: int = 0
    failed: int = 0
    left: int = 0

    async def run(self) -> None:
        async with trio.open_nursery() as lanes:
            lanes.start_soon(self._lane, range(0, self.races, 2))
            lanes.start_soon(self._lane, range(1, self.races, 2))
        await trio.sleep(1)  # the simulated providers hear of what was closed
        self._check_nothing_is_left()

    async def _lane(self, numbers: range) -> None:
        for number in numbers:
            stay = 0.02 if self.rng.random() < 0.05 else 99
            with trio.move_on_after(stay) as scope:
                self._count(number % 1000, (await self._ask(number % 1000)).outcome)
            self.left += scope.cancelled_caught
            self._check_budget()

    async def _ask(self, number: int) -> Any:
        return await self.it.serve("eth_getBlockByNumber", f'["{number:#x}",false]')

    def _count(self, number: int, outcome: Any) -> None:
        assert (outcome.reply is None) != (outcome.error is None)
        self.failed += outcome.failed
        if not outcome.failed:
            self.answered += 1
            assert b'"number":"%b"' % hex(number).encode() in outcome.reply.splice(b"1")

    def _check_budget(self) -> None:
        hedges, counts = self.it.routed.counts.hedges, self.it.routed.counts
        assert counts.sent <= counts.calls
        assert hedges.fired <= MOST_TOKENS + self.policy.budget * counts.sent
        assert sum(c.channel.in_flight for c in self.it.routed.candidates) <= 2 * (1 + self.policy.max_extra)

    def _check_nothing_is_left(self) -> None:
        hedges = self.it.routed.counts.hedges
        assert self.answered + self.failed + self.left == self.races
        assert (hedges.in_flight, hedges.fired) == (0, hedges.won + hedges.wasted)
        idle = sum(c.channel.pool.idle for c in self.it.routed.candidates)
        assert idle <= 6
        assert trio.lowlevel.current_statistics().tasks_living <= 12 + 3 * idle
        self.it.assert_nothing_leaked()

    def __str__(self) -> str:
        it, hedges = self.it, self.it.routed.counts.hedges
        return (
            f"{self.races} calls: {self.answered} answered, {self.failed} failed, {self.left} left by their client; "
            f"{hedges.fired} hedges, {hedges.won} won, {hedges.wasted} wasted, refused {dict(hedges.suppressed)}; "
            f"upstream {sum(it.asked.values())}, breakers opened "
            f"{sum(c.channel.breaker.opened_total for c in it.routed.candidates)}"
        )


def race_many(in_world: InWorld, races: int, policy: HedgePolicy, seed: int = 7) -> str:
    """What came of it, in words."""
    said, reports = [], [0, 0]

    async def body(it: Any) -> None:
        running = Races(it, races, policy, Random(seed))
        await running.run()
        said.append(str(running))

    with pytest.MonkeyPatch.context() as patch:
        _count_reports(patch, reports)
        in_world(body, PROVIDERS, routing=Routing(Strategy.FASTEST, hedge=policy, coalesce=False), seed=seed)
    assert reports[0] == reports[1] > races
    return said[0]


def _count_reports(patch: pytest.MonkeyPatch, reports: list[int]) -> None:
    """Admissions, and the ends that breakers hear of: one each (`success` and `failure` may end in a `cancelled`)."""
    plain = {name: getattr(Breaker, name) for name in ("admit", "success", "failure", "cancelled")}
    depth = [0]

    def counting(name: str) -> Callable[..., Any]:
        def counted(*args: Any) -> Any:
            depth[0] += 1
            result = plain[name](*args)
            depth[0] -= 1
            reports[name != "admit"] += depth[0] == 0 and (name != "admit" or result)
            return result

        return counted

    for name in plain:
        patch.setattr(Breaker, name, counting(name))


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_nothing_is_left_of_many_races(in_world: InWorld, policy: HedgePolicy) -> None:
    race_many(in_world, 600, policy)


def main(races: int = 50_000, seed: int = 7) -> None:
    from tests.routing.conftest import run_in_world

    for name, policy in POLICIES.items():
        sys.stdout.write(f"{name}: {race_many(run_in_world, races, policy, seed)}\n")


if __name__ == "__main__":
    main(*(int(number) for number in sys.argv[1:]))
