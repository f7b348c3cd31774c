"""Everything that is not the rpc lane's, as a Quart-Trio application: the JSON APIs, and JSON-RPC for clients that
speak HTTP/2, which goes to the same handler as on the lane.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import trio
from quart import Response, g, request
from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException

from lasso_trio import __version__
from lasso_trio.cluster.desk import ClusterDesk
from lasso_trio.cluster.view import STANDALONE
from lasso_trio.routing.directory import Directory
from lasso_trio.server import admin_api, cluster_api, node_api, request_id, rpc_answer, rpc_over_asgi
from lasso_trio.server.admin_api import Admin
from lasso_trio.server.asgi_guard import AsgiGuard
from lasso_trio.server.budget import ByteBudget
from lasso_trio.server.client_address import Network
from lasso_trio.server.limits import LaneLimits
from lasso_trio.server.metrics_view import chain_metrics
from lasso_trio.server.rpc_answer import CORS
from lasso_trio.server.rpc_lane import Handler
from lasso_trio.server.whole import Alone, Whole
from lasso_trio.telemetry.node import Node

Mount = Callable[[QuartTrio], None]
NOT_FOR_OTHERS = "/dashboard"
"""Pages of other origins may read everything but what is below: there, people have sessions."""

_encode = msgspec.json.Encoder().encode
_CORS = [tuple(line.split(": ", 1)) for line in CORS.decode().split("\r\n") if line]
_AS_SAID = ("x-content-type-options", "nosniff")


def make_app(
    node: Node,
    directory: Callable[[], Directory],
    handler: Handler | None,
    limits: LaneLimits,
    budget: ByteBudget,
    admin: Admin | None = None,
    mounts: Sequence[Mount] = (),
    cluster: ClusterDesk | None = None,
    whole: Whole | None = None,
    trusted: Sequence[Network] = (),
) -> QuartTrio:
    """`directory` is asked at each request, so that a reload is seen. `limits` and `budget` are the lane's.

    `whole`: what the figures are taken of; None: of `directory`. Without a `handler` there is no JSON-RPC. `mounts` add
    what this room does not know. `trusted`: proxies, whose address is nobody's.
    """
    app = QuartTrio("lasso_trio", static_folder=None)
    app.url_map.merge_slashes = False  # an empty profile is an error to be told, not a redirect
    app.config["MAX_CONTENT_LENGTH"] = limits.max_body_bytes
    app.config["BODY_TIMEOUT"] = limits.body_timeout
    app.before_request(_begin)
    _serve_node(app, node, directory, cluster)
    cluster_api.serve(app, cluster, directory)
    _serve_metrics(app, node, whole or Alone(directory))
    if handler is not None:
        rpc_over_asgi.serve(app, handler, limits, budget, trusted)
    if admin is not None:
        admin_api.serve(app, admin)
    for mount in mounts:
        mount(app)
    app.register_error_handler(HTTPException, _refused)
    app.register_error_handler(500, _crashed)
    app.after_request(_complete)
    app.asgi_app = AsgiGuard(app.asgi_app, limits)  # type: ignore[assignment, method-assign]  # as Quart documents it
    return app


def _json(value: Any, status: int = 200) -> Response:  # noqa: ANN401 (JSON)
    return Response(_encode(value), status, content_type="application/json; charset=utf-8")


def _serve_node(app: QuartTrio, node: Node, directory: Callable[[], Directory], cluster: ClusterDesk | None) -> None:
    @app.get("/")
    async def index() -> Response:
        apis = ["/api/health", "/api/ready", "/api/chains", "/api/metrics/{chain}", "/api/cluster"]
        return _json({"name": "lasso_trio", "version": __version__, "rpc": "/rpc/{chain}", "apis": apis})

    @app.get("/api/health")
    async def health() -> Response:
        seen = STANDALONE if cluster is None else cluster.health()
        return _json(node_api.health(node, trio.current_time(), seen))

    @app.get("/api/ready")
    async def ready() -> Response:
        status, body = node_api.ready(node)
        return _json(body, status)

    @app.get("/api/chains")
    async def chains() -> Response:
        return _json(node_api.chains(directory()))


def _serve_metrics(app: QuartTrio, node: Node, whole: Whole) -> None:
    @app.get("/api/metrics/<chain>")
    async def metrics(chain: str) -> Response:
        slug = request.args.get("profile")
        directory = await whole.fresh()
        routed = directory.default if slug is None else directory.find(slug)
        if routed is None:
            return _json({"error": "Profile not found", "profile": slug}, 404)
        found = routed.names.get(chain)
        if found is None:
            known = [entry.chain.key for entry in routed.chains]
            return _json({"error": "Chain not found", "chain": chain, "available_chains": known}, 404)
        return _json(chain_metrics(found, node, trio.current_time(), whole.usages()))


def _problem(status: int, detail: str) -> Response:
    return _json({"errors": {"detail": detail}}, status)


async def _begin() -> Response | None:
    """Note when it began; answer preflights, and bodies that nobody will read and that are too large anyway."""
    g.began = trio.current_time()
    g.request_id = request_id.sane(request.headers.get("x-request-id", "")) or request_id.made()
    if request.method == "OPTIONS" and not _says_itself():
        head = rpc_over_asgi.head_of_request()
        return await rpc_over_asgi.response_of(rpc_answer.preflight(g.request_id), head, 0)
    too_large = (request.content_length or 0) > (request.max_content_length or 0)
    return _problem(413, "Request Entity Too Large") if too_large and not request.path.startswith("/rpc/") else None


def _says_itself() -> bool:
    """Whether it is for the path's own door to say which web pages may read what it answers."""
    return request.path.startswith(NOT_FOR_OTHERS) or request.endpoint == rpc_over_asgi.ENDPOINT


async def _refused(error: HTTPException) -> Response:
    """No difference is made between a path that is none of ours and a method that it does not take."""
    if error.code in (404, 405):
        return _problem(404, "Not Found")
    return _problem(error.code or 500, error.name)


async def _crashed(_: Exception) -> Response:
    return _problem(500, "Internal Server Error")


async def _complete(response: Response) -> Response:
    headers = response.headers
    for name, value in () if _says_itself() else _CORS:
        headers.setdefault(name, value)
    if not request.path.startswith("/rpc"):  # there every byte is as it is on the rpc lane
        headers.setdefault(*_AS_SAID)
    headers.setdefault("x-request-id", g.request_id)
    headers.setdefault("server-timing", f"total;dur={(trio.current_time() - g.began) * 1000:.3f}")
    return response
