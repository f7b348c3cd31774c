"""What a process can tell of the cluster, whoever in its node speaks with the other nodes."""

from __future__ import annotations

from typing import Any, Protocol

from lasso_trio.cluster.aggregate import Picture
from lasso_trio.cluster.membership import Membership
from lasso_trio.errors import LassoError

Row = dict[str, Any]


class Silent(LassoError):
    """The process that speaks with the other nodes does not answer now; another will soon. The message says more."""


class ClusterDesk(Protocol):
    """See `cluster.Cluster`, which is the one of a node of one process. What waits may raise Silent."""

    @property
    def membership(self) -> Membership:
        """As this process knows it."""
        ...

    def health(self) -> Row: ...

    def summary(self) -> Row:
        """Who is missing and what is wrong. Counts include this node."""
        ...

    def knows(self, node: str | None) -> bool:
        """Whether there is such a node, dead ones too; None are all of them."""
        ...

    async def overview(self) -> Row: ...

    async def picture(self, drawn: Picture, node: str | None = None, region: str | None = None) -> Row: ...

    async def answer(self, frame: bytes, origin: str) -> bytes: ...

    async def run(self) -> object: ...
