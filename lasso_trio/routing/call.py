"""One call on its way, and how far it has come: what attempts, failover and races share.

A candidate that was `admitted` must be asked: its channel counts on hearing how that went.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Final

import attrs
import trio

from lasso_trio.jsonrpc.errors import RpcError
from lasso_trio.jsonrpc.methods import Method
from lasso_trio.routing.attempt import Attempt, attempt, drop
from lasso_trio.routing.candidate import Candidate
from lasso_trio.routing.hedge import Timing, policy_for
from lasso_trio.routing.outcome import Missed, Outcome, Raced
from lasso_trio.routing.plan import Plan
from lasso_trio.routing.retry_budget import RetryBudget
from lasso_trio.routing.room import Room
from lasso_trio.routing.state_depth import learn_depth
from lasso_trio.routing.trail import Trail, followed

if TYPE_CHECKING:
    from lasso_trio.routing.routed_chain import RoutedChain  # which knows what calls share

MAX_DISPATCHES: Final = 3
SHORTEST_ATTEMPT_S: Final = 0.025
"""With less left nobody is asked any more; a client that gives little time in all has its attempts nevertheless."""
FIRST_SHARE: Final = 0.6
"""An attempt that others may follow takes no more of the budget; what is left is for them."""
FAIR_SHARE: Final = 0.25
"""A time-out of an attempt that had less of its method's time says nothing about the provider: its client was in a
hurry, or others had used the time."""

Clock = Callable[[], float]


@attrs.define(eq=False)
class Call:
    """`deadline` is absolute (trio's clock) and bounds everything that is done for it.

    `stream`: a large result may be passed through; else it is held whole, in `room` if that is given. `hedge_s`: after
    how long the client wants it hedged, infinity for not at all; None: as its profile says.
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
    hedge_s: float | None = None
    retries: RetryBudget | None = None
    fair_s: float = 0.0
    """Attempts that were given less time are not held against their provider when it is over."""
    trail: Trail | None = None
    """Where its attempts are written down; None: nobody traces it."""

    def late_at(self, candidate: Candidate, now: float) -> float:
        """When an attempt sent now is late; infinity when it is not hedged."""
        plan = self.plan
        if self.hedge_s is not None:
            return now + self.hedge_s if self.method.replay_safe and len(plan.ranked) > 1 else inf
        timing = plan.timing
        if timing is None:
            timing = plan.timing = self._timing()
        return inf if timing.policy is None else now + timing.delay(candidate, self.method, now)

    @property
    def shortest_s(self) -> float:
        return min(SHORTEST_ATTEMPT_S, FAIR_SHARE * (self.deadline - self.started))

    def is_late(self, now: float) -> bool:
        """Too little time is left for an attempt."""
        left = self.deadline - now
        return left < SHORTEST_ATTEMPT_S and (left <= 0 or left < self.shortest_s)

    def _timing(self) -> Timing:
        plan = self.plan
        policy = policy_for(self.chain.chain.routing, self.method, plan.strategy)
        instances = {candidate.channel.instance_id for candidate in plan.ranked}
        return Timing(policy if len(instances) > 1 else None)


@attrs.define(eq=False)
class Progress:
    """What has been tried so far. `hedges`: attempts that were raced against an earlier one."""

    selection_s: float = 0.0
    tried: int = 0
    dispatched: int = 0
    upstream_s: float = 0.0
    last: Attempt | None = None
    told: Attempt | None = None
    """The last attempt that an upstream answered: what it said is worth more to a client than a later silence."""
    too_late: bool = False
    stopped: bool = False
    again: int = 0
    """Failures after which one more provider may be asked, and no second one."""
    hedges: int = 0
    hedge_delay_s: float = 0.0
    hedge_won: bool = False
    won_by: str = ""
    """Who gave the answer of a race: `first` (of all attempts), `hedge` or `failover`."""
    saved_s: float = 0.0
    raced: tuple[Raced, ...] = ()
    missed: tuple[Missed, ...] = ()
    costs_token: bool = False
    """The next dispatch is a second one, and to be paid for."""

    def ended(self, done: Attempt, call: Call) -> bool:
        """Take note of an attempt's end. Whether its answer is to be kept."""
        self.dispatched += done.dispatched
        self.last = done
        if done.final:
            return True
        self.missed = (*self.missed, _missed(done))
        if done.reply is not None:
            self.forget_told(call)
            self.told = done
        if done.verdict is not None and done.verdict.learning == "archive":
            _lacks_state(call, done.candidate)
        self.again += done.verdict is not None and done.verdict.failover == "once"
        if call.watch is not None:
            self.stopped = call.watch(done) or self.stopped
        return False

    def forget_told(self, call: Call) -> None:
        """There is something better to tell: what it held is free again."""
        if self.told is not None:
            drop(self.told, call.room)
            self.told = None


def _lacks_state(call: Call, who: Candidate) -> None:
    now, threshold = call.clock(), call.chain.chain.selection.archival_threshold
    consensus = call.chain.heads.view(now).consensus
    learn_depth(who, call.method.name, call.params, now, consensus=consensus, threshold=threshold)


def _missed(done: Attempt) -> Missed:
    who, verdict = done.candidate, done.verdict
    category = "unknown_error" if verdict is None else str(verdict.category)
    return Missed(who.provider.id, str(who.channel.transport), category)


async def dispatch(call: Call, candidate: Candidate, progress: Progress, now: float, late: float) -> Attempt | None:
    """One attempt, if there is time and the breaker lets it through. May come back `waiting` at the time `late`."""
    until = admitted(call, candidate, progress, now)
    return None if until is None else await ask(call, candidate, now, until, late)


def admitted(call: Call, candidate: Candidate, progress: Progress, now: float) -> float | None:
    """Until when `candidate` may be asked; None if not at all. When it may, it must be."""
    if call.deadline - now < SHORTEST_ATTEMPT_S and call.is_late(now):
        progress.too_late = True
        return None
    if not candidate.channel.admit(now, call.method.row):
        return None
    if progress.costs_token and call.retries is not None:
        call.retries.spend()
        progress.costs_token = False
    until = until_of(call, progress, now)
    if not progress.tried:
        call.chain.counts.sent += 1
    progress.tried += 1
    return until


def ask(call: Call, candidate: Candidate, now: float, until: float, late: float) -> Awaitable[Attempt]:
    if call.trail is None:
        return attempt(
            call.method, call.params, call.client_id, candidate, now, until, call.stream, call.clock, call.room, late,
            call.fair_s,
        )  # fmt: skip
    begin = partial(
        attempt, call.method, call.params, call.client_id, candidate, now, until, call.stream, call.clock, call.room,
        late, call.fair_s,
    )  # fmt: skip
    return followed(call.trail, call, candidate, now, begin)


def until_of(call: Call, progress: Progress, now: float) -> float:
    """Whoever is asked while others are left leaves time for them; the last that can be asked may use all of it."""
    asked_last = progress.tried + 1 >= len(call.plan.ranked) or progress.dispatched + 1 >= MAX_DISPATCHES
    if asked_last or not call.method.replay_safe:
        return call.deadline
    until = now + FIRST_SHARE * (call.deadline - call.started)
    return call.deadline if call.is_late(until) else until


def may_go_on(call: Call, progress: Progress) -> bool:
    """After a failure: is there time, is there a dispatch left, and may this call be sent to somebody else?"""
    last, progress.costs_token = progress.last, False
    if progress.too_late or progress.stopped or progress.again > 1 or (last is not None and last.hopeless):
        return False
    if progress.dispatched >= MAX_DISPATCHES:
        return False
    if last is None or not last.dispatched:
        return True
    if not last.declined and not call.method.replay_safe:
        return False
    if call.retries is None:
        return True
    progress.costs_token = call.retries.affords(call.clock())
    progress.stopped = not progress.costs_token
    return progress.costs_token


def outcome_of(progress: Progress, done: Attempt, reason: str, error: RpcError | None = None) -> Outcome:
    outcome = Outcome(
        done.reply,
        done.large,
        error,
        done.verdict,
        done.candidate,
        reason,
        progress.tried - 1 - progress.hedges,
        progress.selection_s,
        progress.upstream_s,
    )
    if progress.hedges:
        outcome.hedges, outcome.hedge_delay_s = progress.hedges, progress.hedge_delay_s
        outcome.hedge_won, outcome.won_by = progress.hedge_won, progress.won_by
        outcome.saved_s, outcome.raced = progress.saved_s, progress.raced
    if progress.missed:
        outcome.missed = progress.missed
    return outcome
