"""One of the ways to the engine (cache reads, cache writes, limits), and what is known of it: does it work, since when.

Each has a connection of its own, so that a large write keeps no lease waiting, and a health of its own: a full engine
still answers reads. A lane is up from its first success to its next fault; every change is logged once. After a fault
whoever uses the lane waits `delay_s` before the next try: random, up to a ceiling that doubles to 5 s and falls back
after half a minute of health.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from math import inf
from random import Random
from typing import Any, Final

import attrs
import structlog
import trio

from lasso_trio.shared.line import Command, EngineFault, Line

FIRST_S: Final = 0.25
LONGEST_S: Final = 5.0
HEALTHY_S: Final = 30.0

log = structlog.get_logger(__name__)

Dial = Callable[[trio.Nursery], Awaitable[Line]]
"""Makes a connection whose tasks live in that nursery. Raises EngineFault."""


@attrs.define(eq=False)
class Lane:
    """`up`: None until the first attempt has ended. `since`: when `up` or `reason` changed. `seconds`: of all
    operations together.
    """

    name: str
    dial: Dial
    rng: Random = attrs.field(factory=Random)
    up: bool | None = None
    reason: str = ""
    since: float = attrs.field(factory=trio.current_time)
    operations: int = 0
    failures: int = 0
    seconds: float = 0.0
    _streak: int = 0
    _line: Line | None = None
    _nursery: trio.Nursery | None = None

    async def run(self, work: Callable[[], Awaitable[object]]) -> None:
        """Do `work`, which may ask meanwhile; the connection is closed at its end."""
        try:
            async with trio.open_nursery() as self._nursery:
                await work()
                self._nursery.cancel_scope.cancel()
        finally:
            self._nursery = self._line = None

    async def ask(self, *commands: Command, timeout_s: float, times: int = 1, within_s: float = inf) -> list[Any]:
        """What the commands are answered, all of them well. Raises EngineFault; some may have been carried out then.

        Asked so many `times`, one after the other: the last answers. An answer that takes longer than `within_s` is a
        fault, `slow`. A new connection is made if there is none, which takes longer. Only within `run`, one at a time.
        """
        began = trio.current_time()
        self.operations += 1
        try:
            line = await self._connected()
            for _ in range(times):
                answers = await _timely(line, commands, timeout_s, within_s)
        except EngineFault as fault:
            self.failed(fault)
            raise
        finally:
            self.seconds += trio.current_time() - began
        self._succeeded()
        return answers

    def failed(self, fault: EngineFault) -> None:
        """It does not do, whoever found out."""
        now = trio.current_time()
        self._streak = 1 if self.up and now - self.since >= HEALTHY_S else self._streak + 1
        self.failures += 1
        if self.up is not False or self.reason != fault.reason:
            self.up, self.reason, self.since = False, fault.reason, now
            log.warning("shared.down", lane=self.name, reason=fault.reason, error=str(fault))

    def delay_s(self) -> float:
        """To wait after a fault."""
        return min(LONGEST_S, FIRST_S * 2.0 ** min(self._streak, 16)) * self.rng.uniform(0.5, 1.0)

    def _succeeded(self) -> None:
        if not self.up:
            self.up, self.reason, self.since = True, "", trio.current_time()
            log.info("shared.up", lane=self.name)

    async def _connected(self) -> Line:
        if self._line is None or not self._line.usable:
            if self._nursery is None:
                raise EngineFault("unreachable", "the lane does not run")
            self._line = await self.dial(self._nursery)
        return self._line


async def _timely(line: Line, commands: Sequence[Command], timeout_s: float, within_s: float) -> list[Any]:
    sent = trio.current_time()
    answers = await line.ask(commands, timeout_s)
    if trio.current_time() - sent > within_s:
        raise EngineFault("slow", f"an answer took longer than {within_s * 1000:g} ms")
    return answers
