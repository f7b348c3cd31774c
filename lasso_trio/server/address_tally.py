"""How much each client address holds of something at one time: connections, calls, bytes.

One address must not be able to take all of the node. Addresses are told apart as the client limit does it: IPv6 by its
/64. A trusted proxy stands for many clients and is nobody (`""`): what is counted by the socket's peer is not counted
for it. An address that holds nothing is not remembered. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

from lasso_trio.routing.client_limit import client_key
from lasso_trio.server.client_address import Network, is_trusted

NOBODY: Final = ""


@attrs.define(eq=False)
class AddressTally:
    """At most `most` for each address; 0: as much as it likes, and nothing is counted."""

    most: int = 0
    refused: int = 0
    _held: dict[str, int] = attrs.field(factory=dict)

    def __len__(self) -> int:
        """Addresses that hold something."""
        return len(self._held)

    def take(self, address: str, size: int = 1) -> bool:
        """Note that `address` holds `size` more, or say no and note nothing."""
        if not self.most or not address:
            return True
        held = self._held.get(address, 0) + size
        if held > self.most:
            self.refused += 1
            return False
        self._held[address] = held
        return True

    def give_back(self, address: str, size: int = 1) -> None:
        """Exactly once for each `take` that said yes."""
        if not self.most or not address:
            return
        left = self._held[address] - size
        assert left >= 0, "gave back more than was taken"
        if left:
            self._held[address] = left
        else:
            del self._held[address]


def address_of(peer: str, trusted: Sequence[Network]) -> str:
    """Who holds what belongs to a connection from `peer` (an IP address); `NOBODY` for a trusted proxy."""
    return NOBODY if is_trusted(peer, trusted) else client_key(peer)
