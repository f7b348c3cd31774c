"""What stays when the configuration is exchanged: counts, evidence, heads, the clients' buckets.

Whatever did not change keeps its running object; what did is made anew and takes over what still means the same. The
old objects stay as they were, for the calls that hold them.
"""

from __future__ import annotations

import attrs

from lasso_trio.config.profile import Chain, Profile
from lasso_trio.config.profile_set import ProfileSet, chain_index
from lasso_trio.providers.registry import Registry
from lasso_trio.routing.cache_store import MemoryStore
from lasso_trio.routing.client_limit import ClientLimit
from lasso_trio.routing.directory import Directory, Makers, RoutedProfile, store_of
from lasso_trio.routing.routed_chain import RoutedChain


def successor(old: Directory, profiles: ProfileSet, registry: Registry) -> Directory:
    """The directory of `profiles`, one generation on. `registry` must have their instances already."""
    routed = {
        slug: _profile(old.profiles.get(slug), profile, registry, old.makers)
        for slug, profile in profiles.profiles.items()
    }
    return Directory(profiles, routed, registry, old.generation + 1, old.makers)


def _profile(old: RoutedProfile | None, profile: Profile, registry: Registry, makers: Makers) -> RoutedProfile:
    if old is None:
        return RoutedProfile.of(profile, registry, makers)
    if attrs.evolve(old.profile, source=profile.source) == profile:
        return old
    before = {chain.chain.key: chain for chain in old.chains}
    store = _store(old, profile, makers)
    chains = {
        chain.chain_id: _chain(before.get(chain.key), profile, chain, registry, store) for chain in profile.chains
    }
    names = {name: chains[chain.chain_id] for name, chain in chain_index(profile).items()}
    return RoutedProfile(profile, tuple(chains.values()), names, _limit(old.limit, profile, makers), store)


def _store(old: RoutedProfile, profile: Profile, makers: Makers) -> MemoryStore | None:
    if old.profile.cache != profile.cache:
        return store_of(profile, makers)
    if old.store is not None:
        old.store.follow(profile)
    return old.store


def _limit(old: ClientLimit, profile: Profile, makers: Makers) -> ClientLimit:
    same = (old.rate, old.burst) == (profile.rps_limit, profile.burst_limit)
    return old if same else makers.limit(profile)


def _chain(
    old: RoutedChain | None, profile: Profile, chain: Chain, registry: Registry, store: MemoryStore | None
) -> RoutedChain:
    if old is not None and old.chain == chain:
        old.adopt(profile, store)  # same slug: nobody who holds it sees a difference
        return old
    new = RoutedChain.of(profile, chain, registry, store)
    if old is not None and old.chain.chain_id == chain.chain_id:
        new.counts, new.own_counts = old.counts, old.own_counts
        _take_over_tallies(new, old)
        # The tip that clients were told must not go back because somebody's priority was edited.
        new.heads.take_over(old.heads, pace=old.chain.block_time_ms == chain.block_time_ms)
    return new


def _take_over_tallies(new: RoutedChain, old: RoutedChain) -> None:
    """A provider that is the same instance under the same name goes on counting."""
    before = {(c.label, c.channel): c.tally for c in old.candidates}
    for candidate in new.candidates:
        candidate.tally = before.get((candidate.label, candidate.channel), candidate.tally)
