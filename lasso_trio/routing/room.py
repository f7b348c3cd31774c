"""How many bytes of results may be held at one time for one client's request.

A single large result flows through and is not held. The results of a batch are, all of them until the last is there:
without a bound on all together, fifty small requests could fill the memory with fifty of the largest results.
"""

from __future__ import annotations

import attrs

from lasso_trio.upstream.faults import TooLarge


@attrs.define(eq=False)
class Room:
    """`left`: bytes. First come, first served."""

    left: int

    def take(self, size: int) -> None:
        """Raises TooLarge, and takes nothing, when there is not so much left."""
        if size > self.left:
            raise TooLarge("body", "the results of one request are together beyond the cap")
        self.left -= size

    def give_back(self, size: int) -> None:
        self.left += size
