"""The cluster over HTTP: what nodes ask each other, and what people look at.

    POST /api/cluster/snapshot    for nodes only: a signed question, a signed answer; 401 with a word for anybody else,
                                  404 for what a proxy passed on
    GET  /api/cluster             ?profile= ?chain= ?provider= ?node= ?region=

`chain` adds its providers, as each node and region sees them; `provider` adds that one's methods.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from quart import Response, request
from quart_trio import QuartTrio

from lasso_trio.cluster import view
from lasso_trio.cluster.aggregate import Picture
from lasso_trio.cluster.desk import ClusterDesk, Silent
from lasso_trio.cluster.lines import MEDIA, PATH
from lasso_trio.cluster.snapshot import BadSnapshot
from lasso_trio.cluster.talk import MOST_ASK_BYTES, Refused
from lasso_trio.routing.directory import Directory
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.server.onlookers import tells_nodes_only

Row = dict[str, Any]
_OF_PROXIES: Final = ("x-forwarded-for", "x-real-ip", "forwarded")
_encode: Final = msgspec.json.Encoder().encode


def serve(app: QuartTrio, cluster: ClusterDesk | None, directory: Callable[[], Directory]) -> None:
    """Let `app` answer. Without a cluster people are told that there is none."""

    @app.get("/api/cluster")
    async def overview() -> Response:
        return (
            _json({"enabled": False, "status": view.STANDALONE["status"]}) if cluster is None else await seen(cluster)
        )

    async def seen(cluster: ClusterDesk) -> Response:
        wanted = request.args
        if tells_nodes_only():
            return _json(await cluster.overview())
        slug = wanted.get("profile")
        profile = directory().default if slug is None else directory().find(slug)
        if profile is None:
            return _json({"error": "Profile not found", "profile": slug}, 404)
        chain = wanted.get("chain")
        routed = None if chain is None else profile.names.get(chain)
        if chain is not None and routed is None:
            return _json({"error": "Chain not found", "chain": chain}, 404)
        key = None if routed is None else routed.chain.key
        if "provider" in wanted and routed is None:
            return _json({"error": "A provider is one of a chain: chain= is needed"}, 404)
        unknown = _unknown(cluster, routed, wanted)
        if unknown:
            return _json({"error": f"{unknown.capitalize()} not found", unknown: wanted[unknown]}, 404)
        drawn = Picture(profile.profile.slug, key, wanted.get("provider"))
        try:
            row = await cluster.picture(drawn, wanted.get("node"), wanted.get("region"))
            return _json(await cluster.overview() | row)
        except BadSnapshot as fault:
            return _json({"error": f"a node told what cannot be read: {fault}"}, 502)
        except Silent as fault:
            return _json({"error": str(fault)}, 503)

    if cluster is not None:
        _answer_nodes(app, cluster)


def _unknown(cluster: ClusterDesk, routed: RoutedChain | None, wanted: Mapping[str, str]) -> str:
    """Which of the names is nobody's: anybody may invent some, and pictures cost a large cluster time and memory."""
    provider, region = wanted.get("provider"), wanted.get("region")
    if not cluster.knows(wanted.get("node")):
        return "node"
    if region is not None and region not in cluster.health()["regions"]:
        return "region"
    of_chain = () if routed is None else routed.chain.providers
    return "" if provider is None or any(one.id == provider for one in of_chain) else "provider"


def _came_through_a_proxy() -> bool:
    """Nodes ask each other directly; whoever is let in by a proxy from outside is none."""
    return any(name in request.headers for name in _OF_PROXIES)


def _answer_nodes(app: QuartTrio, cluster: ClusterDesk) -> None:
    @app.post(PATH)
    async def snapshot() -> Response:
        if _came_through_a_proxy():
            return _json({"errors": {"detail": "Not Found"}}, 404)
        if not 0 < (request.content_length or 0) <= MOST_ASK_BYTES:
            return _json({"error": "version"}, 401)
        frame: Any = await request.get_data(cache=False, as_text=False)
        try:
            return Response(await cluster.answer(frame, request.remote_addr or ""), 200, content_type=MEDIA)
        except Refused as refused:
            return _json({"error": refused.kind}, 401)
        except Silent:
            return _json({"error": "silent"}, 503)


def _json(value: Row, status: int = 200) -> Response:
    return Response(_encode(value), status, content_type="application/json; charset=utf-8")
