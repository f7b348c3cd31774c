"""Workers' buses around one switch, over memory streams: for everything that is told over the bus, in virtual time.

    async with crew_of(3) as crew:        # workers 0, 1 and 2 are up, 0 keeps
        crew[1].tell("news", b"…")
        await crew.settle()               # all that was told is heard
        await crew.kill(0)                # its socket ends; 1 keeps now
        await crew.join(0)                # a fresh bus under the old number: crew[0]

What has to be registered before a bus runs is given as `prepare(bus)`, called for each bus that joins.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import attrs
import trio
import trio.testing

from lasso_trio.workers.bus import Bus
from lasso_trio.workers.outbox import MOST, Outbox
from lasso_trio.workers.switch import Switch

Prepare = Callable[[Bus], None]


def unprepared(_: Bus) -> None:
    """Nothing to register."""


@attrs.define(eq=False)
class Crew:
    switch: Switch
    nursery: trio.Nursery
    prepare: Prepare = unprepared
    most: int = MOST
    buses: dict[int, Bus] = attrs.field(factory=dict)
    _lives: dict[int, trio.CancelScope] = attrs.field(factory=dict)

    def __getitem__(self, number: int) -> Bus:
        return self.buses[number]

    async def join(self, number: int, *, run: bool = True) -> Bus:
        """`run` False: whoever prepared it runs it, as a node does."""
        ours, theirs = trio.testing.memory_stream_pair()
        bus = self.buses[number] = Bus(number, theirs, Outbox(self.most))
        self.prepare(bus)
        self.nursery.start_soon(self.switch.attach, number, ours)
        if run:
            self._lives[number] = trio.CancelScope()
            self.nursery.start_soon(self._run, bus, self._lives[number])
        await self.settle()
        return bus

    async def _run(self, bus: Bus, life: trio.CancelScope) -> None:
        with life:
            await bus.run()

    async def kill(self, number: int) -> None:
        """As SIGKILL: nothing more is read or written, and the parent sees the end of the socket."""
        life = self._lives.pop(number, None)
        if life is not None:
            life.cancel()
        bus = self.buses.pop(number)
        await trio.aclose_forcefully(bus.stream)
        await self.settle()

    async def settle(self) -> None:
        """All that was told is heard: nobody has anything left to do without time passing."""
        await trio.testing.wait_all_tasks_blocked()


@asynccontextmanager
async def crew_of(count: int, prepare: Prepare = unprepared, *, most: int = MOST) -> AsyncIterator[Crew]:
    """`count` workers that are up. `most`: bytes that may wait at each outbox."""
    async with trio.open_nursery() as nursery:
        crew = Crew(Switch(most), nursery, prepare, most)
        for number in range(count):
            await crew.join(number)
        yield crew
        nursery.cancel_scope.cancel()
