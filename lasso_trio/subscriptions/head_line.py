"""One chain's heads in one line, out of what several sources tell: continuous by number and `parentHash`, or said so.

    tell ─► already ours ───────────────────────────────► nothing
          ├ told by that source before, or only behind ─► remembered: it may be somebody's ancestor
          ├ higher, or its source left our branch ──┬ connected ─► Removed… (newest first), Added… (oldest first)
          │                                         └ not ───────► pending: `missing` says which ancestor to get
    supply (an ancestor that was got) ─► may connect what is pending
    give_up ─► what waited too long: dropped if the line went on without it, else a Gap and then its branch

What is certain: every Added block is the child of the canonical block before it, unless a Gap stands between them;
folded (Removed takes the newest away), the steps are the canonical chain. The rules of choice:

* The higher branch wins; of equal ones the first.
* A source that told a block of ours and now tells another one in its place has left our branch: so do we, at once, even
  for a lower head. A source that tells what others told before it, and that has been replaced, is late and not news;
  `history` is what tells the two apart.
* A head that nobody can connect is a claim. While the line goes on without it, it is no hole; and one that a single
  source made is then dropped soon: `refuted` says whose it was.

Bounded: a window of canonical blocks, a store of known headers, a few pending. Pure; the clock (seconds) is passed in.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from math import inf
from typing import Final

import attrs

from lasso_trio.subscriptions.header import Header

WINDOW: Final = 256
"""Canonical blocks kept at least: how deep a reorganisation may go and still be told block by block."""
KNOWN: Final = 4
"""Headers kept, in windows."""
PENDING: Final = 8
SOURCES: Final = 64
CLAIM_S: Final = 2.0
"""So long a head that one source alone told may lack its ancestors, once the line went on without it."""


@attrs.frozen(eq=False)
class Added:
    header: Header


@attrs.frozen(eq=False)
class Removed:
    header: Header


@attrs.frozen
class Gap:
    """Blocks `first` to `last` could not be had. `unproven_from`: from there on, what was told before the gap may have
    been reorganised away meanwhile."""

    first: int
    last: int
    unproven_from: int
    reason: str


Step = Added | Removed | Gap


@attrs.frozen
class Missing:
    """The ancestor `hash` at `number` that a pending head lacks. `lowest`: what lies below will not be asked for."""

    hash: str
    number: int
    lowest: int


@attrs.define(eq=False)
class _Pending:
    header: Header
    since: float
    moves: int
    """How often the line had moved when it came."""
    voices: set[str]

    def patience_s(self, moves: int, usual: float) -> float:
        """`moves`: how often the line has moved by now."""
        return min(CLAIM_S, usual) if moves != self.moves and len(self.voices) == 1 else usual


@attrs.define(eq=False)
class HeadLine:
    """`max_backfill`: the most blocks that are filled in below a head."""

    max_backfill: int = 100
    window: int = attrs.field()
    moves: int = 0
    _chain: dict[int, Header] = attrs.field(factory=dict)
    _low: int = 0
    _begin: int = 0
    """Where the line began: nothing below was told."""
    tip: Header | None = None
    refuted: list[str] = attrs.field(factory=list)
    """Who told of heads that nobody else seems to have and that came to nothing; whoever judges them empties it."""
    _known: dict[str, Header] = attrs.field(factory=dict)
    _pending: dict[str, _Pending] = attrs.field(factory=dict)
    _history: dict[int, list[str]] = attrs.field(factory=dict)
    _seen: dict[str, dict[int, int]] = attrs.field(factory=dict)
    """Source → height → which entry of that height's history it told last."""

    @window.default
    def _wide_enough(self) -> int:
        return max(WINDOW, 2 * self.max_backfill)

    @property
    def low(self) -> int:
        """The lowest canonical block that is kept."""
        return self._low

    def at(self, number: int) -> Header | None:
        return self._chain.get(number)

    def holds(self, header: Header) -> bool:
        """Is it canonical?"""
        ours = self._chain.get(header.number)
        return ours is not None and ours.hash == header.hash

    def find(self, hash_: str) -> Header | None:
        """The canonical block of that hash, if it is one that was told."""
        header = self._known.get(hash_)
        return header if header is not None and self.holds(header) else None

    @property
    def is_waiting(self) -> bool:
        return bool(self._pending)

    def tell(self, header: Header, source: str, now: float) -> list[Step]:
        """`source` told of `header`, in its own order."""
        tip = self.tip
        if tip is None:
            steps: list[Step] = self._extend([header])
            self._note(header, source)
            return steps
        if header.number <= tip.number - self.window:
            return []
        self._remember(header)
        if self.holds(header) or self._is_echo(header, source):
            self._note(header, source)
        elif header.number > tip.number or self._left(header, source):
            self._wait_for(header, source, now)
        return self._connect() if self._pending else []

    def supply(self, headers: Iterable[Header]) -> list[Step]:
        """Ancestors that were asked for."""
        for header in headers:
            self._remember(header)
        return self._connect()

    def missing(self) -> list[Missing]:
        """What the pending heads lack, lowest head first."""
        found = [self._lacking(pending.header) for pending in self._in_order()]
        return [missing for missing in found if missing is not None]

    def due(self, patience_s: float) -> float:
        """When there will be something to give up; infinity when nothing is pending."""
        return min((p.since + p.patience_s(self.moves, patience_s) for p in self._pending.values()), default=inf)

    def give_up(self, now: float, patience_s: float, absent: float = inf) -> list[Step]:
        """Settle what has been pending for longer than `patience_s`. `absent`: a number that nobody seems to have."""
        steps: list[Step] = []
        for pending in self._in_order():
            overdue = now >= pending.since + pending.patience_s(self.moves, patience_s)  # as `due` reckons it
            if not (overdue and self._settle(pending)):
                continue
            if pending.moves == self.moves and not self._is_rumour(pending, absent):
                steps += self._jump(pending.header, "backfill_failed")
                steps += self._connect()
            elif self.tip is not None and pending.header.number > max(self.tip.number, absent):
                self.refuted = [*self.refuted, *pending.voices][-SOURCES:]
        return steps

    def _is_rumour(self, pending: _Pending, absent: float) -> bool:
        """One source's alone, of a block that nobody else has, and nothing is built on it nor was below it."""
        header, parents = pending.header, {other.header.parent for other in self._pending.values()}
        alone = len(pending.voices) == 1 and header.hash not in parents and header.parent not in self._known
        return alone and header.number > absent

    def restart(self, header: Header) -> list[Step]:
        """The chain is another one than before (a test chain begun anew): go on with `header`."""
        self._remember(header)
        return self._jump(header, "chain_reset")

    def forget(self, source: str) -> None:
        """`source` ended; if its name comes back, it begins anew."""
        self._seen.pop(source, None)

    def prepend(self, headers: list[Header]) -> None:
        """Blocks below the window that may be its ancestors, oldest first: a reorganisation may reach down to them."""
        for header in reversed(headers):
            first = self._chain.get(self._low)
            if first is not None and header.hash == first.parent and header.number == self._low - 1:
                self._chain[header.number] = header
                self._low = self._begin = header.number
                self._history.setdefault(header.number, []).append(header.hash)

    def line(self, first: int) -> list[Header]:
        """The canonical blocks from `first` on, as far as they are kept."""
        tip = self.tip
        return [] if tip is None else [self._chain[n] for n in range(max(first, self._low), tip.number + 1)]

    # Choosing…

    def _is_echo(self, header: Header, source: str) -> bool:
        """It was canonical once, and `source` gets there only now."""
        seen = self._seen.get(source, {}).get(header.number, -1)
        return header.hash in self._history.get(header.number, [])[seen + 1 :]

    def _left(self, header: Header, source: str) -> bool:
        """`source` told a block of ours at this height before, and this is not it."""
        return header.number in self._seen.get(source, {})

    def _note(self, header: Header, source: str) -> None:
        history = self._history.get(header.number, [])
        if header.hash not in history:
            return
        if source not in self._seen and len(self._seen) >= SOURCES:
            del self._seen[next(iter(self._seen))]
        seen = self._seen.setdefault(source, {})
        start = seen.get(header.number, -1)
        later = [i for i in range(start + 1, len(history)) if history[i] == header.hash]
        seen[header.number] = later[0] if later else max(start, 0)

    def _remember(self, header: Header) -> None:
        self._known.setdefault(header.hash, header)
        if len(self._known) > KNOWN * self.window:
            del self._known[next(iter(self._known))]

    def _wait_for(self, header: Header, source: str, now: float) -> None:
        waiting = self._pending.get(header.hash)
        if waiting is not None:
            waiting.voices.add(source)
            return
        if len(self._pending) >= PENDING:  # the highest claim goes: the lowest is the nearest to being filled
            del self._pending[self._in_order()[-1].header.hash]
        self._pending[header.hash] = _Pending(header, now, self.moves, {source})

    def _in_order(self) -> list[_Pending]:
        return sorted(self._pending.values(), key=lambda p: (-len(p.voices), p.header.number))

    # Connecting…

    def _walk(self, header: Header) -> list[Header]:
        """`header` and its known ancestors that are not canonical, newest first, as far down as the line is kept."""
        lineage = [header]
        while not self._joins(lineage[-1]) and lineage[-1].number > self._low:
            parent = self._known.get(lineage[-1].parent)
            if parent is None or parent.number != lineage[-1].number - 1:
                break
            lineage.append(parent)
        return lineage

    def _joins(self, header: Header) -> bool:
        """Its parent is canonical, or it replaces the block that the line began with."""
        ours = self._chain.get(header.number - 1)
        return (ours is not None and ours.hash == header.parent) or header.number == self._low == self._begin

    def _lineage(self, header: Header) -> list[Header] | None:
        """From the fork point's child to `header`; None while an ancestor is missing."""
        found = self._walk(header)
        return found[::-1] if self._joins(found[-1]) else None

    def _lacking(self, header: Header) -> Missing | None:
        last = self._walk(header)[-1]
        return Missing(last.parent, last.number - 1, max(self._low, header.number - self.max_backfill))

    def _connect(self) -> list[Step]:
        """Switch to what can be connected by now, and drop what is no news any more."""
        steps: list[Step] = []
        for pending in self._in_order():
            header = pending.header
            if self._is_stale(pending):
                self._settle(pending)
            elif (lineage := self._lineage(header)) is not None:
                steps += self._switch(lineage)
                self._settle(pending)
            elif self._out_of_reach(header):
                steps += self._jump(header, "max_backfill_blocks")
                self._settle(pending)
        return steps

    def _settle(self, pending: _Pending) -> bool:
        """It waits no more; False if it did not."""
        for source in pending.voices:
            self._note(pending.header, source)
        return self._pending.pop(pending.header.hash, None) is not None

    def _is_stale(self, pending: _Pending) -> bool:
        """The line moved on since it came, and is as high by now."""
        tip = self.tip
        return pending.moves != self.moves and tip is not None and pending.header.number <= tip.number

    def _out_of_reach(self, header: Header) -> bool:
        """Everything was got that may be asked for, and it does not connect: its ancestors vouch for it at least."""
        lacking = self._lacking(header)
        return lacking is not None and lacking.number < lacking.lowest

    def _switch(self, lineage: list[Header]) -> list[Step]:
        removed = self._cut(lineage[0].number)
        return [*removed, *self._extend(lineage)]

    def _jump(self, header: Header, reason: str) -> list[Step]:
        """Go on with `header` and what is known of its branch, without a connection."""
        lineage = self._walk(header)[::-1]
        tip = self.tip
        assert tip is not None, "a line without a tip begins with whatever comes"
        last = lineage[0].number - 1
        unproven = max(0, min(self._low, last))
        gap = Gap(tip.number + 1 if last > tip.number else unproven, last, unproven, reason)
        removed = self._cut(lineage[0].number)
        self._chain.clear()
        return [*removed, gap, *self._extend(lineage)]

    def _cut(self, number: int) -> list[Step]:
        tip = self.tip
        assert tip is not None
        gone = [self._chain.pop(n) for n in range(tip.number, max(number, self._low) - 1, -1)]
        self.tip = self._chain.get(number - 1)
        return [Removed(header) for header in gone]

    def _extend(self, lineage: list[Header]) -> list[Step]:
        if not self._chain:
            self._low = self._begin = lineage[0].number
        for header in lineage:
            self._remember(header)
            self._chain[header.number] = header
            self._history.setdefault(header.number, []).append(header.hash)
        self.tip = lineage[-1]
        self.moves += 1
        self._prune()
        return [Added(header) for header in lineage]

    def _prune(self) -> None:
        assert self.tip is not None
        floor = self.tip.number - self.window
        while self._low <= floor:
            self._chain.pop(self._low, None)
            self._drop_height(self._low)
            self._low += 1
        if len(self._history) > 3 * self.window:  # after jumps: heights that are in no window
            for number in list(islice(self._history, len(self._history) - 2 * self.window)):
                self._drop_height(number)

    def _drop_height(self, number: int) -> None:
        self._history.pop(number, None)
        for seen in self._seen.values():
            seen.pop(number, None)
