"""Every form of an RPC URL, and who is asked because of it (routes, overrides and their precedence)."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from lasso_trio.devnet import Failure, Faults, Kind, Latency
from tests.surface.conftest import CHAIN_ID, Start, Surface

STRATEGIES = {
    "": "load-balanced",
    "fastest/": "fastest",
    "load-balanced/": "load-balanced",
    "round-robin/": "load-balanced",
    "latency-weighted/": "latency-weighted",
    "priority/": "priority",
}


@pytest.mark.parametrize("namespace", ["", "profile/public/", "profile/default/", "profile/team/"])
async def test_a_strategy_is_named_by_the_path_in_every_profile(surface: Surface, namespace: str) -> None:
    for strategy, expected in STRATEGIES.items():
        answer = await surface.ask("eth_blockNumber", path=f"/rpc/{namespace}{strategy}devnet?include_meta=body")
        assert (answer.status, answer.json["result"]) == (200, "0x3e8")
        meta = answer.json["lasso_meta"]
        assert (meta["strategy"], meta["profile"]) == (expected, "team" if "team" in namespace else "public")


@pytest.mark.parametrize("namespace", ["", "profile/public/", "profile/default/", "profile/team/"])
async def test_a_provider_is_named_by_the_path_in_both_forms(surface: Surface, namespace: str) -> None:
    for form in ("provider/beta/devnet", "devnet/beta", "provider/beta/31337", "31337/beta"):
        answer = await surface.ask("eth_blockNumber", path=f"/rpc/{namespace}{form}")
        assert answer.json["result"] == "0x3e8"
    assert surface.calls() == {"beta": 4}


@pytest.mark.parametrize("chain", ["devnet", "dev", "31337", "d%C3%A9v%20net", "%64ev", "%33%31337", "devnet/"])
async def test_a_chain_is_named_by_key_alias_or_decimal_id_however_it_is_encoded(surface: Surface, chain: str) -> None:
    answer = await surface.ask("eth_chainId", path=f"/rpc/{chain}")
    assert answer.json["result"] == hex(CHAIN_ID)


async def test_a_path_without_profile_is_the_public_profiles(start: Start) -> None:
    surface = await start(profile={"slug": "public"})
    assert (await surface.ask("eth_chainId", path="/rpc/421614")).status == 400
    assert (await surface.ask("eth_chainId", path="/rpc/profile/team/421614")).json["result"] == "0x66eee"


async def test_two_segments_after_rpc_are_a_chain_and_a_provider_even_when_the_first_says_profile(
    surface: Surface,
) -> None:
    answer = await surface.ask("eth_chainId", path="/rpc/profile/team")
    assert answer.status == 400
    assert answer.error["message"] == "Unsupported chain: Unknown chain 'profile' in profile 'public'"


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH"])
async def test_anything_but_post_on_an_rpc_path_is_not_found(surface: Surface, method: str) -> None:
    for path in ("/rpc/devnet", "/rpc/fastest/devnet", "/rpc", "/rpc/"):
        answer = await (await surface.connect()).request(method, path)
        assert answer.status == 404
        assert answer["content-type"] == "application/json; charset=utf-8"
        assert answer.body == (b"" if method == "HEAD" else b'{"errors":{"detail":"Not Found"}}')


@pytest.mark.parametrize("path", ["/rpc", "/rpc/", "/rpc//", "/rpc/a/b/c", "/rpc/profile/team/a/b/c/d", "/rpcs/devnet"])
async def test_a_path_that_is_no_route_is_not_found(surface: Surface, path: str) -> None:
    answer = await surface.ask("eth_chainId", path=path)
    assert (answer.status, answer.json) == (404, {"errors": {"detail": "Not Found"}})


# Strategies, seen by who got the calls


async def _warm(surface: Surface, *names: str) -> None:
    client = await surface.connect()
    for name in names:
        for _ in range(12):
            await client.request("POST", f"/rpc/provider/{name}/devnet", b'{"method":"eth_blockNumber","id":1}')
    for provider in surface.net.providers.values():
        provider.calls.clear()


async def _many(surface: Surface, path: str, n: int, fields: Mapping[str, str] = {}) -> dict[str, int]:
    client = await surface.connect()
    for _ in range(n):
        answer = await client.request("POST", path, b'{"method":"eth_blockNumber","id":1}', fields)
        assert answer.json["result"] == "0x3e8"
    return surface.calls()


async def test_priority_asks_the_first_of_the_profile(surface: Surface) -> None:
    assert await _many(surface, "/rpc/priority/devnet", 12) == {"alpha": 12}


async def test_load_balanced_asks_everybody(surface: Surface) -> None:
    assert set(await _many(surface, "/rpc/load-balanced/devnet", 50)) == {"alpha", "beta"}


@pytest.mark.parametrize("strategy", ["fastest", "latency-weighted"])
async def test_the_quick_one_is_asked_once_both_are_known(start: Start, strategy: str) -> None:
    surface = await start(slow=Faults(latency=Latency.constant(25)), quick=Faults())
    await _warm(surface, "slow", "quick")
    asked = await _many(surface, f"/rpc/{strategy}/devnet", 12)
    # By weight the slow one is drawn once in thousands, and more often when the machine itself is slow.
    assert asked["quick"] >= (12 if strategy == "fastest" else 8)


async def test_a_strategy_may_be_named_by_the_query_unless_the_path_names_one(surface: Surface) -> None:
    assert await _many(surface, "/rpc/devnet?strategy=priority", 12) == {"alpha": 12}
    assert await _many(surface, "/rpc/profile/team/devnet?strategy=priority", 12) == {"alpha": 24}
    answer = await surface.ask("eth_blockNumber", path="/rpc/fastest/devnet?strategy=priority&include_meta=body")
    assert answer.json["lasso_meta"]["strategy"] == "fastest"
    answer = await surface.ask("eth_blockNumber", path="/rpc/devnet?strategy=luck&include_meta=body")
    assert answer.json["lasso_meta"]["strategy"] == "load-balanced"


async def test_the_chains_own_default_strategy_holds_where_nobody_names_one(start: Start) -> None:
    from lasso_trio.config.profile import MethodOverride, Routing, Strategy

    overrides = {"eth_gasPrice": MethodOverride(strategy=Strategy.PRIORITY, providers=("beta",))}
    surface = await start(chain={"routing": Routing(Strategy.PRIORITY, overrides)})
    assert await _many(surface, "/rpc/devnet", 8) == {"alpha": 8}
    await surface.ask("eth_gasPrice")
    assert surface.calls("eth_gasPrice") == {"beta": 1}


# Overrides


@pytest.mark.parametrize(
    ("path", "fields", "asked"),
    [
        ("/rpc/devnet?provider_override=beta", {}, "beta"),
        ("/rpc/devnet?provider_id=beta", {}, "beta"),
        ("/rpc/devnet", {"X-Lasso-Provider": "beta"}, "beta"),
        ("/rpc/profile/team/fastest/devnet", {"X-Lasso-Provider": "beta"}, "beta"),
        ("/rpc/devnet?provider_override=alpha&provider_id=beta", {"X-Lasso-Provider": "beta"}, "alpha"),
        ("/rpc/devnet?provider_id=alpha", {"X-Lasso-Provider": "beta"}, "alpha"),
        ("/rpc/devnet/alpha?provider_id=beta", {}, "beta"),
        ("/rpc/provider/alpha/devnet", {"X-Lasso-Provider": "beta"}, "beta"),
        ("/rpc/devnet/alpha?provider_id=alpha", {"X-Lasso-Provider": "beta"}, "alpha"),
        ("/rpc/priority/devnet?provider_id=", {}, "alpha"),
        ("/rpc/devnet?provider_id=b%65ta", {}, "beta"),
    ],
)
async def test_a_provider_is_pinned_by_the_query_before_the_header_before_the_path(
    surface: Surface, path: str, fields: Mapping[str, str], asked: str
) -> None:
    assert await _many(surface, path, 6, fields) == {asked: 6}


async def test_a_pinned_provider_is_tried_alone(start: Start) -> None:
    broken = Faults(failures=(Failure(Kind.RPC, code=-32603, message="sorry"),))
    surface = await start(alpha=broken, beta=Faults())
    answer = await surface.ask("eth_blockNumber", path="/rpc/devnet/alpha")
    assert answer.error == {"code": -32603, "message": "sorry"}
    assert surface.calls() == {"alpha": 1}


async def test_an_unknown_provider_in_the_path_is_a_bad_request(surface: Surface) -> None:
    for path in ("/rpc/devnet/ghost", "/rpc/provider/ghost/devnet", "/rpc/profile/team/devnet/ghost"):
        answer = await surface.ask("eth_chainId", path=path, id=9)
        assert answer.status == 400
        assert answer.json == {
            "jsonrpc": "2.0",
            "id": None,
            "error": {
                "code": -32602,
                "message": "Unsupported chain: Provider 'ghost' is not configured for this chain",
            },
        }


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/rpc/devnet?provider_id=ghost", {}),
        ("/rpc/devnet?provider_override=ghost", {}),
        ("/rpc/devnet", {"x-lasso-provider": "ghost"}),
        ("/rpc/devnet/alpha", {"x-lasso-provider": "ghost"}),
    ],
)
async def test_an_unknown_provider_in_header_or_query_is_the_calls_error(
    surface: Surface, path: str, fields: Mapping[str, str]
) -> None:
    answer = await surface.ask("eth_blockNumber", path=path, fields=fields, id="abc")
    assert (answer.status, answer.json["id"]) == (200, "abc")
    assert answer.error == {
        "code": -32602,
        "message": "Provider 'ghost' not found",
        "data": {"provider_id": "ghost", "chain_id": CHAIN_ID, "profile": "public"},
    }
    assert surface.calls() == {}


@pytest.mark.parametrize(
    ("query", "fields", "served"),
    [
        ("?transport=http", {}, True),
        ("", {"x-lasso-transport": "http"}, True),
        ("?transport=ws", {}, False),
        ("", {"x-lasso-transport": "ws"}, False),
        ("?transport=http", {"x-lasso-transport": "ws"}, True),
        ("?transport=ws", {"x-lasso-transport": "http"}, False),
        ("?transport=pigeon", {}, True),
    ],
)
async def test_a_transport_may_be_asked_for(
    surface: Surface, query: str, fields: Mapping[str, str], served: bool
) -> None:
    """These providers have no WebSocket: asking for one leaves nobody."""
    answer = await surface.ask("eth_blockNumber", path=f"/rpc/devnet{query}", fields=fields)
    assert answer.status == 200
    if served:
        assert answer.json["result"] == "0x3e8"
    else:
        assert answer.error == {"code": -32000, "message": "No channels available"}
