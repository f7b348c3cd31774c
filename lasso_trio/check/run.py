"""From an order to a report: every stage that a row wants, one after the other, then every row judged.

Cancelled, the report is still made, of what is known by then: who runs it cancels by `stop` instead of from outside.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs
import trio

from lasso_trio.check.bench import Bench, Missing
from lasso_trio.check.caller import Caller
from lasso_trio.check.facts import Facts, Gap
from lasso_trio.check.order import Order
from lasso_trio.check.report import Report, Result
from lasso_trio.check.row import OFFLINE, Need, Row
from lasso_trio.check.setup import Setup
from lasso_trio.check.stages import STAGES, Stage
from lasso_trio.check.verdict import Verdict, skipped

Tell = Callable[[str], None]
NO_URL: Final = Gap("no --url was given", "lasso check --url http://127.0.0.1:4000")
INTERRUPTED: Final = Gap("broken off before it was looked at", "run it again")


async def check(order: Order, setup: Setup, tell: Tell, stop: trio.CancelScope) -> Report:
    """`tell` is told what is being done. Cancelling `stop` ends it early, with a report."""
    began = trio.current_time()
    facts, remarks = Facts(setup, order.url), list[str]()
    bench: Bench | None = None
    with stop:
        async with Caller.open(order.header_pairs, order.timeout) as caller:
            bench = Bench(order, facts, caller, remarks=remarks, tell=tell)
            for stage in wanted(order.wants):
                tell(stage.what)
                await trio.lowlevel.checkpoint_if_cancelled()
                bench.facts = await done(stage, bench)
    interrupted = stop.cancelled_caught
    results = tuple(judged(row, bench.facts if bench else facts) for row in order.rows)
    return Report(order.url, results, trio.current_time() - began, interrupted, tuple(remarks), order.strict)


def wanted(needs: frozenset[Need]) -> tuple[Stage, ...]:
    """The stages for `needs`, in their order; whatever asks the node wants to know first whether it is there."""
    all_ = needs | {Need.NODE} if needs - OFFLINE else needs
    return tuple(stage for stage in STAGES if stage.need in all_)


async def done(stage: Stage, bench: Bench) -> Facts:
    """The facts with what `stage` found, or with why it could not."""
    if gap := absent(stage.need, bench.facts):
        return _without(bench.facts, stage.need, gap)
    with trio.move_on_after(stage.limit_s):
        try:
            found = await stage.gather(bench)
            return attrs.evolve(bench.facts, **{stage.need.value: found})
        except Missing as missing:
            return _without(bench.facts, stage.need, Gap(missing.why, missing.todo))
    return _without(bench.facts, stage.need, Gap(f"not finished within {stage.limit_s:g} s"))


def absent(need: Need, facts: Facts) -> Gap | None:
    """Why there is nobody to ask for this; None when there is."""
    if need in OFFLINE:
        return None
    if facts.url is None:
        return NO_URL
    if need is Need.NODE or facts.node is None:
        return None
    newest = facts.node.health[-1]
    return None if newest.answered else Gap(f"nobody answers at {facts.url}: {newest.said}", "see H1")


def _without(facts: Facts, need: Need, gap: Gap) -> Facts:
    return attrs.evolve(facts, missing={**facts.missing, need: gap})


def judged(row: Row, facts: Facts) -> Result:
    return Result(row, _verdict(row, facts))


def _verdict(row: Row, facts: Facts) -> Verdict:
    """Its judge's, or why that cannot be asked."""
    for need in sorted(row.needs, key=list(Need).index):
        if getattr(facts, need.value) is None:
            gap = facts.missing.get(need, INTERRUPTED)
            return skipped(gap.why, gap.todo)
    return row.judge(facts)
