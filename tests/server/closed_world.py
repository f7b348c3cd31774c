"""A profile that asks for keys: its directory, and two clients that have one."""

from __future__ import annotations

from typing import Any, Final

import attrs

from lasso_trio.access.api_key import digest_of, made
from lasso_trio.config.access import AccessPolicy, ApiKey, Auth, JwtPolicy, Names, Terms
from lasso_trio.config.profile import Chain, Profile, Provider
from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.config.secret import Secret, SecretUrl
from lasso_trio.providers.registry import Registry
from lasso_trio.routing.directory import Directory

KEY: Final = made("wallet")
READER: Final = made("reader")
SECRET: Final = "a secret that is long enough for HS256"
WALLET: Final = ApiKey("wallet", digest_of(KEY))
KEYS: Final = (
    WALLET,
    ApiKey("reader", digest_of(READER), Terms(2, 2, Names(deny=("eth_send*",)), Names(("eth",)))),
)
POLICY: Final = AccessPolicy(Auth(KEYS, JwtPolicy(("HS256",), Secret(SECRET), leeway_s=0)))


def closed(policy: AccessPolicy = POLICY, generation: int = 0, rate: int = 1000) -> Directory:
    """The profile `public` with the chains `eth` and `base`."""
    chains = tuple(
        Chain(key, id_, key, (Provider("alpha", "Alpha", f"{id_}:alpha:0", SecretUrl("http://alpha.invalid")),))
        for key, id_ in (("eth", 1), ("base", 8453))
    )
    profile = Profile("public", "Public", chains, rps_limit=rate, burst_limit=rate, access=policy)
    directory = Directory.of(ProfileSet.of([profile]), Registry(_no_pool))
    directory.generation = generation
    return directory


def _no_pool(_: object) -> Any:
    return object()  # as if connected


@attrs.define
class TimeOfDay:
    """Seconds since 1970, set by a test."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now
