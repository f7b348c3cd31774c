"""The dashboard's addresses: the page, its files, the stream of snapshots, and the JSON that its tabs ask for.

/dashboard · /dashboard/{profile}        the page
/dashboard/static/{hash}/{path}          its files
/dashboard/events/{profile}              snapshots as server-sent events
/dashboard/api/…                         what only some tabs need, when they are looked at
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import attrs
import msgspec
import trio
from quart import Response, request
from quart_trio import QuartTrio

from lasso_trio.cluster.desk import Silent
from lasso_trio.dashboard import try_it
from lasso_trio.dashboard.assets import Assets, templates
from lasso_trio.dashboard.board import Board
from lasso_trio.dashboard.chain_view import chain_panel
from lasso_trio.dashboard.cluster_view import cluster_page, is_known
from lasso_trio.dashboard.endpoints import origin_of, profiles_page
from lasso_trio.dashboard.feed import Feed
from lasso_trio.dashboard.gate import Gate, moved
from lasso_trio.dashboard.issues import Sight
from lasso_trio.dashboard.metrics_page import metrics_page
from lasso_trio.dashboard.provider_view import by_provider, provider_panel
from lasso_trio.dashboard.races_view import races_page
from lasso_trio.dashboard.series import Range
from lasso_trio.dashboard.series_page import Question, series_page
from lasso_trio.dashboard.shared_pages import FRESH_S, REST, SharedPages, encode
from lasso_trio.dashboard.snapshot import snapshot
from lasso_trio.dashboard.streams_view import streams_page
from lasso_trio.dashboard.system_view import system_page
from lasso_trio.dashboard.try_it import Refused
from lasso_trio.routing.directory import RoutedProfile
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.server.straight_body import StraightBody

Row = dict[str, Any]
JSON: Final = "application/json; charset=utf-8"
SLOW_FRESH_S: Final = 5.0
"""The table that may be large, and lines that get a point in so many seconds."""
ISSUES: Final = 200


@attrs.define(eq=False)
class Pages:
    board: Board
    feed: Feed
    gate: Gate
    assets: Assets
    shared: SharedPages = attrs.field(factory=SharedPages)

    def serve(self, app: QuartTrio) -> None:
        """Let `app` answer below `/dashboard`."""
        self.gate.serve(app)
        api = "/dashboard/api"
        routes: dict[str, Callable[..., Awaitable[Response]]] = {
            "/dashboard": self._first,
            "/dashboard/": self._first,
            "/dashboard/<profile>": self._shell,
            "/dashboard/static/<mark>/<path:path>": self._asset,
            "/dashboard/events/<profile>": self._events,
            f"{api}/profiles": self._profiles,
            f"{api}/system": self._system,
            f"{api}/<profile>/snapshot": self._snapshot,
            f"{api}/<profile>/issues": self._issues,
            f"{api}/<profile>/streams": self._streams,
            f"{api}/<profile>/races": self._races,
            f"{api}/<profile>/cluster/<chain>": self._cluster,
            f"{api}/<profile>/chains/<chain>": self._chain,
            f"{api}/<profile>/chains/<chain>/providers/<provider>": self._provider,
            f"{api}/<profile>/metrics/<chain>": self._metrics,
            f"{api}/<profile>/series/<chain>": self._series,
        }
        for path, view in routes.items():
            app.add_url_rule(path, f"dashboard{view.__name__}", view, methods=["GET"])
        app.add_url_rule(f"{api}/try", "dashboard_try", self._try, methods=["POST"])
        app.register_error_handler(Refused, _refused)

    # The page…

    async def _first(self) -> Response:
        return self._page(self.board.directory().default)

    async def _shell(self, profile: str) -> Response:
        found = self.board.directory().find(profile)
        if found is None:
            return moved("/dashboard")
        return self._page(found)

    def _page(self, profile: RoutedProfile) -> Response:
        text = (
            templates()
            .get_template("shell.html")
            .render(static=self.assets.prefix, profile=profile.profile.slug, title=profile.profile.name)
        )
        return Response(text, content_type="text/html; charset=utf-8")

    async def _asset(self, mark: str, path: str) -> Response:
        asset = self.assets.find(mark, path)
        if asset is None:
            raise Refused(404, {"error": "no such file"})
        packed = asset.packed is not None and "gzip" in request.headers.get("accept-encoding", "")
        response = Response(asset.packed if packed and asset.packed else asset.body, content_type=asset.content_type)
        if packed:
            response.headers["content-encoding"] = "gzip"
        response.headers["vary"] = "accept-encoding"
        response.headers["cache-control"] = "public, max-age=31536000, immutable"
        return response

    async def _events(self, profile: str) -> Response:
        found = self._find(profile)
        if self.feed.full:
            response = _json({"error": "too many viewers"}, 503)
            response.headers["retry-after"] = "10"
            return response
        last_id = request.headers.get("last-event-id", "")
        body = self.feed.stream(found.profile.slug, last_id, StraightBody.of(request.scope))
        answer = Response(body, content_type="text/event-stream; charset=utf-8")
        answer.timeout = None  # it has no end; every piece of it is bounded in time by whoever sends it
        answer.headers["cache-control"] = "no-store, no-transform"
        answer.headers["x-accel-buffering"] = "no"
        return answer

    # The JSON…

    def _find(self, profile: str) -> RoutedProfile:
        found = self.board.whole.directory().find(profile)
        if found is None:
            raise Refused(404, {"error": "no such profile"})
        return found

    def _routed(self, profile: str, chain: str) -> RoutedChain:
        found = self._find(profile).names.get(chain)
        if found is None:
            raise Refused(404, {"error": "no such chain"})
        return found

    async def _shared(
        self, make: Callable[[], Row | Awaitable[Row]], fresh_s: float = FRESH_S, *, key: str = "", rest: int = REST
    ) -> Response:
        """The same answer to all who ask the same. `key`: what that is, beside the path."""
        return Response(await self.shared.get(request.path + key, make, fresh_s, rest), content_type=JSON)

    async def _profiles(self) -> Response:
        origin = origin_of(self.board.settings, self.gate.scheme, request.host)
        return _json(profiles_page(self.board, origin, self.gate.user))

    async def _system(self) -> Response:
        return await self._shared(lambda: system_page(self.board, trio.current_time()))

    async def _snapshot(self, profile: str) -> Response:
        found = self._find(profile)
        return await self._shared(lambda: snapshot(self.board, found, self.feed.tick), rest=0)

    async def _issues(self, profile: str) -> Response:
        return _json({"issues": self.board.issues.rows(Sight.of(self._find(profile)), ISSUES)})

    async def _streams(self, profile: str) -> Response:
        found = self._find(profile)
        return await self._shared(lambda: streams_page(self.board, found))

    async def _races(self, profile: str) -> Response:
        found = self._find(profile)
        return await self._shared(lambda: races_page(self.board, found))

    async def _chain(self, profile: str, chain: str) -> Response:
        routed = self._routed(profile, chain)
        return await self._shared(lambda: chain_panel(self.board, routed, trio.current_time()))

    async def _provider(self, profile: str, chain: str, provider: str) -> Response:
        routed = self._routed(profile, chain)
        mine = next((group for group in by_provider(routed) if group[0].provider.id == provider), None)
        if mine is None:
            raise Refused(404, {"error": "no such provider"})
        return await self._shared(lambda: provider_panel(self.board, routed, mine, trio.current_time()))

    async def _cluster(self, profile: str, chain: str) -> Response:
        routed, cluster = self._routed(profile, chain), self.board.cluster
        if cluster is None:
            raise Refused(404, {"error": "this node is in no cluster"})
        node = request.args.get("node")
        if not is_known(cluster, node):
            raise Refused(404, {"error": "no such node"})
        try:
            return _json(await cluster_page(cluster, routed, node))
        except Silent as fault:
            raise Refused(503, {"error": str(fault)}) from fault

    async def _metrics(self, profile: str, chain: str) -> Response:
        routed = self._routed(profile, chain)
        return await self._shared(lambda: metrics_page(routed, trio.current_time()), SLOW_FRESH_S)

    async def _series(self, profile: str, chain: str) -> Response:
        routed, args = self._routed(profile, chain), request.args
        if args.get("range", Range.MINUTES) not in list(Range):
            raise Refused(400, {"error": f"range must be one of {', '.join(Range)}"})
        asked = Question(
            Range(args.get("range", Range.MINUTES)), args.get("provider"), args.get("transport"), args.get("method")
        )
        if asked.provider is not None and not routed.has_provider(asked.provider):
            raise Refused(404, {"error": "no such provider"})
        return await self._shared(lambda: series_page(self.board, routed, asked), SLOW_FRESH_S / 2, key=f" {asked}")

    async def _try(self) -> Response:
        if request.mimetype != "application/json":
            raise Refused(415, {"error": "the body must be application/json"})
        data: Any = await request.get_data(cache=False, as_text=False)
        try:
            ask = try_it.read(data)
        except (msgspec.DecodeError, RecursionError) as error:
            raise Refused(400, {"error": f"not a call: {error}"}) from None
        return _json(await try_it.try_call(self.board, ask, self.gate.host))


def _json(value: Row, status: int = 200) -> Response:
    return Response(encode(value), status, content_type=JSON)


async def _refused(refused: Refused) -> Response:
    return _json(refused.body, refused.status)
