"""Everything that is not the rpc lane's, as a Quart-Trio application: the JSON APIs, and JSON-RPC for clients that
speak HTTP/2, which goes to the same handler as on the lane.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import trio
from quart import Response, request
from quart_trio import QuartTrio

from lasso_trio import __version__
from lasso_trio.routing.directory import Directory
from lasso_trio.server import node_api, rpc_over_asgi
from lasso_trio.server.metrics_view import chain_metrics
from lasso_trio.server.rpc import RpcHandler
from lasso_trio.server.rpc_answer import CORS
from lasso_trio.telemetry.node import Node

_encode = msgspec.json.Encoder().encode
_CORS = [tuple(line.split(": ", 1)) for line in CORS.decode().split("\r\n") if line]


def make_app(node: Node, directory: Callable[[], Directory], handler: RpcHandler, max_body_bytes: int) -> QuartTrio:
    """`directory` is asked at each request, so that a reload is seen."""
    app = QuartTrio("lasso_trio", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = max_body_bytes
    app.config["BODY_TIMEOUT"] = 30
    _serve_node(app, node, directory)
    _serve_metrics(app, node, directory)
    rpc_over_asgi.serve(app, handler)
    app.register_error_handler(404, _not_found)
    app.register_error_handler(405, _not_found)
    app.register_error_handler(413, _too_large)
    app.register_error_handler(500, _crashed)
    app.after_request(_allow_any_origin)
    return app


def _json(value: Any, status: int = 200) -> Response:  # noqa: ANN401 (JSON)
    return Response(_encode(value), status, content_type="application/json; charset=utf-8")


def _serve_node(app: QuartTrio, node: Node, directory: Callable[[], Directory]) -> None:
    @app.get("/")
    async def index() -> Response:
        apis = ["/api/health", "/api/ready", "/api/chains", "/api/metrics/{chain}"]
        return _json({"name": "lasso_trio", "version": __version__, "rpc": "/rpc/{chain}", "apis": apis})

    @app.get("/api/health")
    async def health() -> Response:
        return _json(node_api.health(node, trio.current_time()))

    @app.get("/api/ready")
    async def ready() -> Response:
        status, body = node_api.ready(node)
        return _json(body, status)

    @app.get("/api/chains")
    async def chains() -> Response:
        return _json(node_api.chains(directory()))


def _serve_metrics(app: QuartTrio, node: Node, directory: Callable[[], Directory]) -> None:
    @app.get("/api/metrics/<chain>")
    async def metrics(chain: str) -> Response:
        slug = request.args.get("profile")
        routed = directory().default if slug is None else directory().find(slug)
        if routed is None:
            return _json({"error": "Profile not found", "profile": slug}, 404)
        found = routed.names.get(chain)
        if found is None:
            known = [entry.chain.key for entry in routed.chains]
            return _json({"error": "Chain not found", "chain": chain, "available_chains": known}, 404)
        return _json(chain_metrics(found, node, trio.current_time()))


async def _not_found(_: Exception) -> Response:
    return _json({"errors": {"detail": "Not Found"}}, 404)


async def _too_large(_: Exception) -> Response:
    return _json({"errors": {"detail": "Request Entity Too Large"}}, 413)


async def _crashed(_: Exception) -> Response:
    return _json({"errors": {"detail": "Internal Server Error"}}, 500)


async def _allow_any_origin(response: Response) -> Response:
    for name, value in _CORS:
        response.headers.setdefault(name, value)
    return response
