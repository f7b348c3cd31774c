"""Where to send calls, ready to be copied: every strategy of every chain, for HTTP and WebSocket. Pure."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import attrs

from lasso_trio.config.profile import Strategy
from lasso_trio.config.settings import Settings
from lasso_trio.dashboard.board import Board
from lasso_trio.routing.directory import RoutedProfile
from lasso_trio.routing.routed_chain import RoutedChain

Row = dict[str, Any]


@attrs.frozen
class Origin:
    """How the browser reached us: `host` may have a port."""

    scheme: str
    host: str


def origin_of(settings: Settings, scheme: str, host: str) -> Origin:
    """Where calls are to go, for a page that was asked for at `host`.

    With a public host name configured, there; from the separate port for operators, to the main one.
    """
    if settings.public_host != Settings().public_host:
        return Origin(settings.public_scheme, settings.public_host)
    if settings.ops_port is not None:
        bare = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        return Origin(scheme, f"{bare}:{settings.port}")
    return Origin(scheme, host)


def profiles_page(board: Board, origin: Origin, user: str | None) -> Row:
    directory = board.directory()
    return {
        "default": directory.default.profile.slug,
        "profiles": [_profile(routed, origin, routed is directory.default) for routed in directory.profiles.values()],
        "features": {
            "system": board.settings.vm_metrics,
            "admin": board.has_admin,
            "auth": bool(board.settings.dashboard_users or board.settings.dashboard_password),
            "try": True,
            "load": board.settings.ops_port is None,  # the browser sends it, and only to where the page is from
            "cluster": board.cluster is not None,
        },
        "user": user,
    }


def _profile(routed: RoutedProfile, origin: Origin, is_default: bool) -> Row:
    profile = routed.profile
    return {
        "slug": profile.slug,
        "name": profile.name,
        "unlisted": profile.unlisted,
        "logo": profile.logo,
        "rps_limit": profile.rps_limit,
        "burst_limit": profile.burst_limit,
        "needs_key": profile.access.auth is not None,
        "strategies": [strategy.value for strategy in Strategy],
        "chains": [_chain(chain, origin, is_default) for chain in routed.chains],
    }


def _chain(routed: RoutedChain, origin: Origin, is_default: bool) -> Row:
    chain = routed.chain
    slug = None if is_default else routed.profile.slug
    return {
        "chain": chain.key,
        "chain_id": chain.chain_id,
        "name": chain.name,
        "aliases": list(chain.aliases),
        "default_strategy": chain.routing.default_strategy.value,
        "has_ws": any(provider.ws_url is not None for provider in chain.providers),
        "providers": [{"provider": provider.id, "name": provider.name} for provider in chain.providers],
        "endpoints": [_endpoint(origin, slug, strategy, chain.key) for strategy in Strategy],
    }


def _endpoint(origin: Origin, slug: str | None, strategy: Strategy, chain: str) -> Row:
    middle = "" if slug is None else f"profile/{quote(slug, safe='')}/"
    path = f"/rpc/{middle}{strategy.value}/{quote(chain, safe='')}"
    secure = "s" if origin.scheme == "https" else ""
    return {
        "strategy": strategy.value,
        "http": f"http{secure}://{origin.host}{path}",
        "ws": f"ws{secure}://{origin.host}/ws{path}",
    }
