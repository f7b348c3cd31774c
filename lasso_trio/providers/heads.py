"""Where a chain's head is, as far as its providers can be believed: consensus, lag, and a tip that never goes back.

`ChainHeads` belongs to one profile's chain and reads the heads of its instances. What is believed:

* a height of zero, a syncing node and a height older than its time do not vote; nor does a head whose block is too old
  or from the future, unless that is true of all;
* the tip rises by agreement, or at the pace of the chain when there is none; it falls only when nobody has stood by it
  for a minute. A tip that a single one of several claims is not kept at all;
* a polled height gets credit for the blocks since then: at most one poll's worth, never above a height that was seen.

Pure: clocks are passed in, in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, inf
from typing import Final

import attrs

from lasso_trio.providers.block_time import BlockTime
from lasso_trio.providers.consensus import Vote, agreed, ranked
from lasso_trio.providers.head import Head

TOLERANCE: Final = 3
"""Blocks apart that still agree, where no lag is configured. Fast chains: what is made in `SKEW_S`."""
SKEW_S: Final = 5.0
OLDEST_S: Final = 60.0
OLDEST_BLOCKS: Final = 4
FUTURE_S: Final = 15.0
DECAY_S: Final = 60.0
DAY_S: Final = 86_400.0
VIEW_S: Final = 0.2


@attrs.frozen
class ChainView:
    """The chain at the time `at`. `consensus` None: nothing is agreed, so nobody lags."""

    at: float
    consensus: int | None = None
    highest: int = 0
    lowest: float = inf
    """Of those that told anything lately; infinity when none did."""
    safe: int | None = None
    finalized: int | None = None


@attrs.define(eq=False)
class ChainHeads:
    """`heads` by instance id. `tolerance`: the lag that the chain forgives; None where none is configured.

    `tip` never goes back while anybody stands by it. `rollbacks`: how often it had to. `kept_all`: plans that would
    have been empty because everybody lagged.
    """

    heads: Mapping[str, Head]
    block_time: BlockTime = attrs.field(factory=BlockTime)
    tolerance: int | None = None
    tip: int | None = None
    rollbacks: int = 0
    kept_all: int = 0
    safe: int | None = None
    finalized: int | None = None
    _tip_at: float = -inf
    _held_at: float = -inf
    _view: ChainView = ChainView(-inf)
    _fed: dict[str, tuple[int, float]] = attrs.field(factory=dict)

    def view(self, now: float) -> ChainView:
        """Reckoned at most every 0.2 s: plans ask far more often than heads move."""
        if not 0 <= now - self._view.at < VIEW_S:
            self._view = self._reckon(now)
        return self._view

    def lag(self, instance_id: str, now: float) -> int | None:
        """Blocks ahead (or, below zero, behind) of the consensus, with credit; None when it is not known."""
        head, view = self.heads[instance_id], self.view(now)
        if view.consensus is None or not head.fresh(now):
            return None
        return self.optimistic(head, now, view.highest) - view.consensus

    def raw_lag(self, instance_id: str, now: float) -> int | None:
        """As `lag`, from what was told."""
        head, consensus = self.heads[instance_id], self.view(now).consensus
        return None if consensus is None or head.height is None else head.height - consensus

    def has_block(self, head: Head, number: int, now: float) -> bool:
        """Is block `number` likely to be there by now? True where nothing is known."""
        return not head.fresh(now) or self.optimistic(head, now, self.view(now).highest) >= number

    def optimistic(self, head: Head, now: float, highest: int) -> int:
        """Where a polled head will be by now: never above what somebody was seen at. It must have a height."""
        height = head.height or 0
        credit = int(min(max(0.0, now - head.at), head.poll_s) / self.block_time.seconds)
        return max(height, min(height + credit, highest))

    def take_over(self, old: ChainHeads, *, pace: bool) -> None:
        """Go on where `old`, of the same chain, stands: the tip does not go back. `pace`: its block time too."""
        self.tip, self._tip_at, self._held_at = old.tip, old._tip_at, old._held_at
        self.safe, self.finalized = old.safe, old.finalized
        self.rollbacks, self.kept_all = old.rollbacks, old.kept_all
        if pace:
            self.block_time = old.block_time

    # Reckoning…

    def _reckon(self, now: float) -> ChainView:
        self._learn_pace()
        voters = self._voters(now)
        highest = max((head.height or 0 for head in voters), default=0)
        votes = [Vote(head.height or 0, self.optimistic(head, now, highest)) for head in voters]
        consensus = self._consensus(votes, now)
        if consensus is not None:
            self._settle_finality([h for h in voters if abs((h.height or 0) - consensus) <= self._tolerance])
        lowest = min((head.height or 0 for head in self.heads.values() if head.fresh(now)), default=inf)
        return ChainView(now, consensus, max(highest, self.tip or 0), lowest, self.safe, self.finalized)

    def _learn_pace(self) -> None:
        """Only heights that moved: looking twice at the same one would make the next block seem quick."""
        for source, head in self.heads.items():
            told = (head.height or 0, head.at)
            before = self._fed.get(source)
            if head.height and (before is None or before[0] != told[0]):
                self._fed[source] = told
                self.block_time.observe(source, *told)

    def _voters(self, now: float) -> list[Head]:
        able = [h for h in self.heads.values() if h.fresh(now) and h.height and not h.syncing and h.check.may_serve]
        return [head for head in able if self._plausible_age(head.oldest_s(now))] or able

    def _plausible_age(self, age_s: float | None) -> bool:
        oldest = max(OLDEST_S, OLDEST_BLOCKS * self.block_time.seconds)
        return age_s is None or -FUTURE_S <= age_s <= oldest

    @property
    def _tolerance(self) -> int:
        if self.tolerance is not None:
            return self.tolerance
        return max(TOLERANCE, ceil(SKEW_S / self.block_time.seconds))

    def _consensus(self, votes: list[Vote], now: float) -> int | None:
        if not votes:
            return None
        height = agreed(votes, self._tolerance)
        if height is not None and (len(votes) > 1 or len(self.heads) == 1):
            return self._at_least_tip(height, votes, now)
        if self.tip is not None:
            height = next((h for h in ranked(votes) if h <= self._reachable(now)), self.tip)
            return self._at_least_tip(height, votes, now)
        return height if height is not None else _first_guess(votes, DAY_S / self.block_time.seconds)

    def _reachable(self, now: float) -> float:
        """How high the chain can be by now, if the tip was right: twice its pace."""
        return (self.tip or 0) + self._tolerance + 2 * (now - self._tip_at) / self.block_time.seconds

    def _at_least_tip(self, height: int, votes: list[Vote], now: float) -> int:
        tip = self.tip
        if tip is None or height >= tip:
            if tip != height:
                self._tip_at = now
            self.tip, self._held_at = height, now
            return height
        if any(vote.aligned - tip + self._tolerance >= 0 for vote in votes if vote.aligned <= self._reachable(now)):
            self._held_at = now
        elif now - self._held_at > DECAY_S:
            self._roll_back(height, now)
            return height
        return tip

    def _roll_back(self, height: int, now: float) -> None:
        self.rollbacks += 1
        self.tip, self._tip_at, self._held_at = height, now, now
        self.safe = self.finalized = None
        for source in self.heads:
            self.block_time.forget(source)

    def _settle_finality(self, agreeing: list[Head]) -> None:
        """What all that agree have: the least. It never goes back."""
        safe = min((h.safe for h in agreeing if h.safe), default=None)
        finalized = min((h.finalized for h in agreeing if h.finalized), default=None)
        self.safe = max(filter(None, (self.safe, safe)), default=None)
        self.finalized = max(filter(None, (self.finalized, finalized)), default=None)


def _first_guess(votes: list[Vote], day: float) -> int | None:
    """No agreement and no tip yet. Of two, the higher, unless it is more than a day ahead; of more, nobody knows."""
    if len(votes) != 2:
        return None
    low, high = sorted(vote.height for vote in votes)
    return high if high - low <= day else None
