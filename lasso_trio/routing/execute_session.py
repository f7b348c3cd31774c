"""A read that must not see less of the chain than its session (or its client's own claim) has seen.

    floor = the highest block shown to this session, or the one that the client names, whichever is higher

    a tip (eth_blockNumber, the latest block) ─► asked of anybody, those that are known to be behind last; an answer
                                       below is put aside and the next is asked; if nobody is there yet: eth_blockNumber
                                       is told what the session was shown, anything else is an error
    any other read ─► only those that told of the floor or beyond (to their prober, or in this session); when all of
                      them fail, the others are asked for their height first, and serve if it will do. A read at a
                      block that it names by number needs that block and no more

An answer below the floor is nobody's fault: breakers hear nothing of it. A height that is far beyond what the heads say
is passed on but not remembered: one liar must not wedge a session. What is not replay-safe is not held to any floor.
A block is held whole, however large, unless its number is in the question: what passes unread is not remembered.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from math import ceil, inf
from random import Random
from typing import Final

import attrs

from lasso_trio.jsonrpc.errors import SERVER_ERROR, RpcError
from lasso_trio.jsonrpc.methods import Method, known
from lasso_trio.jsonrpc.reply import Reply
from lasso_trio.routing import archival
from lasso_trio.routing.candidate import Candidate
from lasso_trio.routing.execute import FIRST_SHARE, Call, execute
from lasso_trio.routing.filters import Exclusion
from lasso_trio.routing.outcome import Missed, Outcome
from lasso_trio.routing.plan import Plan, build
from lasso_trio.routing.sessions import Session
from lasso_trio.routing.shown_block import asked_block, is_tip, shown_block, shows_block

Act = Callable[[Call, Random], Awaitable[Outcome]]

BELIEVED_S: Final = 300.0
"""A told height may be ahead of the highest head by what the chain makes in this time, to be remembered."""

_BEFORE: Final = b'{"jsonrpc":"2.0","id":'


def _height_method() -> Method:
    method = known("eth_blockNumber")
    assert method is not None
    return method


_HEIGHT: Final = _height_method()


async def execute_session(call: Call, rng: Random, act: Act, session: Session, min_block: int | None) -> Outcome:
    """Carry out `call`, a read, by `act`, at `session`'s floor or above. Raises only Cancelled.

    `min_block`: the client's own floor. A call without a session has one of its own, which nobody keeps.
    """
    reading = Reading(call, rng, session, min_block)
    if not call.plan.ranked:
        return await act(call, rng)
    outcome = await (reading.tip() if is_tip(call.method.name, call.params) else reading.other(act))
    return reading.told_of(outcome)


@attrs.define(eq=False)
class Reading:
    """One read on its way. `asked`: instances that were tried or put aside.

    Of what was no use: `retries`, attempts after which another was made; `missed`, those that failed; `behind`, answers
    below the floor.
    """

    call: Call
    rng: Random
    session: Session
    min_block: int | None
    shows: bool = True
    """The client will see the answer."""
    asked: set[str] = attrs.field(factory=set)
    retries: int = 0
    missed: tuple[Missed, ...] = ()
    behind: int = 0
    named: float = attrs.field(init=False)
    """The block that the call reads at, infinity if it does not say."""

    def __attrs_post_init__(self) -> None:
        self.named = _named_block(self.call)

    @property
    def floor(self) -> int:
        """Read anew each time: another call of the session may have been shown more meanwhile."""
        return int(min(max(self.session.shown, self.min_block or 0), self.named))

    async def tip(self) -> Outcome:
        """Where the chain is: from the first that is not below the floor."""
        while left := self._left():
            outcome = await execute(attrs.evolve(self.call, plan=self.tip_plan(left), stream=False), self.rng)
            height = self._hear(outcome)
            if height is None and not (outcome.failed and self.asked):
                return outcome
            if height is not None and height >= self.floor:
                self._show(height)
                return outcome
            if height is None or outcome.candidate is None:
                self._put_aside(outcome, outcome.retries)
                break
            self.asked.add(outcome.candidate.channel.instance_id)
            self._put_aside(outcome, outcome.retries + 1)
            self.behind += 1
        return self._behind()

    async def other(self, act: Act) -> Outcome:
        """Any other read: from those that have the floor, and else from those that turn out to have it."""
        have = self.having()
        if have:
            outcome = await self._read(act, have)
            if not _worth_repeating(outcome) or not self._left():
                return outcome
            elsewhere = await self._read_elsewhere(act)
            if elsewhere is not None:
                self._put_aside(outcome, outcome.retries + 1)
            return elsewhere or outcome
        return await self._read_elsewhere(act) or self._behind()

    async def _read_elsewhere(self, act: Act) -> Outcome | None:
        """From those of unknown height, once they told it; None if none of them will do."""
        rest = self._left()
        asking = attrs.evolve(self.call, method=_HEIGHT, params=b"[]", plan=self._plan(rest), prefer=None)
        await Reading(asking, self.rng, self.session, self.floor, shows=False).tip()
        have = [c for c in rest if self._has(c)]
        return await self._read(act, have) if have else None

    async def _read(self, act: Act, have: Sequence[Candidate]) -> Outcome:
        plan = self.call.plan if len(have) == len(self.call.plan.ranked) else self.plan_of_those(have)
        self.asked.update(c.channel.instance_id for c in have)
        call = attrs.evolve(self.call, plan=plan, deadline=self._until(), stream=self.call.stream and self._may_pass())
        outcome = await act(call, self.rng)
        height = self._hear(outcome)
        if height is not None:
            self._show(height)
        return outcome

    def _put_aside(self, outcome: Outcome, retries: int) -> None:
        self.retries += retries
        self.missed += outcome.missed

    def told_of(self, outcome: Outcome) -> Outcome:
        """The read's outcome, with what was tried before."""
        if not self.retries and not self.missed:
            return outcome
        retries, missed = self.retries + outcome.retries, self.missed + outcome.missed
        return attrs.evolve(outcome, retries=retries, missed=missed, behind=self.behind)

    # Decisions

    def having(self) -> list[Candidate]:
        """Who may be asked and told of the floor or beyond."""
        return [c for c in self._left() if self._has(c)]

    def tip_plan(self, left: Sequence[Candidate]) -> Plan:
        """For a read of where the chain is: those that are not likely to be there come last."""
        late = [c for c in left if self._late(c)]
        plan = self._plan([c for c in left if c not in late] or left)
        plan.ranked += tuple(c for c in late if c not in plan.ranked)
        return plan

    def plan_of_those(self, have: Sequence[Candidate]) -> Plan:
        """For any other read; `behind` is said of whoever is left out."""
        plan = self._plan(have)
        plan.excluded += tuple(Exclusion(c.label, "behind") for c in self.call.plan.ranked if c not in have)
        return plan

    def refusal(self) -> RpcError:
        """When nobody has the floor."""
        data = {"reason": "behind_session", "min_block": hex(self.floor)}
        return RpcError(SERVER_ERROR, f"No provider has block {self.floor:#x} yet", data, category="behind_session")

    def _left(self) -> list[Candidate]:
        """Who may still be asked, if there is time."""
        if self.call.is_late(self.call.clock()):
            return []
        return [c for c in self.call.plan.ranked if c.channel.instance_id not in self.asked]

    def _until(self) -> float:
        """While others might serve too, some time is left to ask them."""
        deadline, now = self.call.deadline, self.call.clock()
        return now + FIRST_SHARE * (deadline - now) if self._left() else deadline

    def _has(self, candidate: Candidate) -> bool:
        """It told of the floor or beyond: nothing is guessed here."""
        floor, head = self.floor, candidate.head
        if not floor or self.session.told_by(candidate.channel.instance_id)[0] >= floor:
            return True
        return head.height is not None and head.height >= floor and head.fresh(self.call.clock())

    def _late(self, candidate: Candidate) -> bool:
        """It is not likely to have the floor: it told less within a block's time, or to its prober."""
        heads, now = self.call.chain.heads, self.call.clock()
        height, at = self.session.told_by(candidate.channel.instance_id)
        if height >= self.floor:
            return False
        return now - at < heads.block_time.seconds or not heads.has_block(candidate.head, self.floor, now)

    def _plan(self, candidates: Sequence[Candidate]) -> Plan:
        call, plan = self.call, self.call.plan
        order = call.chain.override(call.method).providers
        return build(plan.strategy, candidates, plan.excluded, call.method, plan.version, call.clock(), order=order)

    def _may_pass(self) -> bool:
        """Is nothing to be read in a large answer? What was passed on unread would be forgotten."""
        method, params = self.call.method.name, self.call.params
        return not shows_block(method) or asked_block(method, params) is not None

    def _hear(self, outcome: Outcome) -> int | None:
        """The height in an answer, remembered for who told it."""
        height, who = self._height_in(outcome), outcome.candidate
        if height is not None and who is not None and self._believable(height):
            self.session.hear(who.channel.instance_id, height, self.call.clock())
        return height

    def _height_in(self, outcome: Outcome) -> int | None:
        method, params, reply = self.call.method.name, self.call.params, outcome.reply
        if outcome.large is not None:  # a result, and too large to be null
            return asked_block(method, params)
        return None if reply is None or reply.error is not None else shown_block(method, params, reply)

    def _show(self, height: int) -> None:
        if self.shows and self._believable(height):
            self.session.show(height)

    def _believable(self, height: int) -> bool:
        heads, now = self.call.chain.heads, self.call.clock()
        view = heads.view(now)
        if view.consensus is None:
            return True
        return height <= max(view.highest, self.floor) + ceil(BELIEVED_S / heads.block_time.seconds)

    def _behind(self) -> Outcome:
        """Nobody has the floor. What the session was shown already is no lie; what a client merely claims may be."""
        shown = self.session.shown
        if self.call.method is _HEIGHT and shown and shown >= self.floor:
            result = b'"0x%x"' % shown
            return Outcome(
                reply=Reply(_BEFORE, b',"result":%b}' % result, None, len(result), result[0]), reason="session"
            )
        return Outcome(error=self.refusal(), reason="session")


def _named_block(call: Call) -> float:
    method = call.method.name
    if method not in archival.PLACES:
        return inf
    high = archival.read(method, call.params).high
    return inf if high is None else high


def _worth_repeating(outcome: Outcome) -> bool:
    """Would somebody else do better?"""
    return outcome.failed and (outcome.verdict is None or outcome.verdict.retriable)
