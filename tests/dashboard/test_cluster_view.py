from __future__ import annotations

from lasso_trio.dashboard.cluster_view import cluster_page, cluster_summary, is_known
from tests.dashboard.boards import board_of, routed_of
from tests.dashboard.clusters import cluster_of, dies, figures, responds


def test_a_node_alone_has_nothing_to_tell() -> None:
    assert cluster_summary(None) is None


async def test_the_summary_names_who_is_missing() -> None:
    cluster = cluster_of()
    responds(cluster, "10.0.0.2", "eu-1", figures([0.1], 1))
    responds(cluster, "10.0.0.3", "ap-1", figures([0.2], 1))
    dies(cluster, "10.0.0.3")
    cluster.membership.dns_failed("lasso.internal", "SERVFAIL", 0.0)
    assert cluster_summary(cluster) == {
        "status": "degraded",
        "nodes": 3,
        "responding": 2,
        "disconnected": ["ap-1"],
        "unresponsive": [],
        "problems": ["dns"],
    }


async def test_the_page_sums_up_the_living_and_puts_regions_side_by_side() -> None:
    cluster, routed = cluster_of(), routed_of(board_of())
    responds(cluster, "10.0.0.2", "eu-1", figures([0.1] * 50, 70))
    responds(cluster, "10.0.0.3", "ap-1", figures([0.2] * 50, 1000))
    dies(cluster, "10.0.0.3")
    page = await cluster_page(cluster, routed, None)
    assert page["coverage"]["text"] == "2 of 3"
    assert [(node["id"], node["state"]) for node in page["nodes"]] == [
        ("us-1", "responding"),
        ("ap-1", "disconnected"),
        ("eu-1", "responding"),
    ]
    (chain,) = page["chains"]
    assert chain["total_calls"] == 50 + 70
    (alpha,) = chain["providers"]
    regions = {row["region"]: round(row["p50_latency_ms"], -1) for row in alpha["by_region"]}
    assert regions == {"us": 10, "eu": 100}


async def test_percentiles_are_of_all_answers_and_no_averages_of_percentiles() -> None:
    cluster, routed = cluster_of(figures([0.01] * 98, 98)), routed_of(board_of())
    responds(cluster, "10.0.0.2", "eu-1", figures([1.0] * 2, 2))
    (chain,) = (await cluster_page(cluster, routed, None))["chains"]
    assert 9 < chain["p95_latency_ms"] < 11  # the average of both nodes' would be half a second
    assert 980 < chain["p99_latency_ms"] < 1020


async def test_one_node_can_be_looked_at_alone() -> None:
    cluster, routed = cluster_of(), routed_of(board_of())
    responds(cluster, "10.0.0.2", "eu-1", figures([0.1] * 50, 70))
    page = await cluster_page(cluster, routed, "eu-1")
    assert (page["nodes_counted"], page["chains"][0]["total_calls"]) == (1, 70)
    assert len(page["nodes"]) == 2


async def test_a_dead_node_has_no_figures_and_is_known_all_the_same() -> None:
    cluster, routed = cluster_of(), routed_of(board_of())
    responds(cluster, "10.0.0.2", "eu-1", figures([0.1] * 50, 70))
    dies(cluster, "10.0.0.2")
    assert (await cluster_page(cluster, routed, "eu-1"))["chains"] == []
    assert [is_known(cluster, node) for node in (None, "us-1", "eu-1", "xx-1")] == [True, True, True, False]
