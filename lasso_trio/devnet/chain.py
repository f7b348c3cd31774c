"""The simulated chain: how high it is at a given moment, and which branch is canonical.

Pure: no trio, no sockets; `now` is seconds of whatever clock drives it, so virtual time works. A `View` is what one
node sees at one moment (its branch and head); nodes that lag, froze or follow another chain just hold other views. Only
the forks are kept: blocks are computed (`blocks`).
"""

from __future__ import annotations

from bisect import bisect_right
from math import floor, inf
from typing import Final

import attrs
from Crypto.Hash import keccak

from lasso_trio.devnet import blocks
from lasso_trio.devnet.blocks import Block, Seed

SAFE_DEPTH: Final = 32
FINALIZED_DEPTH: Final = 64
_KEPT_FORKS: Final = 4096
_KEPT_TRANSACTIONS: Final = 4096


@attrs.frozen
class Branch:
    """Which salt holds from which block on. Starts rise strictly, so a block's salt is one bisection away."""

    starts: tuple[int, ...] = (0,)
    salts: tuple[str, ...] = ("genesis",)

    def salt_at(self, number: int) -> str:
        return self.salts[bisect_right(self.starts, number) - 1]

    def fork(self, start: int, salt: str) -> Branch:
        """This branch up to `start`, another from there on. Forks it buries are forgotten, and the very oldest too."""
        kept = bisect_right(self.starts, start - 1)
        starts, salts = (*self.starts[:kept], start), (*self.salts[:kept], salt)
        if len(starts) > _KEPT_FORKS:  # what came before the oldest fork that is kept changes hash: far below finality
            starts, salts = (0, *starts[2:]), salts[1:]
        return Branch(starts, salts)

    def parts_from(self, other: Branch) -> float:
        """The first block number at which the two branches differ; infinity when they never do."""
        mine, theirs = (
            list(zip(self.starts, self.salts, strict=True)),
            list(zip(other.starts, other.salts, strict=True)),
        )
        shared = next(
            (i for i, (a, b) in enumerate(zip(mine, theirs, strict=False)) if a != b), min(len(mine), len(theirs))
        )
        return min((fork[0] for fork in (*mine[shared : shared + 1], *theirs[shared : shared + 1])), default=inf)


@attrs.frozen
class View:
    """What a node sees: a chain id, a branch and a head. Blocks above the head do not exist for it."""

    chain_id: int
    branch: Branch
    head: int
    epoch: int
    block_time: float

    def block(self, number: int) -> Block | None:
        if not 0 <= number <= self.head:
            return None
        return blocks.build(
            Seed(
                self.chain_id,
                number,
                self.branch.salt_at(number),
                self.branch.salt_at(max(0, number - 1)),
                self.timestamp(number),
            )
        )

    def block_by_hash(self, hash_: str) -> Block | None:
        """None for hashes of other branches: a node forgets what it reorganised away."""
        block = self.block(blocks.place_of(hash_)[0])
        return block if block and block.hash == hash_ else None

    def timestamp(self, number: int) -> int:
        return self.epoch + floor(number * self.block_time)

    def parts_from(self, other: View) -> int:
        """The lowest block number that is not the same block in both views."""
        if self.chain_id != other.chain_id:
            return 0
        return int(min(self.branch.parts_from(other.branch), self.head + 1, other.head + 1))


@attrs.define
class Chain:
    """The canonical chain, growing with the clock.

    `block_time` is seconds per block, or None for a chain that grows by `advance` alone. `epoch` is the Unix time of
    block 0. At `start(now)` the head is `start_height`.
    """

    chain_id: int = 31337
    block_time: float | None = 2.0
    start_height: int = 1000
    epoch: int = 1_700_000_000
    branch: Branch = attrs.field(factory=Branch, init=False)
    reorgs: int = attrs.field(default=0, init=False)
    _started_at: float | None = attrs.field(default=None, init=False)
    _extra: int = attrs.field(default=0, init=False)
    _sent: dict[str, None] = attrs.field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        if self.block_time is not None and self.block_time <= 0:
            raise ValueError("block_time must be positive, or None")

    def start(self, now: float) -> None:
        """Let time run from `now`. Later calls change nothing."""
        if self._started_at is None:
            self._started_at = now

    def height(self, now: float) -> int:
        return self.start_height + self._extra + self._grown(now)

    def next_block_at(self, now: float) -> float:
        """When the next block comes; infinity when only `advance` makes one."""
        if self.block_time is None or self._started_at is None:
            return inf
        return self._started_at + (self._grown(now) + 1) * self.block_time

    def view(self, now: float, *, lag: int = 0, chain_id: int | None = None) -> View:
        head = max(0, self.height(now) - lag)
        return View(chain_id or self.chain_id, self.branch, head, self.epoch, self.block_time or 2.0)

    def advance(self, blocks_: int) -> None:
        """Add blocks at once. The chain's own time moves on with them: later timestamps lie ahead of the clock."""
        if blocks_ < 1:
            raise ValueError("a chain advances by one block or more")
        self._extra += blocks_

    def reorg(self, depth: int, now: float, *, longer_by: int = 0) -> None:
        """Replace the newest `depth` blocks by as many others, plus `longer_by` more."""
        height = self.height(now)
        if not 1 <= depth <= height:
            raise ValueError(f"depth must be between 1 and {height}, the blocks above genesis")
        self.reorgs += 1
        self.branch = self.branch.fork(height - depth + 1, f"reorg {self.reorgs}")
        self._extra += longer_by

    def accept_transaction(self, raw: str) -> str | None:
        """The hash of a raw transaction, the true one but for blobs. None: it is known already (of the newest few
        thousand)."""
        hash_ = "0x" + keccak.new(digest_bits=256, data=bytes.fromhex(raw[2:])).hexdigest()
        if hash_ in self._sent:
            return None
        self._sent[hash_] = None
        if len(self._sent) > _KEPT_TRANSACTIONS:
            del self._sent[next(iter(self._sent))]
        return hash_

    def is_pending(self, hash_: str) -> bool:
        """Was it accepted? It is never mined."""
        return hash_ in self._sent

    def _grown(self, now: float) -> int:
        if self.block_time is None or self._started_at is None:
            return 0
        # The nudge keeps a wake-up at exactly the next block's time from landing just below it.
        return max(0, floor((now - self._started_at) / self.block_time + 1e-9))
