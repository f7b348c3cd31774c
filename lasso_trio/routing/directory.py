"""Names to running things: profile slug → profile, chain alias or decimal id → routed chain.

Built once per configuration and never changed; `generation` tells two of them apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import attrs

from lasso_trio.config.profile import Profile
from lasso_trio.config.profile_set import ProfileSet, chain_index
from lasso_trio.providers.registry import Registry
from lasso_trio.routing.cache_store import MemoryStore
from lasso_trio.routing.client_limit import ClientLimit
from lasso_trio.routing.routed_chain import RoutedChain


def own_limit(profile: Profile) -> ClientLimit:
    return ClientLimit(profile.rps_limit, profile.burst_limit)


def own_store(profile: Profile) -> MemoryStore:
    return MemoryStore(profile.cache.max_bytes)


@attrs.frozen(eq=False)
class Makers:
    """What makes that which profiles may have in common with other processes. By default they have nothing."""

    limit: Callable[[Profile], ClientLimit] = own_limit
    store: Callable[[Profile], MemoryStore] = own_store


ALONE: Final = Makers()


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
    def of(cls, profile: Profile, registry: Registry, makers: Makers = ALONE) -> RoutedProfile:
        store = store_of(profile, makers)
        chains = {chain.chain_id: RoutedChain.of(profile, chain, registry, store) for chain in profile.chains}
        names = {name: chains[chain.chain_id] for name, chain in chain_index(profile).items()}
        return cls(profile, tuple(chains.values()), names, makers.limit(profile), store)


def store_of(profile: Profile, makers: Makers = ALONE) -> MemoryStore | None:
    return makers.store(profile) if profile.cache.enabled else None


@attrs.define(eq=False)
class Directory:
    """`default` serves the paths that name no profile."""

    set: ProfileSet
    profiles: Mapping[str, RoutedProfile]
    registry: Registry
    generation: int = 0
    makers: Makers = ALONE

    @classmethod
    def of(cls, profiles: ProfileSet, registry: Registry, makers: Makers = ALONE) -> Directory:
        registry.add(profiles.profiles.values())
        routed = {slug: RoutedProfile.of(profile, registry, makers) for slug, profile in profiles.profiles.items()}
        return cls(profiles, routed, registry, makers=makers)

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
