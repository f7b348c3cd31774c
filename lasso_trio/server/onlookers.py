"""Who may look at the figures of a profile that is not for everybody: on the public port, whoever may call it.

Figures name providers, methods and how much is called. Operators' own port (`LASSO_OPS_PORT`) asks nobody. Guesses
count against the limit of their address, as they do for calls. Where no profile is asked for, `/api/cluster` tells
everybody of nodes, and of the default profile those who may call it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import attrs
import msgspec
import trio
from quart import Response, g, request
from quart_trio import QuartTrio

from lasso_trio.access.credential import shown
from lasso_trio.access.gates import Gates
from lasso_trio.jsonrpc.errors import RpcError, rate_limited
from lasso_trio.routing.client_limit import client_key
from lasso_trio.routing.directory import Directory, RoutedProfile
from lasso_trio.server.client_address import Network, client_address

FIGURES: Final = "/api/metrics/<chain>"
CLUSTER: Final = "/api/cluster"
_ABOUT_A_PROFILE: Final = ("profile", "chain", "provider", "node", "region")
_NODES_ONLY: Final = "nodes_only"


@attrs.frozen(eq=False)
class Onlookers:
    """`directory`: the configuration that serves. `trusted`: proxies whose word on a client's address counts."""

    directory: Callable[[], Directory]
    gates: Gates
    trusted: Sequence[Network]

    def serve(self, app: QuartTrio) -> None:
        """Ask who looks, before `app` answers."""

        @app.before_request
        async def check() -> Response | None:
            profile = self._looked_at()
            if profile is None:
                return None
            if _is_about_nodes():
                setattr(g, _NODES_ONLY, self._stops(profile) is not None)
                return None
            error = self._refusal(profile)
            return None if error is None else _told(error)

    def _looked_at(self) -> RoutedProfile | None:
        """The profile whose figures are asked for, if it is not for everybody."""
        if _rule() not in (FIGURES, CLUSTER):
            return None
        slug = request.args.get("profile")
        found = self.directory().default if slug is None else self.directory().find(slug)
        return None if found is None or found.profile.access.lets_anybody_in else found

    def _refusal(self, profile: RoutedProfile) -> RpcError | None:
        error = self._stops(profile)
        wait = 0.0 if error is None else profile.limit.take(client_key(self._host), 1, trio.current_time())
        return rate_limited(profile.limit.rate, int(wait * 1000) + 1) if wait else error

    def _stops(self, profile: RoutedProfile) -> RpcError | None:
        """Why who asks may not call `profile`."""
        headers = {name.lower(): value for name, value in request.headers}
        name = (request.view_args or {}).get("chain") or request.args.get("chain", "")
        guard = self.gates.guard(profile.profile, profile.names.get(name), shown(None, headers), headers.get("origin"))
        return None if guard is None else guard.admit(self._host, self.gates.clock())

    @property
    def _host(self) -> str:
        forwarded = ",".join(request.headers.getlist("x-forwarded-for"))
        return client_address(request.remote_addr or "", forwarded, self.trusted)


def tells_nodes_only() -> bool:
    """Whether who asks now is to be told of nodes, and of no profile's figures."""
    return bool(getattr(g, _NODES_ONLY, False))


def _rule() -> str | None:
    return None if request.url_rule is None else request.url_rule.rule


def _is_about_nodes() -> bool:
    return _rule() == CLUSTER and not any(name in request.args for name in _ABOUT_A_PROFILE)


def _told(error: RpcError) -> Response:
    body = msgspec.json.encode({"error": error.message, "data": error.data})
    response = Response(body, error.status, content_type="application/json; charset=utf-8")
    if error.status == 401:
        response.headers["www-authenticate"] = 'Bearer realm="lasso"'
    return response
