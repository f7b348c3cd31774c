"""A profile's kept answers in this process's memory first, and on the engine behind that.

    get ─► memory ─► the engine (a few milliseconds at most) ─► into memory
    put ─► memory, and the engine behind the call
    invalidate, set_back ─► memory, and the engine behind the call

Whether an entry holds is judged by whoever reads it (`routing.cache`), against the headers of its own node: what
another node kept holds here only if this one sees the same chain. What no header can judge (`final`) is of an *era*: a
chain that was set back begins another, and nothing of the old one is read again.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from functools import partial
from typing import Final

import attrs
import trio

from lasso_trio.config.profile import Profile
from lasso_trio.routing.cache_store import Entry, MemoryStore, size_of
from lasso_trio.shared.keys import Keys, configuration_of, scope_of
from lasso_trio.shared.line import Command
from lasso_trio.shared.reading import Found, Reading
from lasso_trio.shared.sealed_entry import Offset, Sealer
from lasso_trio.shared.writing import Writing

FINAL_S: Final = 3600
YOUNG_S: Final = 600
HEAD_S: Final = 60
ERA_S: Final = 30 * 86_400
LARGEST: Final = 1024 * 1024
"""Bytes of an answer that is told to the engine."""


@attrs.frozen(eq=False)
class Engine:
    """What the stores of a node have in common."""

    keys: Keys
    sealer: Sealer
    reading: Reading
    writing: Writing


@attrs.define(eq=False)
class Tally:
    """Look-ups on the engine, by what came of them. `foreign`: bytes that are no entry of ours."""

    hits: int = 0
    misses: int = 0
    foreign: int = 0


@attrs.define(eq=False)
class SharedStore(MemoryStore):
    """`configuration`: see `keys.configuration_of`. `_eras`: by scope, as last heard."""

    engine: Engine = attrs.field(kw_only=True)
    configuration: bytes = attrs.field(kw_only=True)
    tally: Tally = attrs.field(factory=Tally)
    _eras: dict[bytes, tuple[bytes, Offset]] = attrs.field(factory=dict)
    _ended: dict[bytes, bytes | None] = attrs.field(factory=dict)
    """By scope, an era that is over although the engine may not say so yet. None: whichever it says next."""

    async def get(self, key: bytes) -> Entry | None:
        entry = await MemoryStore.get(self, key)
        if entry is not None and (entry.keep.until is None or trio.current_time() < entry.keep.until):
            return entry
        scope = scope_of(key)
        name, era_key = self.engine.keys.entry(self.configuration, key), self.engine.keys.era(self.configuration, scope)
        found = await self.engine.reading.look(name, era_key)
        if found is None:
            return None
        entry = self._read(name, scope, era_key, found)
        if entry is not None:
            await MemoryStore.put(self, key, entry)
        return entry

    async def put(self, key: bytes, entry: Entry) -> None:
        await MemoryStore.put(self, key, entry)
        known, size = self._eras.get(scope_of(key)), size_of(key, entry)
        if known is not None and size <= LARGEST:
            name = self.engine.keys.entry(self.configuration, key)
            self.engine.writing.offer(partial(self._setting, name, entry, *known), size)

    async def invalidate(self, tags: Iterable[bytes]) -> None:
        """On the engine, only what told of blocks that are gone: what held for a head is replaced by who sees the
        next, and may be already.
        """
        tags = tuple(tags)
        keys = {key for tag in tags for key in self._tagged.get(tag, ())}
        gone = [key for key in keys if self._entries[key].keep.head is None]
        if gone:
            names = [self.engine.keys.entry(self.configuration, key) for key in gone]
            self.engine.writing.offer(lambda: ("UNLINK", *names))
        await MemoryStore.invalidate(self, tags)

    async def set_back(self, scope: bytes) -> None:
        before = self._eras.pop(scope, None)
        self._ended[scope] = None if before is None else before[0]
        self._begin_era(self.engine.keys.era(self.configuration, scope))

    def follow(self, profile: Profile) -> None:
        """Belong to `profile` from now on."""
        configuration = configuration_of(profile)
        if configuration != self.configuration:
            self.configuration = configuration
            self._eras.clear()

    def _read(self, name: bytes, scope: bytes, era_key: bytes, found: Found) -> Entry | None:
        if not self._is_current(scope, era_key, found.era) or found.era is None:
            return None
        self._eras[scope] = (found.era, found.offset)
        entry = None
        if found.value is not None:
            entry = self.engine.sealer.open(name, found.value, found.era, found.offset)
            self.tally.foreign += entry is None
        self.tally.hits += entry is not None
        self.tally.misses += entry is None
        return entry

    def _is_current(self, scope: bytes, era_key: bytes, era: bytes | None) -> bool:
        """If not, another is begun."""
        if era is None:
            self._begin_era(era_key, "NX")
            return False
        if scope in self._ended:
            over = self._ended[scope]
            if over is None or over == era:
                self._ended[scope] = era
                self._begin_era(era_key)
                return False
            del self._ended[scope]
        return True

    def _begin_era(self, era_key: bytes, *condition: str) -> None:
        self.engine.writing.offer(lambda: ("SET", era_key, secrets.token_hex(8), "EX", ERA_S, *condition))

    def _setting(self, name: bytes, entry: Entry, era: bytes, offset: Offset) -> Command:
        ttl_ms = ceil_ms(lifetime_s(entry, trio.current_time()))
        return ("SET", name, self.engine.sealer.seal(name, entry, era, offset), "PX", ttl_ms)


def lifetime_s(entry: Entry, now: float) -> float:
    """How long the engine keeps it. No answer hangs on it."""
    keep = entry.keep
    if keep.until is not None:
        return max(0.0, keep.until - now)
    if keep.head is not None:
        return HEAD_S
    return YOUNG_S if keep.blocks else FINAL_S


def ceil_ms(seconds: float) -> int:
    return max(1, int(seconds * 1000))
