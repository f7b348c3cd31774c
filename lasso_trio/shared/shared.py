"""What a node shares with others, joined: the lanes to the engine and what goes over them, as one supervised child.

    shared ─┬─ cache_read    look-ups of calls
            ├─ cache_write   what was kept, and what is over
            └─ limits        reports and leases

Or, without an engine, for the workers of one node: reports and leases over the bus alone. Profiles are given their
limits and stores by it (`makers`), so that a node that shares nothing has none of this in its calls' way.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from itertools import chain
from typing import Any, Self

import attrs
import trio

from lasso_trio.config.profile import Profile
from lasso_trio.config.redis_terms import RedisTerms
from lasso_trio.config.secret import Secret
from lasso_trio.routing.cache_store import MemoryStore
from lasso_trio.routing.client_limit import ClientLimit
from lasso_trio.routing.directory import Directory, Makers
from lasso_trio.routing.lease import Bank
from lasso_trio.routing.leased_limit import LeasedLimit
from lasso_trio.shared.keys import Keys, configuration_of
from lasso_trio.shared.lane import Lane
from lasso_trio.shared.leasing import Leasing, Limits
from lasso_trio.shared.line import dial
from lasso_trio.shared.reading import Reading
from lasso_trio.shared.redis_bank import NearerBank, RedisBank
from lasso_trio.shared.redis_store import Engine, SharedStore
from lasso_trio.shared.sealed_entry import Sealer
from lasso_trio.shared.writing import Writing

ALONE: Limits = tuple
"""No limits."""


@attrs.define(eq=False)
class Shared:
    """`where`: the engine, for people; empty without one. `engine`, `lanes`: None and empty without one."""

    leasing: Leasing
    where: str = ""
    engine: Engine | None = None
    lanes: tuple[Lane, ...] = ()

    @classmethod
    def on_redis(
        cls, terms: RedisTerms, cluster: str, secret: Secret | None, member: str, node: Bank | None = None
    ) -> Self:
        """`cluster`: whose members share. `secret`: what they alone know. `member`: this process, for people.
        `node`: where the workers of one node meet while the engine is away.
        """
        lanes = tuple(Lane(name, partial(dial, terms)) for name in ("cache_read", "cache_write", "limits"))
        reads, writes, limits = lanes
        keys = Keys(cluster)
        bank: Bank = RedisBank(limits, keys, f"{member}.{secrets.token_hex(4)}")
        bank = bank if node is None else NearerBank(bank, node)
        engine = Engine(keys, Sealer(_key_of(secret)), Reading(reads), Writing(writes))
        return cls(Leasing(bank, ALONE), str(terms), engine, lanes)

    @classmethod
    def over(cls, bank: Bank) -> Self:
        """Limits alone, at `bank`."""
        return cls(Leasing(bank, ALONE))

    def makers(self) -> Makers:
        """Of what profiles have in common with others."""
        return Makers(_leased) if self.engine is None else Makers(_leased, partial(_shared_store, self.engine))

    def follow(self, directory: Callable[[], Directory], more: Limits = ALONE) -> None:
        """Share the limits of `directory`, which is asked each time, and `more`. Before it runs."""
        self.leasing.limits = lambda: chain(
            ((slug, routed.limit) for slug, routed in directory().profiles.items()), more()
        )

    def stores(self, directory: Directory) -> list[tuple[str, SharedStore]]:
        """Those that are shared, by their profile's slug."""
        stores = ((slug, routed.store) for slug, routed in directory.profiles.items())
        return [(slug, store) for slug, store in stores if isinstance(store, SharedStore)]

    async def run(self) -> None:
        """Until cancelled; connections are closed then."""
        if self.engine is None:
            await self.leasing.run()
        else:
            await self._run(self.engine)

    async def _run(self, engine: Engine) -> None:
        works: tuple[Callable[[], Any], ...] = (engine.reading.run, engine.writing.run, self.leasing.run)
        async with trio.open_nursery() as nursery:
            for lane, work in zip(self.lanes, works, strict=True):
                nursery.start_soon(lane.run, work, name=f"shared {lane.name}")

    def health(self, now: float) -> dict[str, Any]:
        """For `/api/health`. A lane is up, down and why, or `unknown` while it was not used."""
        states = {
            lane.name: {
                "state": "unknown" if lane.up is None else "up" if lane.up else "down",
                "reason": lane.reason or None,
                "since_seconds": int(now - lane.since),
            }
            for lane in self.lanes
        }
        together = self.leasing.together
        limits = "unknown" if together is None else "shared" if together else "each_for_itself"
        return {"engine": self.where or None, "client_limits": limits, "lanes": states}


def _leased(profile: Profile) -> ClientLimit:
    return LeasedLimit(profile.rps_limit, profile.burst_limit)


def _shared_store(engine: Engine, profile: Profile) -> MemoryStore:
    return SharedStore(profile.cache.max_bytes, engine=engine, configuration=configuration_of(profile))


def _key_of(secret: Secret | None) -> bytes:
    return sha256(
        b"lasso cache\0" + (b"" if secret is None else secret.reveal().encode(errors="surrogateescape"))
    ).digest()
