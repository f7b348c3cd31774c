"""What stays when the configuration is exchanged."""

from __future__ import annotations

import attrs
import pytest

from lasso_trio.config.profile import CachePolicy, Chain, Profile, Provider
from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.config.secret import SecretUrl
from lasso_trio.providers.registry import Registry
from lasso_trio.routing.cache_store import MemoryStore
from lasso_trio.routing.directory import Directory, Makers
from lasso_trio.routing.leased_limit import LeasedLimit
from lasso_trio.routing.succession import successor
from lasso_trio.upstream.http1 import Pool

A = Provider("a", "A", "1:a:0", SecretUrl("http://a/"), priority=1)
B = Provider("b", "B", "1:b:0", SecretUrl("http://b/"), priority=2)
ONE = Chain("one", 1, "One", (A, B), block_time_ms=2000)
TWO = Chain("two", 2, "Two", (attrs.evolve(A, instance_id="2:a:0"),))
PUBLIC = Profile("public", "Public", (ONE, TWO), rps_limit=7, burst_limit=9)


@pytest.fixture
def old() -> Directory:
    return Directory.of(ProfileSet.of([PUBLIC]), Registry(Pool))


def after(old: Directory, *chains: Chain, **fields: object) -> Directory:
    profiles = ProfileSet.of([attrs.evolve(PUBLIC, chains=chains or PUBLIC.chains, **fields)])
    old.registry.add(profiles.profiles.values())
    return successor(old, profiles, old.registry)


def test_each_successor_is_a_generation_on_and_the_old_one_stays_as_it_was(old: Directory) -> None:
    new = after(old, ONE)
    assert (old.generation, new.generation) == (0, 1)
    assert "two" in old.default.names
    assert "two" not in new.default.names


def test_a_profile_that_did_not_change_is_the_very_same_wherever_its_file_lies(old: Directory) -> None:
    assert after(old, source="elsewhere.yml").default is old.default


def test_a_chain_that_did_not_change_is_the_very_same_in_a_profile_that_did(old: Directory) -> None:
    new = after(old, name="Everybody")
    assert new.default is not old.default
    assert new.default.names["one"] is old.default.names["one"]
    assert new.default.names["one"].profile.name == "Everybody"


def test_buckets_stay_while_the_limit_does(old: Directory) -> None:
    old.default.limit.take("192.0.2.1", 9, 0.0)
    assert after(old, name="Everybody").default.limit.take("192.0.2.1", 1, 0.0) > 0
    assert after(old, burst_limit=10).default.limit.take("192.0.2.1", 1, 0.0) == 0


def test_a_changed_chain_keeps_its_counts_and_those_of_providers_that_are_the_same(old: Directory) -> None:
    before = old.default.names["one"]
    before.counts.calls, before.own_counts.calls = 5, 3
    for candidate in before.candidates:
        candidate.tally.attempts = 3
    other = attrs.evolve(B, instance_id="1:b:1", url=SecretUrl("http://b2/"))
    new = after(old, attrs.evolve(ONE, providers=(attrs.evolve(A, priority=9), other)), TWO).default.names["one"]
    assert new is not before
    assert (new.counts.calls, new.own_counts.calls) == (5, 3)
    assert {c.provider.id: c.tally.attempts for c in new.candidates} == {"a": 3, "b": 0}
    assert new.candidates[0].channel is before.candidates[0].channel
    assert [c.provider.priority for c in before.candidates] == [1, 2]


def test_the_tip_does_not_go_back_because_somebodys_priority_was_edited(old: Directory) -> None:
    before = old.default.names["one"]
    before.heads.tip, before.heads.finalized, before.heads.block_time.mean_s = 1000, 936, 1.9
    edited = attrs.evolve(ONE, providers=(attrs.evolve(A, priority=9), B))
    heads = after(old, edited, TWO).default.names["one"].heads
    assert (heads.tip, heads.finalized, heads.block_time.mean_s) == (1000, 936, 1.9)
    assert heads.heads is not before.heads.heads
    slower = after(old, attrs.evolve(ONE, block_time_ms=9000), TWO).default.names["one"].heads
    assert (slower.tip, slower.block_time.seconds) == (1000, 9.0)


def test_what_a_name_says_of_another_chain_id_is_forgotten(old: Directory) -> None:
    old.default.names["one"].counts.calls = 5
    old.default.names["one"].heads.tip = 1000
    elsewhere = attrs.evolve(ONE, chain_id=5, providers=(attrs.evolve(A, instance_id="5:a:0"),))
    new = after(old, elsewhere, TWO).default.names["one"]
    assert (new.counts.calls, new.heads.tip) == (0, None)


def test_a_profile_that_is_new_starts_from_nothing(old: Directory) -> None:
    profiles = ProfileSet.of([PUBLIC, attrs.evolve(PUBLIC, slug="mine")])
    old.default.names["one"].counts.calls = 5
    new = successor(old, profiles, old.registry)
    assert new.profiles["mine"].names["one"].counts.calls == 0
    assert new.profiles["mine"].names["one"].candidates[0].channel is new.default.names["one"].candidates[0].channel


def test_what_profiles_share_with_others_is_made_and_followed_alike_after_a_reload() -> None:
    followed: list[str] = []

    class Store(MemoryStore):
        def follow(self, profile: Profile) -> None:
            followed.append(profile.name)

    makers = Makers(lambda p: LeasedLimit(p.rps_limit, p.burst_limit), lambda p: Store(p.cache.max_bytes))
    public = attrs.evolve(PUBLIC, cache=CachePolicy(enabled=True))
    old = Directory.of(ProfileSet.of([public]), Registry(Pool), makers)
    new = after(old, name="Everybody", rps_limit=8, cache=public.cache)
    larger = after(new, cache=attrs.evolve(public.cache, max_bytes=1))
    assert all(isinstance(each.default.limit, LeasedLimit) for each in (old, new, larger))
    assert new.default.store is old.default.store
    assert isinstance(larger.default.store, Store)
    assert larger.default.store is not old.default.store
    assert followed == ["Everybody"]
