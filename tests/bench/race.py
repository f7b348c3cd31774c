"""The race: what hedging does to the tail, and what it costs, beside other policies in one run.

    nox -s bench -- race                     everything, about ten minutes; the machine should have nothing else to do
    nox -s bench -- race quick               few calls, a minute and a half: shows that it works, judges little
    nox -s bench -- race --only tail         the latencies, or `cost`: the CPU of calls that are not late
    nox -s bench -- race --json FILE --docs  also as JSON; also into docs/performance.md, with docs/images/race.svg

Three simulated providers and a real Lasso per variant on loopback, open loop. Blocks of the variants take turns, so a
neighbour's noise hits all of them; extra upstream calls are counted by the providers. Exits 1 when something could not
be measured, or when a mark was missed, and says which.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import machine
import race_report
from closed_loop import ClosedLoop
from race_figures import Block, Cost, Race
from race_load import PoissonLoop
from race_stage import HEDGE_OFF, HEDGE_ON, RaceStage, hedges_of
from race_variants import AFTER_THE_SLOWDOWN, CHAIN, FULL, QUICK, SLOWED_BY, STEADY, VARIANTS, Plan, Variant
from run import STEP, progress, steady
from targets import NotStarted, Target
from wire import CALL, WrongAnswer

COST_CLIENTS = 8
"""Few, so that no call waits for as long as a hedge's shortest delay, and enough to keep the process busy."""


class Tail:
    """The latencies: every variant's blocks, a Lasso each, one set of providers."""

    def __init__(self, plan: Plan, stage: RaceStage, race: Race) -> None:
        self.plan, self.stage, self.race = plan, stage, race
        self.lassos: dict[str, Target] = {}
        self.numbers = itertools.count(STEP, STEP)

    def measure(self) -> None:
        progress("starting the providers, and a Lasso for each variant")
        self.stage.start_providers()
        self.lassos = {variant.name: self.stage.racing_lasso(variant) for variant in VARIANTS}
        self.warm_up(STEADY)
        for number in range(self.plan.rounds):
            progress(f"round {number + 1} of {self.plan.rounds}")
            for variant in turned(STEADY, number):
                self.take(variant, self.plan.block_s)
        self.warm_up(AFTER_THE_SLOWDOWN)
        self.stage.slow(SLOWED_BY)
        for variant in AFTER_THE_SLOWDOWN:
            progress(variant.label)
            self.take(variant, self.plan.calls / self.plan.rate)

    def warm_up(self, variants: Iterable[Variant]) -> None:
        """Excluded from every figure: the first calls know nothing of the providers."""
        for variant in variants:
            self.loop(variant).run(0.0, self.plan.warm_s)

    def take(self, variant: Variant, seconds: float) -> None:
        """A variant that answers wrongly loses its block, not the run."""
        try:
            block = self.block(variant, seconds)
        except (WrongAnswer, OSError) as problem:
            self.race.missing[variant.label] = f"{type(problem).__name__}: {problem}"
            progress(f"{variant.label}: {problem}")
            return
        self.race.blocks.setdefault(variant.name, []).append(block)

    def block(self, variant: Variant, seconds: float) -> Block:
        lasso, loop = self.lassos[variant.name], self.loop(variant)
        told = hedges_of(lasso)
        arrived, cpu_s = self.stage.arrived(), machine.cpu_seconds(lasso.pids)
        taken = loop.run(0.0, seconds)
        cpu_s, arrived = machine.cpu_seconds(lasso.pids) - cpu_s, self.stage.arrived() - arrived
        tells = hedges_of(lasso)
        hedges = tells.since(told) if tells and told else None
        return Block(loop.asked, arrived, cpu_s, taken.values, taken.late, loop.failed, hedges)

    def loop(self, variant: Variant) -> PoissonLoop:
        return PoissonLoop(self.lassos[variant.name].base, variant, self.plan.rate, next(self.numbers))


def turned(variants: tuple[Variant, ...], by: int) -> tuple[Variant, ...]:
    """Another one begins each round, so that no variant always follows the same one."""
    start = by % len(variants)
    return variants[start:] + variants[:start]


