"""Which feed told what, and when the first of them did: what the feeds of a stream are judged by.

    told ─► the first: from now on the others are late      expect ─► it happened for sure, told or not
    due ──► what happened for sure and long enough ago: whoever has not told it by now lost it

Bounded: what is old is forgotten, told or not. Pure; the clock (seconds) is passed in.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import Final

import attrs

MOST: Final = 4096
"""Events that are remembered."""


@attrs.define(eq=False)
class Event:
    """`what` names it among its stream's. `at`: when it was first heard of; `tellers`: the labels of who told it."""

    what: Hashable
    at: float
    tellers: set[str] = attrs.field(factory=set)
    certain: bool = False


@attrs.define(eq=False)
class Ledger:
    most: int = MOST
    _events: dict[Hashable, Event] = attrs.field(factory=dict)
    _certain: deque[tuple[float, Event]] = attrs.field(factory=deque)

    def told(self, what: Hashable, label: str, at: float) -> float | None:
        """How many seconds behind the first; None for what that feed told before."""
        event = self._event(what, at)
        if label in event.tellers:
            return None
        event.tellers.add(label)
        return max(0.0, at - event.at)

    def expect(self, what: Hashable, at: float) -> Event:
        """`what` happened: every feed should tell it, or should have."""
        event = self._event(what, at)
        if not event.certain:
            event.certain = True
            self._certain.append((at, event))
            if len(self._certain) > self.most:
                self._certain.popleft()
        return event

    def due(self, before: float) -> list[Event]:
        """What was to be expected `before` then; each is due once."""
        found: list[Event] = []
        while self._certain and self._certain[0][0] <= before:
            found.append(self._certain.popleft()[1])
        return found

    def is_known(self, what: Hashable) -> bool:
        """Was it told, or expected?"""
        return what in self._events

    def _event(self, what: Hashable, at: float) -> Event:
        event = self._events.get(what)
        if event is None:
            event = self._events[what] = Event(what, at)
            if len(self._events) > self.most:
                del self._events[next(iter(self._events))]
        return event
