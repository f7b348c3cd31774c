"""What one upstream turned out not to do: its log limits, and how far back it goes.

Methods that it lacks are `method_bans`' business.

Profiles state such limits rarely and wrongly after a while, error texts state them for nothing. Each limit ages: after
a while it counts for twice as much, then four times, until it is forgotten, so that a provider whose plan was upgraded
is found out by one refusal per step and not by a restart. What is known by a number ages slowly, what was
inferred from a bare refusal fast. Where several processes learn of an instance, each `adopt`s what the others did, the
latest word holds. Pure: the clock is passed in. One per instance, shared by all profiles that name it.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Final

import attrs

TOLD_FOR_S: Final = 3600.0
INFERRED_FOR_S: Final = 300.0
SAME_S: Final = 60.0
"""The same limit again within this time is no news."""
DOUBLINGS: Final = 6
"""A limit that was not confirmed for this many periods is forgotten."""


class Kind(StrEnum):
    """What a number means. All but the last three are upper bounds of one `eth_getLogs`."""

    BLOCKS = "blocks"
    RESULTS = "results"
    BYTES = "bytes"
    ADDRESSES = "addresses"
    TOPICS = "topics"
    """How many there may be to choose from at one place."""
    EARLIEST = "earliest"
    """The oldest block that is still there."""
    STATE = "state"
    """The oldest block whose state is still there: who prunes state keeps blocks and logs."""
    SUGGESTED = "suggested"
    """How many blocks would have worked for this very query: nothing to remember, the next one is another."""


DEPTHS: Final = frozenset({Kind.EARLIEST, Kind.STATE})
SIZES: Final = frozenset({Kind.BLOCKS, Kind.RESULTS, Kind.BYTES, Kind.ADDRESSES, Kind.TOPICS, Kind.SUGGESTED})
DENSITY: Final = frozenset({Kind.RESULTS, Kind.BYTES})
"""The answer was too big: fewer blocks help this query, and teach nothing about the next one."""


@attrs.frozen
class Learned:
    """One thing that an error told. `value` None: it names the kind of the limit and not the number."""

    kind: Kind
    value: int | None = None


@attrs.frozen
class Limit:
    """`value` was learned `at`, and ages by `period_s`."""

    value: int
    at: float
    period_s: float


@attrs.define(eq=False)
class LearnedLimits:
    """`limit` asks; `told`, `inferred` and `served` teach, and `refused` does what a refusal calls for.

    `on_change` hears of what was learned here, unless the same was learned a moment ago.
    """

    on_change: Callable[[Kind], None] | None = None
    _limits: dict[Kind, Limit] = attrs.field(factory=dict)

    def limit(self, kind: Kind, now: float) -> int | None:
        """What is believed at `now`; None: no limit is known."""
        known = self._limits.get(kind)
        if known is None:
            return None
        steps = int((now - known.at) / known.period_s)
        if steps >= DOUBLINGS:
            del self._limits[kind]
            return None
        return known.value if kind in DEPTHS else known.value << max(0, steps)

    def reaches(self, block: int, now: float, *, state: bool = False) -> bool:
        """Does it keep `block` (`state`: and its state), as far as it told? For every call that names a block: nothing
        known costs a look-up.
        """
        return self._keeps(Kind.EARLIEST, block, now) and (not state or self._keeps(Kind.STATE, block, now))

    def _keeps(self, kind: Kind, block: int, now: float) -> bool:
        if kind not in self._limits:
            return True
        oldest = self.limit(kind, now)
        return oldest is None or oldest <= block

    def told(self, kind: Kind, value: int, now: float) -> None:
        """The upstream named its limit. What it says now replaces what it said before."""
        if kind is not Kind.SUGGESTED:
            self._put(kind, Limit(max(1, value), now, TOLD_FOR_S))

    def inferred(self, kind: Kind, refused: int, now: float) -> None:
        """It refused `refused` (blocks, addresses) without saying what it takes: believe in half of that."""
        known = self.limit(kind, now)
        if known is None or known >= refused:
            self._put(kind, Limit(max(1, refused // 2), now, INFERRED_FOR_S))

    def lacked_state(self, block: int, now: float) -> None:
        """It has no state of `block` any more, and did not say since when: believed for `INFERRED_FOR_S`."""
        if self.reaches(block, now, state=True):
            self._put(Kind.STATE, Limit(block + 1, now, INFERRED_FOR_S / DOUBLINGS))

    def served(self, kind: Kind, value: int, now: float) -> None:
        """It took `value`: an upper bound below that was wrong."""
        known = self.limit(kind, now)
        if known is not None and known < value:
            self._put(kind, Limit(value, now, self._limits[kind].period_s))

    def refused(self, learned: tuple[Learned, ...], blocks: int, addresses: int, now: float) -> None:
        """An `eth_getLogs` over so many blocks and addresses was too large, and this is what the refusal told.

        A number that would have allowed the query is no limit; then, as without a number, half of what was asked for.
        One block or address is no number that was too many, whatever the text is about.
        """
        asked = {Kind.BLOCKS: blocks, Kind.ADDRESSES: addresses}
        for one in learned:
            tried = asked.get(one.kind)
            if one.value is not None and (tried is None or one.value < tried):
                self.told(one.kind, one.value, now)
            elif tried is not None and tried > 1:
                self.inferred(one.kind, tried, now)

    def news(self) -> dict[Kind, Limit]:
        """All that was learned, for `adopt` in another process."""
        return dict(self._limits)

    def adopt(self, kind: Kind, told: Limit) -> bool:
        """Another process learned `told`: the later word holds. True if that is news."""
        mine = self._limits.get(kind)
        if mine is not None and told.at <= mine.at:
            return False
        self._limits[kind] = told
        return True

    def _put(self, kind: Kind, limit: Limit) -> None:
        before, self._limits[kind] = self._limits.get(kind), limit
        same = before is not None and before.value == limit.value and limit.at - before.at < SAME_S
        if self.on_change is not None and not same:
            self.on_change(kind)

    def known(self, now: float) -> dict[str, int]:
        """Everything that is believed at `now`, for people: kind → number."""
        return {kind.value: value for kind in list(self._limits) if (value := self.limit(kind, now)) is not None}
