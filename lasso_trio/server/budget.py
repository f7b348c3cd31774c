"""The node-wide bound on bytes of request bodies that are buffered at one time.

A counter, not a pool: a reservation is a number that its holder gives back once. Who holds one is a connection
(`Connection.reserved`), and the door gives it back when the connection ends however it ends, so a cancelled request
cannot leak its charge.
"""

from __future__ import annotations

from typing import Final

import attrs

MIN_CHARGE: Final = 4_096
"""Bytes. The smallest charge: a small body still costs a connection, a task and a parse."""


@attrs.define(eq=False)
class ByteBudget:
    """`limit` bytes for everybody together."""

    limit: int = attrs.field(default=134_217_728, on_setattr=attrs.setters.frozen)
    used: int = attrs.field(default=0, init=False)
    refused: int = attrs.field(default=0, init=False)

    def reserve(self, size: int) -> bool:
        """Charge `size` bytes (at least `MIN_CHARGE`), or say no and charge nothing."""
        charge = max(size, MIN_CHARGE)
        if self.used + charge > self.limit:
            self.refused += 1
            return False
        self.used += charge
        return True

    def release(self, size: int) -> None:
        """Give back what `reserve(size)` charged. Exactly once per reservation."""
        self.used -= max(size, MIN_CHARGE)
        assert self.used >= 0, "released more than was reserved"
