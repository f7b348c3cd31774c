"""From an order to a report: every stage that a row wants, one after the other, then every row judged.

Cancelled, the report is still made, of what is known by then: who runs it cancels by `stop` instead of from outside.
What a stage or a judge did not foresee is contained here, and costs its rows only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs
import trio

from lasso_trio.check.bench import Bench, Missing
from lasso_trio.check.caller import Caller, short
from lasso_trio.check.facts import Facts, Gap
from lasso_trio.check.naming import strange_here, strange_to_all
from lasso_trio.check.order import Order
from lasso_trio.check.report import Report, Result
from lasso_trio.check.row import OFFLINE, Need, Row
from lasso_trio.check.setup import Setup
from lasso_trio.check.stages import STAGES, Stage
from lasso_trio.check.verdict import Verdict, failed, skipped
from lasso_trio.errors import ConfigError, Problem

Tell = Callable[[str], None]
NO_URL: Final = Gap("no --url was given", "lasso check --url http://127.0.0.1:4000")
NO_NODE: Final = "is it a node of ours, and as new as this check? else please report this"
INTERRUPTED: Final = Gap("broken off before it was looked at", "run it again")


async def check(order: Order, setup: Setup, tell: Tell, stop: trio.CancelScope) -> Report:
    """`tell` is told what is being done. Cancelling `stop` ends it early, with a report.

    Raises ConfigError when nobody knows a name of the order: here, or in the node where there is one.
    """
    if order.url is None and setup.profiles and (strange := strange_here(order, setup.profiles)):
        raise ConfigError([Problem("lasso check", None, strange)])
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
                if stage.need is Need.NODE:
                    await _refuse_strange_names(bench)
    facts = bench.facts if bench else facts
    results = tuple(judged(row, facts) for row in order.rows)
    took = trio.current_time() - began
    return Report(
        order.url, results, took, stop.cancelled_caught, tuple(remarks), order.strict, unable=could_not(facts)
    )


async def _refuse_strange_names(bench: Bench) -> None:
    """Raises ConfigError. Of a node that is not there nothing can be told."""
    if bench.facts.node is None or silence(bench.facts):
        return
    if strange := await strange_to_all(bench):
        raise ConfigError([Problem("lasso check", None, strange)])


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
            return _without(bench.facts, stage.need, missing.gap)
        except Exception as fault:  # what is known already must be told, above all of a provider that is cordoned
            return _without(bench.facts, stage.need, Gap(oddity(fault), NO_NODE, unable=True))
    return _without(bench.facts, stage.need, Gap(f"not finished within {stage.limit_s:g} s", unable=True))


def absent(need: Need, facts: Facts) -> Gap | None:
    """Why there is nobody to ask for this; None when there is."""
    if need in OFFLINE:
        return None
    if facts.url is None:
        return NO_URL
    if need is Need.NODE:
        return None
    return silence(facts)


def silence(facts: Facts) -> Gap | None:
    """Of a node that was asked for its health."""
    newest = None if facts.node is None else facts.node.health[-1]
    if newest is None or newest.answered:
        return None
    return Gap(f"nobody answers at {facts.url}: {newest.said}", "see H1", unable=True)


def could_not(facts: Facts) -> tuple[str, ...]:
    """Why what was asked for could not be done; empty when it could."""
    gaps = [*facts.missing.values(), *filter(None, [silence(facts)])]
    return tuple(dict.fromkeys(gap.why for gap in gaps if gap.unable))


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
    try:
        return row.judge(facts)
    except Exception as fault:  # an answer may have any shape; what other rows found must be told all the same
        return failed(oddity(fault), NO_NODE)


def oddity(fault: BaseException) -> str:
    """Of a fault that nobody foresaw."""
    while isinstance(fault, BaseExceptionGroup):
        fault = fault.exceptions[0]
    return short(f"what was answered is not like a node's answer ({type(fault).__name__}: {fault})")
