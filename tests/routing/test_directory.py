from __future__ import annotations

import attrs
import pytest

from lasso_trio.config.profile import Chain, Profile, Provider
from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.config.secret import SecretUrl
from lasso_trio.providers.registry import Registry
from lasso_trio.routing.directory import Directory
from lasso_trio.upstream.http1 import Pool

NODE = Provider("a", "A", "1:a:0", SecretUrl("http://a/"))
MAINNET = Chain("ethereum", 1, "Ethereum", (NODE,), aliases=("eth", "mainnet"))
BASE = Chain("base", 8453, "Base", (attrs.evolve(NODE, id="b", instance_id="8453:a:0"),))
PUBLIC = Profile("public", "Public", (MAINNET, BASE), rps_limit=7, burst_limit=9)
MINE = Profile("mine", "Mine", (MAINNET,))


@pytest.fixture
def directory() -> Directory:
    return Directory.of(ProfileSet.of([MINE, PUBLIC]), Registry(Pool))


def test_a_profile_is_found_by_its_slug_and_the_default_by_that_word(directory: Directory) -> None:
    assert directory.default.profile is PUBLIC
    assert directory.find("default") is directory.find("public") is directory.default
    mine = directory.find("mine")
    assert mine is not None
    assert mine.profile is MINE
    assert directory.find("nobodys") is None


def test_a_chain_is_found_by_every_name_and_by_its_decimal_id(directory: Directory) -> None:
    names = directory.default.names
    assert names["ethereum"] is names["eth"] is names["mainnet"] is names["1"]
    assert names["base"] is names["8453"]
    assert "Ethereum" not in names
    assert "01" not in names


def test_each_profile_has_chains_counts_and_limits_of_its_own_over_shared_upstreams(directory: Directory) -> None:
    mine = directory.find("mine")
    assert mine is not None
    ours, theirs = mine.names["ethereum"], directory.default.names["ethereum"]
    assert ours is not theirs
    assert ours.counts is not theirs.counts
    assert ours.candidates[0].channel is theirs.candidates[0].channel
    assert (directory.default.limit.rate, directory.default.limit.burst) == (7, 9)
    assert (mine.limit.rate, mine.limit.burst) == (100, 500)


def test_all_chains_are_listed(directory: Directory) -> None:
    assert [(c.profile.slug, c.chain.key) for c in directory.chains()] == [
        ("mine", "ethereum"),
        ("public", "ethereum"),
        ("public", "base"),
    ]
