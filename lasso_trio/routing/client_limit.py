"""How many calls a client may make: a token bucket per client address, one set of buckets per profile.

Pure: the clock is passed in. A bucket that has filled up again says nothing, so it can be forgotten: memory is
bounded by the number of clients of the last few seconds, and by `MOST_CLIENTS` in the face of a flood of addresses.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from typing import Final

import attrs

MOST_CLIENTS: Final = 65_536


@attrs.define(eq=False)
class Bucket:
    tokens: float
    at: float


@attrs.define(eq=False)
class ClientLimit:
    """`rate` tokens per second, at most `burst` at once."""

    rate: int
    burst: int
    _buckets: dict[str, Bucket] = attrs.field(factory=dict)

    def take(self, client: str, n: int, now: float) -> float:
        """Take `n` tokens. 0.0 if they were there; else how many seconds to wait for them (nothing is taken).

        More than `burst` can never be there: such a request takes a full bucket.
        """
        bucket = self._buckets.get(client)
        if bucket is None:
            bucket = self._open(client, now)
        need = min(self.burst, n)
        tokens = bucket.tokens + (now - bucket.at) * self.rate
        bucket.tokens = tokens if tokens < self.burst else float(self.burst)
        bucket.at = now
        if bucket.tokens >= need:
            bucket.tokens -= need
            return 0.0
        return (need - bucket.tokens) / self.rate

    def __len__(self) -> int:
        return len(self._buckets)

    def _open(self, client: str, now: float) -> Bucket:
        if len(self._buckets) >= MOST_CLIENTS:
            self._forget(now)
        return self._buckets.setdefault(client, self._new(now))

    def _new(self, now: float) -> Bucket:
        return Bucket(float(self.burst), now)

    def _forget(self, now: float) -> None:
        full_after = self.burst / self.rate
        self._buckets = {c: b for c, b in self._buckets.items() if now - b.at < full_after}
        if len(self._buckets) > MOST_CLIENTS // 2:
            # Too many are busy: the longest silent start afresh rather than the node running out of memory. Always down
            # to half, so that a flood of addresses does not pay for this at each of them.
            newest = sorted(self._buckets.items(), key=lambda item: item[1].at)[-(MOST_CLIENTS // 2) :]
            self._buckets = dict(newest)


def client_key(address: str) -> str:
    """The bucket's name for an address: itself, or the /64 of an IPv6 one, of which one client may use any."""
    if ":" not in address:
        return address
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Address(int(parsed) >> 64 << 64)) + "/64"
