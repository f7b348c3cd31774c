"""The other nodes, for the dashboard: a few words in every snapshot, and the page that tells all of it.

What is shown is what this node knows anyway (`cluster`), drawn at most every few seconds for all who look together.
"""

from __future__ import annotations

from typing import Any

from lasso_trio.cluster.aggregate import Picture
from lasso_trio.cluster.desk import ClusterDesk
from lasso_trio.routing.routed_chain import RoutedChain

Row = dict[str, Any]


def cluster_summary(cluster: ClusterDesk | None) -> Row | None:
    """Who is missing and what is wrong; None where there is no cluster. Counts include this node."""
    return None if cluster is None else cluster.summary()


def is_known(cluster: ClusterDesk, node: str | None) -> bool:
    """Whether there is such a node, dead ones too; None are all of them. Others' names would each be a picture kept."""
    return cluster.knows(node)


async def cluster_page(cluster: ClusterDesk, routed: RoutedChain, node: str | None) -> Row:
    """Nodes, regions and problems, and one chain's figures: of all nodes that respond, or of the one called `node`.

    As `/api/cluster?chain=` has them. Percentiles are of merged histograms, latencies milliseconds. Raises
    Silent.
    """
    drawn = Picture(routed.profile.slug, routed.chain.key)
    return await cluster.overview() | await cluster.picture(drawn, node)
