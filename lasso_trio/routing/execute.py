"""The attempts of a call: ask the plan's first, classify what comes back, ask the next while that is allowed.

    attempt ─► answer or deterministic error ─► return it
        └────► failure ─► may this call be sent again? ─► next candidate … at most three dispatches
                            └─ no, and the provider may have acted ─► "indeterminate"

A call that is not replay-safe is dispatched once; only what certainly never reached a provider lets it move on. When
everybody failed, the last upstream error is returned as it came. An attempt that is late goes on in a race (`race`).
Cancellation (the client left) ends the attempt in flight at once, gives the breaker its slot back, and passes through.
"""

from __future__ import annotations

from math import inf
from random import Random
from typing import TYPE_CHECKING, Final

from lasso_trio.jsonrpc.errors import (
    RpcError,
    all_circuits_open,
    all_cordoned,
    budgets_spent,
    deadline_exhausted,
    no_channels,
    outcome_indeterminate,
    request_timeout,
    sockets_elsewhere,
)
from lasso_trio.jsonrpc.methods import Method
from lasso_trio.routing.attempt import Attempt
from lasso_trio.routing.call import (
    FIRST_SHARE,
    MAX_DISPATCHES,
    SHORTEST_ATTEMPT_S,
    Call,
    Clock,
    Progress,
    dispatch,
    may_go_on,
    outcome_of,
)
from lasso_trio.routing.candidate import Candidate
from lasso_trio.routing.filters import SHUT
from lasso_trio.routing.outcome import Outcome
from lasso_trio.routing.plan import Plan
from lasso_trio.routing.race import race

if TYPE_CHECKING:
    from lasso_trio.routing.routed_chain import RoutedChain  # which knows what calls share

__all__ = ["FIRST_SHARE", "MAX_DISPATCHES", "SHORTEST_ATTEMPT_S", "Call", "Clock", "execute", "nobody"]

MAX_ADMISSIONS: Final = 16


async def execute(call: Call, rng: Random) -> Outcome:
    """Carry out `call`. A provider's fault is an outcome and no exception; raises only Cancelled."""
    plan = call.plan
    if not plan.ranked:
        return Outcome(error=nobody(call.chain, call.method, plan, call.started))
    first, reason = plan.first(rng, call.method.replay_safe, call.prefer)
    now = call.clock()
    progress = Progress(now - call.started)
    done = await dispatch(call, first, progress, now, call.late_at(first, now))
    if done is not None and done.waiting is None:
        progress.upstream_s = done.seconds
        if progress.ended(done, call):
            return outcome_of(progress, done, reason, done.error)
        done = None
    rest = plan.rest(first, rng)[: MAX_ADMISSIONS - 1]
    if done is not None:
        done = await race(call, progress, done, rest)
    return await _go_on(call, progress, rest) if done is None else _won(call, progress, done, first, reason)


async def _go_on(call: Call, progress: Progress, rest: list[Candidate]) -> Outcome:
    """One after the other, until one gives an answer to keep or no other may be asked."""
    while rest and may_go_on(call, progress):
        candidate, now = rest.pop(0), call.clock()
        done = await dispatch(call, candidate, progress, now, call.late_at(candidate, now))
        if done is not None and done.waiting is not None:
            done = await race(call, progress, done, rest)
            if done is not None:
                return _won(call, progress, done)
        elif done is not None:
            progress.upstream_s += done.seconds
            if progress.ended(done, call):
                return _won(call, progress, done)
    return _lost(call, progress)


def _won(
    call: Call, progress: Progress, done: Attempt, first: Candidate | None = None, reason: str = "failover"
) -> Outcome:
    """`reason`: why the `first` was asked, which holds if it is the one that answered."""
    progress.forget_told(call)
    if progress.hedge_won:
        reason = "hedge"
    elif done.candidate is not first:
        reason = "failover" if progress.tried > 1 else call.plan.reason
    return outcome_of(progress, done, reason, done.error)


def _lost(call: Call, progress: Progress) -> Outcome:
    """Nobody gave an answer to keep: the last error that an upstream told, else ours."""
    last, told = progress.last, progress.told
    if last is None:
        return Outcome(error=_nothing_tried(call, progress))
    reason = "failover" if progress.tried > 1 else ""
    if last.unanswered and not call.method.replay_safe:
        return outcome_of(progress, last, reason, outcome_indeterminate())
    if told is not None:
        return outcome_of(progress, told, reason)
    return outcome_of(progress, last, reason, last.error or request_timeout())


def _nothing_tried(call: Call, progress: Progress) -> RpcError:
    return deadline_exhausted() if progress.too_late else nobody(call.chain, call.method, call.plan, call.started)


def nobody(chain: RoutedChain, method: Method, plan: Plan, now: float) -> RpcError:
    """No candidate: either breakers or budgets will let somebody through again, or nobody could ever serve this."""
    reasons = {exclusion.reason for exclusion in plan.excluded}
    if spent := _budget_waits(method, plan, now):
        others_shut = len(spent) < len(plan.ranked) or bool(reasons & SHUT)
        return budgets_spent(method.name, min(*spent, chain.shortest_wait(plan, now) or inf), others_shut=others_shut)
    if plan.ranked or reasons & SHUT:
        return all_circuits_open(method.name, chain.shortest_wait(plan, now))
    if "cordoned" in reasons and reasons <= {"cordoned", "not_connected"}:
        return all_cordoned()
    return sockets_elsewhere() if _connected_elsewhere(chain, plan) else no_channels()


def _connected_elsewhere(chain: RoutedChain, plan: Plan) -> bool:
    """Was a WebSocket left out that is open at another worker of this node?"""
    dead = {exclusion.label for exclusion in plan.excluded if exclusion.reason == "not_connected"}
    ids = {candidate.channel.instance_id for candidate in chain.candidates if candidate.label in dead}
    instances = (chain.registry.instances.get(id_) for id_ in ids)
    return any(i is not None and i.watched_elsewhere is not None and i.watched.connected for i in instances)


def _budget_waits(method: Method, plan: Plan, now: float) -> list[float]:
    """Of those whose operator's budget does not allow this call: seconds until it may."""
    budgets = [candidate.channel.budget for candidate in plan.ranked]
    waits = [budget.wait_s(method.row, now) for budget in budgets if budget is not None]
    return [wait for wait in waits if wait is not None]
