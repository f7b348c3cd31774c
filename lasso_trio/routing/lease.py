"""What nodes (or workers) tell a bank of client limits, and what it answers: the terms on which they share one bucket.

    member ─ Report: so much was given out of this bucket, so much was asked for ─► bank
    member ◄ Lease: what the whole bucket holds, and which share of it and of its rate is yours ─ bank

Each member answers its clients out of a bucket of its own, at once and always; reports and leases go beside the calls.
A member's share is its part of what was asked for lately, so who is alone has all of it. What is given out too much
between two reports is the bucket's debt, and is paid before anybody is given more.

A bank that does not answer is no bank: after `ALONE_S` without it each member has the whole limit for itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import attrs

from lasso_trio.errors import LassoError

LATEST_S: Final = 0.5
"""Seconds that a report may wait while there is plenty. The bank's bucket is larger than a member's by so much rate:
what it would overflow with may have been given out already."""
MEMORY_S: Final = 2.0
"""What was asked for counts for the shares with exp(-age / this)."""
ALONE_S: Final = 3.0
"""Seconds after which a lease is no longer believed."""


class BankFault(LassoError):
    """The bank did not answer, or not what it should."""


@attrs.frozen
class Report:
    """Of one bucket, since the report before. `limit` names the limit that `client` has it under, of `rate` tokens
    per second and `burst` at once; `spent` tokens were given, and `asked` for.
    """

    limit: str
    client: str
    rate: int
    burst: int
    spent: float
    asked: float


@attrs.frozen
class Lease:
    """`level`: tokens in the whole bucket; below zero is debt. `share`: the member's part of it, 0 < share ≤ 1."""

    level: float
    share: float


class Bank(Protocol):
    """Where members meet."""

    async def settle(self, reports: Sequence[Report]) -> Sequence[Lease]:
        """A lease for each report, in their order; soon, or raises BankFault."""
