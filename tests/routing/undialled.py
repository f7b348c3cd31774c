"""Routed chains that nobody dials, for rooms that decide and do not ask."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from random import Random

from lasso_trio.config.profile import Capabilities, Chain, Profile, Provider, Routing
from lasso_trio.config.secret import SecretUrl
from lasso_trio.providers.registry import Registry
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.upstream.dialled import Dialled
from lasso_trio.upstream.endpoint import Endpoint
from lasso_trio.upstream.http1 import Pool


def _unreachable(endpoint: Endpoint) -> Pool:
    async def dial() -> Dialled:
        raise AssertionError("nothing is dialled in a pure room")

    return Pool(endpoint, dial=dial)


def undialled(
    *names: str,
    ws: Collection[str] = (),
    capabilities: Mapping[str, Capabilities] | None = None,
    routing: Routing | None = None,
    instances: Mapping[str, str] | None = None,
    chain_id: int = 1,
) -> RoutedChain:
    providers = tuple(
        Provider(
            id=name,
            name=name.title(),
            instance_id=(instances or {}).get(name, f"1:{name}:0"),
            url=SecretUrl(f"http://{name}/"),
            ws_url=SecretUrl(f"ws://{name}/") if name in ws else None,
            priority=rank,
            capabilities=(capabilities or {}).get(name, Capabilities()),
        )
        for rank, name in enumerate(names, 1)
    )
    chain = Chain("ethereum", chain_id, "Ethereum", providers, routing=routing or Routing())
    profile = Profile("default", "Default", (chain,))
    registry = Registry(_unreachable, Random(1))
    registry.add([profile])
    return RoutedChain.of(profile, chain, registry)