class CostOfHedging:
    """CPU per call on an upstream where no call is late, with hedging on and off, in pairs."""

    def __init__(self, plan: Plan, stage: RaceStage, race: Race) -> None:
        self.plan, self.stage, self.race = plan, stage, race
        self.numbers = itertools.count(STEP, STEP)

    def measure(self) -> None:
        self.stage.start_upstreams()
        lasso = self.stage.cost_lasso()
        for profile in (HEDGE_ON, HEDGE_OFF):  # what is made once is made here
            self.window(lasso, profile)
        taken: dict[str, list[float]] = {HEDGE_ON: [], HEDGE_OFF: []}
        extra = []
        for number in range(self.plan.pairs):
            progress(f"cost of calls that are not late, pair {number + 1} of {self.plan.pairs}")
            for profile in (HEDGE_ON, HEDGE_OFF) if number % 2 else (HEDGE_OFF, HEDGE_ON):
                cost_us, more = self.window(lasso, profile)
                taken[profile].append(cost_us)
                extra += [more] if profile == HEDGE_ON else []
        self.race.cost = Cost(tuple(taken[HEDGE_ON]), tuple(taken[HEDGE_OFF]), sum(extra) / len(extra))

    def window(self, lasso: Target, profile: str) -> tuple[float, float]:
        """CPU µs per call, and the share of extra upstream calls."""
        arrived = self.stage.counted()
        url = f"{lasso.base}/rpc/profile/{profile}/fastest/{CHAIN}"
        loop = ClosedLoop(url, CALL, next(self.numbers), COST_CLIENTS)
        window = loop.run(lambda: machine.cpu_seconds(lasso.pids), 0.1, self.plan.window_s)
        return window.us_per_call, (self.stage.counted() - arrived) / loop.asked - 1


def measure(plan: Plan, stage: RaceStage, only: str | None) -> Race:
    race = Race(machine.describe(stage.cores))
    if only != "cost":
        guarded(race, "latencies", Tail(plan, stage, race).measure)
    if only != "tail":
        guarded(race, "the cost of calls that are not late", CostOfHedging(plan, stage, race).measure)
    return race


def guarded(race: Race, what: str, take: Callable[[], None]) -> None:
    try:
        take()
    except (NotStarted, WrongAnswer, OSError) as problem:
        race.missing[what] = f"{type(problem).__name__}: {problem}"
        progress(f"{what}: {problem}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nox -s bench -- race", description="Hedging's tail and price, side by side.")
    parser.add_argument("size", nargs="?", choices=("full", "quick"), default="full")
    parser.add_argument("--only", choices=("tail", "cost"), help="one half of it")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every figure as JSON")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="also draw the picture there")
    parser.add_argument("--docs", action="store_true", help="also refresh docs/performance.md and its picture")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    plan = QUICK if options.size == "quick" else FULL
    cores, began = machine.Cores.of_this_machine(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="lasso-race-") as folder:
        stage = RaceStage(Path(folder), cores)
        try:
            with steady(cores):
                race = measure(plan, stage, options.only)
        finally:
            stage.close()
    tell(race, plan, options)
    progress(f"done in {time.monotonic() - began:.0f} s")
    return verdict(race)


def verdict(race: Race) -> int:
    """The exit status. What could not be measured was told when it failed."""
    missed = race.missed()
    for mark in missed:
        progress(f"missed: {mark.what}: {mark.measured}")
    return 1 if race.missing or missed else 0


def tell(race: Race, plan: Plan, options: argparse.Namespace) -> None:
    print(race_report.markdown(race, plan))
    if options.json:
        options.json.write_text(race_report.as_json(race, plan), encoding="utf-8")
    if options.svg:
        options.svg.write_text(race_report.picture(race), encoding="utf-8")
    if options.docs:
        docs = machine.ROOT / "docs"
        race_report.refresh(docs / "performance.md", docs / "images" / "race.svg", race, plan)


if __name__ == "__main__":
    sys.exit(main())
