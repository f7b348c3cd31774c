"""A cluster of three as one of its nodes sees it: `us-1` itself, `eu-1` that responds, and whoever a test adds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import trio

from lasso_trio.cluster.address import Address
from lasso_trio.cluster.cluster import Cluster
from lasso_trio.cluster.lifecycle import FAILURES, Sign
from lasso_trio.cluster.seal import Seal
from lasso_trio.cluster.snapshot import Snapshot
from lasso_trio.cluster.talk import Identity
from lasso_trio.config.secret import Secret
from tests.cluster.shares import snapshot


async def nowhere() -> set[Address]:
    await trio.lowlevel.checkpoint()
    return set()


def figures(seconds: Sequence[float], calls: int) -> Snapshot:
    return snapshot({"alpha": seconds}, calls=calls, chain="eth")


def cluster_of(own: Snapshot | None = None) -> Cluster:
    """Asks nobody: what it knows of others is put into its membership."""

    async def told(_: int) -> Snapshot:
        await trio.lowlevel.checkpoint()
        return own or figures([0.01] * 50, 50)

    lines: Any = None
    return Cluster(Identity("lasso", "us-1", "u-us-1"), "lasso.internal", Seal(Secret("s")), nowhere, lines, told)


def responds(cluster: Cluster, host: str, node_id: str, told: Snapshot) -> None:
    address, now = Address(host, 4000), trio.current_time()
    cluster.membership.listed([address, *cluster.membership.peers], now)
    cluster.membership.answered(cluster.membership.peers[address], node_id, f"u-{node_id}", told, now)


def dies(cluster: Cluster, host: str) -> None:
    for _ in range(FAILURES):
        cluster.membership.failed(
            cluster.membership.peers[Address(host, 4000)], "refused", Sign.GONE, trio.current_time()
        )
