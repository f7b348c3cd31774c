"""The plan that a call would begin with, by those who would carry it out: what an explanation is made of.

    the chain's plan ─► a filter's makers ─► its session's floor ─► who takes its log query, or its first part

Nothing is sent and nothing is counted; a session is looked at and not used.
"""

from __future__ import annotations

from random import Random

import attrs

from lasso_trio.jsonrpc.errors import RpcError
from lasso_trio.jsonrpc.methods import Safety
from lasso_trio.routing.execute import Call, nobody
from lasso_trio.routing.execute_filters import makers
from lasso_trio.routing.execute_session import Reading
from lasso_trio.routing.log_plan import begin
from lasso_trio.routing.plan import Plan
from lasso_trio.routing.sessions import Session
from lasso_trio.routing.shown_block import is_tip


@attrs.frozen
class Foreseen:
    """`parts`: how many requests it is begun with. `floor`: the block that its answer must not be below.

    `refusal`: what the client is told; with `heights_first`, if none of those that are asked for their height has
    the floor.
    """

    plan: Plan
    parts: int = 1
    floor: int | None = None
    heights_first: bool = False
    refusal: RpcError | None = None

    @property
    def answer(self) -> str:
        if self.heights_first:
            return "heights_first"
        return "refused" if self.refusal is not None else "upstream"


def foresee(call: Call, session: Session | None, min_block: int | None, *, splits: bool) -> Foreseen:
    """How `call` would begin. `session`, `min_block`: what it is held to, if anything; `splits`: it may be cut."""
    if not call.plan.ranked:
        return Foreseen(call.plan, refusal=nobody(call.chain, call.method, call.plan, call.started))
    if call.method.safety is Safety.FILTER_CREATE:
        return Foreseen(makers(call.chain, call.method, call.plan, call.started))
    if call.method.replay_safe and (session is not None or min_block is not None):
        return _at_floor(call, Reading(call, Random(0), session or Session(), min_block), splits=splits)
    return _begun(call, call.plan, None, splits=splits)


def _at_floor(call: Call, reading: Reading, *, splits: bool) -> Foreseen:
    if is_tip(call.method.name, call.params):
        return Foreseen(reading.tip_plan(call.plan.ranked), floor=reading.floor)
    plan = reading.plan_of_those(reading.having())
    if not plan.ranked:
        return Foreseen(plan, floor=reading.floor, heights_first=True, refusal=reading.refusal())
    return _begun(call, plan, reading.floor, splits=splits)


def _begun(call: Call, plan: Plan, floor: int | None, *, splits: bool) -> Foreseen:
    if not splits:
        return Foreseen(plan, floor=floor)
    how = begin(attrs.evolve(call, plan=plan))
    return Foreseen(how.plan, max(1, len(how.parts)), floor)
