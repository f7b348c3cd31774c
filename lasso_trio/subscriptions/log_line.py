"""One filter's logs in block order, following the line of heads: what each canonical block holds, and nothing else.

    heads' step   Added ─► the block queues    Removed ─► its logs once more, removed    Gap ─► passed on in its place
    a feed's log      ─► out at once if its block is first in the queue, else kept until it is
    the block's check ─► (all its logs, by block hash) what no feed told goes out, the block is settled, the next comes

Which block is canonical is decided by the heads alone: a feed's own `removed: true` is ignored, and so are logs of
blocks that never become canonical. What a block holds is decided by its check: a feed can lose a log without a trace,
and no count of feeds proves that they have not lost the same one. So feeds make it early, and the check makes it
complete. A block that comes back after it was removed is told again from memory.

Within a block logs go out in the order of their index, unless a feed lost one that comes late. Folded, what goes out is
the logs of the canonical chain, except where a Gap says otherwise. Pure; nothing here knows the time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from lasso_trio.subscriptions.head_line import WINDOW, Added, Gap, Removed, Step
from lasso_trio.subscriptions.header import Header
from lasso_trio.subscriptions.log import Log

MOST_EARLY: Final = 20_000
"""Logs kept of blocks that are not in the line yet."""
MOST_SETTLED: Final = 50_000
"""Logs kept of blocks that are settled: as many as may be removed again."""

Out = bytes | Gap
"""What goes to clients: a log's JSON, or a gap."""


@attrs.define(eq=False)
class _Block:
    """A block that is canonical and not settled. `told`: its logs that went out, in order."""

    header: Header
    told: dict[int, Log] = attrs.field(factory=dict)


