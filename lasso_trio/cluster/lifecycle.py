"""One address of another node: what state it is in, and when it is asked next. Pure; the clock is passed in.

    discovering ──spoke──► connected ──answered──► responding
         │                     │                    │     ▲
         └─────────────3 failures in a row──────────┘     │ answered
                   │                     │                │
          (there, or silent)      (nobody there)          │
                   ▼                     ▼                │
             unresponsive ─silent─► disconnected ─────────┘      forgotten after 24 h
                             60 s

*Discovering*: DNS names it, nothing was heard. *Connected*: something answers there, but no exchange has come to its
end (another secret, another clock). Three failures in a row are a node that has gone if the last one shows that nobody
is there; if there is only silence, it is given another minute. Constants are the original's.
"""

from __future__ import annotations

from enum import StrEnum
from math import inf
from random import Random
from typing import Final

import attrs

from lasso_trio.cluster.address import Address

CHECK_S: Final = 15.0
RETRY_S: Final = 1.0
"""Between failures that have not yet come to anything: whether somebody is dead should be known soon."""
LOOK_AGAIN_S: Final = 5.0
"""For who is disconnected and still named by DNS."""
UNKNOWN_S: Final = 60.0
"""For who is disconnected and not named any more."""
FAILURES: Final = 3
SILENCE_S: Final = 60.0
REMEMBERED_S: Final = 24 * 3600.0
JITTER: Final = 0.2


class State(StrEnum):
    DISCOVERING = "discovering"
    CONNECTED = "connected"
    RESPONDING = "responding"
    UNRESPONSIVE = "unresponsive"
    DISCONNECTED = "disconnected"


class Sign(StrEnum):
    """What a failure shows of the other side."""

    GONE = "gone"
    """Nobody is there: refused, unreachable."""
    SILENT = "silent"
    THERE = "there"
    """Somebody is, and said no."""


@attrs.define(eq=False)
class Peer:
    """`since`: when `state` began. `failures`: in a row. `reason`: of the last failure, "" after an answer.

    `uid` tells one life of a node from the next; `node_id` outlives it. Both are None until it has answered once.
    """

    address: Address
    since: float
    state: State = State.DISCOVERING
    listed: bool = True
    """DNS names it."""
    node_id: str | None = None
    uid: str | None = None
    failures: int = 0
    reason: str = ""
    answered_at: float = -inf

    def __repr__(self) -> str:
        return f"<Peer {self.node_id or '?'} at {self.address} {self.state}>"

    @property
    def live(self) -> bool:
        """Its figures count."""
        return self.state is State.RESPONDING

    def answered(self, node_id: str, uid: str, now: float) -> None:
        """An exchange came to its end."""
        self.node_id, self.uid = node_id, uid
        self.failures, self.reason, self.answered_at = 0, "", now
        self._enter(State.RESPONDING, now)

    def failed(self, reason: str, sign: Sign, now: float) -> None:
        """An exchange failed."""
        if sign is Sign.THERE and self.state in (State.DISCOVERING, State.DISCONNECTED):
            self.failures = 0
            self._enter(State.CONNECTED, now)
        self.failures += 1
        self.reason = reason
        if self.failures >= FAILURES and self.state is not State.DISCONNECTED:
            silent = self.state is State.UNRESPONSIVE and now - self.since >= SILENCE_S
            gone = sign is Sign.GONE or (sign is Sign.SILENT and silent)
            self._enter(State.DISCONNECTED if gone else State.UNRESPONSIVE, now)

    def forgettable(self, now: float) -> bool:
        """Not heard of for a day, or never more than a name that DNS has taken back."""
        if self.listed:
            return False
        if self.node_id is None:
            return self.state is State.DISCONNECTED or self.failures >= FAILURES
        # Whatever answers there by now: an address that DNS gave up may be somebody else's.
        return not self.live and now - self.answered_at >= REMEMBERED_S

    def delay(self, rng: Random) -> float:
        """Seconds from the end of one exchange to the next: never longer than the constants, up to a fifth shorter."""
        if self.state is State.DISCONNECTED:
            longest = LOOK_AGAIN_S if self.listed else UNKNOWN_S
        else:
            longest = RETRY_S if 0 < self.failures < FAILURES else CHECK_S
        return longest * (1.0 - JITTER * rng.random())

    def _enter(self, state: State, now: float) -> None:
        if state is not self.state:
            self.state, self.since = state, now
