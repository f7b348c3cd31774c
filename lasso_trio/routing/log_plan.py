"""Who is asked for an `eth_getLogs`, or for a part of one: those that keep its blocks and take its size.

    whoever the call's plan has ─► who keeps blocks as old ─► who takes so much at once ─► who has seen the newest first
                                                                 └─ nobody: parts that somebody takes, if they are few

Decisions for `execute_logs`, which carries them out, and for who explains a call without asking anybody. Nothing is
sent and nothing is counted here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

import attrs

from lasso_trio.routing.archival import BlockNeed
from lasso_trio.routing.candidate import Candidate
from lasso_trio.routing.execute import Call
from lasso_trio.routing.filters import Exclusion
from lasso_trio.routing.filters import Split as Kept
from lasso_trio.routing.log_filter import LogQuery, read
from lasso_trio.routing.log_refusals import cap_of
from lasso_trio.routing.plan import Plan, build
from lasso_trio.routing.split import cut, fewest_parts

MAX_BLOCKS: Final = 1_000_000
"""A query over more blocks goes out as it came."""
MAX_PARTS: Final = 2048
"""Calls that may be made for one query, repetitions included."""


@attrs.frozen(eq=False)
class Beginning:
    """`plan` is the first request's. `query` is None where the call cannot be cut, whatever a node says of it; `parts`
    are empty where the whole is asked for first.
    """

    plan: Plan
    query: LogQuery | None = None
    parts: Sequence[LogQuery] = ()


def begin(call: Call) -> Beginning:
    """How `call`, an eth_getLogs whose plan holds everybody that may be asked at all, is begun."""
    query = read(call.params, partial(call.chain.height_of, now=call.clock()))
    if query is None or not call.plan.ranked:
        return Beginning(call.chain.suited(call.plan, call.method, call.params, call.clock()))
    able, cuttable = takers(call, query), query.blocks <= MAX_BLOCKS
    parts = by_caps(call, query, keepers(call, query), MAX_PARTS) if cuttable and not able else []
    if parts:
        return Beginning(plan_of(call, parts[0], takers(call, parts[0])), query, parts)
    # Without parts it would take more of them than there may be: a node is to say so.
    plan = plan_of(call, query, able or keepers(call, query))
    return Beginning(plan, query if cuttable else None)


def keepers(call: Call, query: LogQuery) -> list[Candidate]:
    """Who keeps blocks as old as the query's; everybody if nobody is known to."""
    return _keeping(call, query)[0]


def takers(call: Call, query: LogQuery) -> list[Candidate]:
    """Who of them is not known to refuse `query` for its size."""
    now = call.clock()
    return [c for c in keepers(call, query) if cap_of(c, now).takes(query)]


def plan_of(call: Call, query: LogQuery, able: Sequence[Candidate]) -> Plan:
    """The call's plan with `able` alone, ranked afresh; who has not seen the newest of the blocks yet is last."""
    now, (kept, out) = call.clock(), _keeping(call, query)
    small = [Exclusion(c.label, "log_limits") for c in kept if c not in able]
    excluded, order = [*call.plan.excluded, *out, *small], call.chain.override(call.method).providers
    late = call.chain.late(able, _need(query), now)
    first = [c for c in able if c not in late]
    plan = build(call.plan.strategy, first, excluded, call.method, call.plan.version, now, order=order)
    plan.ranked += tuple(late)
    return plan


def by_caps(call: Call, query: LogQuery, among: Sequence[Candidate], most: int) -> list[LogQuery]:
    """`query` in the fewest parts that one of `among` takes; none if that is more than `most`, or all take it whole."""
    now = call.clock()
    caps = [cap for c in among if not (cap := cap_of(c, now)).takes(query)]
    best = fewest_parts(query, caps)
    return cut(query, best) if best is not None and best.parts(query) <= most else []


def _keeping(call: Call, query: LogQuery) -> Kept:
    return call.chain.keeping(call.plan.ranked, call.method, _need(query), call.clock())


def _need(query: LogQuery) -> BlockNeed:
    return BlockNeed(query.first, query.last)
