"""Looks kept answers up on the engine, for calls that wait a few milliseconds at most.

All that is wanted while one look-up is under way goes into the next one: a round trip for many calls. A call does not
speak to the engine, it waits for an event; so its being cancelled disturbs nobody, and neither does a stuck engine:

    nobody answers   who has waited `READ_S` goes on without, who comes after that does not wait at all
    slow             when `MOST_LATE` of the last rounds came too late for who waited, nobody waits any more, until
                     `TRIES` answers one after the other came in time

A shared cache that is slower than that would cost the calls that do not find what they look for, which are most where
it is of little use, more than it spares the others. Time that passes in our own loop counts as well: the call waits
for it.
"""

from __future__ import annotations

from typing import Any, Final, NoReturn

import attrs
import trio

from lasso_trio.shared.lane import Lane
from lasso_trio.shared.line import Command, EngineFault
from lasso_trio.shared.sealed_entry import Offset

READ_S: Final = 0.005
TIMEOUT_S: Final = 0.1
MOST_LATE: Final = 0.25
MEMORY: Final = 16
"""Rounds that the share of late ones is of: each weighs so much less than the one after it. At its beginning the
engine is given up after five late ones, and when it has just come back after one or two.
"""
TRIES: Final = 4
AT_ONCE: Final = 256
"""Look-ups of one round trip, and so many may wait for the next; more go on without."""


@attrs.frozen
class Found:
    """What was at a key, and the era of its chain (None: it has none yet)."""

    value: bytes | None
    era: bytes | None
    offset: Offset


@attrs.define(eq=False)
class _Wish:
    done: trio.Event = attrs.field(factory=trio.Event)
    found: Found | None = None


@attrs.define(eq=False)
class Reading:
    """`late`: calls that went on without an answer. `late_share`: of the last rounds, 0 to 1."""

    lane: Lane
    late: int = 0
    late_share: float = 0.0
    _wanted: dict[tuple[bytes, bytes], _Wish] = attrs.field(factory=dict)
    _bell: trio.Event = attrs.field(factory=trio.Event)
    _began: float | None = None
    _since: float = 0.0
    """When the first of those asked who are wanted now."""

    async def look(self, key: bytes, era_key: bytes) -> Found | None:
        """What the engine has; None where it does not tell in time. Raises only Cancelled."""
        if not self.lane.up or self._stuck() or len(self._wanted) >= AT_ONCE:
            return None
        if not self._wanted:
            self._since = trio.current_time()
        wish = self._wanted.setdefault((key, era_key), _Wish())
        self._bell.set()
        with trio.move_on_after(READ_S):
            await wish.done.wait()
        if wish.found is None:
            self.late += 1
        return wish.found

    async def run(self) -> NoReturn:
        """Until cancelled; those who wait then are sent on."""
        try:
            while True:
                await self._until_it_answers()
                await self._serve()
        finally:
            self._disappoint()

    def _stuck(self) -> bool:
        return self._began is not None and trio.current_time() - self._began > READ_S

    async def _until_it_answers(self) -> None:
        while True:
            try:
                await self.lane.ask(("TIME",), timeout_s=TIMEOUT_S, times=TRIES, within_s=READ_S)
            except EngineFault:
                await trio.sleep(self.lane.delay_s())
            else:
                self.late_share *= (1 - 1 / MEMORY) ** TRIES
                return

    async def _serve(self) -> None:
        """Until a fault, and a while longer."""
        while True:
            await self._bell.wait()
            self._bell, (wanted, self._wanted) = trio.Event(), (self._wanted, {})
            self._began = trio.current_time()
            try:
                await self._round(wanted)
            except EngineFault:
                break
            finally:
                self._began = None
                self._send_on(wanted)
        self._disappoint()  # kept until the engine is back they would be its first round, and late by as much
        await trio.sleep(self.lane.delay_s())

    async def _round(self, wanted: dict[tuple[bytes, bytes], _Wish]) -> None:
        """Raises EngineFault."""
        eras = tuple({era_key for _, era_key in wanted})
        since, sent = self._since, trio.current_time()
        command: Command = ("MGET", *eras, *(key for key, _ in wanted))
        time, values = await self.lane.ask(("TIME",), command, timeout_s=TIMEOUT_S)
        received = trio.current_time()
        _hand_out(wanted, dict(zip(eras, values, strict=False)), values[len(eras) :], _offset(time, sent, received))
        self._judge(late=received - since > READ_S)

    def _judge(self, *, late: bool) -> None:
        """Raises EngineFault when it is too often late."""
        self.late_share += (late - self.late_share) / MEMORY
        if late and self.late_share >= MOST_LATE:
            share = f"{self.late_share:.0%} of the last look-ups"
            fault = EngineFault("slow", f"{share} took longer than {READ_S * 1000:g} ms")
            self.lane.failed(fault)
            raise fault

    def _disappoint(self) -> None:
        """Who waits for a round that will not be."""
        self._bell, (wanted, self._wanted) = trio.Event(), (self._wanted, {})
        self._send_on(wanted)

    @staticmethod
    def _send_on(wanted: dict[tuple[bytes, bytes], _Wish]) -> None:
        for wish in wanted.values():
            wish.done.set()


def _offset(time: list[bytes], sent: float, received: float) -> Offset:
    seconds, micros = time
    return Offset.of(int(seconds) + int(micros) / 1e6, sent, received)


def _hand_out(
    wanted: dict[tuple[bytes, bytes], _Wish], eras: dict[bytes, Any], values: list[Any], offset: Offset
) -> None:
    for ((_, era_key), wish), value in zip(wanted.items(), values, strict=True):
        wish.found = Found(value, eras[era_key], offset)