@attrs.define(eq=False)
class LogLine:
    """`window`: as many blocks may be removed again. `_settled`: logs by block hash, of removed blocks too."""

    window: int = WINDOW
    _queue: deque[_Block | Gap] = attrs.field(factory=deque)
    _settled: dict[str, tuple[Log, ...]] = attrs.field(factory=dict)
    _early: dict[str, dict[int, Log]] = attrs.field(factory=dict)
    _early_count: int = 0
    _settled_count: int = 0
    _begin: int | None = None
    """The first block that was followed."""
    _doubtful: dict[str, None] = attrs.field(factory=dict)
    """Settled blocks whose check could not be made: logs of theirs may lack."""

    def follow(self, steps: Iterable[Step]) -> list[Out]:
        """What the heads' line did."""
        out: list[Out] = []
        for step in steps:
            match step:
                case Added(header=header):
                    self._begin = header.number if self._begin is None else self._begin
                    self._queue.append(_Block(header))
                    out += self._advance()
                case Removed(header=header):
                    out += self._remove(header)
                case Gap():
                    self._queue.append(step)
                    out += self._advance()
        return out

    def hear(self, log: Log) -> list[Out]:
        """A feed told of `log`. Of a settled block it is nothing new, or `overlooked`."""
        if log.removed or log.block in self._settled:
            return []
        first = self._first
        if first is not None and first.header.hash == log.block:
            return self._tell(first, [log])
        self._keep_early(log)
        return []

    def settle(self, hash_: str, logs: Sequence[Log]) -> list[Out]:
        """All logs of the block `hash_`, as its check found them."""
        if hash_ in self._settled:
            return []
        ordered = sorted(logs, key=lambda log: log.index)
        first = self._first
        if first is None or first.header.hash != hash_:
            self._remember(hash_, ordered)
            return []
        out = self._tell(first, ordered)
        self._remember(hash_, list(first.told.values()))
        self._queue.popleft()
        return out + self._advance()

    def overlooked(self, log: Log) -> bool:
        """Did the check of its block not find it? Then it was not told, and the block's turn may be over."""
        settled = self._settled.get(log.block)
        return not log.removed and settled is not None and all(known.index != log.index for known in settled)

    def add(self, log: Log) -> None:
        """An overlooked log belongs to its block from now on. It is the caller's to tell."""
        self._store(log.block, (*self._settled[log.block], log))

    def is_last_told(self, number: int, tip: int) -> bool:
        """Would a log of block `number` still be in order? `tip`: the newest block that was followed."""
        first = self._first
        return number == tip if first is None else not first.told and number == first.header.number - 1

    def follows(self, number: int) -> bool:
        """Whether it is not from before the line began."""
        return self._begin is not None and number >= self._begin

    def give_up(self, hash_: str) -> list[Out]:
        """The block's check could not be made: what feeds told of it stays, with a gap over the block."""
        for place, block in enumerate(self._queue):
            if isinstance(block, _Block) and block.header.hash == hash_:
                number = block.header.number
                self._doubtful[hash_] = None
                self._queue.insert(place + 1, Gap(number, number, number, "logs_unchecked"))
                return self._skip_check(block)
        return []

    @property
    def waits_at(self) -> int | None:
        """The number of the first block that is not told to its end; None when all are."""
        return None if self._first is None else self._first.header.number

    @property
    def unsettled(self) -> list[Header]:
        """Canonical blocks whose check is still to be made, oldest first."""
        blocks = (block.header for block in self._queue if isinstance(block, _Block))
        return [header for header in blocks if header.hash not in self._settled]

    def is_unsettled(self, hash_: str) -> bool:
        """Is it canonical, and its check still to be made?"""
        return any(header.hash == hash_ for header in self.unsettled)

    def heard_of(self, hash_: str) -> set[int]:
        """Which logs of a block that is not settled were told by feeds, in its turn or before."""
        return {*self._early.get(hash_, ()), *(log.index for log in self.told_of(hash_) or ())}

    def logs_of(self, hash_: str) -> tuple[Log, ...] | None:
        """A settled block's logs, in the order they went out; None when they are not known for sure."""
        return None if hash_ in self._doubtful else self._settled.get(hash_)

    def told_of(self, hash_: str) -> list[Log] | None:
        """What went out of the block that is first in the queue; None if it is another one."""
        first = self._first
        return list(first.told.values()) if first is not None and first.header.hash == hash_ else None

    def adopt(self, hash_: str, logs: Sequence[Log]) -> None:
        """Logs of a block that only some were told of (a replay): if it is removed, they go out removed."""
        if hash_ not in self._settled or hash_ in self._doubtful:
            self._doubtful.pop(hash_, None)
            self._remember(hash_, sorted(logs, key=lambda log: log.index))

    # Moving on…

    @property
    def _first(self) -> _Block | None:
        first = self._queue[0] if self._queue else None
        return first if isinstance(first, _Block) else None

    def _advance(self) -> list[Out]:
        """Let out what waited for its place."""
        out: list[Out] = []
        while self._queue:
            first = self._queue[0]
            if isinstance(first, Gap):
                out.append(first)
            elif (logs := self._settled.get(first.header.hash)) is not None:
                out += self._tell(first, logs)
                self._store(first.header.hash, tuple(first.told.values()))
            else:
                return out + self._tell(first, self._take_early(first.header.hash))
            self._queue.popleft()
        return out

    def _tell(self, block: _Block, logs: Iterable[Log]) -> list[Out]:
        out: list[Out] = []
        for log in logs:
            if log.index not in block.told:
                block.told[log.index] = log
                out.append(log.raw)
        return out

    def _skip_check(self, block: _Block) -> list[Out]:
        self._remember(block.header.hash, sorted(self._take_early(block.header.hash), key=lambda log: log.index))
        return self._advance()

    def _remove(self, header: Header) -> list[Out]:
        """The newest block goes: unsaid if it was waiting, else its logs go out removed, newest first."""
        while self._queue and isinstance(self._queue[-1], Gap):  # of a block that is no more
            self._queue.pop()
        last = self._queue[-1] if self._queue else None
        if isinstance(last, _Block) and last.header.hash == header.hash:
            self._queue.pop()
            for log in last.told.values():
                self._keep_early(log)
            return [log.as_removed() for log in reversed(last.told.values())]
        logs = self._settled.get(header.hash)
        if logs is None:  # from before the beginning, or forgotten: so many logs, so deep
            forgotten = self.follows(header.number)
            return [Gap(header.number, header.number, header.number, "logs_forgotten")] if forgotten else []
        if header.hash in self._doubtful:
            self._unsettle(header.hash)
        return [log.as_removed() for log in reversed(logs)]

    # Remembering…

    def _remember(self, hash_: str, logs: Sequence[Log]) -> None:
        self._take_early(hash_)
        self._store(hash_, tuple(logs))
        while len(self._settled) > 2 * self.window or (self._settled_count > MOST_SETTLED and len(self._settled) > 1):
            oldest = next(iter(self._settled))
            self._settled_count -= len(self._settled.pop(oldest))
            self._doubtful.pop(oldest, None)

    def _store(self, hash_: str, logs: tuple[Log, ...]) -> None:
        self._settled_count += len(logs) - len(self._settled.get(hash_, ()))
        self._settled[hash_] = logs

    def _unsettle(self, hash_: str) -> None:
        """If the block comes back, it is to be checked again."""
        self._doubtful.pop(hash_)
        logs = self._settled.pop(hash_)
        self._settled_count -= len(logs)
        for log in logs:
            self._keep_early(log)

    def _keep_early(self, log: Log) -> None:
        kept = self._early.setdefault(log.block, {})
        self._early_count += log.index not in kept
        kept.setdefault(log.index, log)
        while self._early_count > MOST_EARLY:
            self._take_early(next(iter(self._early)))

    def _take_early(self, hash_: str) -> list[Log]:
        kept = self._early.pop(hash_, {})
        self._early_count -= len(kept)
        return list(kept.values())
