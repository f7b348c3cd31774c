"""A profile of one chain, without a file."""

from __future__ import annotations

from lasso_trio.config.identity import instance_id
from lasso_trio.config.profile import CachePolicy, Chain, Profile, Provider
from lasso_trio.config.secret import SecretUrl


def profile(*urls: str, rps: int = 10, burst: int = 5, cached: bool = True) -> Profile:
    providers = tuple(
        Provider(f"p{n}", f"p{n}", instance_id(1, SecretUrl(url), None, {}), SecretUrl(url))
        for n, url in enumerate(urls)
    )
    chain = Chain("ethereum", 1, "Ethereum", providers)
    return Profile("public", "Public", (chain,), rps_limit=rps, burst_limit=burst, cache=CachePolicy(enabled=cached))
