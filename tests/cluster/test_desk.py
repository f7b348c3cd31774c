"""What is asked of whoever tells of the cluster."""

from __future__ import annotations

from lasso_trio.cluster.desk import ClusterDesk
from tests.dashboard.clusters import cluster_of, figures, responds


async def test_a_lone_process_tells_of_the_cluster_itself() -> None:
    cluster = cluster_of()
    responds(cluster, "10.0.0.2", "eu-1", figures([0.01], 5))
    desk: ClusterDesk = cluster
    assert [desk.knows(node) for node in (None, "us-1", "eu-1", "xx")] == [True, True, True, False]
    assert desk.summary()["nodes"] == desk.health()["nodes_total"] == 2
    assert [node["id"] for node in (await desk.overview())["nodes"]] == ["us-1", "eu-1"]
