"""What the URL and the headers of a call say: which profile and chain, which strategy or provider, what metadata.

    /rpc/:chain                       /rpc/{strategy}/:chain             /rpc/provider/:provider/:chain
    /rpc/:chain/:provider             and all of them behind /rpc/profile/:profile
    all of that behind /rpc/k/:key    which is taken out before (access.credential)

    provider      ?provider_override=  before  ?provider_id=  before  X-Lasso-Provider  before the path
    strategy      the path  before  ?strategy=
    transport     ?transport=  before  X-Lasso-Transport
    explanation   ?explain=1  before  X-Lasso-Explain: 1
    metadata      ?include_meta=  before  X-Lasso-Include-Meta
    consistency   X-Lasso-Session, X-Lasso-Min-Block (see session_headers)
    conduct       X-Request-Deadline-Ms, X-Lasso-Hedge, X-Lasso-Cache (see call_headers)

An unknown provider in the path is a route that leads nowhere (400); one that the query or a header names is the call's
error (200, -32602). Unknown values of the other three count as none given.

Pure: text in, `Route` out, or the error to answer. A route is remembered on the parsed head, which kept connections
repeat, so that most calls do not come here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qsl, unquote

import attrs

from lasso_trio.access.guard import Guard
from lasso_trio.config.profile import STRATEGY_NAMES, Strategy, Transport
from lasso_trio.errors import LassoError
from lasso_trio.jsonrpc.errors import (
    RpcError,
    profile_empty,
    profile_not_found,
    unknown_chain,
    unknown_provider_route,
)
from lasso_trio.routing.directory import Directory, RoutedProfile
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.routing.service import Wish
from lasso_trio.server.call_headers import bypasses_cache, deadline_s, hedge_s
from lasso_trio.server.session_headers import min_block, session_name


class NoSuchRoute(LassoError):
    """The path is none of ours: a plain 404."""


class Meta(StrEnum):
    """Where a call's metadata goes."""

    NONE = "none"
    HEADERS = "headers"
    BODY = "body"


_METAS: Final[Mapping[str, Meta]] = {meta.value: meta for meta in Meta}
_YES: Final = frozenset({"1", "true", "yes", "on"})
_TRANSPORTS: Final[Mapping[str, Transport]] = {transport.value: transport for transport in Transport}


@attrs.frozen(eq=False)
class Route:
    """Where a call is to go. When it can go nowhere, `error` is set, and chain or both are missing: a profile that is
    there says first who may learn what it does not have.
    """

    path: str
    wish: Wish
    profile: RoutedProfile | None = None
    chain: RoutedChain | None = None
    meta: Meta = Meta.NONE
    error: RpcError | None = None
    explain: bool = False
    """The call is not to be carried out: what would be done with it is the answer."""
    guard: Guard | None = None
    """Who may call, where not everybody may."""

    @property
    def routed_profile(self) -> RoutedProfile:
        assert self.profile is not None, "asked of a route that leads nowhere"
        return self.profile

    @property
    def routed_chain(self) -> RoutedChain:
        assert self.chain is not None, "asked of a route that leads nowhere"
        return self.chain


@attrs.frozen
class _Names:
    """What the path's segments say, before anything is looked up."""

    chain: str
    profile: str | None = None
    strategy: Strategy | None = None
    provider: str | None = None


def resolve(target: str, headers: Mapping[str, str], directory: Directory) -> Route:
    """The route of a request. Raises NoSuchRoute when the path is not an RPC path."""
    path, _, query = target.partition("?")
    names = parse_path(path)
    asked = dict(parse_qsl(query, keep_blank_values=True)) if query else {}
    pin = asked.get("provider_override") or asked.get("provider_id") or headers.get("x-lasso-provider")
    provider = pin or names.provider
    strategy = names.strategy or STRATEGY_NAMES.get(asked.get("strategy", ""))
    transport = _TRANSPORTS.get(asked.get("transport") or headers.get("x-lasso-transport", ""))
    route = Route(
        path=path,
        wish=Wish(
            strategy,
            provider,
            transport,
            traceparent=headers.get("traceparent", ""),
            tracestate=headers.get("tracestate", ""),
        ),
        meta=_METAS.get(asked.get("include_meta") or headers.get("x-lasso-include-meta", ""), Meta.NONE),
        explain=(asked.get("explain") or headers.get("x-lasso-explain", "")) in _YES,
    )
    try:
        route = _conducted(_held_to_session(route, headers), headers)
        route = attrs.evolve(route, profile=_profile(names.profile, directory))
        return attrs.evolve(route, chain=_chain(names, route.routed_profile))
    except RpcError as error:
        return attrs.evolve(route, error=error)


def _held_to_session(route: Route, headers: Mapping[str, str]) -> Route:
    session = session_name(headers.get("x-lasso-session"))
    least = min_block(headers.get("x-lasso-min-block"))
    if session is None and least is None:
        return route
    return attrs.evolve(route, wish=attrs.evolve(route.wish, session=session, min_block=least))


def _conducted(route: Route, headers: Mapping[str, str]) -> Route:
    deadline, hedge = deadline_s(headers.get("x-request-deadline-ms")), hedge_s(headers.get("x-lasso-hedge"))
    bypass = bypasses_cache(headers.get("x-lasso-cache"))
    if deadline is None and hedge is None and not bypass:
        return route
    wish = attrs.evolve(route.wish, deadline_s=deadline, hedge_s=hedge, bypass_cache=bypass)
    return attrs.evolve(route, wish=wish)


def _chain(names: _Names, profile: RoutedProfile) -> RoutedChain:
    chain = profile.names.get(names.chain)
    if chain is None:
        raise unknown_chain(names.chain, profile.profile.slug)
    if names.provider is not None and not chain.has_provider(names.provider):
        raise unknown_provider_route(names.provider)
    return chain


def _profile(slug: str | None, directory: Directory) -> RoutedProfile:
    if slug is None:
        return directory.default
    if not slug.strip():
        raise profile_empty()
    found = directory.find(slug)
    if found is None:
        raise profile_not_found(slug)
    return found


_PREFIX: Final = re.compile(r"^/rpc/(.*)$", re.DOTALL)


def parse_path(path: str) -> _Names:
    """The names in an RPC path. Raises NoSuchRoute."""
    match = _PREFIX.match(path)
    if match is None:
        raise NoSuchRoute(path)
    segments = [unquote(segment) for segment in match[1].removesuffix("/").split("/")]
    profile = None
    if segments[0] == "profile" and len(segments) > 2:
        profile, segments = segments[1], segments[2:]
    names = _inner(segments)
    if names is None or not names.chain:
        raise NoSuchRoute(path)
    return attrs.evolve(names, profile=profile)


def _inner(segments: list[str]) -> _Names | None:
    match segments:
        case [chain]:
            return _Names(chain)
        case [strategy, chain] if strategy in STRATEGY_NAMES:
            return _Names(chain, strategy=STRATEGY_NAMES[strategy])
        case [chain, provider] if provider:
            return _Names(chain, provider=provider)
        case ["provider", provider, chain] if provider:
            return _Names(chain, provider=provider)
    return None
