"""What a client may do, once it is known; and the buckets of clients that have limits of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import inf
from typing import Final

import attrs

from lasso_trio.config.access import Names, Terms
from lasso_trio.routing.client_limit import ClientLimit

USUAL: Final = Terms()
MOST_LIMITS: Final = 256
"""Different pairs of rate and burst. Tokens bring their own, and are signed by whoever the operator trusts."""


@attrs.frozen(eq=False)
class Grant:
    """`client`: its name in log lines and metrics, empty for somebody without a credential. `until`: since 1970.

    `limit` None: it is limited by its address. `bucket`: its name there.
    """

    client: str = ""
    terms: Terms = USUAL
    until: float = inf
    limit: ClientLimit | None = None
    bucket: str = ""

    def permits(self, everybody: Names, method: str) -> bool:
        return everybody.permits(method) and self.terms.methods.permits(method)


@attrs.define(eq=False)
class Limits:
    """One `ClientLimit` for each pair of rate and burst; they outlive reloads, so a reload fills nobody's bucket.

    `make`: of what kind they are; those of a node that shares its limits are leased.
    """

    make: Callable[[int, int], ClientLimit] = ClientLimit
    limits: dict[tuple[int, int], ClientLimit] = attrs.field(factory=dict)

    def of(self, terms: Terms) -> ClientLimit | None:
        if terms.rps is None:
            return None
        pair = (terms.rps, terms.burst or terms.rps)
        limit = self.limits.get(pair)
        if limit is None:
            if len(self.limits) >= MOST_LIMITS:
                self.limits.pop(next(iter(self.limits)))
            limit = self.limits[pair] = self.make(*pair)
        return limit

    def named(self) -> Iterator[tuple[str, ClientLimit]]:
        """Those there are, by a name that is the same on all nodes. No profile's slug has a blank."""
        return ((f"keys {rate} {burst}", limit) for (rate, burst), limit in self.limits.items())
