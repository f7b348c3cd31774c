"""What a URL and its headers say, as a table. (Who is asked because of it: `tests/surface/test_paths.py`.)"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from lasso_trio.config.profile import Chain, Profile, Provider, Strategy, Transport
from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.config.secret import SecretUrl
from lasso_trio.jsonrpc.errors import RpcError
from lasso_trio.providers.registry import Registry
from lasso_trio.routing.directory import Directory
from lasso_trio.server.routes import Meta, NoSuchRoute, Route, parse_path, resolve
from lasso_trio.upstream.http1 import Pool

NOTHING: Mapping[str, str] = {}


def directory() -> Directory:
    alpha, beta = (
        Provider(name, name, f"1:{name}:0", SecretUrl(f"http://{name}.invalid")) for name in ("alpha", "beta")
    )
    chain = Chain("ethereum", 1, "Ethereum", (alpha, beta), aliases=("eth", "1234"))
    number = Chain("other", 1234, "Other", (alpha,))
    profiles = [Profile("public", "Public", (chain,)), Profile("team", "Team", (chain, number))]
    return Directory.of(ProfileSet.of(profiles), Registry(_no_pool))


def _no_pool(_: object) -> Pool:
    return None  # type: ignore[return-value]


@pytest.fixture(scope="module")
def names() -> Directory:
    return directory()


def where(route: Route) -> tuple[str, str]:
    return route.routed_profile.profile.slug, route.routed_chain.chain.key


# path → profile, chain, strategy, provider
PATHS = [
    ("/rpc/eth", "public", "ethereum", None, None),
    ("/rpc/1", "public", "ethereum", None, None),
    ("/rpc/1234", "public", "ethereum", None, None),
    ("/rpc/eth/", "public", "ethereum", None, None),
    ("/rpc/e%74h", "public", "ethereum", None, None),
    ("/rpc/fastest/eth", "public", "ethereum", Strategy.FASTEST, None),
    ("/rpc/load-balanced/eth", "public", "ethereum", Strategy.LOAD_BALANCED, None),
    ("/rpc/load_balanced/eth", "public", "ethereum", Strategy.LOAD_BALANCED, None),
    ("/rpc/round-robin/eth", "public", "ethereum", Strategy.LOAD_BALANCED, None),
    ("/rpc/latency-weighted/eth", "public", "ethereum", Strategy.LATENCY_WEIGHTED, None),
    ("/rpc/priority/eth", "public", "ethereum", Strategy.PRIORITY, None),
    ("/rpc/provider/beta/eth", "public", "ethereum", None, "beta"),
    ("/rpc/eth/beta", "public", "ethereum", None, "beta"),
    ("/rpc/eth/bet%61", "public", "ethereum", None, "beta"),
    ("/rpc/profile/default/eth", "public", "ethereum", None, None),
    ("/rpc/profile/public/eth", "public", "ethereum", None, None),
    ("/rpc/profile/team/eth", "team", "ethereum", None, None),
    ("/rpc/profile/team/1234", "team", "other", None, None),
    ("/rpc/profile/team/priority/eth", "team", "ethereum", Strategy.PRIORITY, None),
    ("/rpc/profile/team/provider/alpha/eth", "team", "ethereum", None, "alpha"),
    ("/rpc/profile/team/eth/alpha", "team", "ethereum", None, "alpha"),
]


@pytest.mark.parametrize(("path", "profile", "chain", "strategy", "provider"), PATHS)
def test_a_path_names_profile_chain_strategy_and_provider(
    names: Directory, path: str, profile: str, chain: str, strategy: Strategy | None, provider: str | None
) -> None:
    route = resolve(path, NOTHING, names)
    assert route.error is None
    assert where(route) == (profile, chain)
    assert (route.wish.strategy, route.wish.provider) == (strategy, provider)
    assert route.path == path


@pytest.mark.parametrize(
    "path",
    ["/", "/rpc", "/rpc/", "/rpc//", "/rpcx/eth", "/rpc/a/b/c", "/rpc/profile/team/a/b/c", "/RPC/eth", "/rpc/eth//"],
)
def test_any_other_path_is_no_route(names: Directory, path: str) -> None:
    with pytest.raises(NoSuchRoute):
        resolve(path, NOTHING, names)


# target → the error it is answered with
ERRORS = [
    ("/rpc/nope", 400, -32602, "Unsupported chain: Unknown chain 'nope' in profile 'public'"),
    ("/rpc/ETH", 400, -32602, "Unsupported chain: Unknown chain 'ETH' in profile 'public'"),
    ("/rpc/0", 400, -32602, "Unsupported chain: Unknown chain '0' in profile 'public'"),
    ("/rpc/profile/team", 400, -32602, "Unsupported chain: Unknown chain 'profile' in profile 'public'"),
    ("/rpc/profile/nope/eth", 404, -32000, "Profile 'nope' not found"),
    ("/rpc/profile//eth", 400, -32602, "Profile cannot be empty"),
    ("/rpc/profile/%20/eth", 400, -32602, "Profile cannot be empty"),
    ("/rpc/eth/ghost", 400, -32602, "Unsupported chain: Provider 'ghost' is not configured for this chain"),
    ("/rpc/provider/ghost/eth", 400, -32602, "Unsupported chain: Provider 'ghost' is not configured for this chain"),
    ("/rpc/profile/team/1234/beta", 400, -32602, "Unsupported chain: Provider 'beta' is not configured for this chain"),
]


@pytest.mark.parametrize(("path", "status", "code", "message"), ERRORS)
def test_a_route_that_leads_nowhere_carries_its_error(
    names: Directory, path: str, status: int, code: int, message: str
) -> None:
    route = resolve(path + "?include_meta=body", NOTHING, names)
    assert route.error is not None
    assert (route.error.status, route.error.code, route.error.message) == (status, code, message)
    assert isinstance(route.error, RpcError)
    assert route.meta is Meta.BODY


def test_what_leads_nowhere_has_no_chain_to_give(names: Directory) -> None:
    route = resolve("/rpc/nope", NOTHING, names)
    with pytest.raises(AssertionError, match="leads nowhere"):
        _ = route.routed_chain
    assert route.routed_profile.profile.slug == "public"  # which says who is told so
    with pytest.raises(AssertionError, match="leads nowhere"):
        _ = resolve("/rpc/profile/nope/eth", NOTHING, names).routed_profile


@pytest.mark.parametrize(
    ("target", "headers", "provider"),
    [
        ("/rpc/eth?provider_override=beta&provider_id=alpha", {"x-lasso-provider": "alpha"}, "beta"),
        ("/rpc/eth?provider_id=beta", {"x-lasso-provider": "alpha"}, "beta"),
        ("/rpc/eth/alpha", {"x-lasso-provider": "beta"}, "beta"),
        ("/rpc/eth/alpha", {}, "alpha"),
        ("/rpc/eth/alpha?provider_id=", {"x-lasso-provider": ""}, "alpha"),
        ("/rpc/eth?provider_id=g%20host", {}, "g host"),
        ("/rpc/eth", {"x-lasso-provider": "ghost"}, "ghost"),
        ("/rpc/eth?provider=beta", {}, None),
    ],
)
def test_a_provider_is_named_by_query_before_header_before_path(
    names: Directory, target: str, headers: Mapping[str, str], provider: str | None
) -> None:
    route = resolve(target, headers, names)
    assert (route.wish.provider, route.error) == (provider, None)


@pytest.mark.parametrize(
    ("target", "strategy"),
    [
        ("/rpc/eth?strategy=fastest", Strategy.FASTEST),
        ("/rpc/eth?strategy=round-robin", Strategy.LOAD_BALANCED),
        ("/rpc/eth/alpha?strategy=priority", Strategy.PRIORITY),
        ("/rpc/profile/team/eth?strategy=latency_weighted", Strategy.LATENCY_WEIGHTED),
        ("/rpc/priority/eth?strategy=fastest", Strategy.PRIORITY),
        ("/rpc/eth?strategy=luck", None),
        ("/rpc/eth?strategy=", None),
    ],
)
def test_the_path_names_a_strategy_before_the_query(names: Directory, target: str, strategy: Strategy | None) -> None:
    assert resolve(target, NOTHING, names).wish.strategy is strategy


@pytest.mark.parametrize(
    ("target", "headers", "transport", "meta"),
    [
        ("/rpc/eth", {}, None, Meta.NONE),
        ("/rpc/eth?transport=ws&include_meta=headers", {}, Transport.WS, Meta.HEADERS),
        ("/rpc/eth", {"x-lasso-transport": "http", "x-lasso-include-meta": "body"}, Transport.HTTP, Meta.BODY),
        ("/rpc/eth?transport=http", {"x-lasso-transport": "ws"}, Transport.HTTP, Meta.NONE),
        ("/rpc/eth?include_meta=none", {"x-lasso-include-meta": "body"}, None, Meta.NONE),
        ("/rpc/eth?include_meta=x&transport=y", {"x-lasso-include-meta": "body"}, None, Meta.NONE),
    ],
)
def test_transport_and_metadata_are_named_by_query_before_header(
    names: Directory, target: str, headers: Mapping[str, str], transport: Transport | None, meta: Meta
) -> None:
    route = resolve(target, headers, names)
    assert (route.wish.transport, route.meta) == (transport, meta)


def test_names_are_read_before_anything_is_looked_up() -> None:
    found = parse_path("/rpc/profile/a%2Fb/provider/p%C3%A9/c%20d")
    assert (found.profile, found.provider, found.chain) == ("a/b", "pé", "c d")
