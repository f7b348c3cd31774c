"""The cluster as JSON: the object in `/api/health`, and `/api/cluster`. Pure reading.

Counts include this node. Ages are milliseconds, latencies too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from lasso_trio.cluster.aggregate import ChainPicture, Figures, MethodPicture, Picture, ProviderPicture
from lasso_trio.cluster.lifecycle import Peer
from lasso_trio.cluster.membership import Coverage, Membership, Trouble
from lasso_trio.cluster.snapshot import Snapshot
from lasso_trio.providers.latency import Window

Row = dict[str, Any]
STANDALONE: Final[Row] = {
    "enabled": False,
    "status": "standalone",
    "nodes_connected": 1,
    "nodes_responding": 1,
    "nodes_total": 1,
    "regions": [],
}
_USUAL: Final = (50, 90, 95, 99)
_FEW: Final = (50, 95)
"""For rows of one provider on one node: there are thousands of them."""
_REGION_LETTERS: Final = range(2, 5)


def region_of(node_id: str | None) -> str | None:
    """What stands before the id's first `-`, if it is two to four bytes long: `us-east-1` → `us`."""
    head, dash, _ = (node_id or "").partition("-")
    return head if dash and len(head.encode()) in _REGION_LETTERS else None


def health(membership: Membership) -> Row:
    """As the original documents it, with the dead counted, and `problems`: see `Trouble.kind`."""
    coverage = membership.coverage()
    ids = [membership.node_id, *(peer.node_id for peer in membership.nodes() if peer.live)]
    return {
        "enabled": True,
        "status": status(coverage),
        "nodes_connected": coverage.connected,
        "nodes_responding": coverage.responding,
        "nodes_total": coverage.total,
        "regions": sorted({region for id_ in ids if (region := region_of(id_)) is not None}),
        "problems": sorted({trouble.kind for trouble in membership.troubles()}),
    }


def summary(membership: Membership) -> Row:
    """In few words: who is missing and what is wrong."""
    coverage = membership.coverage()
    return {
        "status": status(coverage),
        "nodes": coverage.total,
        "responding": coverage.responding,
        "disconnected": list(coverage.disconnected),
        "unresponsive": list(coverage.unresponsive),
        "problems": sorted({trouble.kind for trouble in membership.troubles()}),
    }


def status(coverage: Coverage) -> str:
    if coverage.responding >= coverage.total:
        return "healthy"
    return "degraded" if coverage.responding >= coverage.total // 2 else "critical"


def overview(membership: Membership, own: Snapshot, cluster: str, now: float) -> Row:
    """Who is there, who is not, and what is wrong."""
    coverage = membership.coverage()
    nodes = [_self(membership, own, cluster)]
    nodes += [_node(peer, membership.snapshots.get(peer.address), cluster, now) for peer in membership.nodes()]
    return {
        "enabled": True,
        "status": status(coverage),
        "node": membership.node_id,
        "coverage": _coverage(coverage),
        "nodes": nodes,
        "regions": _regions(nodes),
        "problems": [_trouble(trouble, now) for trouble in membership.troubles()],
        "dns": {
            "answered_age_ms": None if membership.dns_at is None else _age(membership.dns_at, now),
            "error": None if membership.dns is None else membership.dns.detail,
        },
    }


def _coverage(coverage: Coverage) -> Row:
    return {
        "text": f"{coverage.responding} of {coverage.total}",
        "expected": coverage.total,
        "connected": coverage.connected,
        "responding": coverage.responding,
        "identified": coverage.identified,
        "unresponsive": list(coverage.unresponsive),
        "disconnected": list(coverage.disconnected),
    }


def _self(membership: Membership, own: Snapshot, cluster: str) -> Row:
    addresses = sorted(membership.own)
    host = addresses[0].host if addresses else None
    return {
        "id": membership.node_id,
        "name": None if host is None else f"{cluster}@{host}",
        "self": True,
        "addresses": [str(address) for address in addresses],
        "region": region_of(membership.node_id),
        "state": "responding",
        "since_ms": int(own.uptime_s * 1000),
        "answered_age_ms": 0,
        "failures": 0,
        "reason": None,
        **_told(own),
    }


