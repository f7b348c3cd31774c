"""Where kept answers lie: the interface, and the store in this process's memory.

A store knows keys, bytes and tags. Whether an entry still holds is judged by whoever reads it, each time; that tags
are invalidated frees room (and tells other processes, where the store is shared), and no answer hangs on it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final, Protocol

import attrs

from lasso_trio.config.profile import Profile
from lasso_trio.jsonrpc.reply import Reply
from lasso_trio.routing.cache_policy import Keep

OVERHEAD: Final = 512
"""What an entry costs besides its bytes: objects, the order, the tags. Rounded up from measurements."""
LARGEST_SHARE: Final = 1 / 8
"""No entry takes more of the room than this."""


@attrs.frozen(eq=False)
class Entry:
    """An answer without its id: `reply` is good and whole. `asked_at`: seconds of the clock of who asked."""

    reply: Reply
    keep: Keep
    asked_at: float
    tags: tuple[bytes, ...] = ()


class Store(Protocol):
    """Never raises but Cancelled, and never waits for long: what is not there in time is not there.

    A key begins with the scope of its chain and a zero byte.
    """

    async def get(self, key: bytes) -> Entry | None: ...

    async def put(self, key: bytes, entry: Entry) -> None:
        """Keep it in place of what was there; or do not, for want of room."""

    async def invalidate(self, tags: Iterable[bytes]) -> None:
        """Drop every entry that has one of these tags."""

    async def set_back(self, scope: bytes) -> None:
        """The chain was set back: what was kept of it before must not be found again, by whoever shares the store.

        Keys of one process tell the times apart by themselves.
        """


@attrs.define(eq=False)
class MemoryStore:
    """The entries used last, as many as fit into `max_bytes`, keys and overhead included. Without a checkpoint."""

    max_bytes: int
    held: int = 0
    evicted: int = 0
    _entries: OrderedDict[bytes, Entry] = attrs.field(factory=OrderedDict)
    _tagged: dict[bytes, set[bytes]] = attrs.field(factory=dict)

    def __len__(self) -> int:
        return len(self._entries)

    async def get(self, key: bytes) -> Entry | None:
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    async def put(self, key: bytes, entry: Entry) -> None:
        self._drop(key)
        size = size_of(key, entry)
        if size > self.max_bytes * LARGEST_SHARE:
            return
        while self.held + size > self.max_bytes:
            self._drop(next(iter(self._entries)))
            self.evicted += 1
        self._entries[key] = entry
        self.held += size
        for tag in entry.tags:
            self._tagged.setdefault(tag, set()).add(key)

    async def invalidate(self, tags: Iterable[bytes]) -> None:
        for tag in tags:
            for key in tuple(self._tagged.get(tag, ())):
                self._drop(key)

    async def set_back(self, scope: bytes) -> None:
        """Nothing to do: nobody else reads what is here."""

    def follow(self, profile: Profile) -> None:
        """Belong to `profile` from now on, which keeps its answers as the one before did. Nothing to do here."""

    def _drop(self, key: bytes) -> None:
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        self.held -= size_of(key, entry)
        for tag in entry.tags:
            keys = self._tagged[tag]
            keys.discard(key)
            if not keys:
                del self._tagged[tag]


def size_of(key: bytes, entry: Entry) -> int:
    """Bytes that an entry takes, as they are counted."""
    reply, blocks = entry.reply, len(entry.keep.blocks)
    return OVERHEAD * (1 + blocks) + len(key) + len(reply.before) + len(reply.after) + sum(map(len, entry.tags))
