from __future__ import annotations

import attrs
import pytest

from lasso_trio.access.api_key import digest_of, made
from lasso_trio.access.gates import Gates, wall_clock
from lasso_trio.access.token import TokenRefused
from lasso_trio.config.access import OPEN, AccessPolicy, ApiKey, Auth, JwtPolicy, Names
from lasso_trio.config.profile import Chain, Profile, Provider
from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.config.secret import Secret, SecretUrl
from lasso_trio.providers.registry import Registry
from lasso_trio.routing.directory import Directory
from tests.access.token_maker import ED, NOW, SECRET, jwks, token

KEY = ApiKey("a", digest_of(made("a")))
REMOTE = AccessPolicy(Auth(jwt=JwtPolicy(("EdDSA",), jwks_url=SecretUrl("https://id.example/keys"))))


def directory(policy: AccessPolicy) -> Directory:
    provider = Provider("alpha", "Alpha", "1:alpha:0", SecretUrl("http://alpha.invalid"))
    chain = Chain("eth", 1, "Ethereum", (provider,), aliases=("main",))
    return Directory.of(ProfileSet.of([Profile("public", "Public", (chain,), access=policy)]), Registry(lambda _: None))  # type: ignore[arg-type, return-value]


async def test_an_open_profile_has_no_guard() -> None:
    (chain,) = directory(OPEN).chains()
    assert Gates().guard(chain.profile, chain, "key", None) is None


async def test_a_guard_knows_every_name_of_its_chain() -> None:
    (chain,) = directory(AccessPolicy(Auth((KEY,)))).chains()
    guard = Gates().guard(chain.profile, chain, "key", "https://a.example")
    assert guard is not None
    assert (guard.names, guard.credential, guard.origin) == (("eth", "main", "1"), "key", "https://a.example")


def test_a_gate_is_made_again_only_when_its_policy_has_changed_and_goes_on_counting() -> None:
    gates = Gates()
    gate = gates.of("public", AccessPolicy(Auth((KEY,))))
    assert gate is not None
    gate.counts.of("a").calls = 5
    assert gates.of("public", AccessPolicy(Auth((KEY,)))) is gate
    after = gates.of("public", AccessPolicy(Auth(())))
    assert after is not None
    assert after is not gate
    assert (after.counts.of("a").calls, after.limits) == (5, gate.limits)
    assert gates.of("public", OPEN) is None
    assert not gates.gates


def test_a_policy_that_was_read_again_and_is_the_same_is_compared_once() -> None:
    gates, read_again = Gates(), AccessPolicy(Auth((attrs.evolve(KEY),)))
    gate = gates.of("public", AccessPolicy(Auth((KEY,))))
    assert gates.of("public", read_again) is gate
    assert gate is not None
    assert gate.policy is read_again


def test_fetched_keys_outlive_a_change_elsewhere_and_not_one_of_where_they_come_from() -> None:
    gates = Gates()
    first = gates.of("public", REMOTE)
    same = gates.of("public", attrs.evolve(REMOTE, methods=Names(("eth_*",))))
    other = gates.of("public", AccessPolicy(Auth(jwt=JwtPolicy(("HS256",), Secret(SECRET)))))
    assert first is not None
    assert same is not None
    assert other is not None
    assert same.tokens is first.tokens
    assert other.tokens is not first.tokens


def test_another_policy_believes_the_keys_that_were_fetched_from_the_same_url_and_from_no_other() -> None:
    """Else a reload refuses every token until its keys are fetched, which may take as long as who has them is away."""
    gates = Gates()
    first = gates.of("public", REMOTE)
    assert first is not None
    assert first.tokens is not None
    first.tokens.use(jwks())
    first.tokens.read(token(ED, "Ed25519"), NOW)
    jwt = first.tokens.policy
    stricter = gates.of("public", AccessPolicy(Auth(jwt=attrs.evolve(jwt, issuer="me"))))
    assert stricter is not None
    assert stricter.tokens is not None
    assert stricter.tokens.keys == first.tokens.keys
    with pytest.raises(TokenRefused, match="not valid"):
        stricter.tokens.read(token(ED, "Ed25519"), NOW)
    elsewhere = attrs.evolve(jwt, jwks_url=SecretUrl("https://other.example/keys"))
    moved = gates.of("public", AccessPolicy(Auth(jwt=elsewhere)))
    assert moved is not None
    assert moved.tokens is not None
    assert moved.tokens.keys is None


def test_the_time_of_day_is_in_this_century() -> None:
    assert 1.7e9 < wall_clock() < 4.2e9
