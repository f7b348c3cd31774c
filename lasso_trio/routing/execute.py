"""The attempts of a call: ask the plan's first, classify what comes back, ask the next while that is allowed.

    attempt ─► answer or deterministic error ─► return it
        └────► failure ─► may this call be sent again? ─► next candidate … at most three dispatches
                            └─ no, and the provider may have acted ─► "indeterminate"

A call that is not replay-safe is dispatched once; only what certainly never reached a provider lets it move on. When
everybody failed, the last upstream error is returned as it came. Cancellation (the client left) ends the attempt in
flight at once, gives the breaker its slot back, and passes through.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

import attrs
import trio

from lasso_trio.jsonrpc.errors import (
    RpcError,
    all_circuits_open,
    all_cordoned,
    deadline_exhausted,
    no_channels,
    outcome_indeterminate,
    request_timeout,
)
from lasso_trio.jsonrpc.methods import Method
from lasso_trio.routing.attempt import Attempt, attempt
from lasso_trio.routing.candidate import Candidate
from lasso_trio.routing.outcome import Outcome
from lasso_trio.routing.plan import Plan
from lasso_trio.routing.room import Room
from lasso_trio.routing.routed_chain import RoutedChain

MAX_DISPATCHES: Final = 3
MAX_ADMISSIONS: Final = 16
SHORTEST_ATTEMPT_S: Final = 0.025
FIRST_SHARE: Final = 0.6
"""An attempt that others may follow takes no more of the budget; what is left is for them."""


Clock = Callable[[], float]


@attrs.define(eq=False)
class Call:
    """One call on its way. `deadline` is absolute (trio's clock) and bounds everything that is done for it.

    `stream`: a large result may be passed through; else it is held whole, in `room` if that is given.
    """

    chain: RoutedChain
    method: Method
    params: bytes
    client_id: bytes
    plan: Plan
    started: float
    deadline: float
    clock: Clock = trio.current_time
    stream: bool = True
    prefer: Candidate | None = None
    room: Room | None = None
    watch: Callable[[Attempt], bool] | None = None
    """Told of each failed attempt; True ends the call there."""


@attrs.define(eq=False)
class _Progress:
    """What has been tried so far."""

    selection_s: float = 0.0
    tried: int = 0
    dispatched: int = 0
    upstream_s: float = 0.0
    last: Attempt | None = None
    told: Attempt | None = None
    """The last attempt that an upstream answered: what it said is worth more to a client than a later silence."""
    too_late: bool = False
    stopped: bool = False


async def execute(call: Call, rng: Random) -> Outcome:
    """Carry out `call`. A provider's fault is an outcome and no exception; raises only Cancelled."""
    plan = call.plan
    if not plan.ranked:
        return Outcome(error=nobody(call.chain, call.method, plan, call.started))
    first, reason = plan.first(rng, call.method.replay_safe, call.prefer)
    now = call.clock()
    progress = _Progress(now - call.started)
    done = await _try(call, first, progress, now)
    if done is not None:
        return _outcome(progress, done, reason, done.error)
    for candidate in plan.rest(first, rng)[: MAX_ADMISSIONS - 1]:
        if not _may_go_on(call, progress):
            break
        done = await _try(call, candidate, progress, call.clock())
        if done is not None:
            return _outcome(progress, done, "failover" if progress.tried > 1 else plan.reason, done.error)
    return _lost(call, progress)


async def _try(call: Call, candidate: Candidate, progress: _Progress, now: float) -> Attempt | None:
    """One attempt, if there is time and the breaker lets it through. Returned only if its answer is to be kept."""
    if call.deadline - now < SHORTEST_ATTEMPT_S:
        progress.too_late = True
        return None
    if not candidate.channel.admit(now, call.method.row):
        return None
    until = _until(call, progress, now)
    done = await attempt(
        call.method, call.params, call.client_id, candidate, now, until, call.stream, call.clock, call.room
    )
    progress.tried += 1
    progress.dispatched += done.dispatched
    progress.upstream_s += done.seconds
    progress.last = done
    if done.reply is not None:
        progress.told = done
    if done.final:
        return done
    if call.watch is not None:
        progress.stopped = call.watch(done)
    return None


def _until(call: Call, progress: _Progress, now: float) -> float:
    """Whoever is asked while others are left leaves time for them; the last that can be asked may use all of it."""
    asked_last = progress.tried + 1 >= len(call.plan.ranked) or progress.dispatched + 1 >= MAX_DISPATCHES
    if asked_last or not call.method.replay_safe:
        return call.deadline
    return min(call.deadline, now + max(SHORTEST_ATTEMPT_S, FIRST_SHARE * (call.deadline - call.started)))


def _may_go_on(call: Call, progress: _Progress) -> bool:
    """After a failure: is there time, is there a dispatch left, and may this call be sent to somebody else?"""
    last = progress.last
    if progress.too_late or progress.stopped or (last is not None and last.hopeless):
        return False
    if last is None or not last.dispatched or last.declined:
        return progress.dispatched < MAX_DISPATCHES
    return call.method.replay_safe and progress.dispatched < MAX_DISPATCHES


def _outcome(progress: _Progress, done: Attempt, reason: str, error: RpcError | None = None) -> Outcome:
    return Outcome(
        done.reply,
        done.large,
        error,
        done.verdict,
        done.candidate,
        reason,
        progress.tried - 1,
        progress.selection_s,
        progress.upstream_s,
    )


def _lost(call: Call, progress: _Progress) -> Outcome:
    """Nobody gave an answer to keep: the last error that an upstream told, else ours."""
    last, told = progress.last, progress.told
    if last is None:
        return Outcome(error=_nothing_tried(call, progress))
    reason = "failover" if progress.tried > 1 else ""
    if last.unanswered and not call.method.replay_safe:
        return _outcome(progress, last, reason, outcome_indeterminate())
    if told is not None:
        return _outcome(progress, told, reason)
    return _outcome(progress, last, reason, last.error or request_timeout())


def _nothing_tried(call: Call, progress: _Progress) -> RpcError:
    return deadline_exhausted() if progress.too_late else nobody(call.chain, call.method, call.plan, call.started)


def nobody(chain: RoutedChain, method: Method, plan: Plan, now: float) -> RpcError:
    """No candidate: either breakers will let somebody through again, or nobody could ever serve this."""
    reasons = {exclusion.reason for exclusion in plan.excluded}
    if plan.ranked or "breaker_open" in reasons:
        return all_circuits_open(method.name, chain.shortest_wait(plan, now))
    return all_cordoned() if reasons and reasons <= {"cordoned", "not_connected"} else no_channels()
