"""Who may own a connection: a counted permission, and a first-come-first-served queue for it.

A slot is owned from the moment it is taken or handed over until it is given back. It is never lost to a cancelled
waiter: a waiter is either still queued (the cancel takes it out) or has already been handed a slot (the cancel then
arrives at its next checkpoint, as an owner). Trio guarantees that these two exclude each other.

Invariant: `0 <= busy <= capacity`; somebody waits only while `busy == capacity`.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

import outcome
import trio

T = TypeVar("T")


class Slots(Generic[T]):
    """A slot may be handed over together with a thing of type T (a connection that is ready to use)."""

    __slots__ = ("_waiting", "busy", "capacity")

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.busy = 0
        self._waiting: OrderedDict[trio.lowlevel.Task, None] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Slots busy={self.busy}/{self.capacity} waiting={self.waiting}>"

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def try_take(self) -> bool:
        """Take a slot now, if there is one. Never overtakes a waiter: while one waits, none is free."""
        if self.busy >= self.capacity:
            return False
        self.busy += 1
        return True

    async def wait(self) -> T | None:
        """Queue for a slot; owned on return, perhaps with a thing. Cancelled: nothing is owned."""
        task = trio.lowlevel.current_task()
        self._waiting[task] = None

        def leave(_: object) -> trio.lowlevel.Abort:
            del self._waiting[task]
            return trio.lowlevel.Abort.SUCCEEDED

        thing: T | None = await trio.lowlevel.wait_task_rescheduled(leave)
        return thing

    def hand_over(self, thing: T) -> bool:
        """Give the caller's slot with `thing` to the first waiter; False if nobody waits (the slot is kept)."""
        if not self._waiting:
            return False
        self._wake(outcome.Value(thing))
        return True

    def give_back(self) -> None:
        """The caller's slot goes to the first waiter, or is free."""
        if self._waiting:
            self._wake(outcome.Value(None))
        else:
            self.busy -= 1

    def turn_away(self, error: Exception) -> None:
        """Everybody who waits gets `error`."""
        while self._waiting:
            self._wake(outcome.Error(error))

    def _wake(self, what: outcome.Outcome[T | None]) -> None:
        task, _ = self._waiting.popitem(last=False)
        trio.lowlevel.reschedule(task, what)
