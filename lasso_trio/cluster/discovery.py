"""Which addresses DNS names for the cluster: A and AAAA records, or SRV records for a name that begins with `_`.

The only importer of dnspython. Its answers are never cached here: the name is asked for anew at each poll.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import attrs
import dns.asyncbackend
import dns.asyncresolver
import dns.exception
import dns.name
import dns.resolver
import trio
from dns.rdatatype import RdataType
from dns.rdtypes.IN.SRV import SRV

from lasso_trio.cluster.address import Address
from lasso_trio.errors import LassoError

LIFETIME_S: Final = 3.0
MOST_ADDRESSES: Final = 1024
_ADDRESSES: Final = (RdataType.A, RdataType.AAAA)


class DnsFault(LassoError):
    """DNS told no address. The text says why."""


@attrs.define(eq=False)
class Discovery:
    """`port`: where nodes listen that A and AAAA records name."""

    query: str
    port: int
    server: tuple[str, int] | None = None
    """IP address and port of who is asked instead of the machine's own resolvers."""
    _resolver: dns.asyncresolver.Resolver | None = None

    def _asked(self) -> dns.asyncresolver.Resolver:
        if self._resolver is None:
            try:
                self._resolver = dns.asyncresolver.Resolver(configure=self.server is None)
            except dns.resolver.NoResolverConfiguration as fault:
                raise DnsFault("this machine has no resolver") from fault
            if self.server is not None:
                host, self._resolver.port = self.server
                self._resolver.nameservers = [host]
        return self._resolver

    async def look(self) -> set[Address]:
        """Raises DnsFault, also when the answer names nobody."""
        found = await (self._services() if self.query.startswith("_") else self._hosts([(self.query, self.port)]))
        if not found:
            raise DnsFault("no addresses")
        return set(sorted(found)[:MOST_ADDRESSES])

    async def _services(self) -> set[Address]:
        records = [record for record in await self._ask(self.query, RdataType.SRV) if isinstance(record, SRV)]
        return await self._hosts((record.target.to_text(), record.port) for record in records)

    async def _hosts(self, hosts: Iterable[tuple[str, int]]) -> set[Address]:
        """What can be had of all of them; raises DnsFault when nothing can."""
        found: set[Address] = set()
        faults: list[DnsFault] = []

        async def look_up(name: str, port: int, kind: RdataType) -> None:
            try:
                found.update(Address(record.to_text(), port) for record in await self._ask(name, kind))
            except DnsFault as fault:
                faults.append(fault)

        async with trio.open_nursery() as nursery:
            for name, port in hosts:
                for kind in _ADDRESSES:
                    nursery.start_soon(look_up, name, port, kind)
        if faults and not found:
            raise min(faults, key=str)  # whichever came first: what does not change is no news
        return found

    async def _ask(self, name: str, kind: RdataType) -> Iterable[dns.rdata.Rdata]:
        """The records; none where the name has none of this kind."""
        backend = dns.asyncbackend.get_backend("trio")
        try:
            answer = await self._asked().resolve(
                name, kind, lifetime=LIFETIME_S, raise_on_no_answer=False, search=True, backend=backend
            )
        except dns.resolver.NXDOMAIN as fault:
            raise DnsFault("there is no such name") from fault
        except dns.exception.Timeout as fault:
            raise DnsFault("no answer in time") from fault
        except (dns.exception.DNSException, OSError) as fault:
            raise DnsFault(f"{type(fault).__name__}: {fault}"[:200]) from fault
        return () if answer.rrset is None else answer.rrset
