"""Where a node is asked: an IP address and a port, as DNS and `CLUSTER_PORT` (or an SRV record) tell them."""

from __future__ import annotations

import attrs


@attrs.frozen(order=True, cache_hash=True)
class Address:
    """`host`: an IPv4 or IPv6 address, without brackets."""

    host: str
    port: int

    @property
    def origin(self) -> str:
        return f"http://{self}"

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
