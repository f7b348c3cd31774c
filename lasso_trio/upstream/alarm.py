"""The deadlines of calls that wait for an answer, kept by one task for all of them.

A cancel scope with a deadline costs a proxied call a seventh of its CPU (measured), and nearly every call ends long
before its own. So the common wait, one read on a plain kept connection, is not put under a scope: its stream is
entered here with the time at which to wake, and left out again when the answer is there. Waking is not closing: the
stream raises `Woken` in its reader, and nothing on it is lost. Every other wait (a dial, a queue, a second read) has
its cancel scope.

The task looks at all entries every 20 ms and sleeps no longer than to the earliest: an earlier one that is entered
meanwhile moves the end of its nap, which wakes nobody. Looks are a millisecond apart at least, so nobody is woken later
than that. After a second without entries the task sleeps until there is one.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Final

import trio

from lasso_trio.upstream.raw_stream import RawStream

TICK_S: Final = 0.02
SHORTEST_NAP_S: Final = 0.001
QUIET_TICKS: Final = 50


class Alarm:
    """`set` before the wait, `clear` in a `finally`. `running` tells whether anybody would wake the sleeper."""

    __slots__ = ("_armed", "_bell", "_nags", "_nap", "_nap_until", "_quiet", "running")

    def __init__(self) -> None:
        self._armed: dict[RawStream, float] = {}
        self._nags: dict[Callable[[float], bool], None] = {}
        self._bell: trio.Event | None = None
        self._nap = trio.CancelScope()
        self._nap_until = -inf
        self._quiet = 0
        self.running = False

    def __repr__(self) -> str:
        return f"<Alarm {'running' if self.running else 'off'} armed={len(self._armed)}>"

    def set(self, stream: RawStream, at: float) -> None:
        self._armed[stream] = at
        if self._bell is not None:
            self._ring()
        elif at < self._nap_until:
            self._nap_until = self._nap.deadline = at

    def nag(self, callback: Callable[[float], bool]) -> None:
        """Call `callback(now)` at every tick until it says False. It must be quick and must not raise."""
        self._nags[callback] = None
        self._ring()

    def _ring(self) -> None:
        if self._bell is not None:
            self._bell.set()
            self._bell = None

    def clear(self, stream: RawStream) -> None:
        del self._armed[stream]
        stream.forget_wake()

    async def run(self) -> None:
        """Service. While it does not run, `running` says so and callers use cancel scopes."""
        self.running = True
        try:
            while True:
                await self._sleep(self._wake_due(trio.current_time()))
        finally:
            self.running = False
            for stream in self._armed:  # nobody would wake them any more
                stream.wake()

    def _wake_due(self, now: float) -> float:
        """Wake who is due; the earliest time of the others."""
        earliest = inf
        for callback in list(self._nags):
            if not callback(now):
                del self._nags[callback]
        for stream, at in self._armed.items():
            if at <= now:
                stream.wake()
            elif at < earliest:
                earliest = at
        return earliest

    async def _sleep(self, earliest: float) -> None:
        self._quiet = 0 if self._armed or self._nags else self._quiet + 1
        if self._quiet <= QUIET_TICKS:
            now = trio.current_time()
            self._nap_until = max(now + SHORTEST_NAP_S, min(now + TICK_S, earliest))
            self._nap = trio.CancelScope(deadline=self._nap_until)
            with self._nap:
                await trio.sleep_forever()
            return
        self._bell = trio.Event()
        await self._bell.wait()
        self._quiet = 0
