"""Which attempts a call made, when, why and how each ended: written down only for calls that are traced.

A call without a trail pays for one comparison per attempt. A step holds facts and no answers, and a trail that has
ended holds steps and nothing else, so that it may wait to be exported without keeping calls or results alive. What is
still sent for a call after its end (copies of a transaction, a flight that others wait for) is not written down. Times
are trio's clock.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, Literal, Protocol

import attrs

from lasso_trio.routing.attempt import Attempt
from lasso_trio.routing.candidate import Candidate

if TYPE_CHECKING:
    from lasso_trio.routing.call import Call

MOST_STEPS: Final = 128
"""Of one call: more than anybody looks at."""

Role = Literal["first", "failover", "hedge", "broadcast"]
Mark = Callable[[], tuple[int, bytes]]
"""A number for an attempt, and the header lines that tell it to the provider."""


class Begin(Protocol):
    """The attempt itself, with header lines of its own."""

    def __call__(self, *, lines: bytes = b"") -> Awaitable[Attempt]: ...


@attrs.define(eq=False)
class Step:
    """One attempt. `part`: the number of the call's part that it served, where a call is cut into parts.

    `ended` is None as long as it is under way. `cancelled`: nobody waited for its end, so its length is a lower bound.
    `category` is None when it answered with a result.
    """

    provider: str
    instance: str
    transport: str
    role: Role
    reason: str
    part: int
    started: float
    ended: float | None = None
    cancelled: bool = False
    dispatched: bool = True
    category: str | None = None
    code: int | None = None
    mark: int = 0
    """The number that the provider was told; 0: none."""

    def told(self, done: Attempt, now: float) -> None:
        self.ended, self.dispatched = now, done.dispatched
        if done.verdict is not None:
            self.category = str(done.verdict.category)
        if done.reply is not None and done.reply.error is not None:
            self.code = done.reply.error.code
            self.category = self.category or "unknown_error"

    def lost(self, now: float) -> None:
        self.ended, self.cancelled = now, True


@attrs.define(eq=False)
class Part:
    """One of the parts that a call was cut into, or the call itself. `asked`: somebody was asked for it already."""

    number: int
    call: Call
    asked: bool = False


@attrs.define(eq=False)
class Trail:
    """`steps` in the order in which they were sent. `marks`: how providers are told of theirs; None: they are not."""

    steps: list[Step] = attrs.field(factory=list)
    marks: Mark | None = None
    ended: bool = False
    unwritten: int = 0
    """Attempts that there was no room for: a query that is cut may have thousands."""
    _parts: dict[int, Part] = attrs.field(factory=dict)
    """By the identity of their calls."""
    _under_way: dict[int, tuple[Step, Candidate]] = attrs.field(factory=dict)

    def begin(self, call: Call, candidate: Candidate, now: float, role: Role | None = None) -> Step:
        part = self._parts.setdefault(id(call), Part(len(self._parts), call))
        role = role or self._role(part)
        part.asked = True
        reason = call.plan.reason if role == "first" else role
        channel = candidate.channel
        step = Step(candidate.provider.id, channel.instance_id, str(channel.transport), role, reason, part.number, now)
        if len(self.steps) < MOST_STEPS:
            self.steps.append(step)
        else:
            self.unwritten += 1
        self._under_way[id(step)] = (step, candidate)
        return step

    def heard(self, done: Attempt, now: float) -> None:
        """An attempt that came back `waiting` is finished."""
        step = self._taken(done.candidate)
        if step is not None:
            step.told(done, now)

    def lost(self, candidate: Candidate, now: float) -> None:
        """Nobody waits for `candidate` any more."""
        step = self._taken(candidate)
        if step is not None:
            step.lost(now)

    def end(self, now: float) -> None:
        """The call is answered. What is still under way belongs to nobody that waits for it."""
        self.ended, self.marks = True, None
        for step, _ in self._under_way.values():
            step.lost(now)
        self._under_way.clear()
        self._parts.clear()

    def over(self, step: Step) -> None:
        self._under_way.pop(id(step), None)

    def _role(self, part: Part) -> Role:
        if any(step.part == part.number for step, _ in self._under_way.values()):
            return "hedge"
        return "failover" if part.asked else "first"

    def _taken(self, candidate: Candidate) -> Step | None:
        found = next((step for step, asked in self._under_way.values() if asked is candidate), None)
        if found is not None:
            self.over(found)
        return found


async def followed(
    trail: Trail, call: Call, candidate: Candidate, now: float, begin: Begin, role: Role | None = None
) -> Attempt:
    """The attempt, written down in `trail`. One that comes back `waiting` is `heard` or `lost` later."""
    if trail.ended:
        return await begin()
    step, lines = trail.begin(call, candidate, now, role), b""
    if trail.marks is not None:
        step.mark, lines = trail.marks()
    try:
        done = await begin(lines=lines)
    except BaseException:  # cancelled: how long it took so far is known
        trail.over(step)
        step.lost(call.clock())
        raise
    if done.waiting is None and step.ended is None:
        trail.over(step)
        step.told(done, call.clock())
    return done
