"""Tells of the cluster as this node sees it: nodes by state, what is wrong, and how its questions to others went.

Where a node stands alone nothing is told.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from lasso_trio.cluster.desk import ClusterDesk
from lasso_trio.cluster.lifecycle import State
from lasso_trio.telemetry.across import Across
from lasso_trio.telemetry.prometheus import Table, counter, gauge

NODES = gauge(
    "lasso_cluster_nodes", "state", "Nodes of the cluster by state, this one among those that respond.", Across.KEEPER
)
PROBLEMS = gauge(
    "lasso_cluster_problems", "kind", "What is wrong with the cluster, by kind; see docs/clustering.md.", Across.KEEPER
)
EXCHANGES = counter("lasso_cluster_exchanges_total", "outcome", "Questions to other nodes: answered, or failed.")

FAMILIES: Final = (NODES, PROBLEMS, EXCHANGES)
KINDS: Final = ("dns", "secret", "clock", "cluster", "version", "replay", "duplicate_id")


def read_cluster(cluster: ClusterDesk | None, table: Table, now: float) -> tuple[()]:
    """Every state and kind at each reading, so that a graph falls to zero and does not end."""
    if cluster is None:
        return ()
    membership = cluster.membership
    states = Counter(peer.state for peer in membership.nodes())
    states[State.RESPONDING] += 1
    for state in State:
        table.add(NODES, states[state], state.value)
    kinds = Counter(trouble.kind for trouble in membership.troubles())
    for kind in KINDS:
        table.add(PROBLEMS, kinds[kind], kind)
    table.add(EXCHANGES, membership.exchanges, "answered")
    table.add(EXCHANGES, membership.failed_exchanges, "failed")
    return ()
