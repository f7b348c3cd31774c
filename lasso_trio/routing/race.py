"""The race of a call whose attempt is late: hedges beside it, failover when all of them have failed, one winner.

    late ─► hedge, if somebody is there to ask and the budget allows it ─► the first good answer wins
         ─► no room for one, and its provider answers nobody any more ─► the next, as after a failure
                └─ everybody in flight failed: the next candidate at once, as without a race

The common call never comes here: the nursery is opened when an attempt is late. The winner ends the race; the losers
are cancelled where they wait, which hands their connections to the reaper without a wait, and what they took so far is
kept as a lower bound of their latency. Cancellation from outside (the client left) ends all of it likewise.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

import attrs
import trio

from lasso_trio.config.profile import HedgePolicy
from lasso_trio.jsonrpc.methods import known
from lasso_trio.providers.latency import Evidence
from lasso_trio.routing import filters
from lasso_trio.routing.attempt import Attempt, Waiting, drop, finish
from lasso_trio.routing.call import MAX_DISPATCHES, Call, Progress, admitted, ask, may_go_on
from lasso_trio.routing.candidate import Candidate
from lasso_trio.routing.hedge import PASSING, WIDE_BLOCKS, is_silent, pick
from lasso_trio.routing.outcome import Raced
from lasso_trio.routing.winning import is_behind, is_weak, patience_s, tip_of, worth_of
from lasso_trio.upstream.call import Call as HttpCall

_LOGS = known("eth_getLogs")
_BY_HAND = HedgePolicy(enabled=True)
"""For calls whose client asks for hedging where the profile does not have it."""


@attrs.define(eq=False)
class Runner:
    """One attempt in a race. `waiting`: its call, as long as it is under way."""

    candidate: Candidate
    started: float
    until: float
    hedge: bool
    done: Attempt | None = None
    waiting: Waiting | None = None
    alive: bool = True


async def race(call: Call, progress: Progress, late: Attempt, rest: list[Candidate]) -> Attempt | None:
    """From an attempt that came back `waiting` to an answer to keep. None: nobody gave one, and no other may be asked.

    Candidates that are asked are taken out of `rest` (best first). Raises only Cancelled.
    """
    racing = Race(call, progress, rest)
    first = racing.enter(late)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(racing.run, first)
            await racing.decide(nursery)
            racing.part()
            progress.raced += tuple(racing.raced())
            nursery.cancel_scope.cancel()
    except BaseException:
        racing.renounce()
        raise
    finally:
        racing.close()
    progress.upstream_s += call.clock() - first.started
    return racing.winner


@attrs.define(eq=False)
class Race:
    """`hedge_at`: when the next hedge is due. `put_off`: why the last that was due was not sent; empty when it was.
    `weak`: an answer that wins only if nobody gives a better one in time; `weak_worth` is what it is worth among such.
    """

    call: Call
    progress: Progress
    rest: list[Candidate]
    runners: list[Runner] = attrs.field(factory=list)
    winner: Attempt | None = None
    weak: Attempt | None = None
    unwanted: list[Attempt] = attrs.field(factory=list)
    hedge_at: float = inf
    put_off: str = ""
    weak_worth: int = 0
    weak_until: float = inf
    has_first: bool = False
    """Its first runner is the first attempt of the call."""
    _ended: list[Runner] = attrs.field(factory=list)
    _bell: trio.Event = attrs.field(factory=trio.Event)

    def enter(self, late: Attempt) -> Runner:
        waiting = late.waiting
        assert waiting is not None
        self.has_first = self.progress.tried == 1
        first = Runner(late.candidate, waiting.started, waiting.until, False, late)
        self.runners.append(first)
        self.hedge_at = self.call.late_at(first.candidate, first.started)
        return first

    async def run(self, runner: Runner) -> None:
        """One attempt to its end. Raises only Cancelled."""
        try:
            if runner.done is None:
                runner.done = await ask(self.call, runner.candidate, runner.started, runner.until, -inf)
            runner.waiting = runner.done.waiting
            if runner.waiting is not None:
                await finish(runner.done)
                if self.call.trail is not None:
                    self.call.trail.heard(runner.done, self.call.clock())
        except trio.Cancelled:
            evidence, now = self._evidence(runner.candidate), self.call.clock()
            evidence.record_censored(now - runner.started, now)
            if self.call.trail is not None:
                self.call.trail.lost(runner.candidate, now)
            raise
        self._ended.append(runner)
        self._bell.set()

    async def decide(self, nursery: trio.Nursery) -> None:
        """Until there is a winner, or nobody left to hear of or to ask."""
        while not self._hear():
            now = self.call.clock()
            if not self._in_flight() and not self._fail_over(nursery, now):
                return
            if now >= self.hedge_at:
                self._hedge(nursery, now)
            self._bell = trio.Event()
            with trio.CancelScope(deadline=min(self.hedge_at, self.weak_until)):
                await self._bell.wait()

    def part(self) -> None:
        """The losers' answers may be near: their connections are worth a little patience."""
        for runner in self._in_flight():
            if runner.waiting is not None and isinstance(runner.waiting.http, HttpCall):
                runner.waiting.http.patient = True

    def renounce(self) -> None:
        """Nobody is there any more to take the answer."""
        self.unwanted += [done for done in (self.winner, self.weak) if done is not None]
        self.winner = self.weak = None

    def close(self) -> None:
        """Account for what was raced, however it ended, and give back what nobody wants."""
        hedges, winner = self.call.chain.counts.hedges, self.winner
        for runner in self.runners:
            if runner.hedge:
                hedges.end(won=winner is not None and runner.done is winner)
        if self.put_off and not any(runner.hedge for runner in self.runners):
            hedges.suppressed[self.put_off] += 1
        self.unwanted += [runner.done for runner in self._ended if runner.done is not None]
        self._ended.clear()
        for done in self.unwanted:
            drop(done, self.call.room)

    def raced(self) -> Iterator[Raced]:
        """Who ran, and how far each has come; nothing where nobody was raced."""
        now = self.call.clock()
        for runner in self.runners if any(runner.hedge for runner in self.runners) else ():
            candidate, done = runner.candidate, runner.done
            took = now - runner.started if runner.alive or done is None else done.seconds
            begun = runner.started - self.call.started
            yield Raced(candidate.provider.id, str(candidate.transport), runner.hedge, begun, took, self._end(runner))

    def _end(self, runner: Runner) -> str:
        if runner.done is not None and runner.done is self.winner:
            return "won"
        if runner.alive or runner.done is None:
            return "lost"
        return "outdone" if runner.done.verdict is None else "failed"

    # What came back

    def _hear(self) -> bool:
        """Take in what has ended. Whether the race is over."""
        while self._ended and self.winner is None:
            runner = self._ended.pop(0)
            runner.alive, done = False, runner.done
            assert done is not None
            if self.progress.ended(done, self.call):
                self._judge(runner, done)
        now = self.call.clock()
        if self.winner is None and self.weak is not None and (not self._in_flight() or now >= self.weak_until):
            self.winner, self.weak = self.weak, None
        if self.winner is None:
            return False
        if self.weak is not None:
            self.unwanted.append(self.weak)
        self._note(now)
        return True

    def _judge(self, runner: Runner, done: Attempt) -> None:
        now = self.call.clock()
        behind = is_behind(done.candidate.head, self.call.chain.heads, now)
        worth = worth_of(is_error=done.verdict is not None, behind=behind)
        if not self._is_weak(done, now):
            self.winner = done
        elif self.weak is not None and worth < self.weak_worth:
            self.unwanted.append(done)
        else:
            self.unwanted += [] if self.weak is None else [self.weak]
            self.weak, self.weak_worth = done, worth
            patience = patience_s(self.call.late_at(runner.candidate, now) - now, behind=behind)
            self.weak_until = min(self.weak_until, now + patience, self.call.deadline)

    def _is_weak(self, done: Attempt, now: float) -> bool:
        """A last word that says little: empty, or an error that nobody knows."""
        if done.verdict is not None:
            return done.verdict.kind != "deterministic"
        if done.reply is None:
            return False
        head, tip = done.candidate.head.height, tip_of(self.call.chain.heads, now)
        return is_weak(self.call.method, done.reply, head is not None and tip is not None and head < tip)

    def _note(self, now: float) -> None:
        """Who won, and what the race was good for."""
        won, first = next(runner for runner in self.runners if runner.done is self.winner), self.runners[0]
        if not won.hedge:
            self.progress.won_by = "first" if won is first and self.has_first else "failover"
            return
        self.progress.hedge_won, self.progress.won_by = True, "hedge"
        if first.alive:
            saved = self._evidence(first.candidate).remaining(now - first.started, now)
            self.progress.saved_s = saved
            self.call.chain.counts.hedges.saved_s += saved

    def _in_flight(self) -> list[Runner]:
        return [runner for runner in self.runners if runner.alive]

    # Who else is asked

    def _fail_over(self, nursery: trio.Nursery, now: float) -> bool:
        """Everybody in flight has failed: the next at once, if one may be asked."""
        while self.rest and may_go_on(self.call, self.progress):
            candidate = self.rest.pop(0)
            if self._start(nursery, candidate, now, hedge=False):
                self.hedge_at = self.call.late_at(candidate, now)
                return True
        return False

    def _hedge(self, nursery: trio.Nursery, now: float) -> None:
        """Send one. What is refused for want of room is asked for again when the call has lasted twice as long: a
        provider that falls silent makes many calls late at once, and those before this one are soon out of the way.
        """
        self.hedge_at = inf
        candidate, self.put_off = self._send_hedge(nursery, now)
        if candidate is None:
            if self.put_off in PASSING and not self._leave(nursery, now):
                self.hedge_at = now + (now - self.runners[0].started)
            return
        self.call.chain.counts.hedges.fire()
        if not self.progress.hedges:
            self.progress.hedge_delay_s = now - self.runners[0].started
        self.progress.hedges += 1
        if self.progress.hedges < self._policy().max_extra:
            self.hedge_at = self.call.late_at(candidate, now)

    def _send_hedge(self, nursery: trio.Nursery, now: float) -> tuple[Candidate | None, str]:
        """To the first that lets it through: breakers may have moved since the plan was made. Else why to nobody."""
        refused = False
        while True:
            candidate, why_not = self._whom(now)
            if candidate is None:
                return None, "not_admitted" if refused and why_not == "nobody_else" else why_not
            self.rest.remove(candidate)
            if self._start(nursery, candidate, now, hedge=True):
                return candidate, ""
            refused = True

    def _leave(self, nursery: trio.Nursery, now: float) -> bool:
        """Fail over from a provider that says nothing any more, before its time is over. It may still answer."""
        first, retries = self.runners[0], self.call.retries
        candidate = self._other(now)[0] if len(self.runners) == 1 else None
        if candidate is None or not is_silent(first.candidate.channel, candidate.channel, first.started, now):
            return False
        if retries is not None and not retries.affords(now):
            return False
        self.rest.remove(candidate)
        self.progress.costs_token = True
        if not self._start(nursery, candidate, now, hedge=False):
            self.progress.costs_token = False  # nobody was sent it, and what is next may be a hedge
            return False
        self.put_off = ""
        return True

    def _whom(self, now: float) -> tuple[Candidate | None, str]:
        """Who is asked beside the late one, or why nobody is."""
        call, policy = self.call, self._policy()
        if self.progress.tried >= MAX_DISPATCHES:
            return None, "dispatches"
        if call.method is _LOGS and self._is_wide(now):
            return None, "wide_range"
        candidate, why_not = self._other(now)
        if candidate is None:
            return None, why_not
        counts = call.chain.counts
        in_flight = sum(c.channel.in_flight for c in call.chain.candidates)
        refusal = counts.hedges.refusal(policy.budget, counts.sent, in_flight)
        return (None, refusal) if refusal else (candidate, "")

    def _other(self, now: float) -> tuple[Candidate | None, str]:
        busy = {runner.candidate.channel.instance_id for runner in self.runners}
        return pick(self.rest, busy, self.call.deadline - now, lambda c: self._typical(c, now), now)

    def _start(self, nursery: trio.Nursery, candidate: Candidate, now: float, *, hedge: bool) -> bool:
        until = admitted(self.call, candidate, self.progress, now)
        if until is None:
            return False
        runner = Runner(candidate, now, until, hedge)
        self.runners.append(runner)
        nursery.start_soon(self.run, runner)
        return True

    def _policy(self) -> HedgePolicy:
        timing = self.call.plan.timing
        return _BY_HAND if timing is None or timing.policy is None else timing.policy

    def _is_wide(self, now: float) -> bool:
        """What cannot be known is taken for wide."""
        chain = self.call.chain
        override = chain.override(self.call.method).hedge
        if self.call.hedge_s is not None or (override is not None and override.enabled is True):
            return False
        heights = {tag: chain.height_of(tag, now) for tag in ("latest", "safe", "finalized")}
        blocks = filters.blocks_of(self.call.params, {"earliest": 0, **heights})
        return blocks is None or blocks > WIDE_BLOCKS

    def _typical(self, candidate: Candidate, now: float) -> float:
        evidence = candidate.channel.evidence.get(self.call.method.row)
        return 0.0 if evidence is None else evidence.quantile(0.5, now) or 0.0

    def _evidence(self, candidate: Candidate) -> Evidence:
        return candidate.channel.row(self.call.method.row)
