from __future__ import annotations

from lasso_trio.cluster.lifecycle import FAILURES
from lasso_trio.cluster.membership import REASONS
from lasso_trio.metrics import cluster as module
from lasso_trio.metrics.cluster import read_cluster
from lasso_trio.telemetry.prometheus import Table
from tests.dashboard.clusters import cluster_of, dies, figures, responds


def test_a_node_alone_tells_nothing() -> None:
    table = Table()
    read_cluster(None, table, 0.0)
    assert not table.rows


async def test_nodes_are_told_by_state_with_this_one_among_them() -> None:
    cluster, table = cluster_of(), Table()
    responds(cluster, "10.0.0.2", "eu-1", figures([0.1], 1))
    responds(cluster, "10.0.0.3", "ap-1", figures([0.1], 1))
    dies(cluster, "10.0.0.3")
    read_cluster(cluster, table, 0.0)
    states = {labels[0]: value for labels, value in table.rows[module.NODES]}
    assert states == {"discovering": 0, "connected": 0, "responding": 2, "unresponsive": 0, "disconnected": 1}
    outcomes = [table.value(module.EXCHANGES, outcome) for outcome in ("answered", "failed")]
    assert outcomes == [2, FAILURES]


async def test_problems_are_told_by_kind_and_fall_to_zero() -> None:
    cluster, table, later = cluster_of(), Table(), Table()
    responds(cluster, "10.0.0.2", "eu-1", figures([0.1], 1))
    cluster.membership.dns_failed("lasso.internal", "SERVFAIL", 0.0)
    cluster.membership.refused("secret", "10.0.0.2", "", 0.0)
    read_cluster(cluster, table, 0.0)
    assert [table.value(module.PROBLEMS, kind) for kind in ("dns", "secret", "clock")] == [1, 1, 0]
    cluster.membership.listed([], 1.0)
    read_cluster(cluster, later, 1.0)
    assert later.value(module.PROBLEMS, "dns") == 0


def test_every_kind_of_trouble_has_its_line() -> None:
    assert set(module.KINDS) >= REASONS.keys() | {"dns", "replay", "duplicate_id"}
