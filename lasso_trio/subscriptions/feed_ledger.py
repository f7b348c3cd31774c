"""Which feed told what, and when the first of them did: what the feeds of a stream are judged by.

    told ─► the first: from now on the others are late      expect ─► it happened for sure, told or not
    due ──► what happened for sure and long enough ago: whoever has not told it by now lost it

Bounded: what is old is forgotten, told or not. What was heard of at about the time of what is forgotten may have been
told by others as well, so it is never due: nobody is blamed for what cannot be known.
Pure; the clock (seconds) is passed in.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from itertools import takewhile
from math import inf
from typing import Final

import attrs

MOST: Final = 4096
"""Events that are remembered."""
EARLY_S: Final = 2.0
"""So long before others, or before it is known to have happened, an event may be told."""


@attrs.define(eq=False)
class Event:
    """`what` names it among its stream's. `at`: when it was first heard of; `tellers`: the labels of who told it.

    `doubtful`: others may have told it, too, and nobody remembers.
    """

    what: Hashable
    at: float
    tellers: set[str] = attrs.field(factory=set)
    certain: bool = False
    doubtful: bool = False


@attrs.define(eq=False)
class Ledger:
    most: int = MOST
    _events: dict[Hashable, Event] = attrs.field(factory=dict)
    _certain: deque[tuple[float, Event]] = attrs.field(factory=deque)
    _forgotten_to: float = -inf
    """When the newest was first heard of that was told by somebody and is forgotten."""

    def told(self, what: Hashable, label: str, at: float) -> float | None:
        """How many seconds behind the first; None for what that feed told before."""
        event = self._heard_of(what, at)
        if label in event.tellers:
            return None
        event.tellers.add(label)
        self._remember(event)
        return max(0.0, at - event.at)

    def expect(self, what: Hashable, at: float) -> Event:
        """`what` happened: every feed should tell it, or should have."""
        event = self._heard_of(what, at)
        if not event.certain and not event.doubtful:  # one in doubt would only push out what is known
            event.certain = True
            self._remember(event)
            self._certain.append((at, event))
            if len(self._certain) > self.most:
                self._certain.popleft()
        return event

    def due(self, before: float) -> list[Event]:
        """What was to be expected `before` then, but for what is in doubt; each is due once."""
        found: list[Event] = []
        while self._certain and self._certain[0][0] <= before:
            found.append(self._certain.popleft()[1])
        return [event for event in found if not event.doubtful]

    def is_known(self, what: Hashable) -> bool:
        """Was it told, or expected?"""
        return what in self._events

    def forget(self, before: float) -> None:
        """What was first heard of before then; who tells it later is the first again."""
        for event in list(takewhile(lambda event: event.at < before, self._events.values())):
            self._drop(event)

    def _heard_of(self, what: Hashable, at: float) -> Event:
        return self._events.get(what) or Event(what, at, doubtful=at - EARLY_S <= self._forgotten_to)

    def _remember(self, event: Event) -> None:
        self._events.setdefault(event.what, event)
        if len(self._events) > self.most:
            oldest = next(iter(self._events.values()))
            oldest.doubtful |= event.at - EARLY_S <= oldest.at  # others may be about to tell it
            self._drop(oldest)

    def _drop(self, event: Event) -> None:
        del self._events[event.what]
        if event.tellers:  # else nothing is lost with it
            self._forgotten_to = max(self._forgotten_to, event.at)
