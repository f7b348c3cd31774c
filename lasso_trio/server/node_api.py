"""The JSON answers about the node itself: health, readiness, chains. Shapes as the original documents them. Pure."""

from __future__ import annotations

from typing import Any

from lasso_trio import __version__
from lasso_trio.cluster.view import STANDALONE
from lasso_trio.routing.directory import Directory
from lasso_trio.server.metrics_view import timestamp
from lasso_trio.telemetry.node import Node, Readiness

Row = dict[str, Any]


def health(node: Node, now: float, cluster: Row = STANDALONE) -> Row:
    """Liveness: the process answers. Whether it should get traffic is `ready`'s business."""
    row = {
        "status": "healthy",
        "timestamp": timestamp(),
        "uptime_seconds": int(node.uptime_s(now)),
        "version": __version__,
        "node_id": node.id,
        "restarts": node.restarts(),
        "cluster": cluster,
    }
    return row if node.shared is None else {**row, "shared": node.shared(now)}


def ready(node: Node) -> tuple[int, Row]:
    """HTTP status and body: 200 only when the node wants traffic."""
    is_ready = node.readiness is Readiness.READY
    reason = None if is_ready else node.readiness.value
    return (200 if is_ready else 503), {"status": "ready" if is_ready else "not_ready", "reason": reason}


def chains(directory: Directory) -> Row:
    """The chains of the listed profiles, each chain id once, the default profile's first."""
    rows: dict[int, Row] = {}
    profiles = sorted(directory.profiles.values(), key=lambda routed: routed is not directory.default)
    for routed in profiles:
        if routed.profile.unlisted:
            continue
        for chain in (entry.chain for entry in routed.chains):
            row = rows.setdefault(
                chain.chain_id,
                {
                    "chain_id": str(chain.chain_id),
                    "name": chain.name,
                    "chain_name": chain.key,
                    "supported": True,
                    "profiles": [],
                },
            )
            row["profiles"].append(routed.profile.slug)
    return {"chains": list(rows.values())}
