"""The short cache of one profile's chain, as a call meets it: look, else ask, and perhaps keep.

    bypass ──────────────────────────────────────────► asked, not kept
    there, and holds ────────────────────────────────► told as it was told before, byte for byte
    a price past half its time ─┬─ the first to see it ► asks for a new one
                                └─ the others, meanwhile ► are told the old one
    not there, or no longer holds ─► asked (with others who ask the same: `coalesce`) ─► kept if `cache_policy` says so

Whether an entry holds is looked up at each use, against the headers known at that moment. Nothing runs in the
background: a price is renewed by a call that would have asked anyway, and if that one is cancelled, by the next.
"""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Final

import attrs

from lasso_trio.providers.branch import WINDOW, Branch, Header
from lasso_trio.providers.heads import ChainHeads
from lasso_trio.routing.cache_policy import Keep, Standing, decide
from lasso_trio.routing.cache_question import Question, read
from lasso_trio.routing.cache_store import Entry, Store
from lasso_trio.routing.canonical import canonical
from lasso_trio.routing.coalesce import Act, Flights, Key, coalesced, given_room, key_of
from lasso_trio.routing.execute import Call
from lasso_trio.routing.outcome import Outcome

LONGEST_PARAMS: Final = 16 * 1024
FRESH_SHARE: Final = 0.5
"""Of a price's time: thereafter one call asks for a new one."""
_NOT_FINAL: Final = -1


@attrs.frozen(eq=False)
class Asked:
    """A call that goes out: the newest block and the highest final one at that moment."""

    call: Call
    head: Header | None
    final: int


@attrs.define(eq=False)
class ChainCache:
    """`scope` sets this profile's chain apart in a store that others use too. `branch`: fed by who hears headers.

    `price_s`: seconds that a price is told for. `told` counts calls by what `Outcome.cache` says.
    """

    scope: bytes
    store: Store
    heads: ChainHeads
    branch: Branch = attrs.field(factory=Branch)
    price_s: float = 1.0
    told: Counter[str] = attrs.field(factory=Counter)
    _renewing: set[bytes] = attrs.field(factory=set)
    _head: Header | None = None
    _rollbacks: int = 0

    def key(self, method: str, params: bytes) -> bytes:
        """A chain that was set back (`rollbacks`) begins anew: what was final there need not be so here."""
        return b"%b\0%d\0%b\0%b" % (self.scope, self.heads.rollbacks, method.encode(), params)

    def head(self, now: float) -> Header | None:
        """The newest block, if headers tell it and nobody was seen any higher (but for what cannot be true)."""
        tip, view = self.branch.tip, self.heads.view(now)
        if tip is None or not self.branch.settled or not self.branch.followed(now, self.heads.block_time.seconds):
            return None
        behind = tip.number < (view.consensus or 0) or 0 < view.highest - tip.number <= WINDOW
        return None if behind else tip

    def holds(self, keep: Keep, now: float) -> bool:
        """May what was kept so be told now?"""
        if keep.until is not None and now >= keep.until:
            return False
        if keep.head is not None and ((head := self.head(now)) is None or head.hash != keep.head):
            return False
        if not keep.blocks:
            return True
        followed = self.branch.followed(now, self.heads.block_time.seconds)
        return followed and all(self.branch.hash_of(number) == hash_ for number, hash_ in keep.blocks)

    async def find(self, key: bytes, now: float) -> Entry | None:
        """What is kept under `key` and holds."""
        await self._tidy(now)
        entry = await self.store.get(key)
        return entry if entry is not None and self.holds(entry.keep, now) else None

    def asked(self, call: Call) -> Asked:
        """What is known before `call` goes out."""
        return Asked(call, self.head(call.started), self.heads.view(call.started).finalized or _NOT_FINAL)

    async def keep(self, key: bytes, question: Question, asked: Asked, outcome: Outcome) -> str:
        """Keep the answer if it may be kept; what became of it."""
        reply, who = outcome.reply, outcome.candidate
        if reply is None or who is None:
            return "large" if outcome.large is not None else "error"
        if outcome.reason == "split":
            return "split"  # several providers answered, and only one of them is known here
        now, told = asked.call.clock(), who.head
        final = min(asked.final, told.finalized or _NOT_FINAL)
        height = _NOT_FINAL if told.height is None else told.height
        began, hash_of = asked.call.started, self.branch.hash_of
        at = Standing(began, asked.head, self.head(now), final, height, hash_of, self.price_s)
        kept = decide(question, asked.call.method.name, reply, at)
        if isinstance(kept, str):
            return kept
        await self.store.put(key, Entry(reply, kept, began, self._tags(kept)))
        return kept.why

    def renews(self, key: bytes, entry: Entry, now: float) -> bool:
        """Is this call to ask for a new price, while others are told the old one? If so, it must say so when it has."""
        if entry.keep.until is None or now - entry.asked_at < FRESH_SHARE * self.price_s or key in self._renewing:
            return False
        self._renewing.add(key)
        return True

    def passed(self, outcome: Outcome, why: str) -> None:
        """A call went past it: say so, and count it."""
        said = outcome.cache = outcome.cache or f"bypass; {why}"
        self.told[said] += 1

    def renewed(self, key: bytes) -> None:
        self._renewing.discard(key)

    def _tags(self, keep: Keep) -> tuple[bytes, ...]:
        hashes = [hash_ for _, hash_ in keep.blocks] if keep.head is None else [keep.head]
        return tuple(self._tag(hash_, at_head=keep.head is not None) for hash_ in hashes)

    def _tag(self, hash_: str, *, at_head: bool) -> bytes:
        return b"%b\0%b\0%b" % (self.scope, b"head" if at_head else b"block", hash_.encode())

    async def _tidy(self, now: float) -> None:
        """Drop what no longer holds: of blocks that were orphaned, of the head that was, of before a setback."""
        if self.heads.rollbacks != self._rollbacks:
            self._rollbacks = self.heads.rollbacks
            await self.store.set_back(self.scope)
        tags = [self._tag(hash_, at_head=False) for hash_ in self.branch.take_orphans()]
        head, before = self.head(now), self._head
        if head != before:
            self._head = head
            tags += [] if before is None else [self._tag(before.hash, at_head=True)]
        if tags:
            await self.store.invalidate(tags)