def _node(peer: Peer, snapshot: Snapshot | None, cluster: str, now: float) -> Row:
    return {
        "id": peer.node_id,
        "name": f"{cluster}@{peer.address.host}",
        "self": False,
        "addresses": [str(peer.address)],
        "region": region_of(peer.node_id),
        "state": peer.state.value,
        "since_ms": _age(peer.since, now),
        "answered_age_ms": None if peer.uid is None else _age(peer.answered_at, now),
        "failures": peer.failures,
        "reason": peer.reason or None,
        **_told(snapshot if peer.live else None),
    }


def _told(snapshot: Snapshot | None) -> Row:
    if snapshot is None:
        return dict.fromkeys(("version", "readiness", "uptime_seconds", "calls", "calls_per_second"))
    return {
        "version": snapshot.version,
        "readiness": snapshot.readiness,
        "uptime_seconds": int(snapshot.uptime_s),
        "calls": sum(chain.calls for chain in snapshot.chains),
        "calls_per_second": round(sum(chain.per_second for chain in snapshot.chains), 2),
    }


def _regions(nodes: Iterable[Row]) -> list[Row]:
    regions: dict[str, list[Row]] = {}
    for node in nodes:
        regions.setdefault(node["region"] or "", []).append(node)
    return [
        {
            "region": region or None,
            "nodes": len(members),
            "responding": sum(node["state"] == "responding" for node in members),
            "calls_per_second": round(sum(node["calls_per_second"] or 0.0 for node in members), 2),
        }
        for region, members in sorted(regions.items())
    ]


def _trouble(trouble: Trouble, now: float) -> Row:
    age = None if trouble.since is None else _age(trouble.since, now)
    return {"kind": trouble.kind, "about": trouble.about, "detail": trouble.detail, "age_ms": age}


def picture(drawn: Picture) -> Row:
    """The sums of each chain, from all nodes that respond. Their providers are rows of their own: there may be many."""
    chains = sorted(drawn.chains.items())
    return {
        "profile": drawn.profile,
        "nodes_counted": drawn.nodes,
        "chains": [_chain(key, chain) for key, chain in chains],
    }


def _chain(key: str, chain: ChainPicture) -> Row:
    return {
        "chain": key,
        "chain_id": chain.chain_id,
        "total_calls": chain.calls,
        "success_rate": round(1.0 - chain.errors / chain.calls, 4) if chain.calls else None,
        "rate_limited_calls": chain.limited,
        "calls_per_second": round(chain.per_second, 2),
        **_latency(chain.window()),
    }


def provider(id_: str, provider: ProviderPicture) -> Row:
    """One provider, and how each node and region sees it, side by side."""
    by_node = sorted(provider.by_node.items(), key=lambda item: item[0].node_id)
    by_region = sorted(provider.by_region().items(), key=lambda item: item[0] or "")
    return {
        "id": id_,
        "name": provider.name,
        "live_on": provider.live_on,
        **_figures(provider.whole),
        "cold_start": provider.whole.cold,
        "by_region": [{"region": region, **_figures(figures)} for region, figures in by_region],
        "by_node": [
            {"node": origin.node_id, "region": origin.region, "lag": provider.lags[origin], **_figures(figures, _FEW)}
            for origin, figures in by_node
        ],
        "methods": [_method(name, method) for name, method in sorted(provider.methods.items())],
    }


def _figures(figures: Figures, percentiles: tuple[int, ...] = _USUAL) -> Row:
    return {
        "total_calls": figures.attempts,
        "success_rate": round(figures.answered / figures.attempts, 4) if figures.attempts else None,
        "failures": figures.failures,
        "rate_limited": figures.throttled,
        **_latency(figures.window, percentiles),
    }


def _method(name: str, method: MethodPicture) -> Row:
    total = method.answered + method.failures
    rate = round(method.answered / total, 4) if total else None
    return {"method": name, "total_calls": total, "success_rate": rate, **_latency(method.window)}


def _latency(window: Window, percentiles: tuple[int, ...] = _USUAL) -> Row:
    return {
        "avg_latency_ms": _ms(window.latency.mean),
        **{f"p{q}_latency_ms": _ms(window.quantile(q / 100)) for q in percentiles},
    }


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 2)


def _age(at: float, now: float) -> int:
    return int((now - at) * 1000)
