"""Which blocks the chain's newest ones are, by hash, as far as headers told: what a reorganisation is seen by.

A window of the newest headers, without a hole: each is the parent of the next.

    header ─┬─ on top of the newest ───────────────► the window grows, its oldest goes
            ├─ known already ──────────────────────► nothing
            ├─ another child of a known block ─────► what stood there is orphaned; nothing is told until the new branch
            │                                        is higher than the old one was, for some may still follow the old
            ├─ a hole, a fork deeper than known ───► nothing that was known can be relied on; the window begins anew
            └─ far below the newest ───────────────► nothing: its teller is behind

Who tells nonsense can empty the window or have it disputed, and no more: its readers then know less, and nothing wrong.
Pure: the clock (seconds) is passed in.
"""

from __future__ import annotations

from math import inf
from typing import Final

import attrs

WINDOW: Final = 256
"""Headers that are known at most: more than any chain takes to finality, in blocks that can be reorganised."""
SILENCE_S: Final = 30.0
SILENT_BLOCKS: Final = 3
MOST_ORPHANS: Final = 4 * WINDOW


@attrs.frozen
class Header:
    """A block: its number, its hash and its parent's, both as hex text in lower case."""

    number: int
    hash: str
    parent: str


@attrs.define(eq=False)
class Branch:
    """`tip`: the newest header. `reorgs`: how often a known block was replaced or could no longer be relied on."""

    tip: Header | None = None
    reorgs: int = 0
    _heard_at: float = -inf
    _hashes: dict[int, str] = attrs.field(factory=dict)
    _disputed: int = -1
    """No block is told while the tip is not above this."""
    _orphans: list[str] = attrs.field(factory=list)

    def hear(self, header: Header, now: float) -> None:
        """`header` was told by somebody at the time `now`, by whatever way."""
        tip = self.tip
        if tip is not None and header.number <= tip.number - WINDOW and now - self._heard_at <= SILENCE_S:
            return  # from somebody who is far behind, while others are not
        if tip is None or header.number >= tip.number or self._hashes.get(header.number) != header.hash:
            self._heard_at = now
        if self._hashes.get(header.number) == header.hash:
            return
        if tip is not None:
            self._make_way(header, tip)
        self._hashes[header.number] = header.hash
        self._hashes.pop(header.number - WINDOW, None)
        self.tip = header

    def lose(self) -> None:
        """Nobody tells headers any more: what happens from now on is not seen."""
        self._orphan(list(self._hashes))
        if self.tip is not None:  # who comes back first may be one who follows an old branch
            self._disputed = max(self._disputed, self.tip.number)
        self.tip, self._heard_at = None, -inf

    def hash_of(self, number: int) -> str | None:
        """The hash of block `number`; None where it is not known for certain."""
        return self._hashes.get(number) if self.settled else None

    def followed(self, now: float, block_s: float) -> bool:
        """Are headers coming in? `block_s`: seconds that a block takes."""
        return self.tip is not None and now - self._heard_at <= max(SILENCE_S, SILENT_BLOCKS * block_s)

    @property
    def settled(self) -> bool:
        """Is it certain which branch the chain follows? A dispute far above the tip was about nonsense."""
        return self.tip is not None and not 0 <= self._disputed - self.tip.number < WINDOW

    def take_orphans(self) -> list[str]:
        """The hashes of those that no longer stand, each told once."""
        taken, self._orphans = self._orphans, []
        return taken

    def _make_way(self, header: Header, tip: Header) -> None:
        """Let go of what `header`, which is new, contradicts."""
        stays = self._hashes.get(header.number - 1) == header.parent
        if stays and header.number == tip.number + 1:
            return
        self.reorgs += 1
        if header.number <= tip.number + 1:
            self._disputed = max(self._disputed, tip.number)
        self._orphan([number for number in self._hashes if number >= header.number or not stays])

    def _orphan(self, numbers: list[int]) -> None:
        self._orphans += [self._hashes.pop(number) for number in numbers]
        del self._orphans[:-MOST_ORPHANS]
