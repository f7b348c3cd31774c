"""The bound on bytes of request bodies that are buffered at one time: for the node, and for each client address.

A counter, not a pool: a reservation is a number that its holder gives back once. Who holds one is a connection
(`Connection.reserved`), and the door gives it back when the connection ends however it ends, so a cancelled request
cannot leak its charge.
"""

from __future__ import annotations

from typing import Final

import attrs

from lasso_trio.server.address_tally import NOBODY, AddressTally

MIN_CHARGE: Final = 4_096
"""Bytes. The smallest charge: a small body still costs a connection, a task and a parse."""


@attrs.define(eq=False)
class ByteBudget:
    """`limit` bytes for everybody together, `each.most` for one address."""

    limit: int = attrs.field(default=134_217_728, on_setattr=attrs.setters.frozen)
    each: AddressTally = attrs.field(factory=AddressTally)
    used: int = attrs.field(default=0, init=False)
    refused: int = attrs.field(default=0, init=False)

    def reserve(self, size: int, address: str = NOBODY) -> bool:
        """Charge `size` bytes (at least `MIN_CHARGE`), or say no and charge nothing."""
        charge = max(size, MIN_CHARGE)
        if self.used + charge > self.limit or not self.each.take(address, charge):
            self.refused += 1
            return False
        self.used += charge
        return True

    def release(self, size: int, address: str = NOBODY) -> None:
        """Give back what `reserve(size, address)` charged. Exactly once per reservation."""
        self.each.give_back(address, max(size, MIN_CHARGE))
        self.used -= max(size, MIN_CHARGE)
        assert self.used >= 0, "released more than was reserved"
