"""Names to running things: profile slug → profile, chain alias or decimal id → routed chain.

Built once per configuration and never changed; `generation` tells two of them apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs

from lasso_trio.config.profile import Profile
from lasso_trio.config.profile_set import ProfileSet, chain_index
from lasso_trio.providers.registry import Registry
from lasso_trio.routing.cache_store import MemoryStore
from lasso_trio.routing.client_limit import ClientLimit
from lasso_trio.routing.routed_chain import RoutedChain


@attrs.define(eq=False)
class RoutedProfile:
    """A profile at run time. `names` holds every alias and decimal id of its chains.

    `store`: what is cached of all of them together; None where nothing is.
    """

    profile: Profile
    chains: tuple[RoutedChain, ...]
    names: Mapping[str, RoutedChain]
    limit: ClientLimit
    store: MemoryStore | None = None

    @classmethod
    def of(cls, profile: Profile, registry: Registry) -> RoutedProfile:
        store = store_of(profile)
        chains = {chain.chain_id: RoutedChain.of(profile, chain, registry, store) for chain in profile.chains}
        names = {name: chains[chain.chain_id] for name, chain in chain_index(profile).items()}
        return cls(profile, tuple(chains.values()), names, ClientLimit(profile.rps_limit, profile.burst_limit), store)


def store_of(profile: Profile) -> MemoryStore | None:
    return MemoryStore(profile.cache.max_bytes) if profile.cache.enabled else None


@attrs.define(eq=False)
class Directory:
    """`default` serves the paths that name no profile."""

    set: ProfileSet
    profiles: Mapping[str, RoutedProfile]
    registry: Registry
    generation: int = 0

    @classmethod
    def of(cls, profiles: ProfileSet, registry: Registry) -> Directory:
        registry.add(profiles.profiles.values())
        routed = {slug: RoutedProfile.of(profile, registry) for slug, profile in profiles.profiles.items()}
        return cls(profiles, routed, registry)

    @property
    def default(self) -> RoutedProfile:
        return self.profiles[self.set.default.slug]

    def find(self, slug: str) -> RoutedProfile | None:
        """By slug; `default` is the default profile."""
        found = self.set.find(slug)
        return None if found is None else self.profiles[found.slug]

    def chains(self) -> Iterator[RoutedChain]:
        for profile in self.profiles.values():
            yield from profile.chains