async def cached(
    call: Call,
    rng: Random,
    act: Act,
    cache: ChainCache,
    *,
    bypass: str = "",
    flights: Flights | None = None,
    wishes: Key = (),
) -> Outcome:
    """Answer `call` from `cache`, else by `act`; its outcome says which. Raises only Cancelled.

    `bypass`: why the cache is neither asked nor told (a method, a client's wish, a pinned provider, a session); a call
    that is not replay-safe must have a reason. With `flights`, calls that the cache does not answer are coalesced.
    """
    fits = not bypass and len(call.params) <= LONGEST_PARAMS
    text = canonical(call.method, call.params) if fits else b""
    question = bypass or (read(call.method.name, text) if text else "params")
    if flights is not None:
        act = _Together(act, flights, wishes, text or None)
    if isinstance(question, str):
        outcome = await act(call, rng)
        cache.passed(outcome, question)
        return outcome
    outcome = await _look(call, rng, act, cache, question, cache.key(call.method.name, text))
    cache.told[outcome.cache] += 1
    return outcome


async def _look(call: Call, rng: Random, act: Act, cache: ChainCache, question: Question, key: bytes) -> Outcome:
    entry = await cache.find(key, call.started)
    if entry is None:
        return await _ask(call, rng, act, cache, question, key)
    if not cache.renews(key, entry, call.started):
        return _told_again(call, entry)
    try:
        outcome = await _ask(call, rng, act, cache, question, key)
    finally:
        cache.renewed(key)
    return _told_again(call, entry) if outcome.failed and cache.holds(entry.keep, call.clock()) else outcome


def _told_again(call: Call, entry: Entry) -> Outcome:
    reply, error = given_room(call, entry.reply)
    return Outcome(reply, error=error, reason="cache", cache=f"hit; {entry.keep.why}")


async def _ask(call: Call, rng: Random, act: Act, cache: ChainCache, question: Question, key: bytes) -> Outcome:
    asked = cache.asked(call)
    outcome = await act(call, rng)
    if not outcome.cache:
        outcome.cache = f"miss; {await cache.keep(key, question, asked, outcome)}"
    return outcome


@attrs.frozen(eq=False)
class _Together:
    """An act that shares what is in flight, under the text that the cache knows the call by."""

    act: Act
    flights: Flights
    wishes: Key
    text: bytes | None

    async def __call__(self, call: Call, rng: Random) -> Outcome:
        return await coalesced(call, rng, self.act, self.flights, key_of(call, self.wishes, self.text))
