"""What a node shares with others, joined: the lanes to the engine and what goes over them, as one supervised child.

    shared ─┬─ cache_read    look-ups of calls
            ├─ cache_write   what was kept, and what is over
            └─ limits        reports and leases

Or, without an engine, for the workers of one node: reports and leases over the bus alone. Profiles are given their
limits and stores by it (`limit`, `store`), so that a node that shares nothing has none of this in its calls' way.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from typing import Any, Self

import attrs
import trio

from lasso_trio.config.profile import Profile
from lasso_trio.config.redis_terms import RedisTerms
from lasso_trio.config.secret import Secret
from lasso_trio.routing.client_limit import ClientLimit
from lasso_trio.routing.lease import Bank
from lasso_trio.routing.leased_limit import LeasedLimit
from lasso_trio.shared.keys import Keys, configuration_of
from lasso_trio.shared.lane import Lane
from lasso_trio.shared.leasing import Leasing, Limits
from lasso_trio.shared.line import dial
from lasso_trio.shared.reading import Reading
from lasso_trio.shared.redis_bank import RedisBank
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
    def on_redis(cls, terms: RedisTerms, cluster: str, secret: Secret | None, member: str) -> Self:
        """`cluster`: whose members share. `secret`: what they alone know. `member`: this process, for people."""
        lanes = tuple(Lane(name, partial(dial, terms)) for name in ("cache_read", "cache_write", "limits"))
        reads, writes, limits = lanes
        keys = Keys(cluster)
        bank = RedisBank(limits, keys, f"{member}.{secrets.token_hex(4)}")
        engine = Engine(keys, Sealer(_key_of(secret)), Reading(reads), Writing(writes))
        return cls(Leasing(bank, ALONE), str(terms), engine, lanes)

    @classmethod
    def over(cls, bank: Bank) -> Self:
        """Limits alone, at `bank`."""
        return cls(Leasing(bank, ALONE))

    def limit(self, profile: Profile) -> ClientLimit:
        """A profile's client limit."""
        return LeasedLimit(profile.rps_limit, profile.burst_limit)

    def store(self, profile: Profile) -> SharedStore:
        """Where a profile's answers are kept that keeps them. Only with an engine."""
        assert self.engine is not None
        return SharedStore(profile.cache.max_bytes, engine=self.engine, configuration=configuration_of(profile))

    async def run(self) -> None:
        """Until cancelled; connections are closed then."""
        async with trio.open_nursery() as nursery:
            if self.engine is None:
                nursery.start_soon(self.leasing.run, name="shared limits")
                return
            works: tuple[Callable[[], Any], ...] = (self.engine.reading.run, self.engine.writing.run, self.leasing.run)
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


def _key_of(secret: Secret | None) -> bytes:
    return sha256(
        b"lasso cache\0" + (b"" if secret is None else secret.reveal().encode(errors="surrogateescape"))
    ).digest()
