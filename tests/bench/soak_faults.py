"""What goes wrong during a soak, and when: one misfortune at a time, never to `steady`, with calm between them."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from random import Random

import attrs
import trio
from soak_figures import Fault

from lasso_trio.devnet import Devnet, Failure, Faults, Kind, Latency

USUAL = {
    "steady": Faults(latency=Latency.lognormal(6, 0.3)),
    "second": Faults(latency=Latency.lognormal(4, 0.5)),
    "third": Faults(latency=Latency.lognormal(8, 0.5)),
}
VICTIMS = ("second", "third")
FAULT_S, CALM_S = 6.0, 9.0
KINDS = {
    "stalls": Faults(failures=(Failure(Kind.HANG),), ws_mute=True),
    "refuses everything, 429": Faults(failures=(Failure(Kind.HTTP, status=429, retry_after_s=2.0),)),
    "fails, 500": Faults(failures=(Failure(Kind.HTTP, status=500),)),
    "resets": Faults(failures=(Failure(Kind.RESET, share=0.5),)),
    "talks nonsense": Faults(failures=(Failure(Kind.GARBAGE, share=0.5), Failure(Kind.WRONG_ID, share=0.5))),
    "is slow": Faults(latency=Latency.constant(900)),
}
"""Beside those that are no state of a provider: killed, sockets dropped, a reorganisation, a reload."""

Act = Callable[[], Awaitable[None]]


@attrs.define(eq=False)
class Misfortune:
    """`told`: what has happened so far. `now`: seconds since the load began. `reload`: has the profiles read again."""

    net: Devnet
    now: Callable[[], float]
    reload: Callable[[], None]
    told: list[Fault] = attrs.field(factory=list)
    dice: Random = attrs.field(factory=lambda: Random(7))

    async def run(self) -> None:
        """One after the other, until cancelled."""
        names = ["killed", *KINDS, "sockets dropped", "reorganisation", "reload"]
        for what in itertools.cycle(names):
            await trio.sleep(CALM_S)
            victim = self.dice.choice(VICTIMS)
            since = self.now()
            await self._happen(what, victim)
            self.told.append(Fault(f"{victim} {what}", since, self.now()))

    async def _happen(self, what: str, victim: str) -> None:
        if what == "killed":
            await self.net.kill(victim)
            await trio.sleep(FAULT_S)
            await self.net.revive(victim)
        elif what in KINDS:
            self.net.set_faults(victim, KINDS[what])
            await trio.sleep(FAULT_S)
            self.net.set_faults(victim, USUAL[victim])
        elif what == "sockets dropped":
            self.net.providers[victim].drop_websockets()
        elif what == "reorganisation":
            self.net.reorg(self.dice.randint(1, 3), longer_by=1)
        else:
            self.reload()
