"""The parent holds the node's ports: bound, never listening, so that they stay the node's while workers come and go.

Workers listen on sockets of their own on the same addresses (SO_REUSEPORT). The kernel would let a second node of the
same user join them unnoticed; so it is found out first whether anybody listens.
"""

from __future__ import annotations

import socket
from typing import Self

import attrs

from lasso_trio.server.listener import bind_shared, open_listeners


@attrs.frozen
class Held:
    """`port`: the number; for 0 the one that the kernel chose."""

    port: int
    sockets: tuple[socket.socket, ...]

    @classmethod
    async def on(cls, host: str, port: int) -> Self:
        """Raises OSError, naming the address, when it cannot be had."""
        for listener in await open_listeners(host, port):  # alone: fails if anybody listens
            listener.close()
        sockets = tuple(await bind_shared(host, port))
        return cls(sockets[0].getsockname()[1], sockets)

    def urls(self) -> list[str]:
        """`http://…` for each address."""
        hosts = [sock.getsockname()[0] for sock in self.sockets]
        return [f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}" for host in hosts]

    def close(self) -> None:
        for sock in self.sockets:
            sock.close()
