"""A small chain that grows and reorganises, for the pure machines: blocks by letter-free hashes, nothing computed."""

from __future__ import annotations

from itertools import count

import attrs

from lasso_trio.subscriptions.header import Header

_ids = count(1)


def header(number: int, parent: str, bloom: str = "") -> Header:
    hash_ = f"0x{next(_ids):064x}"
    raw = f'{{"number":"{number:#x}","hash":"{hash_}","parentHash":"{parent}"}}'
    return Header(number, hash_, parent, bloom, raw.encode())


@attrs.define(eq=False)
class Forks:
    """`chain` is the canonical one from block `first` on; `all` every block there ever was, by hash."""

    first: int = 1000
    chain: list[Header] = attrs.field(factory=list)
    all: dict[str, Header] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.grow(1)

    @property
    def tip(self) -> Header:
        return self.chain[-1]

    def grow(self, blocks: int) -> list[Header]:
        """Add blocks; they are returned."""
        for _ in range(blocks):
            parent = self.chain[-1].hash if self.chain else "0x" + "00" * 32
            block = header(self.first + len(self.chain), parent)
            self.chain.append(block)
            self.all[block.hash] = block
        return self.chain[-blocks:] if blocks else []

    def reorg(self, depth: int, longer_by: int = 0) -> list[Header]:
        """Replace the newest `depth` blocks (never the first); the new branch is returned."""
        depth = min(depth, len(self.chain) - 1)
        del self.chain[len(self.chain) - depth :]
        return self.grow(depth + longer_by)

    def back_to(self, tip: Header) -> list[Header]:
        """Make an old branch canonical again; its blocks above the fork are returned."""
        branch = [tip]
        while self.by_number(branch[-1].number) is not branch[-1]:
            branch.append(self.all[branch[-1].parent])
        fork = branch.pop()
        del self.chain[fork.number - self.first + 1 :]
        self.chain += reversed(branch)
        return branch[::-1]

    def by_number(self, number: int) -> Header | None:
        return self.chain[number - self.first] if self.first <= number <= self.tip.number else None
