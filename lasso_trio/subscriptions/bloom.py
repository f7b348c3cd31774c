"""Which blocks cannot hold a log of a filter, told by the bloom in their header: those need no check.

A bloom holds three of 2048 bits for each log's address and each of its topics (Ethereum's yellow paper, 4.3.1): without
one of an item's bits, the block holds no log with that item. Some chains do not fill their blooms, so a bloom is
believed only after one with any bit was seen, and never again once a log stood in a block whose bloom denies it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import attrs

from lasso_trio.routing.raw_transaction import keccak256
from lasso_trio.subscriptions.wanted import Choice, LogFilter

BITS: Final = 2048
MOST_CHOICES: Final = 64
"""Of longer lists nearly every bloom has one, and each costs half a millisecond to look up first."""


@lru_cache(maxsize=4096)
def bits_of(item: str) -> int:
    """The bits of an address or a topic (hex with 0x), as a mask over the 2048."""
    digest = keccak256(bytes.fromhex(item[2:]))
    mask = 0
    for at in (0, 2, 4):
        mask |= 1 << (int.from_bytes(digest[at : at + 2], "big") & (BITS - 1))
    return mask


@attrs.define(eq=False)
class BloomFilter:
    """What `wanted` needs to find in a bloom: of each group of alternatives, one."""

    wanted: LogFilter
    _groups: tuple[tuple[int, ...], ...] = attrs.field(init=False)
    _seen_filled: bool = False
    _lies: bool = False

    def __attrs_post_init__(self) -> None:
        choices: list[Choice] = [self.wanted.addresses, *self.wanted.topics]
        short = [choice for choice in choices if choice and len(choice) <= MOST_CHOICES]
        self._groups = tuple(tuple(map(bits_of, choice)) for choice in short)

    def excludes(self, bloom: str) -> bool:
        """Is it certain that no log of the filter is in the block of that bloom (hex with 0x; empty: none)?"""
        bits = _read(bloom)
        self._seen_filled = self._seen_filled or bits > 0
        return self._seen_filled and not self._lies and bits >= 0 and not self._may_match(bits)

    def distrust(self) -> None:
        """A log of the filter stood in a block whose bloom excludes it."""
        self._lies = True

    def _may_match(self, bits: int) -> bool:
        if not self._groups:
            return bits != 0  # every log leaves the bits of its address
        return all(any(bits & mask == mask for mask in group) for group in self._groups)


def _read(bloom: str) -> int:
    """-1 for what is no bloom."""
    if len(bloom) != 2 + BITS // 4:
        return -1
    try:
        return int(bloom, 16)
    except ValueError:
        return -1
