"""The lanes of a signed transaction: who is sent it, who takes the place of a silent one, and when that is over.

    lane ─► a ── silent for a fifth of the time ─┐   a is waited for still: it may yet say yes
        └─► c ── trouble of its own, declined ───┤
        └─► d ── looked at it ─► the lane is done, and so it is when a says something after all

No instance is sent it twice, whatever its channels, so a replacement costs a call more and does no harm. It is paid
for (`Ration`) like any second dispatch. All attempts last until the call's deadline.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import attrs
import trio

from lasso_trio.routing.attempt import Attempt, attempt
from lasso_trio.routing.call import MAX_DISPATCHES, Call
from lasso_trio.routing.candidate import Candidate
from lasso_trio.routing.retry_budget import Ration
from lasso_trio.routing.trail import followed
from lasso_trio.routing.write_verdict import SETTLED, Said

SILENCE_SHARE: Final = 0.2
"""Of the call's time. Who has said nothing for so long is silent, and somebody else is asked beside it."""


@attrs.define(eq=False)
class Lane:
    """`turn`: over when the last that was asked has answered, or any of the lane has `looked` at the transaction.

    `costs`: the next one is a second dispatch, and to be paid for.
    """

    turn: trio.Event = attrs.field(factory=trio.Event)
    looked: bool = False
    asked: bool = False
    costs: bool = False


@attrs.define(eq=False)
class Lanes:
    """`queue`: who may be asked still; `taken`: instances that were. `hear` is told of each attempt's end, once.

    `found`: somebody has it, so that nobody need take a silent one's place. `at_rest`: no lane will ask another; those
    that were asked may answer yet. `replacements`: who was asked in another's place.
    """

    call: Call
    queue: list[Candidate]
    width: int
    hear: Callable[[Attempt], Said]
    ration: Ration
    found: bool = False
    taken: set[str] = attrs.field(factory=set)
    dispatches: int = 0
    replacements: int = 0
    selection_s: float | None = None
    at_rest: trio.Event = attrs.field(factory=trio.Event)
    _trying: int = 0

    async def run(self) -> None:
        """Send it to `width` instances that look at it, if there are so many. Bounded by the call's deadline."""
        self._trying = self.width
        async with trio.open_nursery() as lanes:
            for _ in range(self.width):
                lanes.start_soon(self._lane)

    async def _lane(self) -> None:
        async with trio.open_nursery() as attempts:
            await self._try(Lane(), attempts)
            self._trying -= 1
            if not self._trying:
                self.at_rest.set()

    async def _try(self, lane: Lane, attempts: trio.Nursery) -> None:
        """Ask one after the other, until somebody has looked at it or nobody else is to be asked."""
        while (candidate := self._next(lane, now := self.call.clock())) is not None:
            lane.turn = trio.Event()
            attempts.start_soon(self._ask, lane, candidate, now)
            with trio.move_on_after(self._patience()) as silence:
                await lane.turn.wait()
            if lane.looked or (self.found and silence.cancelled_caught):
                return

    def _patience(self) -> float:
        call = self.call
        return max(call.shortest_s, SILENCE_SHARE * (call.deadline - call.started))

    # Who is next

    def _next(self, lane: Lane, now: float) -> Candidate | None:
        """The next whom a breaker lets through. It is paid for, and must be asked."""
        while (candidate := self._untaken(now)) is not None:
            if lane.costs and not self.ration.affords(now):
                return None
            self.queue.remove(candidate)
            if candidate.channel.admit(now, self.call.method.row):
                self._take(lane, candidate)
                return candidate
        return None

    def _untaken(self, now: float) -> Candidate | None:
        """The next whose instance nobody has asked, as long as there is time and a dispatch left."""
        if self.call.is_late(now) or self.dispatches >= self.width + MAX_DISPATCHES - 1:
            return None
        return next((c for c in self.queue if c.channel.instance_id not in self.taken), None)

    def _take(self, lane: Lane, candidate: Candidate) -> None:
        self.taken.add(candidate.channel.instance_id)
        self.dispatches += 1
        self.replacements += lane.asked
        if lane.costs:
            self.ration.spend()
        lane.asked = lane.costs = True

    # One attempt

    async def _ask(self, lane: Lane, candidate: Candidate, now: float) -> None:
        turn = lane.turn
        done = await self._dispatch(candidate, now)
        if self.hear(done) in SETTLED:
            lane.looked = True
            lane.turn.set()
        elif lane.turn is turn:
            lane.costs = done.dispatched
            turn.set()

    async def _dispatch(self, candidate: Candidate, now: float) -> Attempt:
        call = self.call
        if self.selection_s is None:
            self.selection_s = now - call.started
        begin = partial(
            attempt, call.method, call.params, call.client_id, candidate, now, call.deadline, False, call.clock,
            fair_s=call.fair_s,
        )  # fmt: skip
        trail = call.trail
        done = await (begin() if trail is None else followed(trail, call, candidate, now, begin, "broadcast"))
        if not done.dispatched:
            self.dispatches -= 1
            self.taken.discard(candidate.channel.instance_id)  # its other channel may reach it
        return done
