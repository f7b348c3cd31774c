"""What each session was shown of its chain: the highest block, and which instances told that they are how far.

A session is a name that a client makes up (`X-Lasso-Session`); it belongs to one profile's chain. Kept are the ones
used last, a bounded number, each until it was idle for ten minutes; a forgotten session begins anew. When the chain
itself was set back (`ChainHeads.rollbacks`: nobody stood by the old tip for a minute), so are its sessions.

Pure: the clock (seconds) is passed in.
"""

from __future__ import annotations

from collections import OrderedDict
from math import inf
from typing import Final

import attrs

MOST: Final = 10_000
IDLE_S: Final = 600.0
NOTHING_TOLD: Final = (-1, -inf)

Key = tuple[str, int, str]
"""Profile's slug, chain id, the client's name for the session."""


@attrs.define(eq=False)
class Session:
    """`shown`: the highest block that the client was told of. `told`: each instance's highest here, and when it last
    told any.
    """

    shown: int = 0
    told: dict[str, tuple[int, float]] = attrs.field(factory=dict)
    era: int = 0
    used_at: float = 0.0

    def hear(self, instance_id: str, height: int, now: float) -> None:
        self.told[instance_id] = (max(height, self.told_by(instance_id)[0]), now)

    def told_by(self, instance_id: str) -> tuple[int, float]:
        return self.told.get(instance_id, NOTHING_TOLD)

    def show(self, height: int) -> None:
        self.shown = max(self.shown, height)


@attrs.define(eq=False)
class Sessions:
    """At most `most` sessions, the one used longest ago first to go."""

    most: int = MOST
    idle_s: float = IDLE_S
    _kept: OrderedDict[Key, Session] = attrs.field(factory=OrderedDict)

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Key, now: float, era: int = 0) -> Session:
        """The session called `key`, a new one if there is none. `era`: how often its chain was set back."""
        self._drop_idle(now)
        session = self._kept.get(key)
        if session is None or session.era != era:
            session = self._kept[key] = Session(era=era)
            if len(self._kept) > self.most:
                self._kept.popitem(last=False)
        session.used_at = now
        self._kept.move_to_end(key)
        return session

    def peek(self, key: Key, now: float, era: int = 0) -> Session:
        """What `get` would give, without counting as a use: a new one is not kept."""
        session = self._kept.get(key)
        stale = session is None or session.era != era or now - session.used_at > self.idle_s
        return Session(era=era) if session is None or stale else session

    def _drop_idle(self, now: float) -> None:
        """In the order of their use, so only those that are due are looked at."""
        while self._kept:
            oldest = next(iter(self._kept.values()))
            if now - oldest.used_at <= self.idle_s:
                return
            self._kept.popitem(last=False)
