"""What one instance last told of its chain: which, how high, how old. Written by its prober, read by everybody.

A head that makes a habit of jumping back (a node behind a load balancer) counts as the lower one for two more looks
after each jump; after a single jump it is back as soon as it says so. What it had told of `safe` and `finalized` may be
another chain's, and is forgotten until it says so again. Pure: the clock (seconds) is passed in.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from math import inf
from typing import Final, Protocol
from weakref import WeakSet

import attrs

from lasso_trio.providers.branch import Header

FRESH_S: Final = 30.0
FRESH_POLLS: Final = 2.5
"""A height counts for so many of its polls, but for `FRESH_S` at least."""
JUMP: Final = 3
"""Going back by more is no reorganisation but another node."""
AGAIN_LOOKS: Final = 5
"""A second jump within so many looks is a habit."""
WARY_LOOKS: Final = 2


class ChainCheck(StrEnum):
    """Whether an instance serves the chain it is configured for."""

    TRUSTED = "trusted"
    """Nobody looks: probes are off."""
    PENDING = "pending"
    RIGHT = "right"
    WRONG = "wrong"
    MUTE = "mute"
    """It answers, but does not have `eth_chainId`."""

    @property
    def may_serve(self) -> bool:
        return self is not ChainCheck.PENDING and self is not ChainCheck.WRONG


class Listener(Protocol):
    """Who must know what is told by hash: a `branch.Branch`, or who passes it on."""

    def hear(self, header: Header, now: float) -> None: ...

    def lose(self) -> None: ...


@attrs.frozen
class HeadNews:
    """A whole head, for those whose process does not look for itself. The fields are `Head`'s."""

    check: ChainCheck
    told_chain: int | None
    height: int | None
    at: float
    poll_s: float
    age_s: float | None
    aged: tuple[int, float]
    safe: int | None
    finalized: int | None
    syncing: bool
    jumps_back: int


@attrs.define(eq=False)
class Head:
    """What one instance told last. `height` None: nothing yet. `age_s`: how old its newest block was when last looked.

    `told_chain` is the id of a wrong chain. `safe` and `finalized` are None where the node does not tell.
    """

    check: ChainCheck = ChainCheck.TRUSTED
    told_chain: int | None = None
    height: int | None = None
    at: float = -inf
    poll_s: float = 12.0
    age_s: float | None = None
    safe: int | None = None
    finalized: int | None = None
    syncing: bool = False
    jumps_back: int = 0
    branches: WeakSet[Listener] = attrs.field(factory=WeakSet)
    """Of those who must know what this instance tells by hash; mostly nobody."""
    on_news: Callable[[], None] | None = None
    """Who passes on to other processes what was told; it must not raise or block."""
    _aged: tuple[int, float] = (0, 0.0)
    """The height and the time of the last look at that age."""
    _told: int | None = None
    _low: int = 0
    _since_jump: int = AGAIN_LOOKS
    _wary: int = 0

    def tell(self, height: int, now: float, poll_s: float, age_s: float | None = None) -> None:
        """`height` was told at `now`; the next look is `poll_s` away. `age_s`: of that block, where it is known."""
        if age_s is not None:
            self.age_s, self._aged = age_s, (height, now)
        before, self._told = self._told, height
        self._since_jump += 1
        if before is not None and height < before - JUMP:
            self.jumps_back += 1
            habit = height > 0 and self._since_jump <= AGAIN_LOOKS
            self._low, self._wary, self._since_jump = height, WARY_LOOKS if habit else 0, 0
            self.safe = self.finalized = None
        elif self._wary:
            self._wary -= 1
            height = min(height, self._low)
        self.height, self.at, self.poll_s = height, now, poll_s
        self.touched()

    def touched(self) -> None:
        """Something of it was written from outside: let it be passed on."""
        if self.on_news is not None:
            self.on_news()

    def news(self) -> HeadNews:
        """For `adopt` in another process."""
        return HeadNews(
            self.check,
            self.told_chain,
            self.height,
            self.at,
            self.poll_s,
            self.age_s,
            self._aged,
            self.safe,
            self.finalized,
            self.syncing,
            self.jumps_back,
        )

    def adopt(self, told: HeadNews) -> bool:
        """Be what another process' head of the instance is. True if the chain's check changed: plans depend on it."""
        before, self.check, self.told_chain = self.check, told.check, told.told_chain
        self.height = self._told = told.height
        self.at, self.poll_s = told.at, told.poll_s
        self.age_s, self._aged = told.age_s, told.aged
        self.safe, self.finalized, self.syncing = told.safe, told.finalized, told.syncing
        self.jumps_back = told.jumps_back
        return self.check is not before

    def hear(self, header: Header, now: float) -> None:
        """It told a whole header."""
        for branch in self.branches:
            branch.hear(header, now)

    def lose(self) -> None:
        """It tells no headers any more."""
        for branch in self.branches:
            branch.lose()

    def oldest_s(self, now: float) -> float | None:
        """How old the newest block is by now, if it is still the same; else how old it was when last looked at."""
        height, at = self._aged
        return self.age_s if self.age_s is None or self.height != height else self.age_s + now - at

    def fresh(self, now: float) -> bool:
        return self.height is not None and now - self.at <= max(FRESH_S, FRESH_POLLS * self.poll_s)
