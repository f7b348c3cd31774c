"""How a node becomes one worker of several."""

from __future__ import annotations

import subprocess
import sys

from lasso_trio.cluster.cluster import Cluster
from lasso_trio.config.settings import Settings
from lasso_trio.joining import cluster_of
from lasso_trio.telemetry.node import Node
from lasso_trio.workers.cluster_share import ClusterShare
from tests.dashboard.boards import directory_of
from tests.workers.crew import crew_of

CLUSTER = {"CLUSTER_DNS_QUERY": "lasso.internal", "CLUSTER_NODE_BASENAME": "lasso", "SECRET_KEY_BASE": "s" * 64}


async def test_a_lone_node_has_no_cluster_and_of_several_workers_one_speaks() -> None:
    directory, node = directory_of(), Node("n", 0.0)
    settings = Settings.from_env(CLUSTER)
    assert cluster_of(Settings(), node, lambda: directory, None) is None
    assert isinstance(cluster_of(settings, node, lambda: directory, None), Cluster)
    async with crew_of(1) as crew:
        assert isinstance(cluster_of(settings, node, lambda: directory, crew[0]), ClusterShare)


def test_a_node_of_one_process_imports_nothing_of_workers() -> None:
    told = "import sys, lasso_trio.serving; print([name for name in sys.modules if 'lasso_trio.workers' in name])"
    assert subprocess.run([sys.executable, "-c", told], capture_output=True, text=True).stdout == "[]\n"
