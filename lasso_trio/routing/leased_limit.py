"""A client limit that several nodes or workers hold together: the same buckets, each with its share of the whole.

`take` answers at once, out of what is here; that others take too is learned by leases (`lease`), which come for those
buckets that are used: soon for one that is half empty, else twice a second. Nothing is reported of who is idle. A lease
only ever lowers what is in a bucket, down into debt; what fills it is time, at the share of the rate.

Pure: the clock is passed in.
"""

from __future__ import annotations

from itertools import islice
from math import inf
from typing import Final

import attrs

from lasso_trio.routing.client_limit import Bucket, ClientLimit
from lasso_trio.routing.lease import ALONE_S, LATEST_S, Lease, Report

LEAST: Final = 2.0
"""Tokens that fit into a bucket however small its share, up to the burst: time must not be lost to one that is always
full between two calls.
"""


@attrs.define(eq=False)
class LeasedBucket(Bucket):
    """`spent` and `asked` are not reported yet. `settled`: when the last lease came."""

    share: float = 1.0
    settled: float = -inf
    spent: float = 0.0
    asked: float = 0.0

    def holds(self, burst: int) -> float:
        """Tokens, at most."""
        return max(burst * self.share, min(burst, LEAST))

    def fill(self, rate: int, burst: int, now: float) -> None:
        """Up to `now`. A share that nobody has confirmed for long is the whole again."""
        self.tokens = min(self.tokens + (now - self.at) * rate * self.share, self.holds(burst))
        self.at = now
        if now - self.settled > ALONE_S:
            self.share = 1.0


@attrs.frozen(eq=False)
class Turn:
    """Reports that are under way, and the buckets they are of."""

    reports: tuple[Report, ...]
    buckets: tuple[LeasedBucket, ...]
    at: float


@attrs.define(eq=False)
class LeasedLimit(ClientLimit):
    """`_waiting`: the buckets to report of, by client, who has waited longest first."""

    _waiting: dict[str, LeasedBucket] = attrs.field(factory=dict)

    def take(self, client: str, n: int, now: float) -> float:
        """As a `ClientLimit` of the member's share. What is more than a share can hold is given out of a full one,
        as debt: a batch must not fail because its client is seen at several places.
        """
        bucket = self._buckets.get(client) or self._open(client, now)
        assert isinstance(bucket, LeasedBucket)
        bucket.fill(self.rate, self.burst, now)
        need, full = min(self.burst, n), bucket.holds(self.burst)
        enough = min(need, full)
        bucket.asked += need
        short = bucket.tokens < enough
        if not short:
            bucket.tokens -= need
            bucket.spent += need
        if bucket.tokens < full / 2 or now - bucket.settled >= LATEST_S:
            self._waiting[client] = bucket
        return (enough - bucket.tokens) / (self.rate * bucket.share) if short else 0.0

    def turn(self, name: str, now: float, most: int) -> Turn:
        """What is to be reported now, of at most so many clients; `name` is the limit's. It is not reported again."""
        clients = list(islice(self._waiting, most))
        buckets = tuple(self._waiting.pop(client) for client in clients)
        reports = tuple(
            Report(name, client, self.rate, self.burst, bucket.spent, bucket.asked)
            for client, bucket in zip(clients, buckets, strict=True)
        )
        for bucket in buckets:
            bucket.spent = bucket.asked = 0.0
        return Turn(reports, buckets, now)

    def settle(self, turn: Turn, leases: tuple[Lease, ...], now: float) -> None:
        """`leases` have come for the reports of `turn`. What a turn without an answer reported is forgotten."""
        for bucket, lease in zip(turn.buckets, leases, strict=True):
            bucket.fill(self.rate, self.burst, now)
            bucket.share, bucket.settled = lease.share, now
            # The bank's word is from about half-way; what was spent since the report is not in it yet.
            since = (now - turn.at) / 2
            most = (lease.level + since * self.rate) * lease.share - bucket.spent
            bucket.tokens = min(bucket.tokens, most, bucket.holds(self.burst))

    def _forget(self, now: float) -> None:
        """What nobody remembers is not reported either: while the bank is away, or behind, that would have no bound."""
        ClientLimit._forget(self, now)
        self._waiting = {c: bucket for c, bucket in self._waiting.items() if self._buckets.get(c) is bucket}

    def _new(self, now: float) -> LeasedBucket:
        return LeasedBucket(float(self.burst), now)
